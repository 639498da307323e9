"""The tables of numbers by sender and hour, and by receiving provider and day.

Each transaction that changes the log adds to them what it has changed. So they equal what the log
says, or would say had nothing of it been pruned. They hold no address of a recipient.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime

import sqlalchemy as sa

from sesbounce.policy.tally import OUTCOMES, ProviderDay, SenderHour, Tally
from sesbounce.store import schema
from sesbounce.store.bulk import Insert
from sesbounce.store.event_log import Inserted

_hours = schema.sender_hour
_days = schema.provider_day
_add_hours = Insert(_hours, "hour", "account_id", "region", "identity", add=OUTCOMES)
_add_days = Insert(_days, "day", "provider", "kind", "reason", add=("events",))


def tally_of(inserted: Inserted) -> Tally:
    """What new and changed events of the log add to the numbers."""
    tally = Tally()
    tally.add(inserted.new)
    if inserted.changed:
        tally.add((before for before, _ in inserted.changed), -1)
        tally.add(after for _, after in inserted.changed)
    return tally


def save_tally(connection: sa.Connection, tally: Tally) -> None:
    """Add the numbers to the tables, at the end of the transaction: others wait for the rows."""
    add_numbers(connection, tally.senders(), tally.providers())


def add_numbers(
    connection: sa.Connection,
    senders: Mapping[SenderHour, Sequence[int]],
    providers: Mapping[ProviderDay, int],
) -> None:
    """Add numbers, which may be negative, to the tables."""
    _add_hours(connection, ((*cell, *numbers) for cell, numbers in senders.items()))
    _add_days(connection, ((*cell, number) for cell, number in providers.items()))


def read_hours(
    connection: sa.Connection, since: datetime, until: datetime | None = None
) -> dict[SenderHour, list[int]]:
    """The numbers of senders from an hour on, and before another one."""
    query = sa.select(_hours).where(_hours.c.hour >= since)
    if until:
        query = query.where(_hours.c.hour < until)
    found: dict[SenderHour, list[int]] = {}
    for row in connection.execute(query):
        hour, account_id, region, identity, *numbers = row
        found[SenderHour(hour, account_id, region, identity)] = numbers
    return found


def read_day(connection: sa.Connection, day: date) -> dict[ProviderDay, int]:
    """The numbers of receiving providers on a day."""
    query = sa.select(_days).where(_days.c.day == day)
    return {ProviderDay(*row[:4]): row.events for row in connection.execute(query)}


def rename_identities(connection: sa.Connection, renamed: Callable[[str], str]) -> None:
    """Move the numbers of identities to other names.

    Args:
        connection: the caller's transaction.
        renamed: maps each identity to its new name; most keep theirs.
    """
    known = connection.scalars(sa.select(_hours.c.identity).distinct())
    names = {name: new for name in known if (new := renamed(name)) != name}
    query = sa.select(_hours).where(_hours.c.identity.in_(names))
    moved: dict[SenderHour, list[int]] = {}
    # Locked, so that no number that a worker adds meanwhile is deleted with them.
    for row in connection.execute(query.order_by(*_hours.primary_key).with_for_update()):
        hour, account_id, region, identity, *numbers = row
        cell = SenderHour(hour, account_id, region, names[identity])
        before = moved.get(cell, [0] * len(numbers))
        moved[cell] = [one + more for one, more in zip(before, numbers, strict=True)]
    connection.execute(sa.delete(_hours).where(_hours.c.identity.in_(names)))
    add_numbers(connection, moved, {})


def delete_old(connection: sa.Connection, before: datetime) -> int:
    """Delete the numbers of the hours and days before a time; returns how many rows."""
    hours = connection.execute(sa.delete(_hours).where(_hours.c.hour < before)).rowcount
    days = connection.execute(sa.delete(_days).where(_days.c.day < before.date())).rowcount
    return hours + days
