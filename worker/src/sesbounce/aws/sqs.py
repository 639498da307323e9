"""The SQS queue: receive, delete, change visibility, count."""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NoReturn

import msgspec
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    PartialCredentialsError,
)

from sesbounce.aws.clients import open_client
from sesbounce.aws.depth import Depth
from sesbounce.backoff import pause
from sesbounce.errors import QueueError

if TYPE_CHECKING:
    from types_boto3_sqs.client import SQSClient
    from types_boto3_sqs.literals import QueueAttributeNameType
    from types_boto3_sqs.type_defs import (
        ChangeMessageVisibilityBatchRequestEntryTypeDef,
        DeleteMessageBatchRequestEntryTypeDef,
    )

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
MOST_AT_ONCE = 10
MOST_IN_FLIGHT = 120_000

# How often the entries of a batch are tried that SQS could not handle, and the longest pause.
_TRIES = 4
_PAUSE_SECONDS = 0.2
# What a long poll may take beyond its own wait before the connection is held for dead.
_PATIENCE_SECONDS = 10

_WRONG_QUEUE = "check SESBOUNCE_QUEUE_URL and AWS_REGION"
_NO_RIGHT = "the worker's role needs the policy of the Terraform module queue_consumer"
_NO_KEY = "the worker's role needs kms:Decrypt on the key that encrypts the queue"
_WRONG_CREDENTIALS = "the AWS credentials are wrong"
# What asking again does not change, and what to do about it.
_LASTING = {
    "AWS.SimpleQueueService.NonExistentQueue": _WRONG_QUEUE,
    "QueueDoesNotExist": _WRONG_QUEUE,
    "InvalidAddress": _WRONG_QUEUE,
    "AccessDenied": _NO_RIGHT,
    "AccessDeniedException": _NO_RIGHT,
    "KmsAccessDenied": _NO_KEY,
    "KMS.AccessDeniedException": _NO_KEY,
    "InvalidClientTokenId": _WRONG_CREDENTIALS,
    "UnrecognizedClientException": _WRONG_CREDENTIALS,
    "SignatureDoesNotMatch": _WRONG_CREDENTIALS,
}
_CLOCK = "this machine's clock is wrong"
# What may pass by itself.
_PASSING = {
    "ExpiredToken": "the AWS credentials have expired",
    "ExpiredTokenException": "the AWS credentials have expired",
    "RequestExpired": _CLOCK,
    "RequestTimeTooSkewed": _CLOCK,
    "OverLimit": f"{MOST_IN_FLIGHT:,} messages are in flight, and SQS gives no more",
}


class Received(msgspec.Struct, frozen=True):
    """One message in hand.

    Attributes:
        id: SQS's message id.
        receipt: what it takes to delete it or to change its visibility.
        body: what SNS delivered.
        times: how many times it has been received, this one included.
        sent_at: when it was sent to the queue, UTC.
    """

    id: str
    receipt: str
    body: str
    times: int
    sent_at: datetime


class BatchFailures(msgspec.Struct, frozen=True):
    """Messages to which SQS did not do what it was asked, by their receipts.

    Attributes:
        expired: they are, or will be, visible to others again, and no asking changes that.
        failed: SQS could not do it, in spite of retries.
    """

    expired: frozenset[str] = frozenset()
    failed: frozenset[str] = frozenset()

    @property
    def count(self) -> int:
        """How many messages these are."""
        return len(self.expired) + len(self.failed)


class Queue:
    """One SQS queue. Every method raises `QueueError` where SQS rejects or can't be reached.

    May be used by several threads at once.
    """

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def receive(self, wait_seconds: int, visibility_seconds: int) -> list[Received]:
        """At most ten messages, invisible to others for that long; waits for the first one."""
        try:
            answer = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=MOST_AT_ONCE,
                WaitTimeSeconds=wait_seconds,
                VisibilityTimeout=visibility_seconds,
                MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
            )
        except (ClientError, BotoCoreError) as error:
            _reject("can't receive", error)
        return [
            Received(
                id=message["MessageId"],
                receipt=message["ReceiptHandle"],
                body=message["Body"],
                times=int(message["Attributes"]["ApproximateReceiveCount"]),
                sent_at=datetime.fromtimestamp(
                    int(message["Attributes"]["SentTimestamp"]) / 1000, UTC
                ),
            )
            for message in answer.get("Messages", [])
        ]

    def delete(self, messages: Sequence[Received]) -> BatchFailures:
        """Delete at most ten messages. Those that remain come again and are known then."""
        entries: list[DeleteMessageBatchRequestEntryTypeDef] = [
            {"Id": str(i), "ReceiptHandle": m.receipt} for i, m in enumerate(messages)
        ]
        return _settle(
            "can't delete",
            entries,
            lambda some: self._client.delete_message_batch(QueueUrl=self._url, Entries=some),
        )

    def set_visibility(self, messages: Sequence[tuple[Received, int]]) -> BatchFailures:
        """Have at most ten messages become visible after so many seconds, counted from now."""
        entries: list[ChangeMessageVisibilityBatchRequestEntryTypeDef] = [
            {"Id": str(i), "ReceiptHandle": m.receipt, "VisibilityTimeout": after}
            for i, (m, after) in enumerate(messages)
        ]
        return _settle(
            "can't change the visibility of messages",
            entries,
            lambda some: self._client.change_message_visibility_batch(
                QueueUrl=self._url, Entries=some
            ),
        )

    def depth(self) -> Depth:
        """How many messages there are, approximately."""
        names: list[QueueAttributeNameType] = [
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesDelayed",
        ]
        try:
            answer = self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=names)
        except (ClientError, BotoCoreError) as error:
            _reject("can't read the queue's attributes", error)
        return Depth(*(int(answer["Attributes"][name]) for name in names))


def open_queue(url: str, wait_seconds: int, connections: int) -> Queue:
    """The queue at `url`, with boto3's own settings (`AWS_REGION`, credentials, …).

    Args:
        url: of the queue.
        wait_seconds: how long a receive may wait for messages.
        connections: how many calls may run at once.

    Raises:
        ConfigurationError: the region is missing, or the endpoint is no URL.
    """
    config = Config(
        retries={"mode": "standard", "total_max_attempts": 4},
        max_pool_connections=connections,
        connect_timeout=_PATIENCE_SECONDS,
        read_timeout=wait_seconds + _PATIENCE_SECONDS,
        tcp_keepalive=True,
        # The calls here are few and typed; checking them each time costs a tenth of the call.
        parameter_validation=False,
    )
    return Queue(open_client("sqs", config), url)


def _settle(what: str, entries: Sequence[Any], call: Callable[[Any], Any]) -> BatchFailures:
    """Call with all entries, then again with those that SQS failed to handle."""
    expired: set[str] = set()
    for tried in range(_TRIES):
        if tried:
            time.sleep(pause(tried, _PAUSE_SECONDS))
        try:
            answer = call(entries)
        except (ClientError, BotoCoreError) as error:
            _reject(what, error)
        receipts = {entry["Id"]: entry["ReceiptHandle"] for entry in entries}
        failed = {entry["Id"]: entry["SenderFault"] for entry in answer.get("Failed", [])}
        # A fault of the sender's is a receipt that is no longer good.
        expired |= {receipts[name] for name, ours in failed.items() if ours}
        entries = [e for e in entries if failed.get(e["Id"]) is False]
        if not entries:
            break
    return BatchFailures(frozenset(expired), frozenset(e["ReceiptHandle"] for e in entries))


def _reject(what: str, error: ClientError | BotoCoreError) -> NoReturn:
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
    lasting = isinstance(error, NoCredentialsError | PartialCredentialsError)
    advice = _PASSING.get(code)
    if "Signature expired" in str(error) or "Signature not yet current" in str(error):
        advice = _CLOCK
    elif code in _LASTING:
        lasting, advice = True, _LASTING[code]
    problem = f"the queue {what}: {error}" + (f": {advice}" if advice else "")
    raise QueueError(problem, lasting=lasting) from error
