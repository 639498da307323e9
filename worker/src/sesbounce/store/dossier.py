"""Reads all that is recorded about one address: its state, its events, and what waits for targets.

People read it; programs use `sesbounce.store.lookup`.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import reduce
from typing import Any

import msgspec
import sqlalchemy as sa

from sesbounce.feedback.extract import Event
from sesbounce.feedback.reason import Effect, Reason
from sesbounce.policy.incident import Incident
from sesbounce.policy.merge import merge
from sesbounce.policy.state import State
from sesbounce.store import schema
from sesbounce.store.engine import answering
from sesbounce.store.event_log import event_of
from sesbounce.store.incidents import confirmed_incidents
from sesbounce.store.outbox import Waiting, waiting_for


class EventPlace(msgspec.Struct, frozen=True, array_like=True):
    """A place among the events of an address: the last one of a page.

    Attributes:
        occurred_at: when the event happened, UTC.
        number: its number in the log.
    """

    occurred_at: datetime
    number: int


class Recorded(msgspec.Struct, frozen=True):
    """One event, and when it was recorded, UTC."""

    event: Event
    recorded_at: datetime


class Dossier(msgspec.Struct, frozen=True, kw_only=True):
    """All that is recorded about one address.

    Attributes:
        state: what its events say together.
        struck_off: whether the sender's own tables reflect a suppression.
        propagated_at: since when they do, or do not, UTC; None where it is not known, and for an
            address that was never struck off.
        incidents: the incidents that change verdicts, of all providers.
        waiting: the outbox entries about the address that targets have not got yet.
        events: a page of its events, the latest first.
        older: where the next page begins; None behind the last page.
    """

    state: State = State()
    struck_off: bool = False
    propagated_at: datetime | None = None
    incidents: Sequence[Incident] = ()
    waiting: Sequence[Waiting] = ()
    events: Sequence[Recorded] = ()
    older: EventPlace | None = None


def read_dossier(
    engine: sa.Engine, names: Collection[str], limit: int, after: EventPlace | None = None
) -> Dossier:
    """Read all that is recorded about one address.

    Args:
        engine: the database.
        names: the names of the address in the tables; see `sesbounce.store.addresses.names_of`.
        limit: the maximum number of events.
        after: where the page of events before ended; None for the first page.

    Raises:
        StoreError: the database can't answer, or a newer version has written an event.
    """
    with answering("the events were not read"), engine.connect() as connection:
        rows = connection.execute(_events(names, limit + 1, after)).all()
        state, struck_off, propagated_at = _state(connection, names)
        incidents = confirmed_incidents(connection)
        waiting = waiting_for(connection, names)
    page = rows[:limit]
    last = page[-1] if len(rows) > limit else None
    return Dossier(
        state=state,
        struck_off=struck_off,
        propagated_at=propagated_at,
        incidents=incidents,
        waiting=waiting,
        events=[Recorded(event_of(row), row.recorded_at) for row in page],
        older=EventPlace(last.occurred_at, last.id) if last else None,
    )


def still_decided(engine: sa.Engine, at: datetime, by: str, reason: Reason) -> dict[str, str]:
    """The decisions that a person made at a time, and that nobody has overruled since.

    Args:
        engine: the database.
        at: when the person decided, UTC.
        by: the person, as the events say.
        reason: the decision.

    Returns:
        The dedupe key of each decision, by the address.

    Raises:
        StoreError: the database can't answer.
    """
    event, address = schema.event.c, schema.address.c
    query = (
        sa.select(address.address, address.state, event.dedupe_key)
        .join(schema.event, event.address == address.address)
        .where(event.occurred_at == at, event.source == by, event.reason == reason)
        .where(event.effect == Effect.MANUAL)
        .order_by(address.address)
    )
    with answering("the events were not read"), engine.connect() as connection:
        rows = connection.execute(query).all()
    return {row.address: row.dedupe_key for row in rows if _counts(row.state, row.dedupe_key)}


def _counts(state: str, decision: str) -> bool:
    """Whether a decision is the one that counts in a state."""
    latest = msgspec.json.decode(state, type=State).manual
    return latest is not None and latest.mail_id == decision


def _events(names: Collection[str], limit: int, after: EventPlace | None) -> sa.Select[Any]:
    event = schema.event.c
    query = sa.select(schema.event).where(event.address.in_(names))
    if after:
        same_time = (event.occurred_at == after.occurred_at) & (event.id < after.number)
        query = query.where((event.occurred_at < after.occurred_at) | same_time)
    return query.order_by(event.occurred_at.desc(), event.id.desc()).limit(limit)


def _state(
    connection: sa.Connection, names: Collection[str]
) -> tuple[State, bool, datetime | None]:
    """The state under all names of the address, whether it is struck off, and since when."""
    address = schema.address.c
    columns = (address.state, address.struck_off, address.struck_off_at, address.restored_at)
    rows = connection.execute(sa.select(*columns).where(address.address.in_(names))).all()
    states = [msgspec.json.decode(row.state, type=State) for row in rows]
    struck_off = any(row.struck_off for row in rows)
    struck_off_at = max((row.struck_off_at for row in rows if row.struck_off_at), default=None)
    restored_at = max((row.restored_at for row in rows if row.restored_at), default=None)
    at, former = (struck_off_at, restored_at) if struck_off else (restored_at, struck_off_at)
    # A release before version 0012 of the schema changes `struck_off` and leaves both times.
    known = at and not (former and at < former)
    return reduce(merge, states, State()), struck_off, at if known else None
