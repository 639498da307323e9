"""SQS's JSON protocol, as far as the worker uses it: three operations and their answers.

The types name only the fields that the worker reads. Answers of boto3's client have the same
names, and are read into the same types.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-making-api-requests-json.html
"""

from typing import Any, Generic, TypeVar

import msgspec

CONTENT_TYPE = "application/x-amz-json-1.0"


class Attributes(msgspec.Struct, frozen=True, rename="pascal"):
    """Attributes of a message. SQS writes them as text; emulators in other ways, or not at all."""

    approximate_receive_count: Any = None
    sent_timestamp: Any = None


class Message(msgspec.Struct, frozen=True, rename="pascal"):
    """A message in the answer to a receive."""

    receipt_handle: str
    message_id: str = ""
    body: str = ""
    attributes: Attributes = Attributes()


class ReceiveAnswer(msgspec.Struct, frozen=True, rename="pascal"):
    """The answer to ReceiveMessage; without messages where the queue has none to deliver."""

    messages: list[Message] | None = None


class Failure(msgspec.Struct, frozen=True, rename="pascal", gc=False):
    """An entry of a batch that SQS did not handle.

    Attributes:
        id: the entry's `Id` in the request.
        sender_fault: whether the entry itself is wrong, so that a retry would not help.
    """

    id: str
    sender_fault: bool = False


class BatchAnswer(msgspec.Struct, frozen=True, rename="pascal"):
    """The answer to DeleteMessageBatch and to ChangeMessageVisibilityBatch."""

    failed: list[Failure] | None = None


_Answer = TypeVar("_Answer")


class Operation(Generic[_Answer]):
    """One operation of SQS.

    Attributes:
        name: the operation's name in SQS's API.
        headers: the headers of its requests, as botocore sends them.
    """

    def __init__(self, name: str, answer: type[_Answer]) -> None:
        self.name = name
        self.headers = {
            "content-type": CONTENT_TYPE,
            "x-amz-target": f"AmazonSQS.{name}",
            "x-amzn-query-mode": "true",
        }
        self._answer = answer
        self._decoder = msgspec.json.Decoder(answer)

    def encode(self, parameters: Any) -> bytes:
        """The body of a request with these parameters, which are those of boto3's method."""
        return msgspec.json.encode(parameters)

    def decode(self, body: bytes) -> _Answer:
        """Read the body of an answer.

        Raises:
            msgspec.DecodeError: it is no answer to this operation.
            UnicodeDecodeError: it is no UTF-8.
        """
        return self._decoder.decode(body)

    def convert(self, answer: Any) -> _Answer:
        """Read an answer that boto3's client has parsed.

        Raises:
            msgspec.ValidationError: it is no answer to this operation.
        """
        return msgspec.convert(answer, self._answer)


RECEIVE = Operation("ReceiveMessage", ReceiveAnswer)
DELETE = Operation("DeleteMessageBatch", BatchAnswer)
SET_VISIBILITY = Operation("ChangeMessageVisibilityBatch", BatchAnswer)
OPERATIONS = (RECEIVE, DELETE, SET_VISIBILITY)
