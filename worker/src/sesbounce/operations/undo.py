"""Undoes decisions of people: the verdict becomes what it would be if they had never been made.

The opposite decision would not do: it would suppress an address without an end that was suppressed
for some days, and would keep strikes from suppressing an address that was mailable. So the evidence
of the decision is removed from the state, and the decision before it, if the log holds one, is the
one that counts. The log keeps the event of the decision, without effect, and gets one that says who
undid it.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial, reduce

import msgspec
import sqlalchemy as sa

from sesbounce.feedback.extract import Event
from sesbounce.feedback.kind import Kind
from sesbounce.feedback.manual import UNDOES
from sesbounce.feedback.reason import Effect, Reason
from sesbounce.feedback.recording import Recording
from sesbounce.operations.reclassify import unlearned
from sesbounce.policy.merge import learn, merge
from sesbounce.policy.state import State
from sesbounce.store import acts, schema
from sesbounce.store.acts import Done
from sesbounce.store.conflicts import retry_revision
from sesbounce.store.event_log import event_of, insert_events
from sesbounce.store.judging import NO_ADDRESSES
from sesbounce.store.ready import ready_batch
from sesbounce.store.store import Store

_OPPOSITE = {
    Reason.ALLOWED_BY_HAND: Reason.SUPPRESSED_BY_HAND,
    Reason.SUPPRESSED_BY_HAND: Reason.ALLOWED_BY_HAND,
}


class Undoing(msgspec.Struct, frozen=True, kw_only=True):
    """An undo of decisions.

    Attributes:
        decisions: the dedupe key of the decision, by the name of its address in the tables.
        at: the time of the undo, UTC.
        by: the person who undoes them.
        note: what the log says about it.
        done: the act that the undo of several is, for the audit; it gets their number.
        plain_addresses: the addresses behind the keyed hashes of forgotten ones, by hash: the
            sender's own tables know nothing else.
    """

    decisions: Mapping[str, str]
    at: datetime
    by: str
    note: str
    done: Done | None = None
    plain_addresses: Mapping[str, str] = NO_ADDRESSES


class Undone(msgspec.Struct, frozen=True):
    """What an undo did.

    Attributes:
        addresses: those whose decision was undone, as the tables name them.
        rejected: addresses for which the sender's database rejected a statement, by its message.
    """

    addresses: Sequence[str]
    rejected: Mapping[str, int]


def undo(store: Store, undoing: Undoing) -> Undone:
    """Undo decisions, all in one transaction, but leave out those that count no more.

    Args:
        store: judges the states, saves them, and propagates the verdicts.
        undoing: the decisions, and who undoes them.

    Raises:
        StoreError: the database can't be used; nothing was undone.
    """
    return retry_revision(partial(_undo, store, undoing))


def _undo(store: Store, undoing: Undoing, *, run_statements: bool = True) -> Undone:
    found: dict[str, Event] = {}
    with store.writing("the decision was not undone") as connection:

        def revision(states: Mapping[str, State]) -> dict[str, State]:
            # The rows are locked now, so nobody decides about these addresses in the meantime.
            logged = _decisions(connection, sorted(states))
            revised = dict(states)
            for key, state in states.items():
                if undone := _counting(state, logged.get(key, ()), undoing.decisions[key]):
                    found[key] = undone
                    rest = (event for event in logged[key] if event is not undone)
                    revised[key] = _without(state, undone, rest)
            return revised

        recorded, _ = store.revise(
            connection,
            store.known(connection, undoing.decisions),
            revision,
            undoing.at,
            undoing.plain_addresses,
            run_statements=run_statements,
        )
        if found:
            _take_effect_from(connection, found.values())
            _log(connection, [_event(undone, undoing) for undone in found.values()], undoing.at)
            if undoing.done:
                acts.record(connection, msgspec.structs.replace(undoing.done, number=len(found)))
    return Undone(sorted(found), recorded.rejected)


def _decisions(connection: sa.Connection, keys: Sequence[str]) -> dict[str, list[Event]]:
    """The decisions in the log that count, by address; also imported ones."""
    table = schema.event.c
    query = sa.select(schema.event).where(table.address.in_(keys), table.effect == Effect.MANUAL)
    found: dict[str, list[Event]] = {}
    for row in connection.execute(query):
        found.setdefault(row.address, []).append(event_of(row))
    return found


def _counting(state: State, logged: Iterable[Event], dedupe_key: str) -> Event | None:
    """The decision, if it is the one that counts."""
    if state.manual is None or state.manual.mail_id != dedupe_key:
        return None
    return next((event for event in logged if event.dedupe_key == dedupe_key), None)


def _without(state: State, undone: Event, rest: Iterable[Event]) -> State:
    """The state without a decision, and with those that it had replaced."""
    return reduce(merge, map(learn, rest), unlearned(state, learn(undone)))


def _take_effect_from(connection: sa.Connection, undone: Iterable[Event]) -> None:
    """Leave the events in the log without effect, so that no rebuild brings them back."""
    table = schema.event
    keys = [event.dedupe_key for event in undone]
    connection.execute(
        sa.update(table).where(table.c.dedupe_key.in_(keys)).values(effect=Effect.NONE)
    )


def _event(undone: Event, undoing: Undoing) -> Event:
    """The event that says who undid a decision. It has no effect, whatever its reason."""
    identity = [Kind.MANUAL, UNDOES, undone.dedupe_key]
    return msgspec.structs.replace(
        undone,
        reason=_OPPOSITE[undone.reason],
        effect=Effect.NONE,
        occurred_at=undoing.at,
        source=undoing.by,
        diagnostic=undoing.note,
        basis=UNDOES,
        dedupe_key=hashlib.sha256(msgspec.json.encode(identity)).hexdigest(),
    )


def _log(connection: sa.Connection, events: Sequence[Event], now: datetime) -> None:
    batch = ready_batch(connection.dialect, [Recording(events)], now)
    insert_events(connection, batch.events, batch.event_rows, now)
