"""Replays the log of events into the states of addresses, and judges them anew.

The log may know more than the states (rows of the table of addresses were lost), the states may
know more than the log (it was pruned): the two are merged, which loses nothing. A event that is
judged again by today's classifier is the exception: what it had taught the state is taken back
first. What that had overshadowed comes back from the log, as far as the log still holds it.

Addresses are taken in their order, some at a time, each lot in one transaction. Whatever is done
twice changes nothing the second time: a rebuild that was killed is simply run again. Workers may
go on: the rows are locked before the log is read, and nobody records a event about an address
without its row.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Literal

import msgspec
import sqlalchemy as sa

from sesbounce.errors import NotificationError
from sesbounce.feedback.extract import Event
from sesbounce.feedback.notification import Bounce, Kind, decode_notification
from sesbounce.feedback.reason import Effect
from sesbounce.operations.reclassify import JUDGED, judged_again, taken_back
from sesbounce.policy.state import State, learn, merge
from sesbounce.policy.verdict import Verdict
from sesbounce.store import schema
from sesbounce.store.forgotten import HASH_KEYS
from sesbounce.store.result import Recorded
from sesbounce.store.rows import event_of
from sesbounce.store.store import Judged, Store, retry_conflicts

_LOT = 500
_STREAMED = {"yield_per": 1000}


class Change(msgspec.Struct, frozen=True):
    """What a rebuild does to one address.

    Attributes:
        address: its key.
        change: it becomes suppressed, is released, or stays suppressed for another reason, since
            or until another time.
        before: the verdict so far.
        after: the verdict from now on.
    """

    address: str
    change: Literal["suppressed", "released", "changed"]
    before: Verdict
    after: Verdict


class Totals(msgspec.Struct):
    """What a rebuild did, or would do.

    Attributes:
        addresses: addresses of which something is known.
        events: events of the log that were replayed.
        suppressed: addresses that become suppressed.
        released: addresses that cease to be.
        changed: addresses that stay suppressed, for another reason or another time.
        reworded: addresses of which nothing changes but words, or what is past.
        reclassified: events that are judged otherwise now, by `reason before -> reason after`.
        struck_rows: rows of the sender's own tables that the strike-off statement changed.
        restored_rows: rows that the restore statement changed.
        rejected: addresses for which a statement was rejected, by the database's words.
    """

    addresses: int = 0
    events: int = 0
    suppressed: int = 0
    released: int = 0
    changed: int = 0
    reworded: int = 0
    reclassified: dict[str, int] = msgspec.field(default_factory=dict)
    struck_rows: int = 0
    restored_rows: int = 0
    rejected: dict[str, int] = msgspec.field(default_factory=dict)


class _Replayed(msgspec.Struct):
    """What the log says of one address.

    Attributes:
        state: what its events teach, as they are judged now.
        events: how many there are.
        again: those that are judged otherwise now: the number of the row, before, after.
    """

    state: State = State()
    events: int = 0
    again: list[tuple[int, Event, Event]] = msgspec.field(default_factory=list)

    def add(self, number: int, before: Event, after: Event) -> None:
        self.state = merge(self.state, learn(after))
        self.events += 1
        if after is not before:
            self.again.append((number, before, after))

    def onto(self, state: State) -> State:
        """The state, corrected and completed by the log."""
        for _, before, _ in self.again:
            state = taken_back(state, learn(before))
        return merge(state, self.state)


class Rebuild:
    """One rebuild: of all addresses, under the policy of a store."""

    def __init__(self, store: Store, now: datetime, *, reclassify: bool = False) -> None:
        """Prepare it.

        Args:
            store: judges, saves and tells the sender's tables.
            now: the moment for which expiring suppressions are judged.
            reclassify: whether the events themselves are judged again.
        """
        self._store = store
        self._now = now
        self._reclassify = reclassify
        self.totals = Totals()

    def preview(self) -> Iterator[Change]:
        """What would change, in the order of addresses; nothing is locked or changed.

        Raises:
            StoreError: the database can't answer, or holds what a newer version has written.
        """
        for keys in self._lots():
            with self._store.reading("the log can't be read") as connection:
                replayed = self._replay(connection, keys)
                wanted = self._wanted(connection, keys, replayed)
                judged = self._store.preview(connection, wanted, _Revision(replayed))
            yield from self._count(replayed, wanted, judged, Recorded())

    def apply(self) -> Iterator[Change]:
        """Change it; what has been yielded is committed.

        Raises:
            StoreError: the database rejected; what has been yielded stays.
        """
        for keys in self._lots():
            yield from self._count(*retry_conflicts(partial(self._apply, keys)))

    def _apply(
        self, keys: Sequence[str]
    ) -> tuple[dict[str, _Replayed], set[str], list[Judged], Recorded]:
        with self._store.writing("the addresses were not rebuilt") as connection:
            rows = self._store.known(connection, keys)
            # Of most addresses without a row, the log says nothing that makes one.
            replayed = self._replay(connection, [key for key in keys if key not in rows])
            wanted = rows | self._wanted(connection, [], replayed)
            _judge_again(connection, [r for k, r in replayed.items() if k not in wanted])

            def revision(states: Mapping[str, State]) -> dict[str, State]:
                # Only now are the rows locked, and the log says all that the states rest on.
                replayed.update(self._replay(connection, sorted(states)))
                _judge_again(connection, [replayed[key] for key in states if key in replayed])
                return _Revision(replayed)(states)

            recorded, judged = self._store.revise(connection, wanted, revision, self._now)
        return replayed, wanted, judged, recorded

    def _lots(self) -> Iterator[list[str]]:
        """All addresses, in the database's order."""
        last: str | None = None
        while True:
            with self._store.reading("the addresses can't be read") as connection:
                keys = list(connection.scalars(_addresses_after(last)))
            if not keys:
                return
            last = keys[-1]
            yield [key for key in keys if key != HASH_KEYS]

    def _wanted(
        self, connection: sa.Connection, keys: Sequence[str], replayed: Mapping[str, _Replayed]
    ) -> set[str]:
        """The addresses that have a row, or get one by what the log says."""
        told = {key for key, log in replayed.items() if log.state != State()}
        return told | self._store.known(connection, keys)

    def _replay(self, connection: sa.Connection, keys: Sequence[str]) -> dict[str, _Replayed]:
        """What the log says of some addresses; a event at a time is in memory."""
        replayed: dict[str, _Replayed] = {}
        if not keys:
            return replayed
        query = _events(keys, reclassify=self._reclassify)
        for row in connection.execute(query, execution_options=_STREAMED):
            event = event_of(row)
            found = event
            if self._reclassify and row.message_digest:
                found = judged_again(event, _bounce(row.payload))
            replayed.setdefault(event.address, _Replayed()).add(row.id, event, found)
        return replayed

    def _count(
        self,
        replayed: Mapping[str, _Replayed],
        wanted: set[str],
        judged: Sequence[Judged],
        recorded: Recorded,
    ) -> Iterator[Change]:
        totals = self.totals
        totals.addresses += len(wanted)
        totals.struck_rows += recorded.struck_rows
        totals.restored_rows += recorded.restored_rows
        _add(totals.rejected, recorded.rejected)
        for log in replayed.values():
            totals.events += log.events
            for _, before, after in log.again:
                _add(totals.reclassified, {f"{before.reason} -> {after.reason}": 1})
        for one in judged:
            change = _change(one, self._now)
            if change:
                setattr(totals, change.change, getattr(totals, change.change) + 1)
                yield change
            else:
                totals.reworded += 1


class _Revision:
    """From the states of addresses to those that the log corrects and completes."""

    def __init__(self, replayed: Mapping[str, _Replayed]) -> None:
        self._replayed = replayed

    def __call__(self, states: Mapping[str, State]) -> dict[str, State]:
        nothing = _Replayed()
        return {key: self._replayed.get(key, nothing).onto(s) for key, s in states.items()}


def _change(judged: Judged, now: datetime) -> Change | None:
    """What changes at this moment, if anything does."""
    before, after = judged.before, judged.after
    was, suppressed = before.suppressed_at(now), after.suppressed_at(now)
    if was != suppressed:
        what: Literal["suppressed", "released"] = "suppressed" if suppressed else "released"
        return Change(judged.address, what, before, after)
    decisive = [(v.reason, v.since, v.until) for v in (before, after)]
    if suppressed and decisive[0] != decisive[1]:
        return Change(judged.address, "changed", before, after)
    return None


def _addresses_after(last: str | None) -> sa.Select[Any]:
    """The next addresses of the log and of the table of addresses."""
    halves = []
    for column in (schema.event.c.address, schema.address.c.address):
        half = sa.select(column.label("key")).distinct().order_by(column).limit(_LOT)
        halves.append(half.where(column > last).subquery() if last is not None else half.subquery())
    both = sa.union(*(sa.select(half.c.key) for half in halves)).subquery()
    return sa.select(both.c.key).order_by(both.c.key).limit(_LOT)


def _events(keys: Sequence[str], *, reclassify: bool) -> sa.Select[Any]:
    """The events about some addresses that teach something, or may be found to.

    Beside a bounce that may be an automatic reply stands the message, if it is still there.
    """
    event, message = schema.event, schema.message
    teaches = event.c.effect != Effect.NONE
    if not reclassify:
        return sa.select(event).where(event.c.address.in_(keys), teaches)
    told = [sa.func.coalesce(event.c[name], "") for name in ("status", "action", "diagnostic")]
    unclear = sa.and_(
        event.c.kind == Kind.BOUNCE,
        event.c.type == "Transient",
        event.c.sub_type == "General",
        *(text == "" for text in told),
    )
    there = sa.and_(message.c.digest == event.c.message_digest, unclear)
    return (
        sa.select(event, message.c.payload)
        .outerjoin_from(event, message, there)
        .where(event.c.address.in_(keys), sa.or_(teaches, event.c.kind.in_(JUDGED)))
    )


def _bounce(payload: str | None) -> Bounce | None:
    try:
        return decode_notification(payload.encode()).bounce if payload else None
    except NotificationError:
        return None


def _judge_again(connection: sa.Connection, replayed: Sequence[_Replayed]) -> None:
    """Write down what events are found to be now."""
    table = schema.event
    changed = {number: after for log in replayed for number, _, after in log.again}
    if changed:
        connection.execute(
            sa.update(table)
            .where(table.c.id == sa.bindparam("number"))
            .values(
                reason=sa.bindparam("why"),
                effect=sa.bindparam("what"),
                basis=sa.bindparam("ground"),
            ),
            [
                {"number": number, "why": event.reason, "what": event.effect, "ground": event.basis}
                for number, event in sorted(changed.items())
            ],
        )


def _add(counts: dict[str, int], more: Mapping[str, int]) -> None:
    for name, number in more.items():
        counts[name] = counts.get(name, 0) + number
