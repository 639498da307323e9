"""Replays the log of events into the states of addresses, and judges these by the current policy.

The log may hold more than the states (if rows of the table of addresses were deleted), and the
states more than the log (if it was pruned). A rebuild merges both, so that no evidence is lost. An
event that is reclassified is the exception: its former evidence is removed from the state first.
Older evidence that it had replaced comes back from the log, if the log still holds it.

A rebuild of all takes the addresses in their order, a batch in each transaction. A second rebuild
changes nothing more, so one that was killed can be repeated. Workers may record events meanwhile:
the rebuild locks the rows before it reads the log, and a worker locks the row of an address before
it records an event about it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from operator import itemgetter
from typing import Any, Literal, NamedTuple

import msgspec
import sqlalchemy as sa

from sesbounce.errors import NotificationError
from sesbounce.feedback.extract import Event
from sesbounce.feedback.kind import Kind
from sesbounce.feedback.notification import Bounce
from sesbounce.feedback.reading import decode_notification
from sesbounce.feedback.reason import Effect
from sesbounce.operations.reclassify import RECLASSIFIED_KINDS, reclassified, unlearned
from sesbounce.policy.merge import learn, merge
from sesbounce.policy.state import State
from sesbounce.policy.tally import Tally
from sesbounce.policy.verdict import Verdict
from sesbounce.store import schema
from sesbounce.store.addresses import HASH_KEYS
from sesbounce.store.conflicts import retry_revision
from sesbounce.store.event_log import event_of
from sesbounce.store.find import chunks
from sesbounce.store.judging import VerdictChange
from sesbounce.store.result import Recorded
from sesbounce.store.senders import save_tally
from sesbounce.store.store import Store

_BATCH = 500
_STREAMED = {"yield_per": 1000}
_RECLASSIFIED_COLUMNS = ("reason", "effect", "basis")


class Change(msgspec.Struct, frozen=True):
    """What a rebuild changes about one address.

    Attributes:
        address: the key of the address.
        change: `suppressed` or `released`; `changed` if it stays suppressed, but for another
            reason, or since or until another time.
        before: the verdict before the rebuild.
        after: the verdict after it.
        stream: the only stream that the verdicts are about; empty where they count for all.
    """

    address: str
    change: Literal["suppressed", "released", "changed"]
    before: Verdict
    after: Verdict
    stream: str = ""


class Rebuilt(msgspec.Struct):
    """The numbers of what a rebuild did, or would do.

    Attributes:
        addresses: addresses with a row.
        events: events of the log that were replayed.
        suppressed: addresses that become suppressed, and streams in which they do.
        released: addresses that are released, and streams in which they are.
        changed: addresses that stay suppressed, but for another reason or time.
        reworded: addresses whose row changes otherwise: in its text, or in an expired suppression.
        reclassified: reclassified events, by `reason before -> reason after`.
        struck_rows: rows of the sender's tables that the strike-off statements changed.
        restored_rows: rows of the sender's tables that the restore statements changed.
        rejected: addresses for which the database rejected a statement, by its error message.
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
    """The events of one address in the log, replayed.

    Attributes:
        state: what a state learns from the events.
        events: how many there are.
        reclassified: the events that were reclassified: the id of the row, before, after.
    """

    state: State = State()
    events: int = 0
    reclassified: list[tuple[int, Event, Event]] = msgspec.field(default_factory=list)

    def add(self, event_id: int, before: Event, after: Event) -> None:
        self.state = merge(self.state, learn(after))
        self.events += 1
        if after is not before:
            self.reclassified.append((event_id, before, after))

    def merged(self, state: State) -> State:
        """The state of the address, corrected and completed by the log."""
        for _, before, _ in self.reclassified:
            state = unlearned(state, learn(before))
        return merge(state, self.state)


class _Outcome(NamedTuple):
    """What a rebuild did about some addresses, or would do.

    Attributes:
        replayed: their events, by address.
        wanted: the addresses that have a row, or for which the log has evidence.
        changes: the verdicts that change.
        recorded: what the statements did; no numbers in a preview.
    """

    replayed: Mapping[str, _Replayed]
    wanted: set[str]
    changes: Sequence[VerdictChange]
    recorded: Recorded


class Rebuild:
    """One rebuild of all addresses, or of some, under the policy of a store.

    Attributes:
        totals: the numbers of what it has done so far.
    """

    def __init__(
        self,
        store: Store,
        now: datetime,
        *,
        reclassify: bool = False,
        keys: Collection[str] | None = None,
    ) -> None:
        """Prepare a rebuild.

        Args:
            store: judges the states, saves them, and propagates the verdicts.
            now: the time for which expiring suppressions are judged.
            reclassify: whether to reclassify the events first.
            keys: the keys of the addresses to rebuild; None for all.
        """
        self._store = store
        self._now = now
        self._reclassify = reclassify
        self._keys = None if keys is None else sorted(keys)
        self.totals = Rebuilt()

    def preview(self) -> Iterator[Change]:
        """Yield what would change, in the order of addresses; this locks and changes nothing.

        Raises:
            StoreError: the database can't answer, or a newer version has written an event.
        """
        for keys in self._batches():
            with self._store.reading("the log can't be read") as connection:
                replayed = self._replay(connection, keys)
                wanted = self._wanted(connection, keys, replayed)
                changes = self._store.preview(connection, wanted, _Revision(replayed))
            yield from self._count(_Outcome(replayed, wanted, changes, Recorded()))

    def apply(self) -> Iterator[Change]:
        """Rebuild, and yield each change once it is committed.

        Raises:
            StoreError: the database can't be used; the yielded changes stay.
        """
        for keys in self._batches():
            yield from self._count(retry_revision(partial(self._apply, keys)))

    def _apply(self, keys: Sequence[str], *, run_statements: bool = True) -> _Outcome:
        with self._store.writing("the addresses were not rebuilt") as connection:
            rows = self._store.known(connection, keys)
            # For most addresses without a row, the log has no evidence that requires one.
            replayed = self._replay(connection, [key for key in keys if key not in rows])
            wanted = rows | self._wanted(connection, [], replayed)
            tally = Tally()
            others = [r for k, r in replayed.items() if k not in wanted]
            _save_reclassified(connection, others, tally)

            def revision(states: Mapping[str, State]) -> dict[str, State]:
                # The rows are locked now, so no worker adds an event to the log in the meantime.
                replayed.update(self._replay(connection, sorted(states)))
                known = [replayed[key] for key in states if key in replayed]
                _save_reclassified(connection, known, tally)
                return _Revision(replayed)(states)

            recorded, changes = self._store.revise(
                connection, wanted, revision, self._now, run_statements=run_statements
            )
            save_tally(connection, tally)
        return _Outcome(replayed, wanted, changes, recorded)

    def _batches(self) -> Iterator[list[str]]:
        """The addresses; all of them in the database's order."""
        if self._keys is not None:
            yield from map(list, chunks(self._keys, _BATCH))
            return
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
        """The addresses that have a row, or for which the log has evidence."""
        with_evidence = {key for key, log in replayed.items() if log.state != State()}
        return with_evidence | self._store.known(connection, keys)

    def _replay(self, connection: sa.Connection, keys: Sequence[str]) -> dict[str, _Replayed]:
        """Replay the events of some addresses, without holding all of them in memory."""
        replayed: dict[str, _Replayed] = {}
        if not keys:
            return replayed
        query = _events(keys, reclassify=self._reclassify)
        for row in connection.execute(query, execution_options=_STREAMED):
            event = event_of(row)
            after = event
            if self._reclassify and row.message_digest:
                after = reclassified(event, _bounce(row.payload))
            replayed.setdefault(event.address, _Replayed()).add(row.id, event, after)
        return replayed

    def _count(self, outcome: _Outcome) -> Iterator[Change]:
        """Count what it did about some addresses, and yield its changes for people to see."""
        totals = self.totals
        totals.addresses += len(outcome.wanted)
        totals.struck_rows += outcome.recorded.struck_rows
        totals.restored_rows += outcome.recorded.restored_rows
        _add(totals.rejected, outcome.recorded.rejected)
        for log in outcome.replayed.values():
            totals.events += log.events
            for _, before, after in log.reclassified:
                _add(totals.reclassified, {f"{before.reason} -> {after.reason}": 1})
        for one in outcome.changes:
            change = change_of(one, self._now)
            if change:
                setattr(totals, change.change, getattr(totals, change.change) + 1)
                yield change
            elif not one.stream:
                totals.reworded += 1


class _Revision:
    """Maps the states of addresses to the ones that the log corrects and completes."""

    def __init__(self, replayed: Mapping[str, _Replayed]) -> None:
        self._replayed = replayed

    def __call__(self, states: Mapping[str, State]) -> dict[str, State]:
        no_events = _Replayed()
        return {key: self._replayed.get(key, no_events).merged(s) for key, s in states.items()}


def change_of(verdict: VerdictChange, now: datetime) -> Change | None:
    """The change for people to see; None if the verdict is the same at this time."""
    before, after = verdict.before, verdict.after
    was, suppressed = before.suppressed_at(now), after.suppressed_at(now)
    if was != suppressed:
        change: Literal["suppressed", "released"] = "suppressed" if suppressed else "released"
        return Change(verdict.address, change, before, after, verdict.stream)
    decisive = [(v.reason, v.since, v.until) for v in (before, after)]
    if suppressed and decisive[0] != decisive[1]:
        return Change(verdict.address, "changed", before, after, verdict.stream)
    return None


def changes_of(verdicts: Iterable[VerdictChange], now: datetime) -> list[Change]:
    """The changes for people to see."""
    return [change for verdict in verdicts if (change := change_of(verdict, now))]


def _addresses_after(last: str | None) -> sa.Select[Any]:
    """The next addresses of the log and of the table of addresses."""
    halves = []
    for column in (schema.event.c.address, schema.address.c.address):
        half = sa.select(column.label("key")).distinct().order_by(column).limit(_BATCH)
        halves.append(half.where(column > last).subquery() if last is not None else half.subquery())
    both = sa.union(*(sa.select(half.c.key) for half in halves)).subquery()
    return sa.select(both.c.key).order_by(both.c.key).limit(_BATCH)


def _events(keys: Sequence[str], *, reclassify: bool) -> sa.Select[Any]:
    """Select the events about some addresses from which a state learns, or may learn.

    A bounce that may be an automatic reply comes with its message, if that is still stored.
    """
    event, message = schema.event, schema.message
    is_evidence = event.c.effect.in_([effect for effect in Effect if effect.is_evidence])
    if not reclassify:
        return sa.select(event).where(event.c.address.in_(keys), is_evidence)
    texts = [sa.func.coalesce(event.c[name], "") for name in ("status", "action", "diagnostic")]
    unclear = sa.and_(
        event.c.kind == Kind.BOUNCE,
        event.c.type == "Transient",
        event.c.sub_type == "General",
        *(text == "" for text in texts),
    )
    its_message = sa.and_(message.c.digest == event.c.message_digest, unclear)
    return (
        sa.select(event, message.c.payload)
        .outerjoin_from(event, message, its_message)
        .where(event.c.address.in_(keys), sa.or_(is_evidence, event.c.kind.in_(RECLASSIFIED_KINDS)))
    )


def _bounce(payload: str | None) -> Bounce | None:
    try:
        return decode_notification(payload.encode()).bounce if payload else None
    except NotificationError:
        return None


def _save_reclassified(
    connection: sa.Connection, replayed: Sequence[_Replayed], tally: Tally
) -> None:
    """Save the new reason, effect and basis of reclassified events, and count these by them."""
    table = schema.event
    changed = [one for log in replayed for one in log.reclassified]
    # All at once: a complaint about several recipients counts once.
    tally.add((before for _, before, _ in changed), -1)
    tally.add(after for _, _, after in changed)
    if changed:
        connection.execute(
            sa.update(table)
            .where(table.c.id == sa.bindparam("event_id"))
            .values({name: sa.bindparam(f"new_{name}") for name in _RECLASSIFIED_COLUMNS}),
            [
                {"event_id": event_id}
                | {f"new_{name}": getattr(event, name) for name in _RECLASSIFIED_COLUMNS}
                for event_id, _, event in sorted(changed, key=itemgetter(0))
            ],
        )


def _add(counts: dict[str, int], more: Mapping[str, int]) -> None:
    for name, number in more.items():
        counts[name] = counts.get(name, 0) + number
