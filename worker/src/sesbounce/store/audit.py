"""Reads who decided what: decisions about addresses, resumes of senders, and tokens.

No index holds the decisions, which are few among the events. So a page reads the log backward for
a short time: a page may hold few decisions, or none, and yet say where the next one begins.
"""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from sesbounce.feedback.notification import Kind
from sesbounce.feedback.reason import Reason
from sesbounce.store import schema
from sesbounce.store.engine import answering

# Events that one query passes at most, and how long a page goes on with such queries.
_PASSED_AT_ONCE = 20_000
_SECONDS = 0.05
_NEVER, _ALWAYS = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)

_event, _resume, _token = schema.event.c, schema.sender_resume.c, schema.token.c


class Act(StrEnum):
    """What somebody did."""

    SUPPRESSED = "suppressed"
    ALLOWED = "allowed"
    RESUMED = "resumed"
    TOKEN_MADE = "token_made"  # noqa: S105  no password
    TOKEN_REVOKED = "token_revoked"  # noqa: S105


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One act of a person or program.

    Attributes:
        at: when it happened, UTC.
        act: what was done.
        subject: the address, the sender, or the name of the token.
        by: who did it; None where the database does not record that.
        note: the note on it, or the scopes of the token.
    """

    at: datetime
    act: Act
    subject: str
    by: str | None
    note: str | None


class AuditPlace(msgspec.Struct, frozen=True, array_like=True):
    """A place in the audit: how far a page has read.

    Attributes:
        number: the number of the oldest event that it has passed.
        at: when that event was recorded, UTC.
    """

    number: int
    at: datetime


class _Passed(NamedTuple):
    """The decisions that a page has found, and how far it has read; None for to the end."""

    decisions: Sequence[AuditEntry]
    place: AuditPlace | None


def audit_page(
    engine: sa.Engine, by: str | None, limit: int, after: AuditPlace | None
) -> tuple[list[AuditEntry], AuditPlace | None]:
    """A page of the audit, the latest act first.

    Args:
        engine: the database.
        by: only what this person or program did; None for all.
        limit: the maximum number of decisions about addresses; what else was done in their time
            comes beside them.
        after: where the page before ended; None for the first page.

    Returns:
        The entries, and where the next page begins; None behind the last page.

    Raises:
        StoreError: the database can't answer.
    """
    with answering("the audit was not read"), engine.connect() as connection:
        passed = _decisions(connection, by, limit, after)
        others = list(_others(connection))
    since = passed.place.at if passed.place else _NEVER
    until = after.at if after else _ALWAYS
    beside = [one for one in others if since < one.at <= until and by in (None, one.by)]
    entries = sorted([*passed.decisions, *beside], key=lambda one: one.at, reverse=True)
    return entries, passed.place


def _decisions(
    connection: sa.Connection, by: str | None, limit: int, after: AuditPlace | None
) -> _Passed:
    """Read the log backward until there are enough decisions, or the time is spent."""
    first, last = connection.execute(
        sa.select(sa.func.min(_event.id), sa.func.max(_event.id))
    ).one()
    if first is None:
        return _Passed([], None)
    upper = after.number if after else last + 1
    ends_at = time.monotonic() + _SECONDS
    rows: list[sa.Row[Any]] = []
    while True:
        lower = upper - _PASSED_AT_ONCE
        query = _query(by).where(_event.id < upper, _event.id >= lower)
        rows += connection.execute(query.limit(limit + 1 - len(rows))).all()
        upper = lower
        if upper <= first or len(rows) > limit or time.monotonic() >= ends_at:
            break
    if len(rows) > limit:
        rows = rows[:limit]
        return _Passed(
            [_decision(row) for row in rows], AuditPlace(rows[-1].id, rows[-1].recorded_at)
        )
    decisions = [_decision(row) for row in rows]
    if upper <= first:
        return _Passed(decisions, None)
    oldest = sa.select(_event.id, _event.recorded_at).where(_event.id >= upper).order_by(_event.id)
    passed = connection.execute(oldest.limit(1)).one()
    return _Passed(decisions, AuditPlace(passed.id, passed.recorded_at))


def _query(by: str | None) -> sa.Select[Any]:
    columns = (_event.id, _event.recorded_at, _event.reason, _event.address)
    query = sa.select(*columns, _event.source, _event.diagnostic)
    query = query.where(_event.kind == Kind.MANUAL).order_by(_event.id.desc())
    return query if by is None else query.where(_event.source == by)


def _decision(row: sa.Row[Any]) -> AuditEntry:
    allowed = row.reason == Reason.ALLOWED_BY_HAND
    return AuditEntry(
        at=row.recorded_at,
        act=Act.ALLOWED if allowed else Act.SUPPRESSED,
        subject=row.address,
        by=row.source,
        note=row.diagnostic,
    )


def _others(connection: sa.Connection) -> Iterator[AuditEntry]:
    """What else was done: these tables are small."""
    for row in connection.execute(sa.select(schema.sender_resume)):
        yield AuditEntry(
            at=row.resumed_at,
            act=Act.RESUMED,
            subject=row.identity or f"{row.account_id}/{row.region}",
            by=row.resumed_by,
            note=row.note,
        )
    columns = (_token.name, _token.scopes, _token.created_at, _token.created_by, _token.revoked_at)
    for row in connection.execute(sa.select(*columns)):
        yield AuditEntry(
            at=row.created_at,
            act=Act.TOKEN_MADE,
            subject=row.name,
            by=row.created_by,
            note=row.scopes,
        )
        if row.revoked_at:
            yield AuditEntry(
                at=row.revoked_at, act=Act.TOKEN_REVOKED, subject=row.name, by=None, note=None
            )
