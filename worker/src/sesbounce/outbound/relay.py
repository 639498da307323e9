"""Delivers outbox entries in a thread beside the worker's loop, which a slow target can't delay."""

import math
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
from sesbounce.outbound.throttle import Throttle
from sesbounce.store import outbox
from sesbounce.store.answers import LastAnswers, save_answers
from sesbounce.store.engine import translated
from sesbounce.store.outbox import OutboxEntry

# How long an entry waits that another process has added, or that is due to be retried.
_PAUSE_SECONDS = 5.0
_LONGEST_PAUSE_SECONDS = 30.0
# After each failed delivery an entry waits twice as long as before, at most an hour.
_FIRST_RETRY_SECONDS = 2.0
_LONGEST_RETRY_SECONDS = 3600.0
# Entries that are still due after this time wait in the outbox for the next start.
_LAST_ROUNDS_SECONDS = 2.0

log = structlog.get_logger()


class Target(Protocol):
    """A receiver of verdicts outside of the database: another database, SES's list, a webhook.

    Attributes:
        name: the name by which the outbox knows the target.
        longest_seconds: how long a delivery may take.
    """

    name: str
    longest_seconds: float

    def deliver(self, entry: OutboxEntry) -> None:
        """Deliver an entry; the relay may deliver the same one more than once.

        Raises:
            DeliveryError: the target has not got the entry.
        """


class Deliveries(msgspec.Struct):
    """The numbers of entries that a round delivered or not.

    Attributes:
        delivered: entries that their target has got.
        failed: entries that their target has not got, by the problem.
        full: whether a target was tried with as many entries as one round takes; more may be due.
    """

    delivered: int = 0
    failed: dict[str, int] = msgspec.field(default_factory=dict)
    full: bool = False

    def add(self, problem: str, entries: int) -> None:
        """Add entries that their target has not got."""
        self.failed[problem] = self.failed.get(problem, 0) + entries


class Relay:
    """Delivers the due entries to its targets."""

    def __init__(
        self,
        engine: sa.Engine,
        targets: Iterable[Target],
        now: Callable[[], datetime],
        *,
        patient: bool = True,
    ) -> None:
        """Make a relay, whose `loops` the caller runs.

        Args:
            engine: the database with the outbox.
            targets: the targets.
            now: the clock; returns the current time, UTC.
            patient: whether a loop waits for a database that can't be used; otherwise it raises
                StoreError.
        """
        self._engine = engine
        self._targets = sorted(targets, key=lambda target: target.name)
        self._now = now
        self._patient = patient
        self._stopping = threading.Event()
        self._throttles = {target.name: Throttle() for target in self._targets}
        self._woken = {target.name: threading.Event() for target in self._targets}
        self._answers: dict[str, LastAnswers] = {}
        # When the latest round began that left no entry untried, by the target's name.
        self._idle_at: dict[str, float] = {}

    @property
    def longest_seconds(self) -> float:
        """How long the delivery of one entry may take; 0 without targets."""
        return max((target.longest_seconds for target in self._targets), default=0.0)

    @property
    def loops(self) -> Mapping[str, Callable[[], None]]:
        """A loop for each target by the target's name, each for a thread of its own.

        A target that is slow then delays no other. A loop delivers until `stop`, and then for at
        most 2 seconds the entries that are still due.
        """
        return {target.name: partial(self._run, target) for target in self._targets}

    def _run(self, target: Target) -> None:
        failures = 0
        woken = self._woken[target.name]
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                done = self._round(target, self._stopping.is_set)
                failures = 0
            except StoreError as error:
                if not self._patient:
                    raise
                failures += 1
                log.error("outbox unusable", problem=str(error))  # noqa: TRY400  it holds no address
                self._stopping.wait(pause(failures, longest_seconds=_LONGEST_PAUSE_SECONDS))
                continue
            if not done.delivered and not done.full:
                self._idle_at[target.name] = began
                woken.wait(_PAUSE_SECONDS)
                woken.clear()
        self._last_rounds(target)

    def has_tried_since(self, moment: float) -> bool:
        """Whether the loops have tried to deliver each entry that was due at a moment.

        An entry that its target has not got is due later, and counts as tried.

        Args:
            moment: the time by `time.monotonic`.
        """
        idle_at = self._idle_at
        return all(idle_at.get(target.name, -math.inf) >= moment for target in self._targets)

    def wake(self) -> None:
        """Make the loops look for due entries now."""
        for woken in self._woken.values():
            woken.set()

    def stop(self) -> None:
        """Make the loops return soon."""
        self._stopping.set()
        self.wake()

    def deliver(self, stopping: Callable[[], bool] = lambda: False) -> Deliveries:
        """Deliver the entries that are due, at most 100 for each target, target after target.

        Args:
            stopping: called before each entry; if it returns true, the round ends.

        Raises:
            StoreError: the database can't be used.
        """
        done = Deliveries()
        for target in self._targets:
            self._deliver_due(target, stopping, done)
        return done

    def drain(self, stopping: Callable[[], bool]) -> None:
        """Deliver until each due entry was tried, target after target.

        The entries of a target that can't be reached wait for a later round.

        Args:
            stopping: called before each entry; if it returns true, the rest waits in the outbox.

        Raises:
            StoreError: the database can't be used.
        """
        for target in self._targets:
            while not stopping():
                done = self._round(target, stopping)
                if not done.delivered and not done.full:
                    break

    def _deliver_due(self, target: Target, stopping: Callable[[], bool], done: Deliveries) -> None:
        self._try_due(target, stopping, done)
        answers = self._answers.pop(target.name, None)
        if answers is None:
            return
        try:
            save_answers(self._engine, target.name, answers)
        except StoreError as error:  # this hinders no delivery
            log.warning("answers not shown on the console", problem=str(error))

    def _try_due(self, target: Target, stopping: Callable[[], bool], done: Deliveries) -> None:
        if self._throttles[target.name].is_closed(self._now()):
            return
        with translated("the outbox can't be used"):
            rows = outbox.due(self._engine, target.name, self._now())
            if rows and (problem := outbox.stopped(self._engine, target.name)):
                self._stop(target, problem, done)
                return
            for row in rows:
                if stopping() or not self._deliver(target, row, done):
                    return
            done.full = done.full or len(rows) == outbox.ENTRIES_AT_ONCE

    def _deliver(self, target: Target, row: sa.Row[Any], done: Deliveries) -> bool:
        """Deliver one entry; returns false if the target can't be reached at all."""
        if not outbox.claim(self._engine, row, self._now()):
            return True  # another worker has claimed it, or a newer entry has replaced it
        try:
            target.deliver(outbox.read(row))
        except DeliveryError as error:
            failure = error
        except Exception as error:  # noqa: BLE001  it is counted and retried like any failure
            # The error's text may hold an address.
            failure = DeliveryError(f"a bug of sesbounce: {type(error).__name__}")
        else:
            done.delivered += 1
            self._answered(target, delivered_at=self._now())
            self._throttles[target.name].open()
            outbox.remove(self._engine, row, self._now())
            return True
        self._answered(target, failed_at=self._now(), problem=str(failure))
        if failure.gone:
            self._stop(target, str(failure), done)
            return False
        done.add(f"{target.name}: {failure}", 1)
        if failure.final:
            outbox.remove(self._engine, row, self._now())
        else:
            self._postpone(target, row, failure)
        return not failure.unreachable

    def _answered(self, target: Target, **values: datetime | str) -> None:
        """Keep an answer of a target until the end of the round."""
        answers = self._answers.get(target.name, LastAnswers())
        self._answers[target.name] = msgspec.structs.replace(answers, **values)

    def _postpone(self, target: Target, row: sa.Row[Any], failure: DeliveryError) -> None:
        """Postpone the entry, and leave the target alone for a while if it asks for that."""
        due_at = self._now() + _wait(row.attempts)
        if failure.retry_after is not None:
            closed_until = self._throttles[target.name].close(self._now(), failure.retry_after)
            due_at = max(due_at, closed_until)
        outbox.postpone(self._engine, row, due_at, str(failure))

    def _stop(self, target: Target, problem: str, done: Deliveries) -> None:
        """Stop the entries of a target that wants none, until a person resumes it."""
        entries = outbox.stop(self._engine, target.name, problem)
        resume = f"`sesbounce outbox retry --target {target.name}` resumes it"
        done.add(f"{target.name}: {problem}, and is stopped; {resume}", entries)

    def _last_rounds(self, target: Target) -> None:
        deadline = time.monotonic() + _LAST_ROUNDS_SECONDS
        try:
            while self._round(target, lambda: time.monotonic() >= deadline).delivered:
                pass
        except StoreError as error:
            if not self._patient:
                raise
            log.error("outbox unusable", problem=str(error))  # noqa: TRY400  it holds no address

    def _round(self, target: Target, stopping: Callable[[], bool]) -> Deliveries:
        done = Deliveries()
        self._deliver_due(target, stopping, done)
        if done.delivered:
            log.info("delivered", target=target.name, entries=done.delivered)
        for problem, entries in done.failed.items():
            log.error("not delivered", problem=problem, entries=entries)
        return done


def _wait(attempts: int) -> timedelta:
    """How long an entry waits after its latest failure, if earlier attempts failed as well."""
    return timedelta(seconds=pause(attempts + 1, _FIRST_RETRY_SECONDS, _LONGEST_RETRY_SECONDS))
