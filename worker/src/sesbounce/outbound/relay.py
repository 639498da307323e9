"""Delivers the outbox beside the worker's loop: a slow target must not hold up the queue."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Protocol

import msgspec
import sqlalchemy as sa
import structlog

from sesbounce.backoff import pause
from sesbounce.errors import DeliveryError, StoreError
from sesbounce.store import outbox
from sesbounce.store.engine import translated
from sesbounce.store.outbox import OutboxEntry

_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 30.0
# An entry that failed waits twice as long each time, an hour at most.
_FIRST_RETRY_SECONDS = 2.0
_LONGEST_RETRY_SECONDS = 3600.0
# What is left then waits in the outbox for the next start.
_LAST_ROUNDS_SECONDS = 2.0

log = structlog.get_logger()


class Target(Protocol):
    """Somebody outside of the transaction: another database, SES's own list, a webhook."""

    name: str

    def deliver(self, entry: OutboxEntry) -> None:
        """Tell the target; the relay may call this again with the same entry.

        Raises:
            DeliveryError: the target was not told.
        """


class Deliveries(msgspec.Struct):
    """What a round of deliveries did, in numbers of entries.

    Attributes:
        delivered: entries that their target has got.
        failed: entries that their target has not got; by the problem.
    """

    delivered: int = 0
    failed: dict[str, int] = msgspec.field(default_factory=dict)


class Relay:
    """Delivers to its targets what is due."""

    def __init__(
        self, engine: sa.Engine, targets: Iterable[Target], now: Callable[[], datetime]
    ) -> None:
        """Make one.

        Args:
            engine: the database with the outbox.
            targets: whose entries to deliver.
            now: the clock.
        """
        self._engine = engine
        self._targets = sorted(targets, key=lambda target: target.name)
        self._now = now
        self._stopping = threading.Event()

    @property
    def loops(self) -> Mapping[str, Callable[[], None]]:
        """A loop for each target by the target's name, each for a thread of its own.

        A target that is slow then delays no other. A loop delivers until `stop`, and then for at
        most 2 seconds the entries that are still due.
        """
        return {target.name: partial(self._run, target) for target in self._targets}

    def _run(self, target: Target) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                delivered = self._round(target, self._stopping.is_set).delivered
                failures = 0
            except StoreError as error:
                failures += 1
                log.error("outbox unusable", problem=str(error))  # noqa: TRY400  no address in it
                self._stopping.wait(pause(failures, longest_seconds=_LONGEST_PAUSE_SECONDS))
                continue
            if not delivered:
                self._stopping.wait(_PAUSE_SECONDS)
        self._last_rounds(target)

    def stop(self) -> None:
        """Make the loops return soon."""
        self._stopping.set()

    def deliver(self, stopping: Callable[[], bool] = lambda: False) -> Deliveries:
        """Deliver the entries that are due, a hundred a target at most, target after target.

        Args:
            stopping: asked between two entries whether to leave the rest to a later round.

        Raises:
            StoreError: the database can't be used.
        """
        done = Deliveries()
        for target in self._targets:
            self._deliver_due(target, stopping, done)
        return done

    def _deliver_due(self, target: Target, stopping: Callable[[], bool], done: Deliveries) -> None:
        with translated("the outbox can't be used"):
            for row in outbox.due(self._engine, target.name, self._now()):
                if stopping() or not self._deliver(target, row, done):
                    break

    def _deliver(self, target: Target, row: sa.Row[Any], done: Deliveries) -> bool:
        """Deliver one entry; whether there is a point in going on with its target."""
        if not outbox.claim(self._engine, row, self._now()):
            return True  # another worker has it, or a newer one has taken its place
        try:
            target.deliver(msgspec.json.decode(row.entry, type=OutboxEntry))
        except DeliveryError as error:
            failure = error
        except Exception as error:  # noqa: BLE001  it is counted and retried like any failure
            # Its text may hold an address.
            failure = DeliveryError(f"a fault of ours: {type(error).__name__}")
        else:
            done.delivered += 1
            outbox.remove(self._engine, row, self._now())
            return True
        problem = f"{target.name}: {failure}"
        done.failed[problem] = done.failed.get(problem, 0) + 1
        if failure.final:
            outbox.remove(self._engine, row, self._now())
        else:
            outbox.postpone(self._engine, row, self._now() + _wait(row.attempts), str(failure))
        return not failure.unreachable

    def _last_rounds(self, target: Target) -> None:
        deadline = time.monotonic() + _LAST_ROUNDS_SECONDS
        try:
            while self._round(target, lambda: time.monotonic() >= deadline).delivered:
                pass
        except StoreError as error:
            log.error("outbox unusable", problem=str(error))  # noqa: TRY400  no address in it

    def _round(self, target: Target, stopping: Callable[[], bool]) -> Deliveries:
        done = Deliveries()
        self._deliver_due(target, stopping, done)
        if done.delivered:
            log.info("delivered", target=target.name, entries=done.delivered)
        for problem, entries in done.failed.items():
            log.error("not delivered", problem=problem, entries=entries)
        return done


def _wait(attempts: int) -> timedelta:
    """How long an entry waits that has failed so often before."""
    return timedelta(
        seconds=pause(
            attempts + 1,
            first_seconds=_FIRST_RETRY_SECONDS,
            longest_seconds=_LONGEST_RETRY_SECONDS,
        )
    )
