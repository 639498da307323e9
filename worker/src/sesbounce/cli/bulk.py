"""Checks whole files of addresses."""

import csv
import gc
import io
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO, NamedTuple, TextIO

import click
import msgspec
import sqlalchemy as sa

from sesbounce.cli.common import counted_addresses, now, reading, to_json
from sesbounce.cli.group import InterruptedCommandError
from sesbounce.cli.output import database_files, written
from sesbounce.cli.progress import progress
from sesbounce.database_settings import load_database_settings
from sesbounce.errors import ListError
from sesbounce.feedback.address import Address, parse
from sesbounce.lists.decoding import NAME_IT, escaped, lines_of, undecodable
from sesbounce.lists.spreadsheet import guarded, is_own, unguarded
from sesbounce.lists.tables import CsvReader, csv_reader
from sesbounce.store.listing import suppressed_among

# The number of rows of a part; two parts are in memory at once. Keys are looked up in their order:
# the more there are, the nearer they lie to each other in the database.
_ROWS = 50_000
_SWITCH_SECONDS = 0.0002
# The number of rows that show which column holds the addresses.
_SAMPLE_ROWS = 100


class Checked(msgspec.Struct, frozen=True, gc=False):
    """The answer on one address of a file, as JSON.

    Attributes:
        written: the address as it stands in the file.
        address: the key under which sesbounce remembers it.
        may_mail: whether the address may be mailed.
        reason: the reason why not.
        why: the verdict in one sentence.
    """

    written: str
    address: str
    may_mail: bool
    reason: str | None = None
    why: str | None = None


class _Table(NamedTuple):
    """A file of addresses.

    Attributes:
        header: the names of the columns; None where the file has no header.
        rows: the rows behind the header.
        column: the index of the column that holds the addresses.
    """

    header: list[str] | None
    rows: Iterator[list[str]]
    column: int


# Reason and why of the addresses that may not be mailed, by key, once the database has answered.
_Found = Future[dict[str, tuple[str, str]]]


class _Part(NamedTuple):
    """Some rows of a file, which the database looks up meanwhile.

    Attributes:
        rows: the rows.
        addresses: the address in each of them.
        problems: why a row has no answer, by its place among them.
        found: reason and why of the addresses that may not be mailed, by key.
    """

    rows: list[list[str]]
    addresses: list[Address]
    problems: dict[int, str]
    found: _Found


class _Answer(NamedTuple):
    """What `Checked` says of a row. Most rows share one answer, so that few are made."""

    may_mail: bool
    reason: str | None = None
    why: str | None = None


class _Tally:
    """How many addresses were checked, and with what answers.

    Attributes:
        checked: all of them.
        suppressed: those that may not be mailed.
        unreadable: those among the latter that can't be read, and so have no answer.
    """

    def __init__(self) -> None:
        self.checked = 0
        self.suppressed = 0
        self.unreadable = 0

    def add(self, answers: Sequence[_Answer]) -> None:
        """Count answers."""
        refused = [answer for answer in answers if answer is not _MAY]
        self.checked += len(answers)
        self.suppressed += len(refused)
        self.unreadable += sum(answer.why in _UNREADABLE for answer in refused)


_MAY = _Answer(may_mail=True)
_NO_ADDRESS = _Answer(may_mail=False, why="it is no address")
_NOT_TEXT = f"no answer: the address is no text in the file's encoding; {NAME_IT}"
_NO_VALUE = "no answer: the row has fewer values than the first one"
_TOO_MANY = "no answer: the row has more values than the first one"
_UNREADABLE = {_NOT_TEXT, _NO_VALUE, _TOO_MANY}


def check_file(  # noqa: PLR0913  one argument an option
    source: BinaryIO,
    output: Path,
    as_json: bool,
    column: str | None = None,
    encoding: str | None = None,
    *,
    raw: bool = False,
    stream: str | None = None,
) -> bool:
    """Check every address in a file.

    The output repeats each row and adds the columns may_mail (yes or no), reason and why, or
    holds JSON lines; reason and why are empty for addresses that may be mailed. Standard error
    gets a count.

    Args:
        source: CSV, with or without a header, or one address a line.
        output: the file that takes the answers; `-` for standard output.
        as_json: whether to write JSON lines instead of CSV.
        column: the name of the column that holds the addresses; None to find it.
        encoding: the encoding of the file; None for UTF-8, or what its byte order mark says.
        raw: whether to write cells that a spreadsheet program would run as formulas.
        stream: the stream of the mail; None where suppressions in any stream count.

    Returns:
        Whether every row could be read. The others say no, for an address may be in them.

    Raises:
        ListError: the file is no CSV, has no such column, or is the output.
        StoreError: the database can't answer.
    """
    tally = _Tally()
    try:
        with (
            reading() as engine,
            written(output, source, *database_files(engine)) as text,
            lines_of(source, encoding, "surrogateescape") as lines,
            progress(source, "checking", text.isatty()) as advance,
        ):
            for answers in _check(engine, lines, column, stream, _writer(text, as_json, raw)):
                tally.add(answers)
                advance(len(answers))
    except KeyboardInterrupt:
        raise InterruptedCommandError(
            f"interrupted after {tally.checked:,} rows"
            + ("" if output == Path("-") else f"; {output} was not written")
            + ". A second run checks all rows"
        ) from None
    click.echo(
        f"{counted_addresses(tally.checked)}: "
        f"{tally.checked - tally.suppressed:,} may be mailed, "
        f"{tally.suppressed:,} may not.",
        err=True,
    )
    if tally.unreadable:
        click.echo(
            f"{tally.unreadable:,} of them can't be read and have no answer; the column why says "
            "the cause.",
            err=True,
        )
    return not tally.unreadable


def _check(
    engine: sa.Engine,
    lines: Iterable[str],
    column: str | None,
    stream: str | None,
    writer: "_Writer",
) -> Iterator[list[_Answer]]:
    """Check all rows, and write and return the answers of some of them at a time."""
    at = now()
    hash_keys = load_database_settings().hash_keys
    reader = csv_reader(lines)
    try:
        table = _open_table(reader, column)
        write = writer(table.header)
        with _no_collection(), _one_thread(engine) as pool:
            parts = _parts(
                table,
                lambda keys: pool.submit(suppressed_among, engine, keys, at, hash_keys, stream),
            )
            for part in parts:
                answers = _answers(part)
                write(zip(part.rows, part.addresses, answers, strict=True))
                del part  # before the next rows are read
                yield answers
    except csv.Error as error:
        raise ListError(
            f"line {reader.line_num} is no CSV: {error}. Put a value that holds a comma or a "
            "quote in quotes, and write each quote in it twice"
        ) from None


def _parts(table: _Table, look_up: Callable[[Collection[str]], _Found]) -> Iterator[_Part]:
    """Read a part while the database looks up the one before, which is returned after that."""
    before: _Part | None = None
    while rows := list(islice(table.rows, _ROWS)):
        addresses, problems = _read(rows, table)
        # In the order in which they lie in memory: they are sorted in two thirds of the time.
        keys = dict.fromkeys(address.key for address in addresses)
        part = _Part(rows, addresses, problems, look_up(keys))
        if before:
            yield before
        before = part
        del rows, addresses, part
    if before:
        yield before


def _read(rows: Sequence[Sequence[str]], table: _Table) -> tuple[list[Address], dict[int, str]]:
    """The addresses in some rows; and why a row has no answer, by its place among them."""
    column, header = table.column, table.header
    values = [row[column] if len(row) > column else "" for row in rows]
    if is_own(header):
        values = list(map(unguarded, values))
    if header:
        width = len(header)
        problems = {n: _TOO_MANY for n, row in enumerate(rows) if any(row[width:])}
    else:
        problems = {n: _NO_VALUE for n, row in enumerate(rows) if len(row) <= column}
    problems |= {n: _NOT_TEXT for n, value in enumerate(values) if undecodable(value)}
    for place in problems:
        values[place] = escaped(values[place])
    return list(map(parse, values)), problems


def _answers(part: _Part) -> list[_Answer]:
    """One answer a row; a text that is no address may not be mailed."""
    found = part.found.result()
    answers = [
        _Answer(False, *found[address.key])
        if address.key in found
        else _MAY
        if address.parsed
        else _NO_ADDRESS
        for address in part.addresses
    ]
    for place, problem in part.problems.items():
        answers[place] = _Answer(may_mail=False, why=problem)
    return answers


@contextmanager
def _one_thread(engine: sa.Engine) -> Iterator[ThreadPoolExecutor]:
    """A thread to ask the database in; nothing begins in it any more after the end of the block.

    It makes many queries. While another thread computes, Python lets this one go on only after a
    time, which would be longer than a query to a server takes. SQLite computes in this process.
    """
    pool = ThreadPoolExecutor(1)
    before = sys.getswitchinterval()
    sys.setswitchinterval(before if engine.dialect.name == "sqlite" else _SWITCH_SECONDS)
    try:
        yield pool
    finally:
        sys.setswitchinterval(before)
        pool.shutdown(cancel_futures=True)


@contextmanager
def _no_collection() -> Iterator[None]:
    """No garbage collection: nothing here makes cycles, and it takes a third of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _open_table(reader: CsvReader, column: str | None) -> _Table:
    """Tell the header from the rows: a first row without an address; leaves out empty rows."""
    rows = filter(None, reader)
    first = next(rows, None)
    if first is None:
        return _Table(None, rows, 0)
    if column is not None:
        return _Table(first, rows, _named(column, first))
    if any("@" in value for value in first):
        return _Table(None, chain([first], rows), _column_of_addresses([first]))
    sample = list(islice(rows, _SAMPLE_ROWS))
    return _Table(first, chain(sample, rows), _column_of_addresses(sample, first))


def _named(column: str, header: Sequence[str]) -> int:
    """The index of the column of that name."""
    names = [name.strip().casefold() for name in header]
    name = column.strip().casefold()
    if names.count(name) == 1:
        return names.index(name)
    number = "several columns" if name in names else "no column"
    raise ListError(
        f"the file has {number} {column}; its first line is: {escaped(', '.join(header))}"
    )


def _column_of_addresses(rows: Sequence[Sequence[str]], header: Sequence[str] = ()) -> int:
    """The index of the column that holds addresses: the first one, or the only one that does."""
    columns = sorted({n for row in rows for n, value in enumerate(row) if _is_address(value)})
    if not columns or 0 in columns:
        return 0
    if len(columns) > 1:
        names = ", ".join(header[n] if n < len(header) else str(n + 1) for n in columns)
        raise ListError(
            f"several columns hold addresses ({escaped(names)}): name one with --column; the first "
            "line must hold the names of the columns"
        )
    return columns[0]


def _is_address(value: str) -> bool:
    return "@" in value and (undecodable(value) or parse(value).parsed)


_Write = Callable[[Iterable[tuple[Sequence[str], Address, _Answer]]], None]
_Writer = Callable[[list[str] | None], _Write]


def _writer(output: TextIO, as_json: bool, raw: bool) -> _Writer:
    """What writes the answers, once it knows the header of the file."""
    if as_json:
        return lambda _: _json_writer(output)
    return lambda header: _csv_writer(output, header, raw)


def _csv_writer(output: TextIO, header: list[str] | None, raw: bool) -> _Write:
    spelled = str if raw else guarded
    # Short rows are filled up, so that the answers stand in their columns.
    filler = [""] * len(header or ())
    may = ["yes", None, None]
    if header:
        names = [*header, "may_mail", "reason", "why"]
        csv.writer(output, lineterminator="\n").writerow(map(spelled, names))

    def may_not(answer: _Answer) -> list[str | None]:
        return ["no", answer.reason, answer.why and spelled(answer.why)]

    def write(rows: Iterable[tuple[Sequence[str], Address, _Answer]]) -> None:
        # Standard output may write each line by itself.
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows(
            [spelled(cell) for cell in row]
            + filler[len(row) :]
            + (may if answer is _MAY else may_not(answer))
            for row, _, answer in rows
        )
        output.write(text.getvalue())

    return write


def _json_writer(output: TextIO) -> _Write:
    def write(rows: Iterable[tuple[Sequence[str], Address, _Answer]]) -> None:
        checked = (Checked(one.original, one.key, *answer) for _, one, answer in rows)
        output.write("".join(f"{to_json(one)}\n" for one in checked))

    return write
