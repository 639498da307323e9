"""Limits how many requests a token makes: a token bucket for each, in this process."""

import time
from collections.abc import Callable

# So many seconds' worth of requests may come at once.
_SECONDS_AT_ONCE = 10.0


class RateLimit:
    """Counts the requests of each client; the event loop alone uses it."""

    def __init__(self, per_second: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._most = max(1.0, per_second * _SECONDS_AT_ONCE)
        self._clock = clock
        # How many requests a client may make, and when that was so.
        self._left: dict[str, tuple[float, float]] = {}

    def wait(self, client: str) -> float:
        """Count a request; returns for how many seconds the client must wait instead, or 0."""
        now = self._clock()
        left, since = self._left.get(client, (self._most, now))
        left = min(self._most, left + (now - since) * self._per_second)
        if left < 1:
            self._left[client] = (left, now)
            return (1 - left) / self._per_second
        self._left[client] = (left - 1, now)
        return 0.0
