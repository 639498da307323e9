"""Answers of SQS that LocalStack never gives, from a stub of the client."""

from collections.abc import Sequence
from typing import Any

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError

from sesbounce.aws import sqs
from sesbounce.aws.depth import Depth
from sesbounce.aws.received import Received
from sesbounce.aws.sqs import BatchFailures, Queue
from sesbounce.errors import QueueError
from tests.support import AT

URL = "https://sqs.us-east-1.amazonaws.com/000000000000/feedback"


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqs, "_PAUSE_SECONDS", 0.001)


class Client:
    """Returns the given answers one after the other, and keeps the entries of each call."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.calls: list[list[str]] = []

    def _answer(self, Entries: Sequence[Any] = (), **_: object) -> Any:  # noqa: N803
        self.calls.append([entry["ReceiptHandle"] for entry in Entries])
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    receive_message = delete_message_batch = change_message_visibility_batch = _answer
    get_queue_attributes = _answer


def queue_with(*answers: Any) -> tuple[Queue, Client]:
    client = Client(*answers)
    return Queue(client, URL), client  # type: ignore[arg-type]


def received(count: int) -> list[Received]:
    return [Received(f"id-{n}", f"r{n}", "", 1, AT) for n in range(count)]


def failed(*entries: tuple[int, bool]) -> dict[str, Any]:
    return {"Failed": [{"Id": str(n), "SenderFault": f, "Code": "Code"} for n, f in entries]}


def failure(code: str, message: str = "no") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "ReceiveMessage")


def message(**attributes: str) -> dict[str, Any]:
    return {"MessageId": "1", "ReceiptHandle": "r", "Body": "{}", "Attributes": attributes}


def test_a_message_is_returned_with_what_sqs_says_of_it() -> None:
    told = message(ApproximateReceiveCount="3", SentTimestamp="1795176000000")
    queue, _ = queue_with({"Messages": [told]})
    assert queue.receive(0, 60) == [Received("1", "r", "{}", 3, AT)]


@pytest.mark.parametrize(
    "told",
    [
        message(),
        {"MessageId": "1", "ReceiptHandle": "r", "Body": "{}"},
        message(ApproximateReceiveCount="many", SentTimestamp="now"),
        message(ApproximateReceiveCount="-1", SentTimestamp="99999999999999999999"),
        message(ApproximateReceiveCount="0", SentTimestamp=""),
    ],
)
def test_what_an_emulator_does_not_say_of_a_message_is_not_known(told: dict[str, Any]) -> None:
    queue, _ = queue_with({"Messages": [told]})
    assert queue.receive(0, 60) == [Received("1", "r", "{}", 1, None)]


@pytest.mark.parametrize("answer", [{}, {"Messages": []}, {"Messages": None}])
def test_an_answer_without_messages_is_empty(answer: dict[str, Any]) -> None:
    queue, _ = queue_with(answer)
    assert queue.receive(0, 60) == []


@pytest.mark.parametrize(
    ("attributes", "depth"),
    [
        (("1", "2", "3"), Depth(1, 2, 3)),
        (("1", None, "3"), Depth(1, None, 3)),
        (("-1", "2.5", "many"), Depth()),
        (("", "NaN", "9" * 5000), Depth()),
    ],
)
def test_of_a_depth_what_is_no_number_is_not_known(
    attributes: tuple[str | None, ...], depth: Depth
) -> None:
    kinds = ("", "NotVisible", "Delayed")
    told = {
        f"ApproximateNumberOfMessages{kind}": number
        for kind, number in zip(kinds, attributes, strict=True)
        if number is not None
    }
    queue, _ = queue_with({"Attributes": told})
    assert queue.depth() == depth


@pytest.mark.parametrize("answer", [{}, {"Attributes": None}])
def test_a_depth_without_attributes_is_not_known(answer: dict[str, Any]) -> None:
    queue, _ = queue_with(answer)
    assert queue.depth() == Depth()


def test_a_failure_that_does_not_say_whose_fault_it_is_is_retried() -> None:
    queue, client = queue_with({"Failed": [{"Id": "0"}]}, {"Failed": None})
    assert queue.delete(received(1)) == BatchFailures()
    assert len(client.calls) == 2


def test_a_batch_without_failures_takes_one_call() -> None:
    queue, client = queue_with({"Successful": []})
    assert queue.delete(received(3)) == BatchFailures()
    assert client.calls == [["r0", "r1", "r2"]]


def test_entries_that_sqs_failed_to_delete_are_retried_alone() -> None:
    queue, client = queue_with(failed((1, False), (2, False)), failed((2, False)), {})
    assert queue.delete(received(3)) == BatchFailures()
    assert client.calls == [["r0", "r1", "r2"], ["r1", "r2"], ["r2"]]


def test_expired_receipts_are_returned_and_not_retried() -> None:
    queue, client = queue_with(failed((0, True), (1, False)), {})
    assert queue.delete(received(2)) == BatchFailures(expired=frozenset(["r0"]))
    assert client.calls == [["r0", "r1"], ["r1"]]


def test_after_four_attempts_the_entries_have_failed() -> None:
    queue, client = queue_with(*[failed((0, False))] * 9)
    assert queue.delete(received(2)) == BatchFailures(failed=frozenset(["r0"]))
    assert len(client.calls) == 4


def test_changes_of_visibility_are_retried_in_the_same_way() -> None:
    queue, client = queue_with(failed((0, False), (1, True)), {})
    messages = [(message, 60) for message in received(3)]
    assert queue.set_visibility(messages) == BatchFailures(expired=frozenset(["r1"]))
    assert client.calls == [["r0", "r1", "r2"], ["r0"]]


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (failure("AWS.SimpleQueueService.NonExistentQueue"), "check SESBOUNCE_QUEUE_URL"),
        (failure("AccessDenied"), "policy of the Terraform module queue_consumer"),
        (failure("KMS.AccessDeniedException"), "kms:Decrypt"),
        (failure("InvalidClientTokenId"), "credentials are wrong"),
        (
            failure("SignatureDoesNotMatch", "The signature does not match"),
            "credentials are wrong",
        ),
        (NoCredentialsError(), "Unable to locate credentials"),
    ],
)
def test_some_errors_last(error: Exception, advice: str) -> None:
    queue, _ = queue_with(error)
    with pytest.raises(QueueError, match=advice) as caught:
        queue.receive(0, 60)
    assert caught.value.lasting


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (failure("ThrottlingException", "Rate exceeded"), "Rate exceeded"),
        (failure("InternalFailure"), "InternalFailure"),
        (failure("ServiceUnavailable"), "ServiceUnavailable"),
        (failure("OverLimit"), "120,000 messages are in flight"),
        (failure("ExpiredToken"), "credentials have expired"),
        (failure("SignatureDoesNotMatch", "Signature expired: 2026…"), "clock is wrong"),
        (failure("RequestTimeTooSkewed"), "clock is wrong"),
        (EndpointConnectionError(endpoint_url=URL), "Could not connect"),
        (ReadTimeoutError(endpoint_url=URL), "Read timeout"),
        (BotoCoreError(), "An unspecified error"),
        (ResponseParserError("<html>"), "html"),
        (ClientError({"Error": {}}, "ReceiveMessage"), "Unknown"),
    ],
)
def test_others_may_pass(error: Exception, advice: str) -> None:
    queue, _ = queue_with(error, error, error, error)
    for call in (
        lambda: queue.receive(0, 60),
        queue.depth,
        lambda: queue.delete(received(1)),
        lambda: queue.set_visibility([(received(1)[0], 1)]),
    ):
        with pytest.raises(QueueError, match=advice) as caught:
            call()
        assert not caught.value.lasting
