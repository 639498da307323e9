"""Says of each dead letter whether this version understands it, groups and selects letters."""

import hashlib
from collections.abc import Callable, Collection
from datetime import datetime, timedelta

import msgspec

from sesbounce.aws.dead_letters import Letter
from sesbounce.aws.sns_trust import Trust
from sesbounce.errors import CertificateError, MessageError
from sesbounce.feedback.decode import Decoded, decode_all


class Diagnosis(msgspec.Struct, frozen=True):
    """Whether this version understands a message, and if not, why.

    Attributes:
        understood: whether the worker would record all of the message.
        fingerprint: twelve hex digits, equal for messages with the same problem or, if they are
            understood, of the same type. The worker's log has that of a problem, too.
        problem: what is wrong, without any of the message's own text; or what the message is.
        place: the JSON path of the problem; None without a problem.
    """

    understood: bool
    fingerprint: str
    problem: str
    place: str | None = None


class Examiner:
    """Decodes and verifies messages as the worker does, and records nothing."""

    def __init__(
        self,
        trust: Trust,
        decode_body: Callable[..., list[Decoded | MessageError]] = decode_all,
    ) -> None:
        """Make an examiner.

        Args:
            trust: verifies that messages come from the allowed SNS topics.
            decode_body: decodes the body of a queue message that was sent at a time.
        """
        self._trust = trust
        self._decode_body = decode_body

    def examine(self, letter: Letter) -> Diagnosis:
        """Decode a message; fetch the certificate that it names, where signatures are checked."""
        types: set[str] = set()
        try:
            for part in self._decode_body(letter.body, letter.sent_at):
                if isinstance(part, MessageError):
                    return _not_understood(part)
                self._trust.check(part.sns)
                types.add(part.type)
        except MessageError as error:
            return _not_understood(error)
        except CertificateError:
            problem = "the certificate of its signature can't be fetched"
            return Diagnosis(
                understood=False, fingerprint=_fingerprint(problem), problem=problem, place="$"
            )
        kind = ", ".join(sorted(types))
        return Diagnosis(
            understood=True, fingerprint=_fingerprint(f"understood|{kind}"), problem=kind
        )


class Wanted(msgspec.Struct, frozen=True):
    """Which letters a command is about.

    Attributes:
        before: only letters that were sent before this time.
        since: only letters that were sent since this time.
        codes: only letters with one of these values of `ErrorCode`; empty for all.
        fingerprints: only letters with one of these fingerprints; empty for all.
        understood: only letters that are understood, or only those that are not; None for all.
        ids: only letters with one of these ids of SQS; empty for all.
    """

    before: datetime | None = None
    since: datetime | None = None
    codes: Collection[str] = ()
    fingerprints: Collection[str] = ()
    understood: bool | None = None
    ids: Collection[str] = ()

    @property
    def everything(self) -> bool:
        """Whether it selects every letter."""
        return self == Wanted()

    def selects(self, letter: Letter, diagnosis: Diagnosis) -> bool:
        """Whether the command is about a letter. One whose time is not known has any age."""
        at = letter.sent_at
        return (
            (self.before is None or at is None or at < self.before)
            and (self.since is None or at is None or at >= self.since)
            and (not self.codes or letter.code in self.codes)
            and (not self.fingerprints or diagnosis.fingerprint in self.fingerprints)
            and (self.understood is None or diagnosis.understood is self.understood)
            and (not self.ids or letter.id in self.ids)
        )


class Group(msgspec.Struct):
    """Letters with one cause: an `ErrorCode` of SNS, or a fingerprint.

    Attributes:
        code: the `ErrorCode`; None where the letters have none.
        fingerprint: the fingerprint; with a code, that of the first letter.
        problem: what the first letter's `ErrorMessage` or diagnosis says.
        place: the JSON path of the problem.
        count: how many letters there are.
        understood: how many of them this version understands.
        first: when the oldest one was sent, UTC; None where it is not known.
        last: when the newest one was sent.
        expires_at: when SQS deletes the oldest one.
    """

    code: str | None
    fingerprint: str
    problem: str
    place: str | None = None
    count: int = 0
    understood: int = 0
    first: datetime | None = None
    last: datetime | None = None
    expires_at: datetime | None = None


class Groups:
    """Counts letters by their cause. It keeps numbers, and no letter."""

    def __init__(self, retention: timedelta) -> None:
        """Begin without letters, of a queue that keeps them for so long."""
        self._retention = retention
        self._groups: dict[tuple[str, str], Group] = {}

    def add(self, letter: Letter, diagnosis: Diagnosis) -> None:
        """Count a letter."""
        code = letter.code
        key = ("fingerprint", diagnosis.fingerprint) if code is None else ("code", code)
        group = self._groups.get(key)
        if group is None:
            problem = diagnosis.problem if code is None else letter.reason or ""
            place = diagnosis.place if code is None else None
            group = self._groups[key] = Group(code, diagnosis.fingerprint, problem, place)
        group.count += 1
        group.understood += diagnosis.understood
        if letter.sent_at is not None:
            group.first = min(group.first or letter.sent_at, letter.sent_at)
            group.last = max(group.last or letter.sent_at, letter.sent_at)
            group.expires_at = expires_at(group.first, self._retention)

    def all(self) -> list[Group]:
        """The groups; that of the newest letter comes first."""
        return sorted(
            self._groups.values(),
            key=lambda group: (group.last.timestamp() if group.last else 0.0, group.count),
            reverse=True,
        )


def expires_at(sent_at: datetime, retention: timedelta) -> datetime:
    """When SQS deletes a letter.

    A standard queue counts from when the message was sent to its first queue, which SentTimestamp
    is also in the dead-letter queue.
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
    """
    return sent_at + retention


def _not_understood(error: MessageError) -> Diagnosis:
    return Diagnosis(
        understood=False,
        fingerprint=error.fingerprint,
        problem=error.problem,
        place=error.place,
    )


def _fingerprint(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
