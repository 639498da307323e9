"""A dead-letter queue: receives, returns, deletes and copies its messages, and has SQS move them.

The calls are those of a person's command, and apart from the worker's queue: they name the right
that is missing, and no worker waits for them.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, TypeAlias, TypeVar

import msgspec
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.parsers import ResponseParserError

from sesbounce.aws.clients import check_endpoint, error_text, open_client, region_in
from sesbounce.aws.received import Received, number, received
from sesbounce.backoff import pause
from sesbounce.errors import QueueError

if TYPE_CHECKING:
    from types_boto3_sqs.client import SQSClient

MOST_AT_ONCE = 10
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html
MOST_MOVED_A_SECOND = 500
# A long poll asks all servers of SQS, so that an empty answer means that no message is visible.
WAIT_SECONDS = 2

# The size of all messages in one call to which every queue of SQS agrees.
_MOST_BYTES_AT_ONCE = 256 * 1024
_ATTEMPTS = 4
_PAUSE_SECONDS = 0.2
CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 4},
    connect_timeout=10,
    read_timeout=WAIT_SECONDS + 10,
)
_DEFAULT_RETENTION = timedelta(days=4)
# What SNS and Lambda add to a message that they could not deliver.
# https://docs.aws.amazon.com/sns/latest/dg/sns-configure-dead-letter-queue.html
CODE, MESSAGE = "ErrorCode", "ErrorMessage"
_ADDED = frozenset({CODE, MESSAGE, "RequestID"})

ERRORS = (ClientError, BotoCoreError, ResponseParserError)
Error: TypeAlias = ClientError | BotoCoreError | ResponseParserError
_DENIED = {
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "AuthorizationErrorException",
    "KmsAccessDenied",
    "KMS.AccessDeniedException",
}
_NO_QUEUE = {"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist", "InvalidAddress"}
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

    def receive(self, visibility_seconds: int) -> list[Letter]:
        """Receive at most ten messages, which stay invisible to others for so many seconds."""
        answer = self._call(
            "sqs:ReceiveMessage",
            lambda: self._client.receive_message(
                QueueUrl=self.url,
                MaxNumberOfMessages=MOST_AT_ONCE,
                WaitTimeSeconds=WAIT_SECONDS,
                VisibilityTimeout=visibility_seconds,
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
        done = self._in_tens(
            "sqs:ChangeMessageVisibility",
            entries,
            lambda some: self._client.change_message_visibility_batch(
                QueueUrl=self.url, Entries=some
            ),
        )
        return {receipts[int(number)] for number in done}

    def delete(self, receipts: Sequence[str]) -> set[str]:
        """Delete messages; the receipts of those that SQS has deleted."""
        entries = [{"Id": str(n), "ReceiptHandle": r} for n, r in enumerate(receipts)]
        done = self._in_tens(
            "sqs:DeleteMessage",
            entries,
            lambda some: self._client.delete_message_batch(QueueUrl=self.url, Entries=some),
        )
        return {receipts[int(number)] for number in done}

    def send(self, letters: Sequence[Letter], url: str) -> set[str]:
        """Send copies of messages to another queue; the receipts of those that were sent.

        A copy has a new id. It keeps the message attributes of its sender.
        """
        entries = [
            {
                "Id": str(n),
                "MessageBody": letter.body,
                "MessageAttributes": {
                    name: value for name, value in letter.attributes.items() if name not in _ADDED
                },
            }
            for n, letter in enumerate(letters)
        ]
        done: set[str] = set()
        for some in _by_size(entries):
            done |= self._in_tens(
                "sqs:SendMessage",
                some,
                lambda few: self._client.send_message_batch(QueueUrl=url, Entries=few),
                url,
            )
        return {letters[int(number)].receipt for number in done}

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

    def _call(self, action: str, call: Callable[[], _T], url: str | None = None) -> _T:
        return called(action, url or self.url, call)

    def _in_tens(
        self,
        action: str,
        entries: Sequence[Any],
        call: Callable[[Sequence[Any]], Any],
        url: str | None = None,
    ) -> set[str]:
        """Call with ten entries at a time; returns the ids of the entries that SQS has handled.

        Entries that SQS failed to handle are retried; those that it rejects are not.
        """
        done: set[str] = set()
        for start in range(0, len(entries), MOST_AT_ONCE):
            some = entries[start : start + MOST_AT_ONCE]
            for failures in range(_ATTEMPTS):
                if failures:
                    time.sleep(pause(failures, _PAUSE_SECONDS))
                now = some
                answer = self._call(action, lambda now=now: call(now), url)  # type: ignore[misc]
                failed = {e["Id"]: e.get("SenderFault", False) for e in answer.get("Failed") or ()}
                done |= {entry["Id"] for entry in some if entry["Id"] not in failed}
                some = [entry for entry in some if failed.get(entry["Id"]) is False]
                if not some:
                    break
        return done


def open_dead_letter_queue(url: str) -> DeadLetterQueue:
    """Open a dead-letter queue, in the region that its URL names or else in that of boto3.

    Raises:
        ConfigurationError: the region is missing, or the endpoint is no URL.
    """
    host = url.partition("://")[2].partition("/")[0].partition(":")[0]
    client = open_client("sqs", CONFIG, region_in(host))
    check_endpoint(client, url)
    return DeadLetterQueue(client, url)


def called(action: str, resource: str, call: Callable[[], _T]) -> _T:
    """Call AWS.

    Args:
        action: IAM's name of the action.
        resource: the URL of the queue, or the ARN, that the call is about.
        call: makes the call.

    Raises:
        QueueError: AWS rejects the call or can't be reached.
    """
    try:
        return call()
    except ERRORS as error:
        _raise(action, resource, error)


def _raise(action: str, resource: str, error: Error) -> NoReturn:
    code = ""
    if isinstance(error, ClientError):
        code = str(error.response.get("Error", {}).get("Code", ""))
        text = error_text(error)
    else:
        text = " ".join(str(error).split()).rstrip(".")
    problem = f"{action} on {resource} failed: {text}"
    lasting = True
    if code in _DENIED:
        key = "KMS" in code or "Kms" in code or "kms:" in text
        needed = "kms:Decrypt and kms:GenerateDataKey on its key" if key else action
        problem += (
            f". Your AWS user or role needs {needed}: Terraform gives it to the worker with "
            "consumer_may_redrive = true, and prints the policy for others as the output "
            "dlq_operator_policy"
        )
    elif code in _NO_QUEUE:
        problem += ": check the URL of the queue and AWS_REGION"
    elif isinstance(error, NoCredentialsError | PartialCredentialsError):
        problem += ": name a profile in AWS_PROFILE, or set AWS_ACCESS_KEY_ID and its secret"
    else:
        lasting = False
    raise QueueError(problem, lasting=lasting, code=code or type(error).__name__) from error


def _letter(message: Any) -> Letter:
    plain = received(
        message.get("MessageId", ""),
        message["ReceiptHandle"],
        message.get("Body", ""),
        message.get("Attributes") or {},
    )
    attributes = message.get("MessageAttributes") or {}
    return Letter(**msgspec.structs.asdict(plain), attributes=attributes)


def _by_size(entries: Iterable[Any]) -> Iterator[list[Any]]:
    """Entries of messages in groups that one call may carry, by their number and their size."""
    some: list[Any] = []
    size = 0
    for entry in entries:
        more = _size(entry)
        if some and (len(some) == MOST_AT_ONCE or size + more > _MOST_BYTES_AT_ONCE):
            yield some
            some, size = [], 0
        some.append(entry)
        size += more
    if some:
        yield some


def _size(entry: Any) -> int:
    """The size of a message by SQS's rules: the body, and names, types and values of attributes."""
    size = len(entry["MessageBody"].encode())
    for name, value in entry["MessageAttributes"].items():
        size += len(name.encode()) + len(value.get("DataType", ""))
        size += len(value.get("StringValue", "").encode()) + len(value.get("BinaryValue", b""))
    return size
