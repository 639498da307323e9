"""Settles what has been handled: deletes messages, or gives them back, ten at a time."""

from collections.abc import Callable, Sequence

import structlog

from sesbounce.aws.sqs import Queue, Unsettled
from sesbounce.errors import QueueError
from sesbounce.telemetry.events import Report, Settled
from sesbounce.worker.batching import Tens
from sesbounce.worker.in_flight import Hand, Held
from sesbounce.worker.threads import Crew

# How long fewer than ten wait for more; nothing else waits for them.
_FLUSH_SECONDS = 0.2

log = structlog.get_logger()


class Settler:
    """Deletes and gives back in threads of its own; then the messages are no longer in hand."""

    def __init__(self, queue: Queue, hand: Hand, report: Callable[[Report], None]) -> None:
        self._queue = queue
        self._hand = hand
        self._report = report
        self._done: Tens[Held] = Tens(_FLUSH_SECONDS)
        self._back: Tens[tuple[Held, int]] = Tens(_FLUSH_SECONDS)

    def start(self, crew: Crew, deleters: int) -> None:
        """Begin, with so many calls to delete at once."""
        for number in range(deleters):
            crew.start(f"deleter-{number}", self._delete)
        crew.start("giver-back", self._give_back)

    def delete(self, held: Sequence[Held]) -> None:
        """Delete messages whose effect is committed."""
        self._done.put(held)

    def give_back(self, held: Sequence[tuple[Held, int]]) -> None:
        """Have messages come again, each after so many seconds."""
        for one, _ in held:
            one.lost = True  # or a heartbeat might hide it again
        self._back.put(held)

    def close(self) -> None:
        """Settle what there is, and end."""
        self._done.close()
        self._back.close()

    def _delete(self) -> None:
        while held := self._done.take():
            messages = [one.message for one in held]
            unsettled = self._settle(held, lambda m=messages: self._queue.delete(m))  # type: ignore[misc]
            refused = len(unsettled.expired) + len(unsettled.failed)
            self._report(
                Settled(
                    deleted=len(held) - refused,
                    expired=len(unsettled.expired),
                    failed=len(unsettled.failed),
                )
            )

    def _give_back(self) -> None:
        while entries := self._back.take():
            messages = [(held.message, seconds) for held, seconds in entries]
            held = [one for one, _ in entries]
            unsettled = self._settle(held, lambda m=messages: self._queue.set_visibility(m))  # type: ignore[misc]
            refused = len(unsettled.expired) + len(unsettled.failed)
            self._report(
                Settled(
                    given_back=len(held) - refused,
                    expired=len(unsettled.expired),
                    failed=len(unsettled.failed),
                )
            )

    def _settle(self, held: Sequence[Held], call: Callable[[], Unsettled]) -> Unsettled:
        """One call; what SQS does not do comes again after the visibility timeout."""
        try:
            unsettled = call()
        except QueueError as error:
            if error.lasting:
                raise
            log.warning("not settled", messages=len(held), problem=str(error))
            unsettled = Unsettled(failed=frozenset(one.message.receipt for one in held))
        finally:
            self._hand.let_go(held)
        return unsettled
