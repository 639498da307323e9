"""Reads, inserts, locks and saves the rows of addresses, on each kind of database.

Each function works in the caller's transaction, with few statements, in the order of the keys.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Self

import msgspec
import sqlalchemy as sa

from sesbounce.feedback.kind import Kind
from sesbounce.feedback.reason import Reason
from sesbounce.policy.state import State
from sesbounce.policy.verdict import Verdict
from sesbounce.store import schema
from sesbounce.store.bulk import Insert, Row
from sesbounce.store.columns import UtcDateTime
from sesbounce.store.find import Find
from sesbounce.store.place import Place
from sesbounce.store.statements import Parameters

_encode_state = msgspec.json.Encoder().encode
_decode_state = msgspec.json.Decoder(State).decode


class AddressRow(msgspec.Struct, frozen=True, gc=False):
    """One row of the table of addresses.

    Attributes:
        key: the key of the address, or its keyed hash if it is forgotten.
        state: the evidence for the verdict.
        verdict: what follows from the state.
        struck_off: whether the sender's tables reflect a suppression.
        streams: the verdicts of the streams in which the address is suppressed when it is not in
            all.
        was_for_good: whether the suppression had no end before the row was changed.
        plain_address: the address behind the keyed hash of a forgotten one, if an event has just
            named it; it is for the sender's tables alone, and never stored.
        place: where PostgreSQL keeps the row, if this transaction has locked it.
    """

    key: str
    state: State = State()
    verdict: Verdict = Verdict()
    struck_off: bool = False
    was_for_good: bool = False
    plain_address: str = ""
    streams: Mapping[str, Verdict] = {}
    place: str | None = None

    @classmethod
    def of(cls, row: sa.Row[Any]) -> Self:
        """Make one of a row from the database: a place, and all columns but `_TIMES` in order."""
        values: tuple[Any, ...] = tuple(row)
        place, key, state, _, since, until, reason, kind, why, struck_off, _ = values
        verdict = _verdict(since, until, reason, kind, why)
        return cls(key, _decode_state(state), verdict, struck_off, place=place)

    def changed(
        self, state: State, verdict: Verdict, streams: Mapping[str, Verdict], plain_address: str
    ) -> Self:
        """The row with another state and other verdicts."""
        was_for_good = self.verdict.for_good
        return type(self)(
            self.key, state, verdict, self.struck_off, was_for_good, plain_address, streams
        )

    @property
    def was_or_is_for_good(self) -> bool:
        """Whether the suppression has or had no end: some targets keep only such ones."""
        return self.verdict.for_good or self.was_for_good

    @property
    def hard_at(self) -> datetime | None:
        """When the address last bounced hard."""
        return self.state.hard.at if self.state.hard else None

    @property
    def address(self) -> str:
        """The address, for the sender's tables and for targets."""
        return self.plain_address or self.key

    @property
    def original(self) -> str:
        """The address as SES wrote it."""
        return self.state.spelling.text if self.state.spelling else self.key

    def values(self, *, struck_off: bool) -> tuple[Any, ...]:
        """The values of all columns of the table but `_TIMES`, in their order."""
        verdict = self.verdict
        return (
            self.key,
            _encode_state(self.state).decode(),
            self.original,
            verdict.since,
            verdict.until,
            verdict.reason,
            verdict.kind,
            verdict.why,
            struck_off,
            self.hard_at,
        )

    def parameters(self) -> Parameters:
        """The parameters for a statement of the sender."""
        verdict = self.verdict
        return Parameters(
            address=self.address,
            original=self.plain_address or self.original,
            reason=verdict.reason,
            kind=verdict.kind,
            occurred_at=verdict.since.isoformat() if verdict.since else None,
            why=verdict.why,
        )


def _verdict(since: Any, until: Any, reason: Any, kind: Any, why: Any) -> Verdict:
    return Verdict(
        since=since,
        until=until,
        reason=reason and Reason(reason),
        kind=kind and Kind(kind),
        why=why,
    )


# A row keeps these until there are later ones, so that nobody reads or writes them otherwise.
_TIMES = ("struck_off_at", "restored_at")
_insert_addresses = Insert(schema.address, "address", without=_TIMES)
# SQLite rewrites the indexes of all columns in the statement, whether their values change or not.
# So a row whose verdict stays is saved by a statement without the verdict's columns.
_save_states = Insert(schema.address, "address", replace=("state", "original"), without=_TIMES)
_save_verdicts = Insert(
    schema.address, "address", replace=_insert_addresses.columns[1:], greatest=_TIMES
)

_addresses = schema.address.c.address
_mark = (
    sa.update(schema.address)
    .where(_addresses == sa.bindparam("key"))
    .values(
        struck_off=sa.bindparam("value"),
        struck_off_at=sa.func.coalesce(
            sa.bindparam("struck", type_=UtcDateTime()), schema.address.c.struck_off_at
        ),
        restored_at=sa.func.coalesce(
            sa.bindparam("restored", type_=UtcDateTime()), schema.address.c.restored_at
        ),
    )
)
_find_keys = Find(sa.select(_addresses), _addresses)
_columns = [schema.address.c[name] for name in _insert_addresses.columns]
# A place is of use only if the row is locked.
_select_rows = sa.select(sa.null(), *_columns)
_lock_rows = sa.select(Place(schema.address), *_columns)
_find_rows = Find(_select_rows, _addresses)
_find_rows_and_lock = Find(_lock_rows.with_for_update(), _addresses)
_find_streams = Find(sa.select(schema.stream), schema.stream.c.address)
_find_free_rows = Find(_select_rows.with_for_update(skip_locked=True), _addresses)


def known_addresses(connection: sa.Connection, keys: Iterable[str]) -> set[str]:
    """The addresses among these that have a row."""
    return {row.address for row in _find_keys(connection, sorted(set(keys)))}


def lock_rows(connection: sa.Connection, keys: Sequence[str]) -> dict[str, AddressRow]:
    """Lock and return the rows of these addresses, in their order; insert the missing rows.

    Nobody else sees a row that this transaction has inserted. Another transaction may insert one of
    the missing rows first: that row is locked last, whatever its key. If two transactions therefore
    wait for each other, the database ends one of them, and the caller retries it.
    """
    rows = _found(connection, _find_rows_and_lock, keys)
    missing = [key for key in keys if key not in rows]
    new = (AddressRow(key).values(struck_off=False) for key in missing)
    if _insert_addresses(connection, new) != len(missing):
        rows |= _found(connection, _find_rows_and_lock, missing)
    return {key: rows.get(key) or AddressRow(key) for key in keys}


def lock_rows_to_save(connection: sa.Connection, keys: Sequence[str]) -> dict[str, AddressRow]:
    """Do the same as `lock_rows` for a caller that will save each missing row.

    On SQLite no other transaction writes before this one ends, so there is no need to insert the
    missing rows first.
    """
    if connection.dialect.name == "sqlite":
        return load_rows(connection, keys)
    return lock_rows(connection, keys)


def load_rows(connection: sa.Connection, keys: Sequence[str]) -> dict[str, AddressRow]:
    """Read the rows of these addresses; a missing row has an empty state."""
    rows = _found(connection, _find_rows, keys)
    return {key: rows.get(key) or AddressRow(key) for key in keys}


def _found(connection: sa.Connection, find: Find, keys: Sequence[str]) -> dict[str, AddressRow]:
    """The rows that there are of these addresses, with the verdicts of streams."""
    found = {row.address: AddressRow.of(row) for row in find(connection, keys)}
    if in_streams := [row for row in found.values() if row.state.streams]:
        found |= _with_streams(connection, in_streams)
    return found


def _with_streams(connection: sa.Connection, rows: Sequence[AddressRow]) -> dict[str, AddressRow]:
    """Add the verdicts of streams to rows."""
    streams: dict[str, dict[str, Verdict]] = {row.key: {} for row in rows}
    for found in _find_streams(connection, sorted(streams)):
        values: tuple[Any, ...] = tuple(found)
        key, stream, *verdict = values
        streams[key][stream] = _verdict(*verdict)
    return {row.key: msgspec.structs.replace(row, streams=streams[row.key]) for row in rows}


def lock_free_rows(connection: sa.Connection, keys: Sequence[str]) -> list[AddressRow]:
    """Lock and return the rows of these addresses, without those that others have locked."""
    return [AddressRow.of(row) for row in _find_free_rows(connection, keys)]


def save_rows(
    connection: sa.Connection,
    before: Mapping[str, AddressRow],
    rows: Iterable[AddressRow],
    struck_off: Mapping[str, bool],
    now: datetime,
) -> None:
    """Save the states and verdicts of locked rows.

    Args:
        connection: the caller's transaction.
        before: the rows as they were, by key.
        rows: the rows as they are now.
        struck_off: new values of `struck_off`, by key.
        now: the time of these.
    """
    states: list[tuple[str | None, Row]] = []
    verdicts: list[tuple[str | None, Row]] = []
    for row in rows:
        earlier = before[row.key]
        same = row.verdict == earlier.verdict and row.hard_at == earlier.hard_at
        new = struck_off.get(row.key)
        if new is not None:
            times = (now, None) if new else (None, now)
            verdicts.append((earlier.place, (*row.values(struck_off=new), *times)))
        elif same:
            states.append((earlier.place, row.values(struck_off=row.struck_off)))
        else:
            values = row.values(struck_off=row.struck_off)
            verdicts.append((earlier.place, (*values, None, None)))
    _save(connection, _save_states, states)
    _save(connection, _save_verdicts, verdicts)


def _save(
    connection: sa.Connection, insert: Insert, rows: Sequence[tuple[str | None, Row]]
) -> None:
    """Save rows by their places, and those without one by their keys."""
    insert(connection, [row for place, row in rows if place is None])
    there = [(place, row) for place, row in rows if place is not None]
    insert.change(connection, [place for place, _ in there], [row for _, row in there])


def save_streams(
    connection: sa.Connection, before: Mapping[str, AddressRow], rows: Iterable[AddressRow]
) -> None:
    """Save the verdicts of streams of locked rows.

    Args:
        connection: the caller's transaction.
        before: the rows as they were, by key.
        rows: the rows as they are now.
    """
    changed = [row for row in rows if row.streams != before[row.key].streams]
    former = [row.key for row in changed if before[row.key].streams]
    if former:
        connection.execute(sa.delete(schema.stream).where(schema.stream.c.address.in_(former)))
    values = [
        {
            "address": row.key,
            "stream": stream,
            "suppressed_since": verdict.since,
            "suppressed_until": verdict.until,
            "reason": verdict.reason,
            "kind": verdict.kind,
            "why": verdict.why,
        }
        for row in changed
        for stream, verdict in row.streams.items()
    ]
    if values:
        connection.execute(sa.insert(schema.stream), values)


def mark_rows(connection: sa.Connection, struck_off: Mapping[str, bool], now: datetime) -> None:
    """Save that addresses have been struck off, or restored.

    Args:
        connection: the caller's transaction.
        struck_off: the new values of `struck_off`, by key.
        now: the time of these.
    """
    if struck_off:
        connection.execute(
            _mark,
            [
                {"key": key, "value": True, "struck": now, "restored": None}
                if value
                else {"key": key, "value": False, "struck": None, "restored": now}
                for key, value in sorted(struck_off.items())
            ],
        )


def unmark_rows(connection: sa.Connection, keys: Iterable[str], *, struck_off: bool) -> None:
    """Save that addresses have not been struck off, or not been restored.

    `save_rows` may have replaced the time at which that was done before: it is not known any more.

    Args:
        connection: the caller's transaction.
        keys: the keys of the rows.
        struck_off: the value of `struck_off` that these rows keep.
    """
    values = [{"key": key} for key in sorted(keys)]
    if values:
        time = "restored_at" if struck_off else "struck_off_at"
        update = sa.update(schema.address).where(_addresses == sa.bindparam("key"))
        connection.execute(update.values({"struck_off": struck_off, time: None}), values)
