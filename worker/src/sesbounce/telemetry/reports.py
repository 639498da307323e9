"""What a worker reports of its work; metrics, health and the log are made of it.

Reports are plain values, so that a process can send them to the one that started it.
"""

from typing import Literal

import msgspec

from sesbounce.aws.depth import Depth
from sesbounce.store.result import Recorded


class Polled(msgspec.Struct, frozen=True):
    """SQS has answered a receive.

    Attributes:
        messages: how many it brought, 0 to 10.
    """

    messages: int


class BatchDone(msgspec.Struct, frozen=True):
    """What could be recorded of a batch is committed.

    Attributes:
        messages: how many there were.
        undecodable: how many were not understood, by the fingerprint of the failure.
        failed: how many were, and could not be recorded or verified.
        recorded: what recording them did.
        seconds: from the moment the batch was taken in hand.
        commit_seconds: how much of that the database took.
        oldest_seconds: how long ago its oldest message was sent to the queue; never negative.
        unknown: how many messages are of a type that is not known here; they are recorded.
        unreadable: how many recipients have no address that can be read.
    """

    messages: int
    undecodable: dict[str, int]
    failed: int
    recorded: Recorded
    seconds: float
    commit_seconds: float
    oldest_seconds: float
    unknown: int = 0
    unreadable: int = 0


class Swept(msgspec.Struct, frozen=True):
    """A sweep is committed; there is one a minute, even when the queue is empty."""

    recorded: Recorded


class Acknowledged(msgspec.Struct, frozen=True):
    """What became of messages that were handled.

    Attributes:
        deleted: how many have left the queue.
        returned: how many will come again later.
        failed: how many SQS did not delete or return in spite of retries; they come again.
        expired: how many had become visible before, so that they come again.
    """

    deleted: int = 0
    returned: int = 0
    failed: int = 0
    expired: int = 0


class Stalled(msgspec.Struct, frozen=True):
    """The worker waits for something that does not work now, and tries again by itself.

    Attributes:
        what: what it waits for.
        problem: why, in the words of an error; it holds no address.
    """

    what: Literal["database", "queue"]
    problem: str


Report = Polled | BatchDone | Swept | Acknowledged | Depth | Stalled
