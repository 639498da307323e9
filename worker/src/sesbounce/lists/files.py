"""Reads lists of suppressed addresses in several formats, and writes sesbounce's own lists.

Pure: it turns lines into events, and rows into text. `tables` splits a file into rows, `formats`
interprets a row.
"""

import csv
import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TextIO

import msgspec

from sesbounce.errors import EntryError, ListError
from sesbounce.feedback.address import parse, without_display_name
from sesbounce.feedback.extract import Event
from sesbounce.feedback.kind import Kind
from sesbounce.feedback.reason import Effect
from sesbounce.lists.decoding import NAME_IT, undecodable
from sesbounce.lists.formats import FORMATS, Entry, ListKind
from sesbounce.lists.spreadsheet import guarded
from sesbounce.lists.tables import OWN_LIST, TableRow, joined, read_table
from sesbounce.policy.suppressed import Suppressed


class ListRow(NamedTuple):
    """One row of a list, interpreted.

    Attributes:
        place: the row's place in the file: `line 17`.
        entries: the events in the row; empty if there is a problem.
        problem: why the row can't be interpreted; None if it can.
    """

    place: str
    entries: list[Entry]
    problem: str | None = None


class ReadList(NamedTuple):
    """A list that is being read.

    Attributes:
        format: the name of its format, one of `FORMATS`.
        kind: which of the provider's lists it is; None if the provider has only one.
        rows: its rows in their order; each is read when the iterator reaches it.
    """

    format: str
    kind: ListKind | None
    rows: Iterator[ListRow]


_SES_WORDS = {Effect.HARD: "BOUNCE", Effect.COMPLAINT: "COMPLAINT"}
_CLOCK_TOLERANCE = timedelta(days=1)


def read_list(
    lines: Iterable[str],
    format_name: str | None = None,
    kind: ListKind | None = None,
    file_name: str = "",
) -> ReadList:
    """Recognise the format of a list, and begin to read its rows.

    Args:
        lines: the lines of the text with their ends; bytes that are not UTF-8 are replaced.
        format_name: one of `FORMATS`; None to recognise it from the columns.
        kind: which list it is; None to recognise it from the columns and the file's name.
        file_name: the file's name.

    Raises:
        ListError: the list is empty, or its format or kind can't be recognised.
    """
    columns, rows = read_table(lines)
    name = format_name or _format_of(columns)
    address = FORMATS[name].address
    if address not in columns:
        raise ListError(
            f"a list of the format {name} has a column {address}; this one has {joined(columns)}"
        )
    chosen = _choose(name, FORMATS[name].kinds_of(columns), kind, file_name)
    return ReadList(name, chosen, (interpreted(row, name, chosen) for row in rows))


def _format_of(columns: tuple[str, ...]) -> str:
    for name, spec in FORMATS.items():
        if any(known <= set(columns) for known in spec.known_by):
            return name
    raise ListError(
        f"the list's columns fit no known format ({joined(columns)}): name the provider with "
        f"--format; {OWN_LIST}"
    )


def _choose(
    name: str, possible: tuple[ListKind, ...], given: ListKind | None, file_name: str
) -> ListKind | None:
    """Choose the kind that was given, or the one that the file's name fits, or the only one."""
    if given and given not in possible:
        which = " or ".join(possible) or "the only one of this provider"
        raise ListError(f"by its columns this list of {name} is {which}, not {given}")
    if given or not possible:
        return given
    hinted = [one for one in possible if _hints_at(one, file_name.lower())]
    chosen = hinted or possible
    if len(chosen) > 1:
        which = " or ".join(possible)
        raise ListError(f"{name} has {which} with these columns: give the right one with --list")
    return chosen[0]


def _hints_at(kind: ListKind, file_name: str) -> bool:
    """Whether a file's name hints at a kind of list: `suppression_spam_reports.csv`."""
    words = ("complaint", "spam") if kind is ListKind.COMPLAINTS else (kind.rstrip("s"),)
    return any(word in file_name for word in words)


def interpreted(row: TableRow, name: str, kind: ListKind | None) -> ListRow:
    """Interpret a row of a list.

    Args:
        row: the row.
        name: the name of the list's format, one of `FORMATS`.
        kind: which of the provider's lists it is; None if the provider has only one.
    """
    address = row.cells.get(FORMATS[name].address, "")
    if row.problem or not address:
        return ListRow(row.place, [], row.problem or "it has no address")
    if undecodable(address):
        return ListRow(row.place, [], f"its address is no text in UTF-8: {NAME_IT}")
    try:
        entries = FORMATS[name].entries_of(row.cells, kind or ListKind.BOUNCES)
    except EntryError as problem:
        return ListRow(row.place, [], str(problem))
    return ListRow(row.place, entries)


def event_of(
    entry: Entry, format_name: str, now: datetime, undated: datetime, note: str | None = None
) -> Event:
    """Convert an entry to an event, which the store can record.

    The dedupe key is made of what the list says, so that the same row, also in a later list, is the
    same event.

    Args:
        entry: the entry.
        format_name: the name of the list's format.
        now: the current time, UTC.
        undated: the time of an entry that has none.
        note: a person's note about the import.

    Raises:
        EntryError: the text is not an address, or the entry's time is more than a day after `now`.
    """
    address = parse(entry.address)
    if not address.parsed:
        raise EntryError(f"{entry.address!r} is no address")
    if entry.at and entry.at > now + _CLOCK_TOLERANCE:
        raise EntryError(f"{entry.at:%Y-%m-%d} is in the future")
    manual = entry.kind is Kind.MANUAL
    # A later version may classify the same status or text otherwise: then they are the identity.
    classified = bool(entry.status or entry.text)
    identity = [
        "import",
        format_name,
        entry.kind,
        None if classified else entry.reason,
        entry.status,
        entry.text,
        entry.shared,
        entry.at and entry.at.isoformat(),
        address.key,
        *([entry.stream] if entry.stream else []),
    ]
    return Event(
        kind=entry.kind,
        reason=entry.reason,
        effect=entry.reason.effect,
        address=address.key,
        original=address.original,
        shared=entry.shared,
        occurred_at=entry.at or undated,
        source=f"import: {format_name}",
        status=entry.status,
        diagnostic=note or entry.text if manual else entry.text,
        basis=entry.basis if manual or not note else f"{entry.basis}; {note}",
        dedupe_key=hashlib.sha256(msgspec.json.encode(identity)).hexdigest(),
        stream=entry.stream,
    )


def write_csv(
    rows: Iterable[Suppressed], output: TextIO, *, raw: bool = False, header: bool = True
) -> int:
    """Write sesbounce's own CSV; returns the number of rows left out, which is 0.

    Args:
        rows: the addresses to write.
        output: takes the text.
        raw: whether to write cells that a spreadsheet program would run as formulas.
        header: whether to begin with the names of the columns.
    """
    spelled = str if raw else guarded
    writer = csv.writer(output, lineterminator="\n")
    if header:
        writer.writerow(Suppressed.__struct_fields__)
    for row in rows:
        *cells, strikes = msgspec.structs.astuple(row)
        writer.writerow(map(spelled, [*map(_cell, cells), "; ".join(strikes)]))
    return 0


def write_json_lines(rows: Iterable[Suppressed], output: TextIO) -> int:
    """Write one JSON object in each line; returns the number of rows left out, which is 0."""
    encode = msgspec.json.Encoder().encode
    output.writelines(encode(row).decode() + "\n" for row in rows)
    return 0


def write_ses(rows: Iterable[Suppressed], output: TextIO) -> int:
    """Write the CSV that SES's CreateImportJob reads; returns the number of rows left out.

    SES has words only for hard bounces and complaints, and its suppressions have no end and count
    for all streams: all other rows are left out. Its list is case-sensitive, and has no display
    names.
    """
    left_out = 0
    writer = csv.writer(output, lineterminator="\n")
    for row in rows:
        word = _SES_WORDS.get(row.reason.effect)
        if word is None or row.until or row.stream or not parse(row.address).parsed:
            left_out += 1
        else:
            writer.writerow([_for_ses(row), word])
    return left_out


def _for_ses(row: Suppressed) -> str:
    local, _, _ = without_display_name(row.original).rpartition("@")
    _, _, domain = row.address.rpartition("@")
    return f"{local}@{domain}"


def _cell(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return "" if value is None else str(value)
