"""The reports of a worker, from which metrics, health and the summary are made.

Reports are plain values, so that a child process can send them to its parent.
"""

from typing import Literal

import msgspec

from sesbounce.aws.depth import Depth
from sesbounce.store.result import Recorded


class Polled(msgspec.Struct, frozen=True):
    """The poller reports that SQS has answered a receive.

    Attributes:
        messages: how many messages the answer holds, 0 to 10.
    """

    messages: int


class BatchDone(msgspec.Struct, frozen=True):
    """The loop reports that it has handled a batch, and committed what it could record of it.

    Attributes:
        messages: how many messages the batch held.
        undecodable: how many of them were not understood, by the fingerprint of the failure.
        failed: how many of them were understood, and could not be verified or recorded.
        recorded: what recording the others did.
        seconds: how long the worker took for the batch.
        commit_seconds: how much of that the database took.
        oldest_seconds: seconds since the batch's oldest message was sent to the queue; not
            negative.
        unknown: how many of them are of a type that this version does not know; it keeps them.
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
    """The loop reports that it has committed a sweep: every minute, even with an empty queue.

    Attributes:
        recorded: what the sweep did.
        done: if the sweep has not ended yet, for how many addresses the statements have run.
        total: if the sweep has not ended yet, how many addresses there were to begin with.
        incidents: how many incidents a person should look at; None if the sweep did not look for
            incidents.
        stopped: how many senders are stopped; None if the sweep did not look for them.
    """

    recorded: Recorded
    done: int = 0
    total: int = 0
    incidents: int | None = None
    stopped: int | None = None


class Acknowledged(msgspec.Struct, frozen=True):
    """The acknowledger reports a call of SQS; the heartbeat reports messages that have expired.

    Attributes:
        deleted: how many messages SQS has deleted.
        returned: how many messages SQS has returned to the queue.
        failed: how many messages SQS did not delete or return in spite of retries; it delivers
            them again.
        expired: how many messages others could receive before; SQS delivers them again.
    """

    deleted: int = 0
    returned: int = 0
    failed: int = 0
    expired: int = 0


class Stalled(msgspec.Struct, frozen=True):
    """A part of the worker reports that it waits for something that failed, and will retry.

    An answer of SQS ends the wait for the queue, a commit the wait for the database, and a report
    `Resumed` the wait for a certificate of SNS.

    Attributes:
        what: what it waits for.
        problem: the text of the error.
    """

    what: Literal["database", "queue", "certificate"]
    problem: str


class Resumed(msgspec.Struct, frozen=True):
    """The worker reports that it no longer waits.

    Attributes:
        what: what it has waited for.
    """

    what: Literal["certificate"]


class RunDone(msgspec.Struct, frozen=True):
    """The command reports that a run until the queue is empty has ended well.

    The queue was empty, or the run's time was over. A run that failed or that a signal ended does
    not report it.
    """


Report = Polled | BatchDone | Swept | Acknowledged | Depth | Stalled | Resumed | RunDone
