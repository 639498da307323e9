"""Surveys the dead letters, and then handles those that the survey has selected."""

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple, TypeAlias

from sesbounce.aws.dead_letters import DeadLetterQueue, Letter, QueueFacts
from sesbounce.aws.queue_calls import MOST_AT_ONCE
from sesbounce.dead_letters.examining import Examiner, Wanted
from sesbounce.dead_letters.grouping import Diagnosis, Group, Groups, identity
from sesbounce.dead_letters.passes import NO_LIMITS, Limits, Pass
from sesbounce.dead_letters.stopping import Pacer, Stop
from sesbounce.errors import QueueError, SesBounceError
from sesbounce.worker.in_flight import InFlightMessage


class Survey(NamedTuple):
    """What a first pass has found.

    Attributes:
        groups: the selected letters by their cause.
        selected: identifies the selected letters; a second pass handles no others.
        looked_at: how many letters there were.
        in_flight: about how many letters others have received, so that no pass gets them.
        understood: how many of the selected letters this version understands.
        cut: whether there were more letters than one pass can look at.
    """

    groups: list[Group]
    selected: Collection[bytes]
    looked_at: int
    in_flight: int
    understood: int
    cut: bool


class Acted(NamedTuple):
    """What an action has done with some letters.

    Attributes:
        done: the letters whose effect is certain: committed, sent or written to the disk.
        error: why the action can't go on.
    """

    done: Sequence[InFlightMessage]
    error: SesBounceError | None = None


# Does something with letters, and says with which of them it has succeeded.
Action: TypeAlias = Callable[[Sequence[InFlightMessage]], Acted]


class Worked(NamedTuple):
    """What a second pass has done.

    Attributes:
        done: how many letters it has handled.
        gone: how many of the selected letters did not come back: others have received them, or a
            limit has ended the pass.
        expired: how many letters others could receive before they were handled, or deleted.
    """

    done: int
    gone: int
    expired: int


class Progress:
    """How far a command has come; another thread prints it.

    Attributes:
        looked_at: how many letters the present pass has received.
        acted: how many letters the action has succeeded with, also those that SQS then kept.
        done: how many letters are handled, and deleted if the action deletes them.
        identities: the identities of the latter; none of those that SQS itself has moved.
    """

    def __init__(self) -> None:
        self.looked_at = 0
        self.acted = 0
        self.done = 0
        self.identities: set[bytes] = set()


class DeadLetters:
    """The letters of one dead-letter queue, for one command."""

    def __init__(
        self,
        queue: DeadLetterQueue,
        examiner: Examiner,
        stop: Stop,
        progress: Progress,
        limits: Limits = NO_LIMITS,
    ) -> None:
        """Make it.

        Args:
            queue: the dead-letter queue.
            examiner: says which letters are understood.
            stop: whether to stop.
            progress: takes how far the command has come.
            limits: how much one pass does.
        """
        self._queue = queue
        self._examiner = examiner
        self._stop = stop
        self.progress = progress
        self._limits = limits
        self._facts: QueueFacts | None = None

    @property
    def facts(self) -> QueueFacts:
        """What SQS said about the queue when the command began.

        Raises:
            QueueError: SQS rejects the call, or would move the letters that a command receives.
        """
        if self._facts is None:
            facts = self._queue.facts()
            if facts.moves_on:
                raise QueueError(
                    f"{self._queue.name} has a redrive policy: SQS would move letters to another "
                    "queue, because this command receives them. Remove the policy, or name "
                    "another dead-letter queue",
                    lasting=True,
                )
            self._facts = facts
        return self._facts

    def survey(self, wanted: Wanted, known: Sequence[Group] = ()) -> Survey:
        """Look at every letter, count those that are selected, and change nothing.

        Args:
            wanted: selects letters.
            known: groups of letters that were counted before, and are not counted twice.

        Raises:
            QueueError: SQS rejects a call or can't be reached.
            StoppedError: a signal has stopped it.
        """
        facts = self.facts
        groups = Groups(facts.retention, known)
        selected = {one for group in known for one in group.identities}
        with self._stop.deferring(), self._pass() as one_pass:
            for letter, diagnosis in self._examined(one_pass):
                name = identity(letter.id)
                if name not in selected and wanted.selects(letter, diagnosis):
                    groups.add(letter, diagnosis)
                    selected.add(name)
        found = groups.all()
        understood = sum(group.understood for group in found)
        return Survey(
            found, selected, one_pass.looked_at, facts.in_flight, understood, one_pass.cut
        )

    def select(
        self, selects: Callable[[Letter, Diagnosis], bool], limit: int
    ) -> list[tuple[Letter, Diagnosis]]:
        """At most so many letters that are selected.

        Args:
            selects: whether a letter is one of them.
            limit: how many there are at most.

        Raises:
            QueueError: SQS rejects a call or can't be reached.
            StoppedError: a signal has stopped it.
        """
        found: list[tuple[Letter, Diagnosis]] = []
        with self._stop.deferring(), self._pass() as one_pass:
            for letter, diagnosis in self._examined(one_pass):
                if selects(letter, diagnosis):
                    found.append((letter, diagnosis))
                if len(found) == limit:
                    break
        return found

    def work(
        self,
        selected: Collection[bytes],
        action: Action,
        *,
        rate: int | None = None,
        most_at_once: int = 100,
        delete: bool = True,
    ) -> Worked:
        """Handle the letters that a survey has selected, and no others.

        A letter is deleted only after its effect is certain. If the process is killed in between,
        the letter is handled once more.

        Args:
            selected: the letters.
            action: what to do with them.
            rate: how many to handle in a second at most; None for no limit.
            most_at_once: how many letters the action gets at most.
            delete: whether to delete those that are handled.

        Raises:
            SesBounceError: the action can't go on, or SQS rejects a call.
            StoppedError: a signal has stopped it.
        """
        most = min(most_at_once, rate) if rate else most_at_once
        pacer = Pacer(rate, self._stop)
        # SQS may have moved some already.
        moved = self.progress.done
        handled = 0
        with self._stop.deferring(), self._pass(len(selected)) as one_pass:
            for some in self._chunks(one_pass, selected, most):
                acted = action(one_pass.safe(some))
                self.progress.acted += len(acted.done)
                self._finish(one_pass, acted.done, delete=delete)
                handled += len(some)
                if acted.error:
                    raise acted.error
                # Letters that others have received meanwhile do not come back.
                if handled == len(selected):
                    break
                pacer.wait(self.progress.done - moved)
        if handled < len(selected):
            self._stop.demand_to_go_on()
        gone = max(0, len(selected) - moved - handled)
        return Worked(self.progress.done, gone, one_pass.expired)

    def _finish(self, one_pass: Pass, messages: Sequence[InFlightMessage], *, delete: bool) -> None:
        """Count letters that are handled; delete them before, and count after each call of SQS."""
        for start in range(0, len(messages), MOST_AT_ONCE):
            some = messages[start : start + MOST_AT_ONCE]
            done = one_pass.delete(some) if delete else some
            self.progress.done += len(done)
            self.progress.identities.update(identity(message.received.id) for message in done)

    def _pass(self, at_least: int | None = None) -> Pass:
        """A pass over the letters, of which none is moved because it is received."""
        facts = self.facts
        return Pass(self._queue, facts.visible if at_least is None else at_least, self._limits)

    def _chunks(
        self, one_pass: Pass, selected: Collection[bytes], most: int
    ) -> Iterator[list[InFlightMessage]]:
        """The selected letters, at most so many at once; all that have come, in the end."""
        waiting: list[InFlightMessage] = []
        missing = len(selected)
        for messages in self._received(one_pass):
            new = [m for m in messages if identity(m.received.id) in selected]
            waiting += new
            missing -= len(new)
            while len(waiting) >= most or (waiting and not missing):
                if self._stop.is_set:
                    return
                yield waiting[:most]
                waiting = waiting[most:]
        if waiting and not self._stop.is_set:
            yield waiting

    def _examined(self, one_pass: Pass) -> Iterator[tuple[Letter, Diagnosis]]:
        for messages in self._received(one_pass):
            for message in messages:
                letter = message.received
                assert isinstance(letter, Letter)  # noqa: S101  a pass receives nothing else
                yield letter, self._examiner.examine(letter)
        self._stop.demand_to_go_on()

    def _received(self, one_pass: Pass) -> Iterator[list[InFlightMessage]]:
        """What a pass receives, until a signal stops it."""
        for messages in one_pass.letters():
            self.progress.looked_at = one_pass.looked_at
            yield messages
            if self._stop.is_set:
                return
