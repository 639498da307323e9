"""What a command does with dead letters: records them, sends them back, writes them to a file."""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, TextIO

import msgspec

from sesbounce.aws.dead_letters import Letter
from sesbounce.aws.target_queue import TargetQueue
from sesbounce.dead_letters.working import Acted
from sesbounce.errors import ListError
from sesbounce.store.result import Recorded
from sesbounce.worker.batch import Handler
from sesbounce.worker.in_flight import InFlightMessage


class Replay:
    """Records letters in the database, as the worker does.

    Events that are recorded already change nothing.

    Attributes:
        recorded: what that has changed.
    """

    def __init__(self, handler: Handler) -> None:
        """Record with this handler of the worker; its trust has the certificates at hand."""
        self._handler = handler
        self.recorded = Recorded()

    def __call__(self, messages: Sequence[InFlightMessage]) -> Acted:
        """Record some letters in one transaction."""
        outcome, _ = self._handler.handle(messages)
        self.recorded.add(outcome.recorded)
        return Acted(outcome.handled, outcome.error)


class Redrive:
    """Sends copies of letters to the queue that the worker reads."""

    def __init__(self, queue: TargetQueue) -> None:
        """Send to this queue."""
        self._queue = queue

    def __call__(self, messages: Sequence[InFlightMessage]) -> Acted:
        """Send some letters."""
        sent = self._queue.send([letter_of(message) for message in messages])
        return Acted([message for message in messages if message.received.receipt in sent])


class Export:
    """Writes letters as JSON Lines."""

    def __init__(self, text: TextIO, keep: Callable[[], None] = lambda: None) -> None:
        """Write to a text.

        Args:
            text: takes the lines.
            keep: makes what is written permanent.
        """
        self._text = text
        self._keep = keep

    def __call__(self, messages: Sequence[InFlightMessage]) -> Acted:
        """Write some letters."""
        self._text.writelines(line(letter_of(message)) for message in messages)
        self._keep()
        return Acted(messages)


class ExportFile:
    """A new file for letters that are deleted next; use it in a `with` statement."""

    def __init__(self, path: Path) -> None:
        """Name the file; nobody else may read it, as it holds addresses."""
        self._path = path
        self._text: TextIO

    def __enter__(self) -> Self:
        """Create the file.

        Raises:
            ListError: the file exists, or can't be created.
        """
        try:
            number = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            self._text = os.fdopen(number, "w", encoding="utf-8", errors="surrogateescape")
            _sync_folder(self._path.absolute().parent)
        except OSError as error:
            raise self._error(error) from error
        return self

    def __exit__(self, *_error: object) -> None:
        """Close the file."""
        with suppress(OSError):  # `__call__` has reported it: what it could not write stays here
            self._text.close()

    def __call__(self, messages: Sequence[InFlightMessage]) -> Acted:
        """Write some letters, and wait until the disk holds them.

        Raises:
            ListError: the file can't be written.
        """
        try:
            return Export(self._text, self._keep)(messages)
        except OSError as error:
            raise self._error(error) from error

    def _keep(self) -> None:
        self._text.flush()
        os.fsync(self._text.fileno())

    def _error(self, error: OSError) -> ListError:
        return ListError(f"{self._path} was not written: {error.strerror}")


def line(letter: Letter) -> str:
    """A letter as a line of JSON, with all that SQS says about it."""
    return f"{msgspec.json.encode(fields(letter)).decode()}\n"


def fields(letter: Letter) -> dict[str, Any]:
    """The parts of a letter by their names in an export."""
    return {
        "id": letter.id,
        "sent_at": letter.sent_at,
        "receives": letter.times,
        "code": letter.code,
        "reason": letter.reason,
        "attributes": letter.attributes,
        "body": letter.body,
    }


def letter_of(message: InFlightMessage) -> Letter:
    """The letter that a pass has received."""
    letter = message.received
    assert isinstance(letter, Letter)  # noqa: S101  a pass receives nothing else
    return letter


def _sync_folder(folder: Path) -> None:
    """Have the disk hold the name of a new file."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
