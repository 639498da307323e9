"""What tests of the outbox, the relay and the targets share: a store with targets, a target."""

from collections.abc import Callable
from datetime import datetime

import sqlalchemy as sa

from sesbounce.errors import DeliveryError
from sesbounce.outbound.relay import Deliveries, Relay, Target
from sesbounce.store.outbox import Outbox, OutboxEntry
from sesbounce.store.store import Store
from sesbounce.store.strike_off import StrikeOff
from tests import stored

Deliver = Callable[..., Deliveries]


class Pigeon:
    """A target in memory that fails a number of times."""

    name = "pigeon"
    longest_seconds = 0.0

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.entries: list[OutboxEntry] = []

    def deliver(self, entry: OutboxEntry) -> None:
        if self.failures:
            self.failures -= 1
            raise DeliveryError("the pigeon is lost")
        self.entries.append(entry)

    @property
    def delivered(self) -> list[tuple[bool, str]]:
        return [(entry.suppressed, entry.parameters["address"]) for entry in self.entries]


def at(moment: datetime) -> Callable[[], datetime]:
    """A clock that stands still."""
    return lambda: moment


def make(engine: sa.Engine, *targets: Target) -> tuple[Store, Deliver]:
    """A store whose outbox is for the targets, and one round of deliveries to them."""
    store = stored.store(engine, StrikeOff(), Outbox(target.name for target in targets))

    def deliver(
        now: Callable[[], datetime], stopping: Callable[[], bool] = lambda: False
    ) -> Deliveries:
        return Relay(engine, targets, now).deliver(stopping)

    return store, deliver
