"""Splits a text into rows: CSV with or without a header, JSON lines, or one JSON document."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any, NamedTuple, Protocol

import msgspec

from sesbounce.errors import ListError
from sesbounce.lists.decoding import delimiter_of
from sesbounce.lists.formats import Row
from sesbounce.lists.spreadsheet import is_own, unguarded


class TableRow(NamedTuple):
    """A row of a text, not interpreted yet.

    Attributes:
        place: the row's place in the text: `line 17`.
        cells: its values by the names of the columns, in lower case; empty if there is a problem.
        problem: why the row can't be read; None if it can.
    """

    place: str
    cells: Row
    problem: str | None = None


# The names of the list of rows in the JSON documents of SES and Mailgun.
_ROWS_IN_DOCUMENT = ("SuppressedDestinationSummaries", "items")
_SES_WORDS = ("BOUNCE", "COMPLAINT")
_SAMPLE_LINES = 100
OWN_LIST = (
    "a list of your own needs the column address, and --format sesbounce reads it (docs/import.md)"
)


def read_table(lines: Iterable[str]) -> tuple[tuple[str, ...], Iterator[TableRow]]:
    """Read the names of the columns, and begin to read the rows.

    Args:
        lines: the lines of the text, with their ends.

    Returns:
        The names in lower case, and the rows; each is read when the iterator reaches it.

    Raises:
        ListError: the text is empty, or is neither CSV nor JSON.
    """
    lines = iter(lines)
    numbered = enumerate(lines, 1)
    start, first = next(((n, line) for n, line in numbered if line.strip()), (0, ""))
    if not first:
        raise ListError("the list is empty")
    if first.lstrip()[0] in "{[":
        return _json(chain([(start, first)], numbered))
    return _csv(chain([first], lines), start - 1)


def joined(names: Iterable[str]) -> str:
    """Join names for an error message."""
    return ", ".join(filter(None, names)) or "none"


class CsvReader(Protocol):
    """The type of the readers that `csv.reader` makes, which the module does not export."""

    line_num: int

    def __iter__(self) -> Iterator[list[str]]: ...

    def __next__(self) -> list[str]: ...


def csv_reader(lines: Iterable[str]) -> CsvReader:
    """Read CSV. A malformed row raises `csv.Error`, and the next row can still be read.

    Values are separated by commas, semicolons or tabs: see `delimiter_of`. A quote that is not
    closed is an error; otherwise the rest of the file would be one value.

    Raises:
        ListError: the separator can't be told.
    """
    lines = iter(lines)
    sample = list(islice(lines, _SAMPLE_LINES))
    delimiter, skipped = delimiter_of(sample)
    reader = csv.reader(chain(sample, lines), delimiter=delimiter, strict=True)
    for _ in range(skipped):
        next(reader)
    return reader


def _csv_rows(lines: Iterable[str], skipped: int) -> Iterator[tuple[int, list[str] | csv.Error]]:
    """Yield each row, or the error if it is malformed, with the number of its last line."""
    reader = csv_reader(lines)
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield reader.line_num + skipped, error
        else:
            if row:
                yield reader.line_num + skipped, row


def _csv(lines: Iterable[str], skipped: int) -> tuple[tuple[str, ...], Iterator[TableRow]]:
    rows = _csv_rows(lines, skipped)
    number, header = next(rows)
    if isinstance(header, csv.Error):
        raise ListError(f"line {number} is not valid CSV: {header}")
    columns = tuple(name.strip().casefold() for name in header)
    if "@" not in header[0]:
        return columns, (_csv_row(columns, *row) for row in rows)
    # The lists that SES imports have no header.
    if len(header) == 2 and header[1].strip().upper() in _SES_WORDS:  # noqa: PLR2004
        columns = ("emailaddress", "reason")
        return columns, (_csv_row(columns, *row) for row in chain([(number, header)], rows))
    raise ListError(f"the first line of the list must hold the names of its columns; {OWN_LIST}")


def _csv_row(columns: tuple[str, ...], number: int, row: list[str] | csv.Error) -> TableRow:
    place = f"line {number}"
    if isinstance(row, csv.Error):
        return TableRow(place, {}, f"it is not valid CSV: {row}")
    if any(row[len(columns) :]):
        return TableRow(place, {}, f"it has {len(row)} values for {len(columns)} columns")
    cells: Iterator[str] = (cell.strip() for cell in (*row, *[""] * (len(columns) - len(row))))
    if is_own(columns):
        cells = map(unguarded, cells)
    return TableRow(place, dict(zip(columns, cells, strict=False)))


def _json(lines: Iterator[tuple[int, str]]) -> tuple[tuple[str, ...], Iterator[TableRow]]:
    """Read JSON lines; or one JSON document, if the first line is not a row."""
    start, line = next(lines)
    first = _json_line(start, line)
    rows: Iterator[TableRow]
    if first.problem or not _is_row(first):
        text = "".join(line for _, line in chain([(start, line)], lines))
        rows = iter(_json_document(text))
        first = next(rows, first)
    else:
        rows = (_json_line(number, line) for number, line in lines if line.strip())
    return tuple(first.cells), chain([first], rows)


def _is_row(row: TableRow) -> bool:
    return not set(row.cells) & {name.casefold() for name in _ROWS_IN_DOCUMENT}


def _json_line(number: int, line: str) -> TableRow:
    place = f"line {number}"
    try:
        return json_row(place, msgspec.json.decode(line))
    except (msgspec.DecodeError, RecursionError) as error:
        return TableRow(place, {}, f"it is not valid JSON: {error}")


def json_row(place: str, value: Any) -> TableRow:
    """The row that a JSON object holds.

    Args:
        place: the row's place: `line 17`.
        value: the object; anything else is a row with a problem.
    """
    if not isinstance(value, Mapping):
        return TableRow(place, {}, "it is not a JSON object")
    return TableRow(place, {str(key).casefold(): _text(cell) for key, cell in value.items()})


def _text(value: Any) -> str:
    """Convert a JSON value to the text that it would be in CSV."""
    if isinstance(value, list):
        return "; ".join(map(_text, value))
    if value is None:
        return ""
    return value.strip() if isinstance(value, str) else str(value)


def _json_document(text: str) -> list[TableRow]:
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ListError(f"it is neither JSON lines nor a JSON document: {error}") from None
    if isinstance(document, Mapping):
        names = (name for name in _ROWS_IN_DOCUMENT if name in document)
        document = next((document[name] for name in names), document)
    if not isinstance(document, list):
        raise ListError(
            f"the JSON document is not a list, and has none as {joined(_ROWS_IN_DOCUMENT)}"
        )
    return [json_row(f"entry {number}", value) for number, value in enumerate(document, 1)]
