"""Logs transactions that take long: they may wait for another client's lock."""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_SLOW_SECONDS = 10.0
_LOOKS = 10
_TEXT = "a transaction takes more than %.0f seconds: another client may hold a lock on its rows"

log = logging.getLogger(__name__)


class _Watch:
    """Logs, from one thread, what is still running when its time is over.

    A thread for each transaction would cost almost as much as a transaction of one event. The
    thread ends when nothing is running, and the next transaction starts another one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._slow_at: dict[object, float] = {}
        self._thread: threading.Thread | None = None

    def add(self, one: object, slow_at: float) -> None:
        """Log it if it is not removed by then."""
        with self._lock:
            self._slow_at[one] = slow_at
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="slow", daemon=True)
                self._thread.start()

    def remove(self, one: object) -> None:
        """Watch it no longer."""
        with self._lock:
            self._slow_at.pop(one, None)

    def _run(self) -> None:
        while True:
            time.sleep(_SLOW_SECONDS / _LOOKS)
            with self._lock:
                if not self._slow_at:
                    self._thread = None
                    return
                now = time.monotonic()
                slow = [one for one, at in self._slow_at.items() if at <= now]
                # Each is logged once.
                self._slow_at |= dict.fromkeys(slow, float("inf"))
            for _ in slow:
                log.warning(_TEXT, _SLOW_SECONDS)


_watch = _Watch()


@contextmanager
def watched() -> Iterator[None]:
    """Log when the block, a transaction, takes long; and once more how long it took."""
    one, began = object(), time.monotonic()
    _watch.add(one, began + _SLOW_SECONDS)
    try:
        yield
    finally:
        _watch.remove(one)
        seconds = time.monotonic() - began
        if seconds >= _SLOW_SECONDS:
            log.warning("a transaction took %.1f seconds", seconds)
