"""A dead-letter queue: receives, returns and deletes its messages, and has SQS move them.

The calls are those of a person's command, and apart from the worker's queue: they name the right
that is missing, and no worker waits for them.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import msgspec
from botocore.config import Config

from sesbounce.aws.clients import open_sqs
from sesbounce.aws.queue_calls import CONFIG, MOST_AT_ONCE, WAIT_SECONDS, called, called_in_tens
from sesbounce.aws.received import Received, number, received

if TYPE_CHECKING:
    from types_boto3_sqs.client import SQSClient

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html
MOST_MOVED_A_SECOND = 500
# What SNS adds to a message that it could not deliver.
# https://docs.aws.amazon.com/sns/latest/dg/sns-configure-dead-letter-queue.html
CODE, MESSAGE = "ErrorCode", "ErrorMessage"

_DEFAULT_RETENTION = timedelta(days=4)
_T = TypeVar("_T")


class Letter(Received, frozen=True):
    """One message of a dead-letter queue.

    Attributes:
        attributes: its message attributes by name, as boto3 returns them.
    """

    attributes: Mapping[str, Any] = {}

    @property
    def code(self) -> str | None:
        """Why SNS or Lambda could not deliver the message: `ErrorCode`; None where it has none."""
        return self._text(CODE)

    @property
    def reason(self) -> str | None:
        """The same in words: `ErrorMessage`; None where it has none."""
        return self._text(MESSAGE)

    def _text(self, name: str) -> str | None:
        value = self.attributes.get(name) or {}
        text = value.get("StringValue")
        return None if text is None else str(text)


class QueueFacts(NamedTuple):
    """What SQS says about a dead-letter queue.

    Attributes:
        arn: the ARN.
        retention: how long SQS keeps a message, from when it was sent to its first queue.
        visible: about how many messages can be received now.
        in_flight: about how many messages others have received and not deleted.
        moves_on: whether SQS moves messages from here to another queue after some receives.
    """

    arn: str
    retention: timedelta
    visible: int
    in_flight: int
    moves_on: bool


class MoveTask(NamedTuple):
    """A task of SQS that moves messages back to their queue.

    Attributes:
        handle: names a running task, to cancel it; None for one that has ended.
        status: RUNNING, COMPLETED, CANCELLING, CANCELLED or FAILED.
        moved: about how many messages it has moved.
        failure: why it failed.
    """

    handle: str | None
    status: str
    moved: int
    failure: str | None

    @property
    def active(self) -> bool:
        """Whether it moves messages, or will."""
        return self.status in {"CREATED", "RUNNING", "CANCELLING"}


class DeadLetterQueue:
    """One dead-letter queue.

    Every method raises `QueueError` where SQS rejects the call or can't be reached.

    Attributes:
        url: its URL.
        name: its name.
    """

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self.url = url
        self.name = url.rpartition("/")[2]

    def facts(self) -> QueueFacts:
        """Ask for its attributes."""
        with_all = self._call(
            "sqs:GetQueueAttributes",
            lambda: self._client.get_queue_attributes(QueueUrl=self.url, AttributeNames=["All"]),
        )
        attributes: Mapping[Any, str] = with_all.get("Attributes") or {}
        seconds = number(attributes.get("MessageRetentionPeriod"))
        return QueueFacts(
            arn=attributes.get("QueueArn", ""),
            retention=_DEFAULT_RETENTION if seconds is None else timedelta(seconds=seconds),
            visible=number(attributes.get("ApproximateNumberOfMessages")) or 0,
            in_flight=number(attributes.get("ApproximateNumberOfMessagesNotVisible")) or 0,
            moves_on=bool(attributes.get("RedrivePolicy")),
        )

    def receive(self, invisible_seconds: int, wait_seconds: int = WAIT_SECONDS) -> list[Letter]:
        """Receive at most ten messages, which stay invisible to others for so many seconds."""
        answer = self._call(
            "sqs:ReceiveMessage",
            lambda: self._client.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=MOST_AT_ONCE,
                WaitTimeSeconds=wait_seconds,
                VisibilityTimeout=invisible_seconds,
                MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
                MessageAttributeNames=["All"],
            ),
        )
        return [_letter(message) for message in answer.get("Messages") or ()]

    def set_visibility(self, receipts: Sequence[str], seconds: int) -> set[str]:
        """Make messages visible after so many seconds; the receipts that were still valid."""
        entries = [
            {"Id": str(n), "ReceiptHandle": receipt, "VisibilityTimeout": seconds}
            for n, receipt in enumerate(receipts)
        ]
        done = called_in_tens(
            "sqs:ChangeMessageVisibility",
            self.url,
            entries,
            lambda some: self._client.change_message_visibility_batch(
                QueueUrl=self.url, Entries=some
            ),
        )
        return {receipts[int(number)] for number in done}

    def delete(self, receipts: Sequence[str]) -> set[str]:
        """Delete messages; the receipts of those that SQS has deleted."""
        entries = [{"Id": str(n), "ReceiptHandle": r} for n, r in enumerate(receipts)]
        done = called_in_tens(
            "sqs:DeleteMessage",
            self.url,
            entries,
            lambda some: self._client.delete_message_batch(QueueUrl=self.url, Entries=some),
        )
        return {receipts[int(number)] for number in done}

    def start_move(self, arn: str, rate: int | None) -> None:
        """Have SQS move all messages back to the queues from which they came.

        Args:
            arn: the ARN of this queue.
            rate: how many it moves in a second; None leaves it to SQS.
        """
        more: Any = {} if rate is None else {"MaxNumberOfMessagesPerSecond": rate}
        self._call(
            "sqs:StartMessageMoveTask",
            lambda: self._client.start_message_move_task(SourceArn=arn, **more),
        )

    def move_task(self, arn: str) -> MoveTask | None:
        """The latest task that moves messages from this queue; None without one."""
        answer = self._call(
            "sqs:ListMessageMoveTasks",
            lambda: self._client.list_message_move_tasks(SourceArn=arn, MaxResults=1),
        )
        for task in answer.get("Results") or ():
            moved = task.get("ApproximateNumberOfMessagesMoved") or 0
            status = task.get("Status") or ""
            return MoveTask(task.get("TaskHandle"), status, moved, task.get("FailureReason"))
        return None

    def cancel_move(self, handle: str) -> None:
        """Have SQS end a task; messages that it has moved stay where they are."""
        self._call(
            "sqs:CancelMessageMoveTask",
            lambda: self._client.cancel_message_move_task(TaskHandle=handle),
        )

    def _call(self, action: str, call: Callable[[], _T]) -> _T:
        return called(action, self.url, call)


def open_dead_letter_queue(url: str, config: Config = CONFIG) -> DeadLetterQueue:
    """Open a dead-letter queue, in the region that its URL names or else in that of boto3.

    Args:
        url: the URL of the queue.
        config: how the client calls, and how often it retries.

    Raises:
        ConfigurationError: the region is missing, or the endpoint is no URL.
    """
    return DeadLetterQueue(open_sqs(url, config), url)


def _letter(message: Any) -> Letter:
    own = message.get("Attributes") or {}
    plain = received(
        message.get("MessageId", ""),
        message["ReceiptHandle"],
        message.get("Body", ""),
        own.get("ApproximateReceiveCount"),
        own.get("SentTimestamp"),
    )
    attributes = message.get("MessageAttributes") or {}
    return Letter(**msgspec.structs.asdict(plain), attributes=attributes)
