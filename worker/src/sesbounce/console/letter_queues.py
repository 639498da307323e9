"""Looks at the dead-letter queues for pages, and handles their letters: for some seconds each time.

It needs boto3, which the extra `sesbounce[server]` does not bring: `Console.letters` imports it.
"""

import io
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Generic, NamedTuple, TypeVar

from botocore.config import Config

from sesbounce.aws.dead_letters import DeadLetterQueue, Letter, QueueFacts, open_dead_letter_queue
from sesbounce.aws.queue_calls import MOST_AT_ONCE
from sesbounce.aws.target_queue import open_target_queue
from sesbounce.console.letters import BusyError
from sesbounce.dead_letters.actions import Export, Redrive, Replay, letter_of
from sesbounce.dead_letters.examining import Examiner, Wanted
from sesbounce.dead_letters.grouping import Diagnosis, Group, Which, identity
from sesbounce.dead_letters.opening import dead_letter_queue_url, decoder, trust
from sesbounce.dead_letters.passes import Limits
from sesbounce.dead_letters.stopping import Stop
from sesbounce.dead_letters.working import Acted, Action, DeadLetters, Progress
from sesbounce.errors import SesBounceError
from sesbounce.settings import Settings
from sesbounce.store.result import Recorded
from sesbounce.store.store import Store
from sesbounce.worker.batch import Handler
from sesbounce.worker.in_flight import InFlightMessage

# A page waits for AWS: a call that is not answered soon has failed.
_CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 2}, connect_timeout=2, read_timeout=5
)
# A part of a look. Its letters rest if there are more, so that the next part finds the others.
_LOOK = Limits(
    letters=1000,
    seconds=3.0,
    size=8 * 1024 * 1024,
    invisible_seconds=120,
    wait_seconds=1,
    rest_seconds=30,
)
_WORK = _LOOK._replace(letters=10_000, seconds=5.0, rest_seconds=0)
# SQS's numbers change slowly, and a failure costs a page some seconds.
_KNOWN_SECONDS, _FAILED_SECONDS = 3.0, 10.0
# A queue may get another dead-letter queue.
_FOUND_SECONDS = 600.0

_T = TypeVar("_T")


class Looked(NamedTuple):
    """What a look has found.

    Attributes:
        groups: the letters by their cause, those of the parts before among them.
        about: about how many letters the queue holds.
        cut: whether there may be more letters.
    """

    groups: list[Group]
    about: int
    cut: bool


class Handled(NamedTuple):
    """What was done with some letters.

    Attributes:
        acted: how many the action has succeeded with, also those that SQS then kept.
        done: how many were handled, and deleted if the action deletes them.
        left: the identities of those that are still to be handled.
        error: why the action could not go on.
        recorded: what recording them changed; None where nothing was to be recorded.
        text: the lines of an export.
    """

    acted: int
    done: int
    left: Collection[bytes]
    error: SesBounceError | None
    recorded: Recorded | None = None
    text: str = ""


class LetterQueues:
    """The dead-letter queues that the settings lead to.

    Every method raises `ConfigurationError` where a setting is missing, and `QueueError` where AWS
    rejects a call or can't be reached. Those that receive letters raise `BusyError` while another
    thread does so: it hides letters, and this one would say that there are fewer.
    """

    def __init__(self, settings: Settings, receiving: threading.Lock) -> None:
        """Make it.

        Args:
            settings: name the queue.
            receiving: the thread that receives letters holds it.
        """
        self._settings = settings
        self._receiving = receiving
        self._trust = trust(settings)
        self._examiner = Examiner(self._trust, decoder(settings))
        self._queues: dict[Which, _Kept[DeadLetterQueue]] = {}
        self._facts: dict[Which, _Kept[QueueFacts]] = {}

    def queue(self, which: Which) -> DeadLetterQueue:
        """One of the queues; it is looked for every ten minutes."""
        kept = self._queues.get(which)
        if kept is None or kept.is_older(_FOUND_SECONDS, 0):
            kept = self._queues[which] = _Kept(partial(self._found, which))
        return kept.value()

    def facts(self, which: Which) -> QueueFacts:
        """What SQS says about a queue, or has said some seconds ago."""
        kept = self._facts.get(which)
        if kept is None or kept.is_older(_KNOWN_SECONDS, _FAILED_SECONDS):
            kept = self._facts[which] = _Kept(lambda: self.queue(which).facts())
        return kept.value()

    def look(self, which: Which, known: Sequence[Group]) -> Looked:
        """Look at some letters, and count those that are in none of the known groups."""
        with self._letters(which, _LOOK) as letters:
            survey = letters.survey(Wanted(), known)
            return Looked(survey.groups, letters.facts.visible + survey.in_flight, survey.cut)

    def sample(
        self, which: Which, selected: Collection[bytes], most: int
    ) -> list[tuple[Letter, Diagnosis]]:
        """Some of the selected letters."""
        with self._letters(which, _WORK) as letters:
            return letters.select(lambda letter, _: identity(letter.id) in selected, most)

    def export(self, which: Which, selected: Collection[bytes]) -> Handled:
        """Write letters as JSON Lines, and leave them in the queue."""
        text = io.StringIO()
        done = self._work(which, _Chosen(Export(text), selected), delete=False)
        return done._replace(text=text.getvalue())

    def replay(
        self,
        which: Which,
        selected: Collection[bytes],
        store: Store,
        now: Callable[[], datetime],
    ) -> Handled:
        """Record those letters in the database that are understood, and delete them."""
        handler = Handler(store, self._trust, now, lambda *_: False, decoder(self._settings))
        action = Replay(handler)
        done = self._work(which, _Chosen(action, selected, self._is_understood))
        return done._replace(recorded=action.recorded)

    def redrive(self, which: Which, selected: Collection[bytes]) -> Handled:
        """Send copies of letters to the queue that the worker reads, and delete the letters."""
        target = open_target_queue(self._settings.queue, _CONFIG)
        return self._work(which, _Chosen(Redrive(target), selected), most_at_once=MOST_AT_ONCE)

    def delete(self, which: Which, selected: Collection[bytes]) -> Handled:
        """Delete letters; the caller knows that a person has them."""
        return self._work(which, _Chosen(Acted, selected))

    def _found(self, which: Which) -> DeadLetterQueue:
        url = dead_letter_queue_url(which, self._settings, _CONFIG)
        return open_dead_letter_queue(url, _CONFIG)

    @contextmanager
    def _letters(self, which: Which, limits: Limits) -> Iterator[DeadLetters]:
        queue = self.queue(which)
        if not self._receiving.acquire(blocking=False):
            raise BusyError("another thread receives dead letters")
        try:
            yield DeadLetters(queue, self._examiner, Stop(), Progress(), limits)
        finally:
            self._facts.pop(which, None)
            self._receiving.release()

    def _work(
        self, which: Which, action: "_Chosen", *, most_at_once: int = 100, delete: bool = True
    ) -> Handled:
        error: SesBounceError | None = None
        with self._letters(which, _WORK) as letters:
            try:
                letters.work(
                    frozenset(action.selected), action, most_at_once=most_at_once, delete=delete
                )
            except SesBounceError as raised:  # the page says it, and what was done before
                error = raised
            progress = letters.progress
            left = action.selected - progress.identities
            return Handled(progress.acted, progress.done, left, error)

    def _is_understood(self, letter: Letter) -> bool:
        return self._examiner.examine(letter).understood


class _Chosen:
    """An action for those of the selected letters to which it applies.

    Attributes:
        selected: the identities of the letters, without those that have turned out to be others.
    """

    def __init__(
        self,
        action: Action,
        selected: Collection[bytes],
        applies: Callable[[Letter], bool] = lambda _: True,
    ) -> None:
        """Make it.

        Args:
            action: what to do.
            selected: the identities of the letters.
            applies: whether the action is for a letter; the others are not handled.
        """
        self._action = action
        self._applies = applies
        self.selected = set(selected)

    def __call__(self, messages: Sequence[InFlightMessage]) -> Acted:
        """Handle some letters."""
        wanted = [message for message in messages if self._applies(letter_of(message))]
        self.selected -= _identities(messages) - _identities(wanted)
        return self._action(wanted)


def _identities(messages: Sequence[InFlightMessage]) -> set[bytes]:
    return {identity(message.received.id) for message in messages}


class _Kept(Generic[_T]):
    """A value that was asked for, or the error."""

    def __init__(self, ask: Callable[[], _T]) -> None:
        self._error: SesBounceError | None = None
        try:
            self._value = ask()
        except SesBounceError as error:
            self._error = error
        self._at = time.monotonic()

    def is_older(self, seconds: float, failed_seconds: float) -> bool:
        """Whether it is older than a value, or an error, should be."""
        limit = seconds if self._error is None else failed_seconds
        return time.monotonic() - self._at >= limit

    def value(self) -> _T:
        """The value.

        Raises:
            SesBounceError: there was an error.
        """
        if self._error is not None:
            raise self._error.with_traceback(None)
        return self._value
