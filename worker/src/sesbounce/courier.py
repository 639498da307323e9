"""Delivers the outbox beside the worker's loop: a slow target must not hold up the queue."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

import sqlalchemy as sa
import structlog

from sesbounce.outbox import Delivered, Outbox

_PAUSE_SECONDS = 1.0
# What is left then waits in the outbox for the next start.
_LAST_ROUNDS_SECONDS = 5.0

log = structlog.get_logger()


class Courier:
    """Delivers what is due, again and again, in a thread of its own."""

    def __init__(self, outbox: Outbox, engine: sa.Engine, now: Callable[[], datetime]) -> None:
        self._outbox = outbox
        self._engine = engine
        self._now = now
        self._stopping = threading.Event()
        self._failure: Exception | None = None

    def check(self) -> None:
        """Raise what has ended the thread: nobody would notice that nothing is delivered.

        Raises:
            StoreError: the database can't be used.
        """
        if self._failure:
            raise self._failure

    @contextmanager
    def running(self) -> Iterator[None]:
        """Deliver while the block runs, and at its end what is due then, for a few seconds."""
        thread = threading.Thread(target=self._run, name="courier")
        thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            thread.join()
        self.check()
        deadline = time.monotonic() + _LAST_ROUNDS_SECONDS
        while self._round(lambda: time.monotonic() >= deadline).delivered:
            pass

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                done = self._round(self._stopping.is_set)
            except Exception as error:  # noqa: BLE001  `check` raises it where it is heard
                self._failure = error
                return
            if not done.delivered:
                self._stopping.wait(_PAUSE_SECONDS)

    def _round(self, stopping: Callable[[], bool]) -> Delivered:
        done = self._outbox.deliver(self._engine, self._now, stopping)
        if done.delivered:
            log.info("delivered", notes=done.delivered)
        for problem, notes in done.failed.items():
            log.error("not delivered", problem=problem, notes=notes)
        return done
