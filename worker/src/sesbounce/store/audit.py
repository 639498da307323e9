"""Reads who did what: decisions about addresses, acts, resumes of senders, and tokens.

Decisions about addresses are few among the events. PostgreSQL and SQLite have an index of them
alone; on MySQL a page reads the log backward. It does so for a short time: it may hold few
decisions, or none, and yet say where the next page begins.
"""

import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import IntEnum
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from sesbounce.feedback.manual import UNDOES
from sesbounce.feedback.reason import Reason
from sesbounce.store import schema
from sesbounce.store.acts import Act
from sesbounce.store.engine import answering

# Decisions that one query passes at most; without their index, events. And how long a page goes on
# with such queries.
_DECISIONS_AT_ONCE = 2_000
_EVENTS_AT_ONCE = 20_000
_SECONDS = 0.05
# Entries that `audit_entries` reads at once.
_READ_AT_ONCE = 1000

_event, _act, _resume, _token = (
    table.c for table in (schema.event, schema.act, schema.sender_resume, schema.token)
)
# A literal: SQLite and PostgreSQL take no parameter for what the condition of the index says.
_BY_HAND = _event.kind == sa.literal_column("'manual'")
_REASONS = {Act.ALLOWED: Reason.ALLOWED_BY_HAND, Act.SUPPRESSED: Reason.SUPPRESSED_BY_HAND}
_ACTS = {reason: act for act, reason in _REASONS.items()}
_UNDOES = _event.basis == UNDOES
# The condition that a decision is one of many that one act consists of.
_OF_MANY = (
    sa.select(sa.literal(1))
    .where(
        _act.done_at == _event.recorded_at,
        _act.done_by == _event.source,
        _act.act.in_([Act.BULK_ALLOWED, Act.BULK_UNDONE]),
    )
    .correlate(schema.event)
    .exists()
)


class _Source(IntEnum):
    """Where an entry comes from; of one time, the greatest comes first."""

    TOKEN_MADE = 0
    TOKEN_REVOKED = 1
    RESUME = 2
    EVENT = 3
    ACT = 4


class AuditEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One act of a person or program.

    Attributes:
        at: when it happened, UTC.
        act: what was done; a word that this version does not know, if a newer one has recorded it.
        subject: the address, the sender, the name of the token, or what else it was done to.
        by: who did it; None where the database does not record that.
        note: the note on it, or the scopes of the token.
        number: how many addresses, rows or dead letters it was about; None for one.
    """

    at: datetime
    act: str
    subject: str
    by: str | None
    note: str | None = None
    number: int | None = None


class AuditFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Selects entries of the audit; what is None selects all.

    Attributes:
        by: the person or program that did it.
        act: what was done. Decisions that one act about many addresses consists of are entries of
            their own only where this selects them.
        since: the time from which on it was done, UTC.
    """

    by: str | None = None
    act: Act | None = None
    since: datetime | None = None

    def selects(self, entry: AuditEntry) -> bool:
        """Whether it selects an entry."""
        return (
            self.by in (None, entry.by)
            and self.act in (None, entry.act)
            and (self.since is None or entry.at >= self.since)
        )


class AuditPlace(msgspec.Struct, frozen=True, array_like=True):
    """A place in the audit: the last entry of a page, or the last event that the page has passed.

    Attributes:
        at: the time of the entry, UTC.
        source: where it comes from.
        number: its number there.
        name: its name, where it has no number.
    """

    at: datetime
    source: int
    number: int = 0
    name: str = ""

    @property
    def key(self) -> tuple[datetime, int, int, str]:
        """What the audit is ordered by, downward."""
        return self.at, self.source, self.number, self.name


class _Found(NamedTuple):
    """An entry, and its place."""

    place: AuditPlace
    entry: AuditEntry


def audit_page(
    engine: sa.Engine, wanted: AuditFilter, limit: int, after: AuditPlace | None
) -> tuple[list[AuditEntry], AuditPlace | None]:
    """A page of the audit, the latest act first.

    Args:
        engine: the database.
        wanted: selects the entries.
        limit: the maximum number of entries.
        after: where the page before ended; None for the first page.

    Returns:
        The entries, and where the next page begins; None behind the last page.

    Raises:
        StoreError: the database can't answer.
    """
    with answering("the audit was not read"), engine.connect() as connection:
        found, passed = _decisions(connection, wanted, limit + 1, after)
        found += _acts(connection, wanted, limit + 1, after)
        others = [*_resumes(connection), *_tokens(connection)]
    found += [one for one in others if wanted.selects(one.entry) and _is_behind(one, after)]
    if passed:
        found = [one for one in found if one.place.key >= passed.key]
    found.sort(key=lambda one: one.place.key, reverse=True)
    page = found[:limit]
    further = page[-1].place if len(found) > limit else passed
    return [one.entry for one in page], further


def audit_entries(engine: sa.Engine, wanted: AuditFilter) -> Iterator[AuditEntry]:
    """Yield all entries that a filter selects, the latest first.

    Raises:
        StoreError: the database can't answer.
    """
    place: AuditPlace | None = None
    while True:
        entries, place = audit_page(engine, wanted, _READ_AT_ONCE, place)
        yield from entries
        if place is None:
            return


def _decisions(
    connection: sa.Connection, wanted: AuditFilter, limit: int, after: AuditPlace | None
) -> tuple[list[_Found], AuditPlace | None]:
    """Decisions about addresses, and how far the log was read for them; None for to the end."""
    if wanted.act not in (None, Act.UNDONE, *_REASONS):
        return [], None
    ends_at = time.monotonic() + _SECONDS
    found: list[_Found] = []
    while True:
        behind = list(_behind(_Source.EVENT, _event.recorded_at, _event.id, wanted, after))
        passed = _place_behind(connection, behind)
        query = _decision_query(wanted).where(*behind, *_not_behind(passed))
        rows = connection.execute(query.limit(limit - len(found)))
        found += map(_decision, rows)
        if passed is None or len(found) == limit or time.monotonic() >= ends_at:
            # Of a full page the caller knows the end by its last entry.
            return found, None if len(found) == limit else passed
        after = passed


def _place_behind(
    connection: sa.Connection, conditions: Sequence[sa.ColumnElement[bool]]
) -> AuditPlace | None:
    """The place to which one query reads; None if that is the end of the log."""
    query = _latest_first(sa.select(_event.recorded_at, _event.id).where(*conditions))
    if connection.dialect.name == "mysql":
        query = query.offset(_EVENTS_AT_ONCE - 1)
    else:
        query = query.where(_BY_HAND).offset(_DECISIONS_AT_ONCE - 1)
    last = connection.execute(query.limit(1)).first()
    return AuditPlace(last.recorded_at, _Source.EVENT, last.id) if last else None


def _decision_query(wanted: AuditFilter) -> sa.Select[Any]:
    columns = (_event.id, _event.recorded_at, _event.reason, _event.basis, _event.address)
    query = sa.select(*columns, _event.source, _event.diagnostic).where(_BY_HAND)
    if wanted.by is not None:
        query = query.where(_event.source == wanted.by)
    of_act = ~_OF_MANY if wanted.act is None else _of_act(wanted.act)
    return _latest_first(query.where(of_act))


def _of_act(act: Act) -> sa.ColumnElement[bool]:
    """The condition that an event is such an act."""
    return _UNDOES if act is Act.UNDONE else (_event.reason == _REASONS[act]) & ~_UNDOES


def _latest_first(query: sa.Select[Any]) -> sa.Select[Any]:
    return query.order_by(_event.recorded_at.desc(), _event.id.desc())


def _decision(row: sa.Row[Any]) -> _Found:
    entry = AuditEntry(
        at=row.recorded_at,
        act=Act.UNDONE if row.basis == UNDOES else _ACTS[Reason(row.reason)],
        subject=row.address,
        by=row.source,
        note=row.diagnostic,
    )
    return _Found(AuditPlace(entry.at, _Source.EVENT, row.id), entry)


def _acts(
    connection: sa.Connection, wanted: AuditFilter, limit: int, after: AuditPlace | None
) -> Iterator[_Found]:
    """What the table of acts holds, the latest first."""
    query = sa.select(schema.act).where(*_behind(_Source.ACT, _act.done_at, _act.id, wanted, after))
    if wanted.by is not None:
        query = query.where(_act.done_by == wanted.by)
    if wanted.act is not None:
        query = query.where(_act.act == wanted.act)
    query = query.order_by(_act.done_at.desc(), _act.id.desc())
    for row in connection.execute(query.limit(limit)):
        entry = AuditEntry(
            at=row.done_at,
            act=row.act,
            subject=row.subject,
            by=row.done_by,
            note=row.note,
            number=row.number,
        )
        yield _Found(AuditPlace(entry.at, _Source.ACT, row.id), entry)


def _resumes(connection: sa.Connection) -> Iterator[_Found]:
    """All resumes of senders: the table is small."""
    for row in connection.execute(sa.select(schema.sender_resume)):
        entry = AuditEntry(
            at=row.resumed_at,
            act=Act.RESUMED,
            subject=row.identity or f"{row.account_id}/{row.region}",
            by=row.resumed_by,
            note=row.note,
        )
        yield _Found(AuditPlace(entry.at, _Source.RESUME, row.id), entry)


def _tokens(connection: sa.Connection) -> Iterator[_Found]:
    """What was done with each token: the table is small."""
    for row in connection.execute(sa.select(schema.token)):
        made = AuditEntry(
            at=row.created_at,
            act=Act.TOKEN_MADE,
            subject=row.name,
            by=row.created_by,
            note=row.scopes,
        )
        yield _Found(AuditPlace(made.at, _Source.TOKEN_MADE, name=row.name), made)
        if row.revoked_at:
            revoked = AuditEntry(
                at=row.revoked_at, act=Act.TOKEN_REVOKED, subject=row.name, by=row.revoked_by
            )
            yield _Found(AuditPlace(revoked.at, _Source.TOKEN_REVOKED, name=row.name), revoked)


def _is_behind(found: _Found, after: AuditPlace | None) -> bool:
    return after is None or found.place.key < after.key


def _behind(
    source: _Source,
    at: sa.Column[datetime],
    number: sa.Column[int],
    wanted: AuditFilter,
    after: AuditPlace | None,
) -> Iterator[sa.ColumnElement[bool]]:
    """The conditions that a row of a source comes after a place, and not before the filter's time.

    The first one alone lets the index of the time begin at the place.
    """
    if after:
        yield at < after.at if source > after.source else at <= after.at
        if source == after.source:
            yield (at < after.at) | (number < after.number)
    if wanted.since:
        yield at >= wanted.since


def _not_behind(place: AuditPlace | None) -> Iterator[sa.ColumnElement[bool]]:
    """The conditions that an event does not come after a place, the reverse of `_behind`."""
    if place:
        yield _event.recorded_at >= place.at
        yield (_event.recorded_at > place.at) | (_event.id >= place.number)
