"""Reads what the gate judges senders by, and records that a person resumed one."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby, repeat
from operator import itemgetter
from typing import Any

import msgspec
import sqlalchemy as sa

from sesbounce.policy.gate import SenderName, chosen, identities_of
from sesbounce.policy.hourly import HourRow, Hours, number_of
from sesbounce.policy.outage import hour_of
from sesbounce.policy.rates import LIMITS, Metric, Numbers
from sesbounce.policy.sending import READ, Resume
from sesbounce.store import schema

_hours = schema.sender_hour
_resumes = schema.sender_resume
_NUMBERS = Numbers.__struct_fields__
_COUNTED = [_hours.c[name] for name in _NUMBERS]
_NAME = [_hours.c[name] for name in SenderName._fields]
_ROWS_IN_MEMORY = 500
_COLUMNS = {Metric.BOUNCE: "hard", Metric.COMPLAINT: "complaints"}
# MySQL's sums are decimals.
_TOTALS = [sa.cast(sa.func.sum(counted), sa.BigInteger) for counted in _COUNTED]
_Rows = Mapping[tuple[str, str, str], Sequence[HourRow]]
# The columns of all identities in an hour.
_OF_IDENTITIES = [_hours.c.identity, *_COUNTED]


def _arrays(array: Callable[..., Any], aggregate: Callable[..., Any]) -> sa.ColumnElement[str]:
    """The columns of all identities in an hour as one text: a JSON array for each of them."""
    return sa.cast(array(*(aggregate(column, type_=sa.Text) for column in _OF_IDENTITIES)), sa.Text)


# Of the databases that set such a text no limit.
_PACKED: Mapping[str, sa.ColumnElement[str]] = {
    "sqlite": _arrays(sa.func.json_array, sa.func.json_group_array),
    "postgresql": _arrays(sa.func.json_build_array, sa.func.array_agg),
}
_decode = msgspec.json.Decoder(Numbers).decode
_Columns = tuple[list[str], list[int], list[int], list[int], list[int], list[int]]
_unpack = msgspec.json.Decoder(_Columns).decode


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
    if identity is None and not may_stop:
        return _hours_of(_read_all(connection, since))
    columns = (_hours.c.hour, *_NAME, *_COUNTED)
    of_identities = sa.select(*columns).where(since, _hours.c.identity != "")
    if identity is not None:
        wanted = sa.func.lower(_hours.c.identity).in_(identities_of(identity))
        of_identities = of_identities.where(wanted)
    if may_stop:
        of_identities = of_identities.where(sa.tuple_(*_NAME).in_(_stoppable(since)))
    found = _hours_of(_read(connection, of_identities))
    if identity is not None:
        found = {name: found[name] for name in chosen(found, identity)}
    by = (_hours.c.hour, _hours.c.account_id, _hours.c.region)
    of_accounts = sa.select(*by, sa.literal(""), *_TOTALS).where(since).group_by(*by)
    accounts = _hours_of(_read(connection, of_accounts))
    if found and identity is not None:
        known = {name._replace(identity="") for name in found}
        accounts = {name: hours for name, hours in accounts.items() if name in known}
    return accounts | found


def _hours_of(found: _Rows) -> dict[SenderName, Hours]:
    return {SenderName(*name): Hours.of_rows(rows) for name, rows in found.items()}


def _read_all(connection: sa.Connection, since: sa.ColumnElement[bool]) -> _Rows:
    """The counts of all identities, and of the accounts, which are their sums."""
    found: defaultdict[tuple[str, str, str], list[HourRow]] = defaultdict(list)
    for hour, account_id, region, identities, *columns in _by_hour(connection, since):
        number = number_of(hour)
        sent, delivered, hard, soft, complaints = map(sum, columns)
        of_account = (number, sent, delivered, hard, soft, complaints)
        found[account_id, region, ""].append(of_account)
        for identity, row in zip(identities, zip(repeat(number), *columns), strict=True):
            if identity:
                found[account_id, region, identity].append(row)
    return found


def _by_hour(connection: sa.Connection, since: sa.ColumnElement[bool]) -> Iterator[Sequence[Any]]:
    """Each hour of an account in a region, and the columns of its identities."""
    by = (_hours.c.hour, _hours.c.account_id, _hours.c.region)
    pack = _PACKED.get(connection.dialect.name)
    if pack is None:
        query = sa.select(*by, *_OF_IDENTITIES).where(since).order_by(*by)
        for name, rows in groupby(connection.execute(query), itemgetter(slice(len(by)))):
            yield *name, *list(zip(*rows, strict=True))[len(by) :]
    else:
        # Of a month, so many more rows as there are identities would take longer to read.
        query = sa.select(*by, pack).where(since).group_by(*by)
        for *name, packed in connection.execute(query):
            yield *name, *_unpack(packed)


def _read(connection: sa.Connection, query: sa.Select[Any]) -> _Rows:
    """The counts that a query has a row of for each hour of a sender."""
    found: defaultdict[tuple[str, str, str], list[HourRow]] = defaultdict(list)
    # A month of busy senders has many rows, so each step here counts.
    for rows in connection.execute(query).partitions(_ROWS_IN_MEMORY):
        for hour, account_id, region, identity, sent, delivered, hard, soft, complaints in rows:
            row = (number_of(hour), sent, delivered, hard, soft, complaints)
            found[account_id, region, identity].append(row)
    return found


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
