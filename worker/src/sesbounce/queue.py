"""The SQS queue: receive, delete, give back, count."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NoReturn

import msgspec
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from sesbounce.aws import open_client
from sesbounce.errors import QueueError

if TYPE_CHECKING:
    from types_boto3_sqs.client import SQSClient
    from types_boto3_sqs.literals import QueueAttributeNameType
    from types_boto3_sqs.type_defs import DeleteMessageBatchRequestEntryTypeDef

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
MOST_AT_ONCE = 10
_LONGEST_DELAY_SECONDS = 900

_ADVICE = {
    "AWS.SimpleQueueService.NonExistentQueue": "check SESBOUNCE_QUEUE_URL and AWS_REGION",
    "QueueDoesNotExist": "check SESBOUNCE_QUEUE_URL and AWS_REGION",
    "AccessDenied": "the worker's role needs the policy of the Terraform module queue_consumer",
    "AccessDeniedException": "the worker's role needs the policy of the module queue_consumer",
    "InvalidClientTokenId": "the AWS credentials are wrong",
    "ExpiredToken": "the AWS credentials have expired",
}


class Received(msgspec.Struct, frozen=True):
    """One message in hand.

    Attributes:
        id: SQS's message id.
        receipt: what it takes to delete it or give it back.
        body: what SNS delivered.
        times: how many times it has been received, this one included.
        sent_at: when it was sent to the queue, UTC.
    """

    id: str
    receipt: str
    body: str
    times: int
    sent_at: datetime


class Queue:
    """One SQS queue. Every method raises `QueueError` where SQS refuses or can't be reached."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def receive(self, wait_seconds: int) -> list[Received]:
        """At most ten messages; waits for the first one."""
        try:
            answer = self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=MOST_AT_ONCE,
                WaitTimeSeconds=wait_seconds,
                MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp"],
            )
        except (ClientError, BotoCoreError) as error:
            _refuse("can't receive", error)
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

    def delete(self, messages: Sequence[Received]) -> int:
        """Delete at most ten messages; returns how many SQS did not delete.

        Those come again and are recognised as known.
        """
        if not messages:
            return 0
        entries: list[DeleteMessageBatchRequestEntryTypeDef] = [
            {"Id": str(i), "ReceiptHandle": message.receipt} for i, message in enumerate(messages)
        ]
        try:
            answer = self._client.delete_message_batch(QueueUrl=self._url, Entries=entries)
        except (ClientError, BotoCoreError) as error:
            _refuse("can't delete", error)
        return len(answer.get("Failed", []))

    def give_back(self, message: Received) -> int:
        """Have a message come again, later each time, until SQS moves it to the DLQ.

        Returns the delay in seconds: 1, 2, 4, … by the number of receives.
        """
        delay = min(1 << (message.times - 1), _LONGEST_DELAY_SECONDS)
        try:
            self._client.change_message_visibility(
                QueueUrl=self._url, ReceiptHandle=message.receipt, VisibilityTimeout=delay
            )
        except (ClientError, BotoCoreError) as error:
            _refuse("can't give back a message", error)
        return delay

    def depth(self) -> int:
        """How many messages there are, in flight and delayed ones included, approximately."""
        names: list[QueueAttributeNameType] = [
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesDelayed",
        ]
        try:
            answer = self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=names)
        except (ClientError, BotoCoreError) as error:
            _refuse("can't read the queue's attributes", error)
        return sum(int(answer["Attributes"][name]) for name in names)


def open_queue(url: str) -> Queue:
    """The queue at `url`, with boto3's own settings (`AWS_REGION`, credentials, …).

    Raises:
        ConfigurationError: the region is missing, or the endpoint is no URL.
    """
    retries = Config(retries={"mode": "standard", "total_max_attempts": 8})
    return Queue(open_client("sqs", retries), url)


def _refuse(what: str, error: ClientError | BotoCoreError) -> NoReturn:
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
    advice = _ADVICE.get(code)
    raise QueueError(f"the queue {what}: {error}" + (f": {advice}" if advice else "")) from error
