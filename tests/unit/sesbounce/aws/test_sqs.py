"""What SQS answers that LocalStack can't be made to answer, by a client of ours."""

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

from sesbounce.aws import sqs
from sesbounce.aws.sqs import Queue, Received, Unsettled
from sesbounce.errors import QueueError
from tests.support import AT

URL = "https://sqs.us-east-1.amazonaws.com/000000000000/feedback"


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqs, "_PAUSE_SECONDS", 0.001)


class Client:
    """Answers of SQS, one after the other; notes the entries that it was asked about."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[list[str]] = []

    def _answer(self, Entries: Sequence[Any] = (), **_: object) -> Any:  # noqa: N803
        self.asked.append([entry["ReceiptHandle"] for entry in Entries])
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    receive_message = delete_message_batch = change_message_visibility_batch = _answer
    get_queue_attributes = _answer


def asking(*answers: Any) -> tuple[Queue, Client]:
    client = Client(*answers)
    return Queue(client, URL), client  # type: ignore[arg-type]


def received(count: int) -> list[Received]:
    return [Received(f"id-{n}", f"r{n}", "", 1, AT) for n in range(count)]


def failed(*entries: tuple[int, bool]) -> dict[str, Any]:
    return {"Failed": [{"Id": str(n), "SenderFault": ours, "Code": "Code"} for n, ours in entries]}


def refused(code: str, message: str = "no") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "ReceiveMessage")


def test_what_is_all_deleted_is_asked_for_once() -> None:
    queue, client = asking({"Successful": []})
    assert queue.delete(received(3)) == Unsettled()
    assert client.asked == [["r0", "r1", "r2"]]


def test_entries_that_sqs_failed_to_delete_are_tried_again_alone() -> None:
    queue, client = asking(failed((1, False), (2, False)), failed((2, False)), {})
    assert queue.delete(received(3)) == Unsettled()
    assert client.asked == [["r0", "r1", "r2"], ["r1", "r2"], ["r2"]]


def test_expired_receipts_are_counted_and_not_tried_again() -> None:
    queue, client = asking(failed((0, True), (1, False)), {})
    assert queue.delete(received(2)) == Unsettled(expired=frozenset(["r0"]))
    assert client.asked == [["r0", "r1"], ["r1"]]


def test_it_is_given_up_in_the_end() -> None:
    queue, client = asking(*[failed((0, False))] * 9)
    assert queue.delete(received(2)) == Unsettled(failed=frozenset(["r0"]))
    assert len(client.asked) == 4


def test_visibility_is_set_in_the_same_way() -> None:
    queue, client = asking(failed((0, False), (1, True)), {})
    messages = [(message, 60) for message in received(3)]
    assert queue.set_visibility(messages) == Unsettled(expired=frozenset(["r1"]))
    assert client.asked == [["r0", "r1", "r2"], ["r0"]]


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (refused("AWS.SimpleQueueService.NonExistentQueue"), "check SESBOUNCE_QUEUE_URL"),
        (refused("AccessDenied"), "policy of the Terraform module queue_consumer"),
        (refused("KMS.AccessDeniedException"), "kms:Decrypt"),
        (refused("InvalidClientTokenId"), "credentials are wrong"),
        (refused("SignatureDoesNotMatch", "The signature does not match"), "credentials are wrong"),
        (NoCredentialsError(), "Unable to locate credentials"),
    ],
)
def test_some_errors_last(error: Exception, advice: str) -> None:
    queue, _ = asking(error)
    with pytest.raises(QueueError, match=advice) as caught:
        queue.receive(0, 60)
    assert caught.value.lasting


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (refused("ThrottlingException", "Rate exceeded"), "Rate exceeded"),
        (refused("InternalFailure"), "InternalFailure"),
        (refused("ServiceUnavailable"), "ServiceUnavailable"),
        (refused("OverLimit"), "120,000 messages are in flight"),
        (refused("ExpiredToken"), "credentials have expired"),
        (refused("SignatureDoesNotMatch", "Signature expired: 2026…"), "clock is wrong"),
        (refused("RequestTimeTooSkewed"), "clock is wrong"),
        (EndpointConnectionError(endpoint_url=URL), "Could not connect"),
        (ReadTimeoutError(endpoint_url=URL), "Read timeout"),
        (BotoCoreError(), "An unspecified error"),
    ],
)
def test_others_may_pass(error: Exception, advice: str) -> None:
    queue, _ = asking(error, error, error, error)
    for ask in (
        lambda: queue.receive(0, 60),
        queue.depth,
        lambda: queue.delete(received(1)),
        lambda: queue.set_visibility([(received(1)[0], 1)]),
    ):
        with pytest.raises(QueueError, match=advice) as caught:
            ask()
        assert not caught.value.lasting
