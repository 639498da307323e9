"""Reads what the gate judges senders by, and records that a person resumed one."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from sesbounce.policy.gate import SenderName, chosen, identities_of
from sesbounce.policy.outage import hour_of
from sesbounce.policy.rates import LIMITS, NOTHING, Hours, Metric, Numbers
from sesbounce.policy.sending import READ, Resume
from sesbounce.store import schema

_hours = schema.sender_hour
_resumes = schema.sender_resume
_NUMBERS = Numbers.__struct_fields__
_NAME = [_hours.c[name] for name in SenderName._fields]
_ROWS_IN_MEMORY = 500
_COLUMNS = {Metric.BOUNCE: "hard", Metric.COMPLAINT: "complaints"}
# MySQL's sums are decimals.
_TOTALS = [sa.cast(sa.func.sum(_hours.c[name]), sa.BigInteger) for name in _NUMBERS]
_OF_IDENTITY = [_hours.c.identity, *(_hours.c[name] for name in _NUMBERS)]
# The counts of all identities in an hour as one text, on the databases that set it no limit.
_PACKED: Mapping[str, sa.ColumnElement[str]] = {
    "sqlite": sa.func.json_group_array(sa.func.json_array(*_OF_IDENTITY), type_=sa.Text),
    "postgresql": sa.cast(sa.func.json_agg(sa.func.json_build_array(*_OF_IDENTITY)), sa.Text),
}
_decode = msgspec.json.Decoder(Numbers).decode
_unpack = msgspec.json.Decoder(list[tuple[str, int, int, int, int, int]]).decode


def read_senders(
    connection: sa.Connection,
    now: datetime,
    identity: str | None = None,
    *,
    may_stop: bool = False,
) -> dict[SenderName, Hours]:
    """The counts of the last 31 days by sender and hour, also of the whole accounts.

    Args:
        connection: a connection to the database.
        now: the time, UTC.
        identity: only the identity under which SES sends the mail of this address or domain, and
            the accounts that it belongs to; None for all. If nothing is counted of such an
            identity, all accounts.
        may_stop: only senders that may be stopped: of many thousands, most have too few events.
    """
    since = _hours.c.hour >= hour_of(now - READ)
    pack = _PACKED.get(connection.dialect.name)
    if pack is not None and identity is None and not may_stop:
        return _read_packed(connection, since, pack)
    of_identities = sa.select(*_columns(_hours.c.identity)).where(since, _hours.c.identity != "")
    if identity is not None:
        wanted = sa.func.lower(_hours.c.identity).in_(identities_of(identity))
        of_identities = of_identities.where(wanted)
    if may_stop:
        of_identities = of_identities.where(sa.tuple_(*_NAME).in_(_stoppable(since)))
    found = _read(connection, of_identities)
    if identity is not None:
        found = {name: found[name] for name in chosen(found, identity)}
    of_accounts = (
        sa.select(_hours.c.hour, _hours.c.account_id, _hours.c.region, sa.literal(""), *_TOTALS)
        .where(since)
        .group_by(_hours.c.hour, _hours.c.account_id, _hours.c.region)
    )
    accounts = _read(connection, of_accounts)
    if found and identity is not None:
        known = {name._replace(identity="") for name in found}
        accounts = {name: hours for name, hours in accounts.items() if name in known}
    return accounts | found


def _read_packed(
    connection: sa.Connection, since: sa.ColumnElement[bool], pack: sa.ColumnElement[str]
) -> dict[SenderName, Hours]:
    """The counts of all senders, a row for each hour: of a month there are too many others."""
    by = (_hours.c.hour, _hours.c.account_id, _hours.c.region)
    query = sa.select(*by, pack, *_TOTALS).where(since).group_by(*by)
    found: defaultdict[tuple[str, str, str], dict[datetime, Numbers]] = defaultdict(dict)
    for hour, account_id, region, packed, *sums in connection.execute(query):
        found[account_id, region, ""][hour] = Numbers(*sums)
        for identity, sent, delivered, hard, soft, complaints in _unpack(packed):
            if identity:
                numbers = Numbers(sent, delivered, hard, soft, complaints)
                found[account_id, region, identity][hour] = numbers
    return {SenderName(*name): hours for name, hours in found.items()}


def _stoppable(since: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """The identities with as many events as the least strict limit of a metric asks for."""
    enough = (sa.func.sum(_hours.c[_COLUMNS[limit.metric]]) >= limit.events for limit in LIMITS)
    return sa.select(*_NAME).where(since).group_by(*_NAME).having(sa.or_(*enough))


def read_resumes(connection: sa.Connection, since: datetime) -> dict[SenderName, Sequence[Resume]]:
    """What people have resumed since a time, by sender."""
    found: defaultdict[SenderName, list[Resume]] = defaultdict(list)
    for row in connection.execute(sa.select(_resumes).where(_resumes.c.resumed_at >= since)):
        name = SenderName(row.account_id, row.region, row.identity)
        found[name].append(Resume(row.resumed_at, row.resumed_by, row.note, _decode(row.seen)))
    return dict(found)


def insert_resume(connection: sa.Connection, name: SenderName, resume: Resume) -> None:
    """Record that a person resumed a sender."""
    connection.execute(
        sa.insert(_resumes).values(
            account_id=name.account_id,
            region=name.region,
            identity=name.identity,
            resumed_at=resume.at,
            resumed_by=resume.by,
            note=resume.note,
            seen=msgspec.json.encode(resume.seen).decode(),
        )
    )


def seen_of(hours: Hours, now: datetime) -> Numbers:
    """What was counted of the present hour."""
    return hours.get(hour_of(now), NOTHING)


def _columns(identity: sa.ColumnElement[str]) -> Sequence[sa.ColumnElement[Any]]:
    names = (_hours.c.hour, _hours.c.account_id, _hours.c.region, identity)
    return (*names, *(_hours.c[name] for name in _NUMBERS))


def _read(connection: sa.Connection, query: sa.Select[Any]) -> dict[SenderName, Hours]:
    found: defaultdict[tuple[str, str, str], dict[datetime, Numbers]] = defaultdict(dict)
    # A month of busy senders has many rows, so each step here counts.
    for rows in connection.execute(query).partitions(_ROWS_IN_MEMORY):
        for hour, account_id, region, identity, sent, delivered, hard, soft, complaints in rows:
            numbers = Numbers(sent, delivered, hard, soft, complaints)
            found[account_id, region, identity][hour] = numbers
    return {SenderName(*name): hours for name, hours in found.items()}
