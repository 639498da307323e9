"""Leaves a target alone for a while that asks for fewer deliveries; others are not affected."""

from datetime import datetime, timedelta

from sesbounce.backoff import pause

_FIRST_SECONDS = 2.0
# Where the target does not say how long.
_LONGEST_SECONDS = 300.0
# A target that asks for more gets one entry an hour, which finds out whether that still holds.
_LONGEST_ASKED_SECONDS = 3600.0


class Throttle:
    """The pauses that one target has asked for in this process."""

    def __init__(self) -> None:
        """Begin without a pause."""
        self._times = 0
        self._until: datetime | None = None

    def is_closed(self, now: datetime) -> bool:
        """Whether the target is to be left alone at a time."""
        return self._until is not None and now < self._until

    def close(self, now: datetime, seconds: float) -> datetime:
        """Begin a pause, which is longer each time if the target does not say how long.

        Args:
            now: the current time.
            seconds: the seconds that the target asks for; 0 if it does not say.

        Returns:
            The end of the pause.
        """
        self._times += 1
        seconds = seconds or pause(self._times, _FIRST_SECONDS, _LONGEST_SECONDS)
        self._until = now + timedelta(seconds=min(seconds, _LONGEST_ASKED_SECONDS))
        return self._until

    def open(self) -> None:
        """Forget the pauses: the target has accepted an entry."""
        self._times = 0
        self._until = None
