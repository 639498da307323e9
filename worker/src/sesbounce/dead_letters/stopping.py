"""Stops a pass over dead letters in order, and slows it down."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from sesbounce.errors import SesBounceError

# How long it may take until a command notices a signal while it waits.
_NOTICE_SECONDS = 0.2


class StoppedError(SesBounceError):
    """A signal has stopped a pass; every letter that is not handled is visible."""


class Stop:
    """Whether to stop. A signal handler may set it at any moment, so that it has no lock.

    Attributes:
        number: the number of the signal; None without one.
        in_order: whether a signal has to wait until the letters are visible. Otherwise it may end
            the command at once.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        self.in_order = False

    @contextmanager
    def deferring(self) -> Iterator[None]:
        """Have signals wait while the block runs."""
        self.in_order = True
        try:
            yield
        finally:
            self.in_order = False

    @property
    def is_set(self) -> bool:
        """Whether to stop."""
        return self.number is not None

    def wait(self, seconds: float) -> None:
        """Wait for so many seconds, or until a signal comes."""
        end = time.monotonic() + seconds
        while not self.is_set and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, _NOTICE_SECONDS))

    def demand_to_go_on(self) -> None:
        """Raise `StoppedError` after a signal."""
        if self.is_set:
            raise StoppedError("a signal has stopped the command")


class Pacer:
    """Waits so that no more letters are handled in a second than a rate allows."""

    def __init__(self, rate: int | None, stop: Stop) -> None:
        self._rate = rate
        self._stop = stop
        self._began = time.monotonic()

    def wait(self, done: int) -> None:
        """Wait until so many letters may have been handled, or until the command is stopped."""
        if self._rate:
            self._stop.wait(max(0.0, self._began + done / self._rate - time.monotonic()))
