"""Says what another policy would change, before anybody applies it.

It judges the recorded states, which hold all evidence of the log, so that it need not replay the
log as `rebuild --dry-run` does. Where rows of the table of addresses were deleted, only a rebuild
knows more.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from sesbounce.operations.rebuild import changes_of
from sesbounce.operations.survey import Part
from sesbounce.policy.verdict import Policy
from sesbounce.store import schema
from sesbounce.store.addresses import HASH_KEYS
from sesbounce.store.judging import unchanged
from sesbounce.store.store import Store
from sesbounce.store.strike_off import StrikeOff

_BATCH = 500
_address = schema.address.c.address


class WhatIf:
    """Another policy for the addresses of a database; this changes nothing."""

    def __init__(self, engine: sa.Engine, policy: Policy, now: datetime) -> None:
        """Make one.

        Args:
            engine: the database.
            policy: the policy that somebody thinks of.
            now: the time for which expiring suppressions are judged, UTC.
        """
        # Without a statement and an outbox, it could not strike off an address.
        self._store = Store(engine, policy, StrikeOff())
        self._now = now

    def addresses(self) -> int:
        """How many addresses there are."""
        with self._store.reading("the addresses can't be counted") as connection:
            query = sa.select(sa.func.count()).select_from(schema.address)
            return connection.scalar(query.where(_address != HASH_KEYS)) or 0

    def compare(self, after: str | None = None) -> Iterator[Part]:
        """Yield what would change, a part of the addresses each, in the database's order.

        Args:
            after: the address at which an earlier comparison has ended; None for all addresses.
        """
        while True:
            with self._store.reading("the addresses can't be read") as connection:
                keys = list(connection.scalars(_next(after)))
                changes = self._store.preview(connection, keys, unchanged)
            after = keys[-1] if len(keys) == _BATCH else None
            yield Part(keys, changes_of(changes, self._now), after)
            if after is None:
                return


def _next(after: str | None) -> sa.Select[Any]:
    query = sa.select(_address).where(_address != HASH_KEYS).order_by(_address).limit(_BATCH)
    return query if after is None else query.where(_address > after)
