"""Finds the events that decided verdicts, and selects events by their attribution.

The row of an address keeps little of the event that its verdict rests on: the time and the
reason. The log has the rest, until it is pruned.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from sesbounce.store import schema
from sesbounce.store.find import Find
from sesbounce.store.statements import EventParameters

_event, _address = schema.event.c, schema.address.c
_EVENT_COLUMNS = [_event[name] for name in EventParameters.__annotations__]

# The condition that the verdict of an address rests on an event.
_decided = sa.and_(
    _event.address == _address.address,
    _event.occurred_at == _address.suppressed_since,
    _event.reason == _address.reason,
)
# Of several events the last one that is yielded counts, whichever was recorded first.
_find = Find(
    sa.select(_address.address, *_EVENT_COLUMNS)
    .join_from(schema.address, schema.event, _decided)
    .order_by(_event.dedupe_key.desc()),
    _address.address,
)


def deciding_events(connection: sa.Connection, keys: Sequence[str]) -> dict[str, EventParameters]:
    """What the events that decided the verdicts of some addresses say, by key.

    An address is missing where the log no longer holds the event.
    """
    found: dict[str, Any] = {}
    for row in _find(connection, keys):
        found[row.address] = dict(zip(EventParameters.__annotations__, row[1:], strict=True))
    return found


class EventFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Selects events by the sender and by the attribution; what is None selects all.

    Attributes:
        configuration_set: the name of the configuration set.
        identity: the sender's verified domain or address.
        region: the AWS region of SES.
        account_id: the number of the AWS account.
        tenant: the name of the tenant.
        sender: the sender of the mail: as SES writes it, or its address, in any letter case.
        tags: the name and value of each tag that the mail has to have.
    """

    configuration_set: str | None = None
    identity: str | None = None
    region: str | None = None
    account_id: str | None = None
    tenant: str | None = None
    sender: str | None = None
    tags: tuple[tuple[str, str], ...] = ()

    def conditions(self, dialect: str) -> Iterator[sa.ColumnElement[bool]]:
        """The conditions that an event has to fulfil, on a kind of database."""
        for name in ("configuration_set", "identity", "region", "account_id", "tenant"):
            if wanted := getattr(self, name):
                yield _event[name] == wanted
        if self.sender:
            source, sender = sa.func.lower(_event.source), self.sender.lower()
            yield (source == sender) | source.endswith(f"<{sender}>", autoescape=True)
        for name, value in self.tags:
            yield tag_value(name, dialect) == value

    def decided(self, dialect: str) -> sa.ColumnElement[bool] | None:
        """The condition that such an event decided the verdict of an address; None for any."""
        conditions = list(self.conditions(dialect))
        if not conditions:
            return None
        events = sa.select(sa.literal(1)).select_from(schema.event)
        return events.where(_decided, *conditions).correlate(schema.address).exists()


ANY_EVENT = EventFilter()


def tag_value(name: str, dialect: str) -> sa.ColumnElement[str]:
    """The value of a tag of an event; null where the mail has no such tag."""
    # SQLite would convert the text to a number, for it has no type JSON.
    as_json = sa.cast if dialect == "postgresql" else sa.type_coerce
    value: sa.ColumnElement[str] = as_json(_event.tags, sa.JSON)[name].as_string()
    return value
