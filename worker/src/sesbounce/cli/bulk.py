"""Checks whole files of addresses."""

import csv
import gc
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import chain, islice
from typing import BinaryIO, NamedTuple, TextIO

import click
import msgspec
import sqlalchemy as sa

from sesbounce.cli.common import counted, now, reading, to_json
from sesbounce.cli.progress import Advance, progress
from sesbounce.errors import ListError
from sesbounce.feedback.address import parse
from sesbounce.lists.spreadsheet import guarded, is_own, unguarded
from sesbounce.lists.tables import CsvReader, csv_reader
from sesbounce.privacy.keyed_hash import HashKeys
from sesbounce.settings import load_settings
from sesbounce.store.listing import suppressed_among

# The number of rows that are in memory at once. Their keys are looked up in their order: the more
# there are, the nearer they lie to each other in the database.
_ROWS = 50_000


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


def check_file(
    source: BinaryIO,
    output: TextIO,
    as_json: bool,
    column: str | None = None,
    *,
    raw: bool = False,
) -> None:
    """Check every address in a file.

    The output repeats each row and adds the columns may_mail (yes or no), reason and why, or
    holds JSON lines; reason and why are empty for addresses that may be mailed. Standard error
    gets a count.

    Args:
        source: CSV, with or without a header, or one address a line.
        output: takes the answers.
        as_json: whether to write JSON lines instead of CSV.
        column: the name of the column that holds the addresses; None for the first one.
        raw: whether to write cells that a spreadsheet program would run as formulas.

    Raises:
        ListError: the file is no CSV, or has no column of that name.
        StoreError: the database can't answer.
    """
    with lines_of(source) as lines, progress(source, "checking", output.isatty()) as advance:
        reader = csv_reader(lines)
        try:
            table = _open_table(reader, column)
            write = _json_writer(output) if as_json else _csv_writer(output, table.header, raw)
            checked, suppressed = _check(table, write, advance)
        except csv.Error as error:
            raise ListError(
                f"line {reader.line_num} is no CSV: {error}. Put a value that holds a comma or a "
                "quote in quotes, and write each quote in it twice"
            ) from None
    addresses = counted(checked, "address", "addresses")
    click.echo(
        f"{addresses}: {checked - suppressed:,} may be mailed, {suppressed:,} may not.", err=True
    )


def _check(table: _Table, write: "_Write", advance: Advance) -> tuple[int, int]:
    """Check all rows; returns how many there were, and how many may not be mailed."""
    at = now()
    hash_keys = load_settings().hash_keys
    checked = suppressed = 0
    with reading() as engine, _no_collection():
        while rows := list(islice(table.rows, _ROWS)):
            written = [row[table.column] if len(row) > table.column else "" for row in rows]
            if is_own(table.header):
                written = [unguarded(cell) for cell in written]
            answers = _answers(engine, written, at, hash_keys)
            write(zip(rows, answers, strict=True))
            checked += len(rows)
            suppressed += sum(not answer.may_mail for answer in answers)
            advance(len(rows))
    return checked, suppressed


def _answers(
    engine: sa.Engine, written: Iterable[str], at: datetime, hash_keys: HashKeys
) -> list[Checked]:
    """One answer an address; a text that is no address may not be mailed."""
    addresses = [parse(text) for text in written]
    found = suppressed_among(engine, {address.key for address in addresses}, at, hash_keys)
    return [
        Checked(address.original, address.key, False, *found[address.key])
        if address.key in found
        else Checked(address.original, address.key, True)
        if address.parsed
        else Checked(address.original, address.key, False, None, "it is no address")
        for address in addresses
    ]


@contextmanager
def _no_collection() -> Iterator[None]:
    """No garbage collection: nothing here makes cycles, and it takes a third of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def lines_of(source: BinaryIO) -> Iterator[Iterable[str]]:
    """The lines of a file in UTF-8, with or without a byte order mark; other bytes are replaced."""
    lines = io.TextIOWrapper(source, "utf-8-sig", errors="replace", newline="")
    try:
        yield lines
    finally:
        # The caller has opened the file, and closes it.
        lines.detach()


def _open_table(reader: CsvReader, column: str | None) -> _Table:
    """Tell the header from the rows: a first row without an address; leaves out empty rows."""
    rows = filter(None, reader)
    first = next(rows, None)
    if first is None:
        return _Table(None, rows, 0)
    names = [name.strip().casefold() for name in first]
    if column is not None:
        if column.strip().casefold() not in names:
            raise ListError(
                f"the file has no column {column}; its first line is: {', '.join(first)}"
            )
        return _Table(first, rows, names.index(column.strip().casefold()))
    if "@" in first[0]:
        return _Table(None, chain([first], rows), 0)
    return _Table(first, rows, 0)


_Write = Callable[[Iterable[tuple[Sequence[str], Checked]]], None]


def _csv_writer(output: TextIO, header: list[str] | None, raw: bool) -> _Write:
    spelled = str if raw else guarded
    # Short rows are filled up, so that the answers stand in their columns.
    filler = [""] * len(header or ())
    if header:
        names = [*header, "may_mail", "reason", "why"]
        csv.writer(output, lineterminator="\n").writerow(map(spelled, names))

    def write(rows: Iterable[tuple[Sequence[str], Checked]]) -> None:
        # Standard output may write each line by itself.
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\n").writerows(
            (
                *map(spelled, row),
                *filler[len(row) :],
                "yes" if answer.may_mail else "no",
                answer.reason,
                answer.why and spelled(answer.why),
            )
            for row, answer in rows
        )
        output.write(text.getvalue())

    return write


def _json_writer(output: TextIO) -> _Write:
    def write(rows: Iterable[tuple[Sequence[str], Checked]]) -> None:
        output.write("".join(f"{to_json(answer)}\n" for _, answer in rows))

    return write
