"""Sends copies of dead letters to a queue."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from botocore.config import Config

from sesbounce.aws.clients import open_sqs
from sesbounce.aws.dead_letters import CODE, MESSAGE, Letter
from sesbounce.aws.queue_calls import CONFIG, MOST_AT_ONCE, called_in_tens

if TYPE_CHECKING:
    from types_boto3_sqs.client import SQSClient

# The size of all messages in one call to which every queue of SQS agrees.
_MOST_BYTES_AT_ONCE = 256 * 1024
# What SNS and Lambda add to a message that they could not deliver.
_ADDED = frozenset({CODE, MESSAGE, "RequestID"})


class TargetQueue:
    """The queue to which letters are sent back; it may be in another region than the letters."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def send(self, letters: Sequence[Letter]) -> set[str]:
        """Send copies of letters; the receipts of those that were sent.

        A copy has a new id. It keeps the message attributes of its sender.

        Raises:
            QueueError: SQS rejects a call or can't be reached.
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
            done |= called_in_tens(
                "sqs:SendMessage",
                self._url,
                some,
                lambda few: self._client.send_message_batch(QueueUrl=self._url, Entries=few),
            )
        return {letters[int(number)].receipt for number in done}


def open_target_queue(url: str, config: Config = CONFIG) -> TargetQueue:
    """Open a queue to send to, in the region that its URL names or else in that of boto3.

    Args:
        url: the URL of the queue.
        config: how the client calls, and how often it retries.

    Raises:
        ConfigurationError: the region is missing, or the endpoint is no URL.
    """
    return TargetQueue(open_sqs(url, config), url)


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
