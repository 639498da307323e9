"""Delivers the outbox beside the worker's loop: a slow target must not hold up the queue."""

import threading
import time
from collections.abc import Callable
from datetime import datetime

import sqlalchemy as sa
import structlog

from sesbounce.backoff import pause
from sesbounce.errors import StoreError
from sesbounce.store.outbox import Delivered, Outbox

_PAUSE_SECONDS = 1.0
_LONGEST_PAUSE_SECONDS = 30.0
# What is left then waits in the outbox for the next start.
_LAST_ROUNDS_SECONDS = 2.0

log = structlog.get_logger()


class Courier:
    """Delivers what is due, again and again, until it is stopped."""

    def __init__(self, outbox: Outbox, engine: sa.Engine, now: Callable[[], datetime]) -> None:
        self._outbox = outbox
        self._engine = engine
        self._now = now
        self._stopping = threading.Event()

    def run(self) -> None:
        """Deliver until it is stopped, and then what is due at that moment, for two seconds."""
        failures = 0
        while self._outbox.used and not self._stopping.is_set():
            try:
                delivered = self._round(self._stopping.is_set).delivered
                failures = 0
            except StoreError as error:
                failures += 1
                log.error("outbox unusable", problem=str(error))  # noqa: TRY400  no address in it
                self._stopping.wait(pause(failures, longest_seconds=_LONGEST_PAUSE_SECONDS))
                continue
            if not delivered:
                self._stopping.wait(_PAUSE_SECONDS)
        self._last_rounds()

    def stop(self) -> None:
        """End soon."""
        self._stopping.set()

    def _last_rounds(self) -> None:
        deadline = time.monotonic() + _LAST_ROUNDS_SECONDS
        try:
            while self._round(lambda: time.monotonic() >= deadline).delivered:
                pass
        except StoreError as error:
            log.error("outbox unusable", problem=str(error))  # noqa: TRY400  no address in it

    def _round(self, stopping: Callable[[], bool]) -> Delivered:
        done = self._outbox.deliver(self._engine, self._now, stopping)
        if done.delivered:
            log.info("delivered", notes=done.delivered)
        for problem, notes in done.failed.items():
            log.error("not delivered", problem=problem, notes=notes)
        return done
