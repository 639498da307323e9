"""Goes through a dead-letter queue once, and makes visible again whatever it does not handle."""

import time
from collections.abc import Iterator, Sequence
from itertools import islice
from types import TracebackType
from typing import Self

from sesbounce.aws.dead_letters import DeadLetterQueue, Letter
from sesbounce.aws.queue_calls import MOST_AT_ONCE
from sesbounce.worker.in_flight import InFlightMessage

# How long a letter stays invisible if the process is killed.
_VISIBILITY_SECONDS = 600
# What is left of that when a pass extends it.
_MARGIN_SECONDS = 200
# A letter is handled only if others can't receive it in the meantime, as far as clocks can tell.
_SAFE_SECONDS = 30
# SQS lets 120,000 messages be in flight, and the worker's queue is another one.
MOST_LETTERS = 100_000


class Pass:
    """One pass over a dead-letter queue; use it in a `with` statement.

    It receives each letter once, and keeps it invisible, so that the next receive brings another
    one. It keeps the receipts, and no letter. At its end it makes the letters that are not deleted
    visible.

    Attributes:
        looked_at: how many letters it has received.
        expired: how many letters others could receive before they were handled.
        cut: whether it has stopped because it can't receive more letters.
    """

    def __init__(self, queue: DeadLetterQueue, at_least: int = 0) -> None:
        """Begin a pass.

        Args:
            queue: the dead-letter queue.
            at_least: how many letters should be there. SQS may answer once that there is none,
                though there are more.
        """
        self._queue = queue
        self._at_least = at_least
        # The receipts, with the times at which others can receive the letters, by
        # `time.monotonic`; the earliest come first.
        self._held: dict[str, float] = {}
        self._seen: set[int] = set()
        self.expired = 0
        self.cut = False

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """Make every letter visible that was received and is not deleted."""
        self._change_visibility(list(self._held), 0)
        self._held.clear()

    @property
    def looked_at(self) -> int:
        """How many letters it has received."""
        return len(self._seen)

    def letters(self) -> Iterator[list[InFlightMessage]]:
        """Receive letters, at most ten at a time, until there is none left."""
        empty_answers = 0
        while True:
            if self.looked_at >= MOST_LETTERS:
                self.cut = True
                return
            self._extend()
            # The time counts from when SQS sends its answer, which is later than this.
            visible_at = time.monotonic() + _VISIBILITY_SECONDS
            received = self._queue.receive(_VISIBILITY_SECONDS)
            self._held.update(dict.fromkeys((letter.receipt for letter in received), visible_at))
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

    def delete(self, messages: Sequence[InFlightMessage]) -> int:
        """Delete letters, and say how many SQS has deleted.

        SQS may answer that it has deleted a letter whose receipt has expired, though it has not.
        So such a letter does not count.
        """
        now = time.monotonic()
        # The receive that others may have had since then is not ours to delete.
        valid = [m.received.receipt for m in messages if m.visible_at > now]
        deleted = self._queue.delete(valid)
        for receipt in deleted:
            self._held.pop(receipt, None)
        self.expired += len(messages) - len(deleted)
        return len(deleted)

    def _is_new(self, letter: Letter) -> bool:
        """Whether a letter comes for the first time: its earlier receipt may have expired."""
        key = hash(letter.id)
        if key in self._seen:
            return False
        self._seen.add(key)
        return True

    def _extend(self) -> None:
        """Keep letters invisible that would soon become visible."""
        now = time.monotonic()
        due = []
        for receipt, visible_at in self._held.items():
            if visible_at - _MARGIN_SECONDS > now:
                break
            due.append(receipt)
        valid = self._change_visibility(due, _VISIBILITY_SECONDS)
        for receipt in due:
            del self._held[receipt]
        self._held.update(dict.fromkeys(valid, now + _VISIBILITY_SECONDS))

    def _change_visibility(self, receipts: Sequence[str], seconds: int) -> list[str]:
        """Change the visibility of letters; the receipts that were still valid."""
        left = iter(receipts)
        valid: list[str] = []
        while some := list(islice(left, MOST_AT_ONCE)):
            valid += self._queue.set_visibility(some, seconds)
        return valid
