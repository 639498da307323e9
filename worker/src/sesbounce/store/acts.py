"""Records what people and programs did that is in no other table; `sesbounce.store.audit` reads it.

Decisions about addresses are events, and a resumed sender and a token have tables of their own. An
act is recorded in the transaction of what was done, if there is one.
"""

from datetime import datetime
from enum import StrEnum

import msgspec
import sqlalchemy as sa

from sesbounce.store import schema
from sesbounce.store.engine import translated, write

_insert = sa.insert(schema.act)


class Act(StrEnum):
    """What somebody did."""

    # Events.
    SUPPRESSED = "suppressed"
    ALLOWED = "allowed"
    UNDONE = "undone"
    # In the tables of senders and tokens.
    RESUMED = "resumed"
    TOKEN_MADE = "token_made"  # noqa: S105  no password
    TOKEN_REVOKED = "token_revoked"  # noqa: S105
    # In the table of acts.
    BULK_ALLOWED = "bulk_allowed"
    BULK_UNDONE = "bulk_undone"
    FORGOTTEN = "forgotten"
    INCIDENT_OPENED = "incident_opened"
    INCIDENT_CLOSED = "incident_closed"
    INCIDENT_CHANGED = "incident_changed"
    INCIDENT_WITHDRAWN = "incident_withdrawn"
    EXPORTED = "exported"
    IMPORTED = "imported"
    LETTERS_RECORDED = "letters_recorded"
    LETTERS_SENT_BACK = "letters_sent_back"
    LETTERS_EXPORTED = "letters_exported"
    LETTERS_DELETED = "letters_deleted"
    OUTBOX_RETRIED = "outbox_retried"
    OUTBOX_DISCARDED = "outbox_discarded"


class Done(msgspec.Struct, frozen=True, kw_only=True):
    """An act of a person or program that has no other table.

    Attributes:
        act: what was done.
        at: when, UTC.
        by: the person or program.
        subject: what it was done to: a queue, an incident, or the filter that selected it. It holds
            no address: of a forgotten one, the keyed hash.
        note: the person's note.
        number: how many addresses, rows or dead letters it was about.
    """

    act: Act
    at: datetime
    by: str
    subject: str = ""
    note: str | None = None
    number: int | None = None


def record_alone(engine: sa.Engine, done: Done) -> None:
    """Record an act that was no change of the database, in a transaction of its own.

    Raises:
        StoreError: the database can't be used.
    """
    with translated("the audit does not hold what was done"), write(engine) as connection:
        record(connection, done)


def record(connection: sa.Connection, done: Done) -> None:
    """Record an act in the transaction of what was done."""
    values = msgspec.structs.asdict(done)
    values |= {"done_at": values.pop("at"), "done_by": values.pop("by")}
    connection.execute(_insert, values)
