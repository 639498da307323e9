"""Goes through a dead-letter queue once, and makes visible again whatever it does not handle."""

import math
import time
from collections.abc import Iterator, Sequence
from itertools import islice
from types import TracebackType
from typing import NamedTuple, Self

from sesbounce.aws.dead_letters import DeadLetterQueue, Letter
from sesbounce.aws.queue_calls import MOST_AT_ONCE, WAIT_SECONDS
from sesbounce.dead_letters.grouping import identity
from sesbounce.worker.in_flight import InFlightMessage

# A letter is handled only if others can't receive it in the meantime, as far as clocks can tell.
_SAFE_SECONDS = 30
# The part of the time for which letters are invisible that is left when a pass extends it.
_MARGIN = 1 / 3


class Limits(NamedTuple):
    """How much one pass does.

    Attributes:
        letters: how many letters it receives at most. SQS lets 120,000 messages be in flight, and
            the worker's queue is another one.
        seconds: how long it receives letters.
        size: how many characters of bodies it receives; the last ten letters may exceed that.
        invisible_seconds: how long a letter stays invisible if the process is killed.
        wait_seconds: how long one receive waits for a letter.
        rest_seconds: how long the letters of a pass that a limit has ended stay invisible, so that
            the next pass receives others.
    """

    letters: int = 100_000
    seconds: float = math.inf
    size: float = math.inf
    invisible_seconds: int = 600
    wait_seconds: int = WAIT_SECONDS
    rest_seconds: int = 0


NO_LIMITS = Limits()


class Pass:
    """One pass over a dead-letter queue; use it in a `with` statement.

    It receives each letter once, and keeps it invisible, so that the next receive brings another
    one. It keeps the receipts, and no letter. At its end it makes the letters that are not deleted
    visible.

    Attributes:
        looked_at: how many letters it has received.
        expired: how many letters others could receive before they were handled.
        cut: whether a limit has ended it.
    """

    def __init__(
        self, queue: DeadLetterQueue, at_least: int = 0, limits: Limits = NO_LIMITS
    ) -> None:
        """Begin a pass.

        Args:
            queue: the dead-letter queue.
            at_least: how many letters should be there. SQS may answer once that there is none,
                though there are more.
            limits: how much it does.
        """
        self._queue = queue
        self._at_least = at_least
        self._limits = limits
        self._ends_at = time.monotonic() + limits.seconds
        self._size = 0
        # The receipts, with the times at which others can receive the letters, by
        # `time.monotonic`; the earliest come first.
        self._visible_at: dict[str, float] = {}
        self._seen: set[bytes] = set()
        self.expired = 0
        self.cut = False

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """Make every letter visible that was received and is not deleted."""
        rests = self.cut and error is None
        self._change_visibility(list(self._visible_at), self._limits.rest_seconds if rests else 0)
        self._visible_at.clear()

    @property
    def looked_at(self) -> int:
        """How many letters it has received."""
        return len(self._seen)

    def letters(self) -> Iterator[list[InFlightMessage]]:
        """Receive letters, at most ten at a time, until there is none left."""
        empty_answers = 0
        while True:
            if self._is_at_limit():
                self.cut = True
                return
            self._extend()
            seconds = self._limits.invisible_seconds
            # The time counts from when SQS sends its answer, which is later than this.
            visible_at = time.monotonic() + seconds
            received = self._queue.receive(seconds, self._limits.wait_seconds)
            self._visible_at.update(
                dict.fromkeys((letter.receipt for letter in received), visible_at)
            )
            new = [letter for letter in received if self._is_new(letter)]
            if new:
                yield [InFlightMessage(letter, visible_at) for letter in new]
            empty_answers = 0 if received else empty_answers + 1
            if not received and (self.looked_at >= self._at_least or empty_answers > 1):
                return

    def safe(self, messages: Sequence[InFlightMessage]) -> list[InFlightMessage]:
        """The letters that others can't receive for a while; the others are counted as expired."""
        now = time.monotonic()
        safe = [m for m in messages if m.visible_at - _SAFE_SECONDS > now]
        self.expired += len(messages) - len(safe)
        return safe

    def delete(self, messages: Sequence[InFlightMessage]) -> list[InFlightMessage]:
        """Delete letters; those that SQS has deleted.

        SQS may answer that it has deleted a letter whose receipt has expired, though it has not.
        So such a letter does not count.
        """
        now = time.monotonic()
        # The receive that others may have had since then is not ours to delete.
        valid = [m.received.receipt for m in messages if m.visible_at > now]
        deleted = self._queue.delete(valid)
        for receipt in deleted:
            self._visible_at.pop(receipt, None)
        self.expired += len(messages) - len(deleted)
        return [m for m in messages if m.received.receipt in deleted]

    def _is_at_limit(self) -> bool:
        return (
            self.looked_at >= self._limits.letters
            or self._size >= self._limits.size
            or time.monotonic() >= self._ends_at
        )

    def _is_new(self, letter: Letter) -> bool:
        """Whether a letter comes for the first time: its earlier receipt may have expired."""
        key = identity(letter.id)
        if key in self._seen:
            return False
        self._seen.add(key)
        self._size += len(letter.body)
        return True

    def _extend(self) -> None:
        """Keep letters invisible that would soon become visible."""
        now, seconds = time.monotonic(), self._limits.invisible_seconds
        due = []
        for receipt, visible_at in self._visible_at.items():
            if visible_at - seconds * _MARGIN > now:
                break
            due.append(receipt)
        valid = self._change_visibility(due, seconds)
        for receipt in due:
            del self._visible_at[receipt]
        self._visible_at.update(dict.fromkeys(valid, now + seconds))

    def _change_visibility(self, receipts: Sequence[str], seconds: int) -> list[str]:
        """Change the visibility of letters; the receipts that were still valid."""
        left = iter(receipts)
        valid: list[str] = []
        while some := list(islice(left, MOST_AT_ONCE)):
            valid += self._queue.set_visibility(some, seconds)
        return valid
