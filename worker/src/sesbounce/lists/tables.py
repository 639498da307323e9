"""The rows of a text: CSV with or without a header, JSON lines, or one JSON document."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, NamedTuple, Protocol

import msgspec

from sesbounce.errors import ListError
from sesbounce.lists.formats import Row
from sesbounce.lists.spreadsheet import is_own, unguarded


class Found(NamedTuple):
    """A row, before anybody knows what it means.

    Attributes:
        place: where it stands: `line 17`.
        row: its values by the names of the columns, which are in lower case.
        problem: why it can't be read; there are no values then.
    """

    place: str
    row: Row
    problem: str | None = None


# What SES and Mailgun call the rows in a JSON document.
_IN_DOCUMENTS = ("SuppressedDestinationSummaries", "items")
_SES_WORDS = ("BOUNCE", "COMPLAINT")


def read_table(lines: Iterable[str]) -> tuple[tuple[str, ...], Iterator[Found]]:
    """The names of the columns, and the rows as they are asked for.

    Args:
        lines: the text, line by line with their ends.

    Raises:
        ListError: it is empty, or is neither CSV nor JSON.
    """
    lines = iter(lines)
    numbered = enumerate(lines, 1)
    start, first = next(((n, line) for n, line in numbered if line.strip()), (0, ""))
    if not first:
        raise ListError("the list is empty")
    if first.lstrip()[0] in "{[":
        return _json(chain([(start, first)], numbered))
    return _csv(chain([first], lines), start - 1)


def named(names: Iterable[str]) -> str:
    """Names for an error message."""
    return ", ".join(filter(None, names)) or "none"


class CsvReader(Protocol):
    """What `csv.reader` makes; the module does not name its type."""

    line_num: int

    def __iter__(self) -> Iterator[list[str]]: ...

    def __next__(self) -> list[str]: ...


def csv_reader(lines: Iterable[str]) -> CsvReader:
    """Read CSV. A row that is none raises `csv.Error`, and the next one can still be read.

    Values are separated by commas or, where the first line has none, by semicolons or tabs. A
    quote that is not closed would take the rest of the file for one value: it is an error.
    """
    lines = iter(lines)
    first = next(lines, "")
    delimiter = next((one for one in ",;\t" if one in first), ",")
    return csv.reader(chain([first], lines), delimiter=delimiter, strict=True)


def _csv_rows(lines: Iterable[str], skipped: int) -> Iterator[tuple[int, list[str] | csv.Error]]:
    """The rows with the number of their last line; what can't be read as its error."""
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


def _csv(lines: Iterable[str], skipped: int) -> tuple[tuple[str, ...], Iterator[Found]]:
    rows = _csv_rows(lines, skipped)
    number, header = next(rows)
    if isinstance(header, csv.Error):
        raise ListError(f"line {number} is no CSV: {header}")
    columns = tuple(name.strip().casefold() for name in header)
    if "@" not in header[0]:
        return columns, (_csv_row(columns, *row) for row in rows)
    # What SES's import takes has no header.
    if len(header) == 2 and header[1].strip().upper() in _SES_WORDS:  # noqa: PLR2004
        columns = ("emailaddress", "reason")
        return columns, (_csv_row(columns, *row) for row in chain([(number, header)], rows))
    raise ListError("the first line of the list has to name its columns")


def _csv_row(columns: tuple[str, ...], number: int, row: list[str] | csv.Error) -> Found:
    place = f"line {number}"
    if isinstance(row, csv.Error):
        return Found(place, {}, f"it is no CSV: {row}")
    if any(row[len(columns) :]):
        return Found(place, {}, f"it has {len(row)} values for {len(columns)} columns")
    cells: Iterator[str] = (cell.strip() for cell in (*row, *[""] * (len(columns) - len(row))))
    if is_own(columns):
        cells = map(unguarded, cells)
    return Found(place, dict(zip(columns, cells, strict=False)))


def _json(lines: Iterator[tuple[int, str]]) -> tuple[tuple[str, ...], Iterator[Found]]:
    """JSON lines; or, where the first line is no whole object, one document of a list."""
    start, first = next(lines)
    found = _json_line(start, first)
    rows: Iterator[Found]
    if found.problem or not _is_row(found):
        text = "".join(line for _, line in chain([(start, first)], lines))
        rows = iter(_json_document(text))
        found = next(rows, found)
    else:
        rows = (_json_line(number, line) for number, line in lines if line.strip())
    return tuple(found.row), chain([found], rows)


def _is_row(found: Found) -> bool:
    return not set(found.row) & {name.casefold() for name in _IN_DOCUMENTS}


def _json_line(number: int, line: str) -> Found:
    place = f"line {number}"
    try:
        return _json_row(place, msgspec.json.decode(line))
    except (msgspec.DecodeError, RecursionError) as error:
        return Found(place, {}, f"it is no JSON: {error}")


def _json_row(place: str, value: Any) -> Found:
    if not isinstance(value, Mapping):
        return Found(place, {}, "it is no JSON object")
    return Found(place, {str(key).casefold(): _text(cell) for key, cell in value.items()})


def _text(value: Any) -> str:
    """A value of JSON as it would stand in a CSV."""
    if isinstance(value, list):
        return "; ".join(map(_text, value))
    if value is None:
        return ""
    return value.strip() if isinstance(value, str) else str(value)


def _json_document(text: str) -> list[Found]:
    try:
        document = msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ListError(f"it is neither JSON lines nor a JSON document: {error}") from None
    if isinstance(document, Mapping):
        document = next((document[name] for name in _IN_DOCUMENTS if name in document), document)
    if not isinstance(document, list):
        raise ListError(f"the JSON document holds no list, alone or as {named(_IN_DOCUMENTS)}")
    return [_json_row(f"entry {number}", value) for number, value in enumerate(document, 1)]
