"""Counts dead letters by their cause.

Nothing here needs boto3: a server without it knows what a group is.
"""

import hashlib
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from sesbounce.aws.dead_letters import Letter

# The dead-letter queue of the queue, and that of its subscription to a topic.
Which = Literal["main", "subscription"]
_IDENTITY_BYTES = 8


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
        letters: the identities of the letters, one after the other.
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
    letters: bytearray = msgspec.field(default_factory=bytearray)

    @property
    def key(self) -> tuple[str, str]:
        """What the letters have in common."""
        return _key(self.code, self.fingerprint)

    @property
    def identities(self) -> Iterator[bytes]:
        """The identities of the letters."""
        for start in range(0, len(self.letters), _IDENTITY_BYTES):
            yield bytes(self.letters[start : start + _IDENTITY_BYTES])


class Groups:
    """Counts letters by their cause. It keeps numbers and identities, and no letter."""

    def __init__(self, retention: timedelta, known: Iterable[Group] = ()) -> None:
        """Begin with the letters of these groups, of a queue that keeps letters for so long."""
        self._retention = retention
        self._groups = {group.key: group for group in known}

    def add(self, letter: "Letter", diagnosis: Diagnosis) -> None:
        """Count a letter."""
        code = letter.code
        key = _key(code, diagnosis.fingerprint)
        group = self._groups.get(key)
        if group is None:
            problem = diagnosis.problem if code is None else letter.reason or ""
            place = diagnosis.place if code is None else None
            group = self._groups[key] = Group(code, diagnosis.fingerprint, problem, place)
        group.count += 1
        group.understood += diagnosis.understood
        group.letters += identity(letter.id)
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


def _key(code: str | None, fingerprint: str) -> tuple[str, str]:
    """What letters of one cause have in common: the code of SNS, or else the fingerprint."""
    return ("fingerprint", fingerprint) if code is None else ("code", code)


def identity(id_: str) -> bytes:
    """Eight bytes that stand for the id of a letter, in all processes."""
    return hashlib.sha256(id_.encode()).digest()[:_IDENTITY_BYTES]


def expires_at(sent_at: datetime, retention: timedelta) -> datetime:
    """When SQS deletes a letter.

    A standard queue counts from when the message was sent to its first queue, which SentTimestamp
    is also in the dead-letter queue.
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
    """
    return sent_at + retention
