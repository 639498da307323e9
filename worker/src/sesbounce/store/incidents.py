"""The table of incidents; see `sesbounce.policy.incident`."""

import hashlib
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

import msgspec
import sqlalchemy as sa

from sesbounce.policy.incident import Incident
from sesbounce.policy.outage import Suspect
from sesbounce.store import schema
from sesbounce.store.bulk import Insert


class IncidentStatus(StrEnum):
    """What an incident does to verdicts."""

    SUSPECTED = "suspected"  # nothing: a person has to open it
    CONFIRMED = "confirmed"  # its hard bounces are strikes
    WITHDRAWN = "withdrawn"  # nothing any more


BY_DETECTION = "sesbounce"


class IncidentRow(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the table of incidents.

    Attributes:
        id: the number by which people name it.
        provider: the provider, or the domain.
        begins_at: when it began, UTC.
        ends_at: when it ended, UTC; None while it goes on.
        status: what it does to verdicts.
        opened_by: the person who opened it; `sesbounce` for the detection.
        decided_by: the person who last opened, closed or withdrew it; None if nobody has: then
            the detection keeps it up to date.
        note: the person's note, or the numbers of the detection.
        changed_at: when it was last changed, UTC.
        settle_at: when the sweep judges the addresses concerned once more, UTC; None for never.
    """

    id: int
    provider: str
    begins_at: datetime
    ends_at: datetime | None
    status: IncidentStatus
    opened_by: str
    decided_by: str | None
    note: str
    changed_at: datetime
    settle_at: datetime | None

    @classmethod
    def of(cls, row: sa.Row[Any]) -> Self:
        """Make one of a row from the database."""
        return msgspec.convert(row, cls, from_attributes=True)

    @property
    def incident(self) -> Incident:
        """The incident as it changes verdicts."""
        return Incident(provider=self.provider, begins=self.begins_at, ends=self.ends_at)

    @property
    def confirmed(self) -> Incident | None:
        """The incident, if it changes verdicts."""
        return self.incident if self.status is IncidentStatus.CONFIRMED else None

    @property
    def detected(self) -> bool:
        """Whether the detection found it."""
        return self.opened_by == BY_DETECTION

    @property
    def automatic(self) -> bool:
        """Whether the detection keeps it up to date, because no person has decided about it."""
        return self.detected and self.decided_by is None

    def state_at(self, now: datetime) -> str:
        """The state for people: suspected, open, closed or withdrawn."""
        if self.status is not IncidentStatus.CONFIRMED:
            return self.status.value
        return "closed" if self.ends_at and self.ends_at <= now else "open"


_insert = Insert(schema.incident, "identity")
_table = schema.incident
_ANY_CONFIRMED = "SELECT id FROM feedback_incident WHERE status = 'confirmed' LIMIT 1"


def confirmed_incidents(connection: sa.Connection, *, without: int = 0) -> tuple[Incident, ...]:
    """The incidents that change verdicts, but for one, in the order of their numbers."""
    # Nearly each batch asks, and nearly always there is none: the driver says so fastest.
    if not connection.exec_driver_sql(_ANY_CONFIRMED).first():
        return ()
    query = (
        sa.select(_table).where(_table.c.status == IncidentStatus.CONFIRMED).order_by(_table.c.id)
    )
    rows = map(IncidentRow.of, connection.execute(query))
    return tuple(row.incident for row in rows if row.id != without)


def read_incidents(
    connection: sa.Connection, *, since: datetime | None = None, due: datetime | None = None
) -> list[IncidentRow]:
    """Read incidents, the latest first.

    Args:
        connection: a connection to the database.
        since: only incidents that go on, or have ended, after this time.
        due: only incidents whose addresses are to be judged once more at this time.
    """
    query = sa.select(_table).order_by(_table.c.begins_at.desc(), _table.c.id.desc())
    if since:
        query = query.where(_table.c.ends_at.is_(None) | (_table.c.ends_at > since))
    if due:
        query = query.where(_table.c.settle_at <= due)
    return [IncidentRow.of(row) for row in connection.execute(query)]


def read_incident(connection: sa.Connection, number: int) -> IncidentRow | None:
    """Read one incident by its number."""
    row = connection.execute(sa.select(_table).where(_table.c.id == number)).one_or_none()
    return IncidentRow.of(row) if row else None


def insert_incident(connection: sa.Connection, row: IncidentRow) -> IncidentRow:
    """Insert an incident, whose number does not count; returns it with the number that it got.

    An automatic one of the same provider and beginning stays as it is.
    """
    identity = _identity(row)
    values = {"identity": identity, **msgspec.structs.asdict(row)}
    _insert(connection, [tuple(values[name] for name in _insert.columns)])
    inserted = connection.execute(sa.select(_table).where(_table.c.identity == identity)).one()
    return IncidentRow.of(inserted)


def save_incident(connection: sa.Connection, before: IncidentRow, after: IncidentRow) -> bool:
    """Save what can change of an incident; returns false if somebody has changed it meanwhile."""
    names = ("ends_at", "status", "decided_by", "note", "changed_at", "settle_at")
    saved = connection.execute(
        sa.update(_table)
        .where(_table.c.id == before.id, _table.c.changed_at == before.changed_at)
        .values({name: getattr(after, name) for name in names})
    )
    return saved.rowcount > 0


def save_settled(connection: sa.Connection, row: IncidentRow, settle_at: datetime | None) -> None:
    """Save when an incident is to be settled next, unless somebody has changed it meanwhile."""
    connection.execute(
        sa.update(_table)
        .where(_table.c.id == row.id, _table.c.changed_at == row.changed_at)
        .values(settle_at=settle_at)
    )


def numbers(suspect: Suspect) -> str:
    """The numbers of a suspected incident, in words."""
    of = f" among {suspect.hard + suspect.delivered:,} mails" if suspect.delivered else ""
    return (
        f"{suspect.hard:,} hard bounces{of}, "
        f"{suspect.known:,} of addresses with a delivery in the 90 days before"
    )


def count_current(connection: sa.Connection, now: datetime, since: datetime) -> int:
    """Count the incidents that a person should look at.

    These are the ones that go on, and those that began after a time and nobody has decided about.
    """
    goes_on = _table.c.ends_at.is_(None) | (_table.c.ends_at > now)
    undecided = _table.c.decided_by.is_(None) & (_table.c.begins_at > since)
    not_withdrawn = _table.c.status != IncidentStatus.WITHDRAWN
    query = sa.select(sa.func.count()).where(not_withdrawn, goes_on | undecided)
    return connection.scalar(query) or 0


def addresses_with_hard_bounces(
    connection: sa.Connection,
    since: datetime,
    after: tuple[datetime, str] | None,
    limit: int,
    *,
    until: datetime | None = None,
) -> list[tuple[datetime, str]]:
    """The addresses that have bounced hard since a time, in the order of the latest hard bounces.

    Their earlier hard bounces decide where a later one is inside another incident. So there is no
    time at which these end.

    Args:
        connection: a connection to the database.
        since: the time, UTC.
        after: only addresses that come after this one.
        limit: the maximum number of addresses.
        until: only addresses whose latest hard bounce was not after this time; None for all.
    """
    hard_at, key = schema.address.c.hard_at, schema.address.c.address
    query = sa.select(hard_at, key).order_by(hard_at, key).limit(limit)
    if after:
        # The first condition lets the index begin at the place, the second one leaves it out.
        at, last = after
        query = query.where(hard_at >= at, (hard_at > at) | (key > last))
    else:
        query = query.where(hard_at >= since)
    if until:
        query = query.where(hard_at <= until)
    return [(row.hard_at, row.address) for row in connection.execute(query)]


def _identity(row: IncidentRow) -> str:
    """A digest that differs for each incident, and is the same for the same finding."""
    parts = [
        row.provider,
        row.begins_at,
        None if row.automatic else (row.changed_at, row.opened_by, row.ends_at),
    ]
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()
