"""Limits how many requests a token makes: a token bucket for each, in this process."""

import time
from collections.abc import Callable

# So many seconds' worth of requests may come at once.
_SECONDS_AT_ONCE = 10.0
_MOST_CLIENTS = 10_000


class RateLimit:
    """Counts the requests of each client; the event loop alone uses it."""

    def __init__(
        self,
        per_second: float,
        clock: Callable[[], float] = time.monotonic,
        at_once: float | None = None,
    ) -> None:
        """Make one.

        Args:
            per_second: the number of requests in a second, on average.
            clock: tells the time, in seconds.
            at_once: the number of requests that may come at once; None for ten seconds' worth.
        """
        self._per_second = per_second
        self._most = max(1.0, per_second * _SECONDS_AT_ONCE if at_once is None else at_once)
        self._clock = clock
        # How many requests a client may make, and when that was so.
        self._left: dict[str, tuple[float, float]] = {}

    def wait(self, client: str) -> float:
        """Count a request; returns for how many seconds the client must wait instead, or 0."""
        now = self._clock()
        if len(self._left) >= _MOST_CLIENTS:
            self._forget_full(now)
        left, since = self._left.get(client, (self._most, now))
        left = min(self._most, left + (now - since) * self._per_second)
        if left < 1:
            self._left[client] = (left, now)
            return (1 - left) / self._per_second
        self._left[client] = (left - 1, now)
        return 0.0

    def _forget_full(self, now: float) -> None:
        """Forget the clients that have not asked for so long that all their requests are left."""
        refilled = self._most / self._per_second
        self._left = {c: (left, at) for c, (left, at) in self._left.items() if now - at < refilled}
