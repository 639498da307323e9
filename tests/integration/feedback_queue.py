"""A queue and its dead-letter queue in LocalStack, made without Terraform: in a moment."""

import json
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types_boto3_sqs.client import SQSClient

_AT_ONCE = 10
_PATIENCE_SECONDS = 300
_LOOK_AGAIN_SECONDS = 0.1


@dataclass(frozen=True)
class FeedbackQueue:
    """The two queues."""

    sqs: "SQSClient"
    url: str
    dlq_url: str

    @property
    def name(self) -> str:
        return self.url.rpartition("/")[2]

    @property
    def arn(self) -> str:
        answer = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])
        return answer["Attributes"]["QueueArn"]

    def send(self, bodies: Sequence[str]) -> None:
        for start in range(0, len(bodies), _AT_ONCE):
            some = bodies[start : start + _AT_ONCE]
            answer = self.sqs.send_message_batch(
                QueueUrl=self.url,
                Entries=[{"Id": str(n), "MessageBody": body} for n, body in enumerate(some)],
            )
            assert "Failed" not in answer

    @property
    def visible(self) -> int:
        return self._count("ApproximateNumberOfMessages")

    @property
    def in_flight(self) -> int:
        return self._count("ApproximateNumberOfMessagesNotVisible")

    @property
    def dead(self) -> int:
        return self._count("ApproximateNumberOfMessages", self.dlq_url)

    def surface(self, receipts: Iterable[str]) -> None:
        """Have messages come again at once, as they would by the visibility timeout."""
        for receipt in receipts:
            # By now the timeout may have passed by itself.
            with suppress(self.sqs.exceptions.MessageNotInflight):
                self.sqs.change_message_visibility(
                    QueueUrl=self.url, ReceiptHandle=receipt, VisibilityTimeout=0
                )

    def receive(self, wait_seconds: int) -> list[str]:
        """Receive as another consumer does; the receipts of what comes."""
        answer = self.sqs.receive_message(
            QueueUrl=self.url, MaxNumberOfMessages=_AT_ONCE, WaitTimeSeconds=wait_seconds
        )
        return [message["ReceiptHandle"] for message in answer.get("Messages", [])]

    def take_dead(self) -> list[str]:
        """The bodies of ten messages that were given up, at most."""
        answer = self.sqs.receive_message(QueueUrl=self.dlq_url, MaxNumberOfMessages=_AT_ONCE)
        return [message["Body"] for message in answer.get("Messages", [])]

    def is_done(self) -> None:
        """See that nothing is left, neither waiting nor in flight, and that nothing was given up.

        Deletes that are on their way are waited for.
        """
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while left := (self.visible, self.in_flight):
            if left == (0, 0):
                break
            assert time.monotonic() < deadline, left
            time.sleep(_LOOK_AGAIN_SECONDS)
        assert self.dead == 0

    def _count(self, name: str, url: str | None = None) -> int:
        answer = self.sqs.get_queue_attributes(QueueUrl=url or self.url, AttributeNames=["All"])
        return int(answer["Attributes"][name])  # type: ignore[index]


@contextmanager
def feedback_queue(sqs: "SQSClient", max_receives: int) -> Iterator[FeedbackQueue]:
    """Fresh queues, gone afterwards."""
    name = f"faults-{uuid.uuid4().hex}"
    dlq_url = sqs.create_queue(QueueName=f"{name}-dlq")["QueueUrl"]
    told = sqs.get_queue_attributes(QueueUrl=dlq_url, AttributeNames=["QueueArn"])
    redrive = {
        "deadLetterTargetArn": told["Attributes"]["QueueArn"],
        "maxReceiveCount": str(max_receives),
    }
    url = sqs.create_queue(QueueName=name, Attributes={"RedrivePolicy": json.dumps(redrive)})[
        "QueueUrl"
    ]
    yield FeedbackQueue(sqs, url, dlq_url)
    for queue in (url, dlq_url):
        sqs.delete_queue(QueueUrl=queue)
