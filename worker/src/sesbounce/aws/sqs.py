"""The SQS queue: receives, deletes and counts messages, and changes their visibility."""

import http.client
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias, TypeVar

import msgspec
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.parsers import ResponseParserError

from sesbounce.aws.clients import check_endpoint, open_client
from sesbounce.aws.depth import Depth
from sesbounce.aws.received import Received, number, received
from sesbounce.aws.sqs_direct import DirectCalls, open_direct_calls
from sesbounce.aws.sqs_protocol import (
    DELETE,
    OPERATIONS,
    RECEIVE,
    SET_VISIBILITY,
    BatchAnswer,
    Operation,
)
from sesbounce.backoff import pause
from sesbounce.errors import QueueError

if TYPE_CHECKING:
    from types_boto3_sqs.client import SQSClient
    from types_boto3_sqs.literals import QueueAttributeNameType
    from types_boto3_sqs.type_defs import (
        ChangeMessageVisibilityBatchRequestEntryTypeDef,
        DeleteMessageBatchRequestEntryTypeDef,
        ReceiveMessageRequestTypeDef,
    )

# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
MOST_AT_ONCE = 10
MOST_IN_FLIGHT = 120_000

# The number of attempts for entries of a batch that SQS could not handle, and the longest first
# pause between them.
_ATTEMPTS = 4
_PAUSE_SECONDS = 0.2
# Seconds to wait for an answer, in addition to the wait of a long poll, before the call fails.
_TIMEOUT_SECONDS = 10

_WRONG_QUEUE = "check SESBOUNCE_QUEUE_URL and AWS_REGION"
_NO_PERMISSION = "the worker's role needs the policy of the Terraform module queue_consumer"
_NO_KEY = "the worker's role needs kms:Decrypt on the key that encrypts the queue"
_WRONG_CREDENTIALS = "the AWS credentials are wrong"
# Error codes that a retry does not change, and what to do about them.
_LASTING = {
    "AWS.SimpleQueueService.NonExistentQueue": _WRONG_QUEUE,
    "QueueDoesNotExist": _WRONG_QUEUE,
    "InvalidAddress": _WRONG_QUEUE,
    "AccessDenied": _NO_PERMISSION,
    "AccessDeniedException": _NO_PERMISSION,
    "KmsAccessDenied": _NO_KEY,
    "KMS.AccessDeniedException": _NO_KEY,
    "InvalidClientTokenId": _WRONG_CREDENTIALS,
    "UnrecognizedClientException": _WRONG_CREDENTIALS,
    "SignatureDoesNotMatch": _WRONG_CREDENTIALS,
}
_CLOCK = "this machine's clock is wrong"
# Error codes that may end without an action, and what they mean.
_PASSING = {
    "ExpiredToken": "the AWS credentials have expired",
    "ExpiredTokenException": "the AWS credentials have expired",
    "RequestExpired": _CLOCK,
    "RequestTimeTooSkewed": _CLOCK,
    "OverLimit": f"{MOST_IN_FLIGHT:,} messages are in flight, the limit of SQS",
}


# The last three: the answer is not one of SQS, but perhaps of a proxy or of a load balancer.
_NO_ANSWER = (ResponseParserError, msgspec.DecodeError, UnicodeDecodeError)
_ERRORS = (ClientError, BotoCoreError, *_NO_ANSWER)
_Error: TypeAlias = (
    ClientError | BotoCoreError | ResponseParserError | msgspec.DecodeError | UnicodeDecodeError
)
_Answer = TypeVar("_Answer")


class BatchFailures(msgspec.Struct, frozen=True):
    """The messages for which a batch call failed, by their receipt handles.

    Attributes:
        expired: their receipt handles are no longer valid: other receivers get the messages.
        failed: SQS failed to handle them, in spite of retries.
    """

    expired: frozenset[str] = frozenset()
    failed: frozenset[str] = frozenset()

    @property
    def count(self) -> int:
        """The number of messages."""
        return len(self.expired) + len(self.failed)


class Queue:
    """One SQS queue. It may be used by several threads at once.

    Receives, deletes and changes of visibility go by the direct path where there is one. What
    is not a plain success there, and all else, goes by boto3's client.

    Every method raises `QueueError` where SQS rejects the call or can't be reached.
    """

    def __init__(self, client: "SQSClient", url: str, direct: DirectCalls | None = None) -> None:
        self._client = client
        self._url = url
        self._direct = direct

    def beside(self, url: str) -> "Queue":
        """Another queue, by the same client."""
        return Queue(self._client, url)

    def receive(self, wait_seconds: int, visibility_seconds: int) -> list[Received]:
        """Receive at most ten messages.

        Args:
            wait_seconds: how long SQS waits for the first message.
            visibility_seconds: how long the messages stay invisible to other receivers.
        """
        request: ReceiveMessageRequestTypeDef = {
            "QueueUrl": self._url,
            "MaxNumberOfMessages": MOST_AT_ONCE,
            "WaitTimeSeconds": wait_seconds,
            "VisibilityTimeout": visibility_seconds,
            "MessageSystemAttributeNames": ["ApproximateReceiveCount", "SentTimestamp"],
        }

        began = time.monotonic()

        def by_client(**request: Any) -> Any:
            # A direct call that failed late has waited already.
            waited = int(time.monotonic() - began)
            request["WaitTimeSeconds"] = max(wait_seconds - waited, 0)
            return self._client.receive_message(**request)

        try:
            answer = self._call(RECEIVE, request, wait_seconds + _TIMEOUT_SECONDS, by_client)
        except _ERRORS as error:
            _raise("can't receive messages (sqs:ReceiveMessage)", error)
        return [
            received(
                message.message_id,
                message.receipt_handle,
                message.body,
                message.attributes.approximate_receive_count,
                message.attributes.sent_timestamp,
            )
            for message in answer.messages or ()
        ]

    def delete(self, messages: Sequence[Received]) -> BatchFailures:
        """Delete at most ten messages. SQS delivers the others again after their timeout."""
        entries: list[DeleteMessageBatchRequestEntryTypeDef] = [
            {"Id": str(i), "ReceiptHandle": m.receipt} for i, m in enumerate(messages)
        ]
        problem = "can't delete messages (sqs:DeleteMessage)"
        return self._call_batch(problem, DELETE, entries, self._client.delete_message_batch)

    def set_visibility(self, messages: Sequence[tuple[Received, int]]) -> BatchFailures:
        """Make at most ten messages visible after the given seconds, counted from now."""
        entries: list[ChangeMessageVisibilityBatchRequestEntryTypeDef] = [
            {"Id": str(i), "ReceiptHandle": m.receipt, "VisibilityTimeout": after}
            for i, (m, after) in enumerate(messages)
        ]
        problem = "can't change the visibility of messages (sqs:ChangeMessageVisibility)"
        by_client = self._client.change_message_visibility_batch
        return self._call_batch(problem, SET_VISIBILITY, entries, by_client)

    def depth(self) -> Depth:
        """The approximate number of messages.

        SQS always knows it. Of an emulator's answer, what is no number is not known.
        """
        names: list[QueueAttributeNameType] = [
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesDelayed",
        ]
        try:
            answer = self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=names)
        except _ERRORS as error:
            _raise("can't read the queue's attributes (sqs:GetQueueAttributes)", error)
        attributes = answer.get("Attributes") or {}
        return Depth(*(number(attributes.get(name)) for name in names))

    def _call_batch(
        self,
        problem: str,
        operation: Operation[BatchAnswer],
        entries: Sequence[Any],
        by_client: Callable[..., Any],
    ) -> BatchFailures:
        """Call with all entries, and retry those that SQS failed to handle."""
        expired: set[str] = set()
        for failures in range(_ATTEMPTS):
            if failures:
                time.sleep(pause(failures, _PAUSE_SECONDS))
            request = {"QueueUrl": self._url, "Entries": entries}
            try:
                answer = self._call(operation, request, _TIMEOUT_SECONDS, by_client)
            except _ERRORS as error:
                _raise(problem, error)
            failed = {entry.id: entry.sender_fault for entry in answer.failed or ()}
            # SenderFault: the receipt handle is no longer valid.
            expired |= {e["ReceiptHandle"] for e in entries if failed.get(e["Id"])}
            entries = [e for e in entries if failed.get(e["Id"]) is False]
            if not entries:
                break
        return BatchFailures(frozenset(expired), frozenset(e["ReceiptHandle"] for e in entries))

    def _call(
        self,
        operation: Operation[_Answer],
        request: Mapping[str, Any],
        timeout_seconds: float,
        by_client: Callable[..., Any],
    ) -> _Answer:
        """Call directly, or else by the client."""
        if self._direct:
            answer = self._direct.call(operation, request, timeout_seconds)
            if answer is not None:
                return answer
        return operation.convert(by_client(**request))


def open_queue(url: str, wait_seconds: int, connections: int, *, direct: bool = True) -> Queue:
    """Open the queue at `url`, with boto3's own settings (`AWS_REGION`, credentials, …).

    Args:
        url: the URL of the queue.
        wait_seconds: the longest `wait_seconds` of a receive.
        connections: how many calls may run at once.
        direct: whether receives, deletes and changes of visibility may go without boto3's client.

    Raises:
        ConfigurationError: the region is missing, or the endpoint is no URL.
    """
    config = Config(
        retries={"mode": "standard", "total_max_attempts": 4},
        max_pool_connections=connections,
        connect_timeout=_TIMEOUT_SECONDS,
        read_timeout=wait_seconds + _TIMEOUT_SECONDS,
        tcp_keepalive=True,
        # mypy checks the few calls here; boto3's check at run time costs a tenth of a call.
        parameter_validation=False,
    )
    client = open_client("sqs", config)
    check_endpoint(client, url)
    calls = open_direct_calls(client) if direct else None
    # After the direct path has looked for hooks that only the client would run.
    for operation in OPERATIONS:
        check = partial(_check_answer, operation)
        client.meta.events.register(f"before-parse.sqs.{operation.name}", check)
    return Queue(client, url, calls)


def _check_answer(operation: Operation[Any], response_dict: Mapping[str, Any], **_: object) -> None:
    """Raise an error for an answer that is not one of SQS, before botocore's parser reads it.

    That parser takes a success whose body is no JSON (a page of a proxy, half an answer) for an
    empty answer: a queue without messages, or a delete without failures.
    """
    if response_dict["status_code"] < http.client.MULTIPLE_CHOICES:
        operation.decode(response_dict["body"])


def _raise(what: str, error: _Error) -> NoReturn:
    code = (
        str(error.response.get("Error", {}).get("Code", ""))
        if isinstance(error, ClientError)
        else ""
    )
    lasting = isinstance(error, NoCredentialsError | PartialCredentialsError)
    advice = _PASSING.get(code)
    if "Signature expired" in str(error) or "Signature not yet current" in str(error):
        advice = _CLOCK
    elif code in _LASTING:
        lasting, advice = True, _LASTING[code]
    elif isinstance(error, _NO_ANSWER):
        what += ": the answer is not one of SQS"
    problem = f"{what}: {error}" + (f": {advice}" if advice else "")
    raise QueueError(problem, lasting=lasting, code=code or type(error).__name__) from error
