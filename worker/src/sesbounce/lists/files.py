"""Lists of suppressed addresses as files: reads those of others and its own, writes its own.

Pure: lines in, events out; rows in, text out. `tabular` knows how rows are wrapped, `formats` what
one of them means.
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
from sesbounce.feedback.notification import Kind
from sesbounce.feedback.reason import Effect
from sesbounce.lists.formats import FORMATS, Entry, Listing
from sesbounce.lists.spreadsheet import guarded
from sesbounce.lists.tables import Found, named, read_table
from sesbounce.policy.suppressed import Suppressed


class ListRow(NamedTuple):
    """What one row of a list tells.

    Attributes:
        place: where it stands: `line 17`.
        entries: its events.
        problem: why it can't be understood; there are no events then.
    """

    place: str
    entries: list[Entry]
    problem: str | None = None


class ReadList(NamedTuple):
    """A list that is being read.

    Attributes:
        format: whose format it is.
        listing: which of that one's lists; None where there is but one.
        rows: what its rows tell, in their order; read as they are asked for.
    """

    format: str
    listing: Listing | None
    rows: Iterator[ListRow]


_LOST = "\N{REPLACEMENT CHARACTER}"
_SES_REASONS = {Effect.HARD: "BOUNCE", Effect.COMPLAINT: "COMPLAINT"}
_CLOCKS_DIFFER_BY = timedelta(days=1)


def read_list(
    lines: Iterable[str],
    format_name: str | None = None,
    listing: Listing | None = None,
    file_name: str = "",
) -> ReadList:
    """Find out whose list it is, and read it as it is asked for.

    Args:
        lines: the text, line by line with their ends; bytes that are no UTF-8 replaced.
        format_name: one of `FORMATS`, where the columns do not tell.
        listing: which list it is, where neither the columns nor the file's name tell.
        file_name: what the file is called.

    Raises:
        ListError: it is empty, of no known format, or of one that has to be named.
    """
    columns, found = read_table(lines)
    name = format_name or _format_of(columns)
    address = FORMATS[name].address
    if address not in columns:
        raise ListError(
            f"a list of the format {name} has a column {address}; this one has {named(columns)}"
        )
    chosen = _choose(name, FORMATS[name].listings_of(columns), listing, file_name)
    return ReadList(name, chosen, (_told(row, name, chosen) for row in found))


def _format_of(columns: tuple[str, ...]) -> str:
    for name, spec in FORMATS.items():
        if any(known <= set(columns) for known in spec.known_by):
            return name
    raise ListError(
        f"the columns do not tell whose list this is ({named(columns)}): name it with --format"
    )


def _choose(
    name: str, possible: tuple[Listing, ...], given: Listing | None, file_name: str
) -> Listing | None:
    """Which of the possible lists it is: the one that is named, or the only one."""
    if given and given not in possible:
        which = " or ".join(possible) or "the only one there is"
        raise ListError(f"by its columns this list of {name} is {which}, not {given}")
    if given or not possible:
        return given
    hinted = [one for one in possible if _hints_at(one, file_name.lower())]
    chosen = hinted or possible
    if len(chosen) > 1:
        which = " or ".join(possible)
        raise ListError(f"{name} has {which} with these columns: say which they are with --list")
    return chosen[0]


def _hints_at(listing: Listing, file_name: str) -> bool:
    """Whether a file is called so: `suppression_bounces.csv`, `suppression_spam_reports.csv`."""
    words = ("complaint", "spam") if listing is Listing.COMPLAINTS else (listing.rstrip("s"),)
    return any(word in file_name for word in words)


def _told(found: Found, name: str, listing: Listing | None) -> ListRow:
    written = found.row.get(FORMATS[name].address, "")
    if found.problem or not written:
        return ListRow(found.place, [], found.problem or "it has no address")
    if _LOST in written:
        return ListRow(found.place, [], "its address is not UTF-8")
    try:
        entries = FORMATS[name].entries_of(found.row, listing or Listing.BOUNCES)
    except EntryError as problem:
        return ListRow(found.place, [], str(problem))
    return ListRow(found.place, entries)


def event_of(
    entry: Entry, format_name: str, now: datetime, undated: datetime, note: str | None = None
) -> Event:
    """An entry as a event like any other, ready to be recorded.

    The dedupe key is made of what the list says, so that the same list, or a later one that
    holds the same row, tells the same event again.

    Args:
        entry: the entry.
        format_name: whose format it is in.
        now: this moment; what lies well after it is an error.
        undated: when an entry happened that does not say.
        note: why it was imported.

    Raises:
        EntryError: the address is none, or the time lies in the future.
    """
    address = parse(entry.written)
    if not address.parsed:
        raise EntryError(f"{entry.written!r} is no address")
    if entry.at and entry.at > now + _CLOCKS_DIFFER_BY:
        raise EntryError(f"{entry.at:%Y-%m-%d} lies in the future")
    manual = entry.kind is Kind.MANUAL
    # What is judged by a status or text may be judged otherwise tomorrow.
    judged = bool(entry.status or entry.text)
    identity = [
        "import",
        format_name,
        entry.kind,
        None if judged else entry.reason,
        entry.status,
        entry.text,
        entry.shared,
        entry.at and entry.at.isoformat(),
        address.key,
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
    )


def write_csv(rows: Iterable[Suppressed], output: TextIO, *, raw: bool = False) -> int:
    """Write sesbounce's own CSV; returns how many rows were left out: none.

    Args:
        rows: what to write.
        output: where to.
        raw: whether to write cells that a spreadsheet program would run as formulas.
    """
    spelled = str if raw else guarded
    writer = csv.writer(output, lineterminator="\n")
    writer.writerow(Suppressed.__struct_fields__)
    for row in rows:
        *cells, strikes = msgspec.structs.astuple(row)
        writer.writerow(map(spelled, [*map(_cell, cells), "; ".join(strikes)]))
    return 0


def write_json_lines(rows: Iterable[Suppressed], output: TextIO) -> int:
    """Write JSON, one object a line; returns how many rows were left out: none."""
    encode = msgspec.json.Encoder().encode
    output.writelines(encode(row).decode() + "\n" for row in rows)
    return 0


def write_ses(rows: Iterable[Suppressed], output: TextIO) -> int:
    """Write the CSV that SES's CreateImportJob takes; returns how many rows were left out.

    SES has words for hard bounces and complaints alone, and suppresses for good. It tells apart
    the cases in which an address is written, but keeps no display names.
    """
    left_out = 0
    writer = csv.writer(output, lineterminator="\n")
    for row in rows:
        word = _SES_REASONS.get(row.reason.effect)
        if word is None or row.until or not parse(row.address).parsed:
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
