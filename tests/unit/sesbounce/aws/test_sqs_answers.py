"""Answers of SQS, and of what may stand before it: each call by boto3, and directly.

A call that does not succeed directly is made once more by boto3, so both paths end in the same
way: with the answer, or with the same error.
"""

import json
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from sesbounce.aws.received import Received
from sesbounce.aws.sqs import BatchFailures, Queue
from sesbounce.errors import QueueError
from tests.sqs_server import Answer, SqsServer
from tests.support import AT
from tests.unit.sesbounce.aws.conftest import PATHS, Scene, bodies

if TYPE_CHECKING:
    from collections.abc import Callable

MESSAGE = {
    "MessageId": "id-0",
    "ReceiptHandle": "receipt-0-1",
    "Body": 'Zoë\n"\U0001f4e8"',
    "Attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1795176000000"},
}
MESSAGES = Answer.of({"Messages": [MESSAGE]})
HTML = b"<html><body>Please log in to the network.</body></html>"
# What a server may send with status 200 that is no answer of SQS.
NO_ANSWERS = {
    "nothing": Answer.make(200, b""),
    "a page of a proxy": Answer.make(200, HTML, Content_Type="text/html"),
    "bytes that are no text": Answer.make(200, b"\xff\xfe\x00"),
    "gzip that nobody asked for": MESSAGES.zipped(),
    "a list": Answer.of([]),
    "a number": Answer.of(3),
    "null": Answer.of(None),
    "half a body": MESSAGES.cut(60),
    "half a head": MESSAGES.cut(len(MESSAGES.body) + 9),
}
# Answers to a receive that have the wrong shape.
WRONG_SHAPES = {
    "messages that are a text": Answer.of({"Messages": "none"}),
    "messages that are numbers": Answer.of({"Messages": [1]}),
    "a body that is a number": Answer.of({"Messages": [MESSAGE | {"Body": 3}]}),
    "no receipt handle": Answer.of({"Messages": [{"MessageId": "1", "Body": "{}"}]}),
}
# Answers after which boto3 repeats a call by itself.
PASSING = {
    "500": Answer.error(500, "InternalFailure"),
    "502 of a load balancer": Answer.make(502, HTML, Content_Type="text/html"),
    "503": Answer.error(503, "ServiceUnavailable"),
    "503 SlowDown": Answer.error(503, "SlowDown"),
    "throttling": Answer.error(400, "ThrottlingException", "Rate exceeded"),
    "throttling of the older protocol": Answer.error(
        400, "RequestThrottled", x_amzn_query_error="RequestThrottled;Sender"
    ),
    "no answer": Answer(closes=True),
    "what is no HTTP": Answer((b"SSH-2.0-OpenSSH_9.2\r\n",), closes=True),
    "no last chunk": MESSAGES.chunked(50).cut(5),
}
# Errors that a retry does not change, by their codes; and others of which nobody knows.
LASTING = {
    "AWS.SimpleQueueService.NonExistentQueue": Answer.error(
        400,
        "QueueDoesNotExist",
        "The specified queue does not exist.",
        x_amzn_query_error="AWS.SimpleQueueService.NonExistentQueue;Sender",
    ),
    "AccessDenied": Answer.error(
        400, "AccessDeniedException", "no", x_amzn_query_error="AccessDenied;Sender"
    ),
    "AccessDeniedException": Answer.error(400, "AccessDeniedException"),
    "KMS.AccessDeniedException": Answer.error(400, "KMS.AccessDeniedException"),
    "InvalidClientTokenId": Answer.error(403, "InvalidClientTokenId"),
    "UnrecognizedClientException": Answer.error(403, "UnrecognizedClientException"),
    "SignatureDoesNotMatch": Answer.error(403, "SignatureDoesNotMatch", "The signature …"),
    "ExpiredToken": Answer.error(403, "ExpiredToken"),
    "OverLimit": Answer.error(403, "OverLimit"),
    "InternalFailure": Answer.error(500, "InternalFailure"),
    "SlowDown": Answer.error(503, "SlowDown"),
    "307": Answer.make(307, b"", Location="http://127.0.0.1:1/"),
    "403": Answer.make(403, HTML, Content_Type="text/html"),
}


def received(*receipts: str) -> list[Received]:
    return [Received(receipt, receipt, "", 1, AT) for receipt in receipts]


@pytest.mark.parametrize(
    "answer",
    [
        MESSAGES,
        MESSAGES.in_pieces(6, 0.002),
        MESSAGES.chunked(7),
        MESSAGES.chunked(40).in_pieces(9, 0.002),
        Answer((b"HTTP/1.1 100 Continue\r\n\r\n" + MESSAGES.sent,)),
        replace(MESSAGES, closes=True),
        replace(Answer.make(200, MESSAGES.body, Content_Length=""), closes=True),
        replace(MESSAGES, pieces=(MESSAGES.sent.replace(b"1.1", b"1.0", 1),), closes=True),
        Answer.make(200, MESSAGES.body, Content_Type="application/json"),
    ],
    ids=[
        *("whole", "in pieces", "chunked", "chunks in pieces", "after a 100"),
        *("the last", "till the end", "HTTP/1.0", "of another type"),
    ],
)
def test_an_answer_is_read_however_it_comes(scene: Scene, answer: Answer) -> None:
    queue = scene.open()
    scene.server.fail(answer)
    assert queue.receive(0, 60) == [Received("id-0", "receipt-0-1", 'Zoë\n"\U0001f4e8"', 1, AT)]
    if answer.closes:
        scene.server.wait_until_closed()
    # Nothing of an answer is left for the next call to read.
    assert queue.receive(0, 60) == []
    assert scene.paths == [scene.path] * 2


def test_a_receive_a_delete_and_a_change_take_one_call_each(scene: Scene) -> None:
    queue = scene.open()
    scene.server.send("0", "1", "2")
    messages = queue.receive(0, 60)
    assert [(m.id, m.body, m.times, m.sent_at) for m in messages] == [
        (f"id-{n}", str(n), 1, AT) for n in range(3)
    ]
    assert queue.set_visibility([(messages[0], 0)]) == BatchFailures()
    assert queue.delete(messages[1:]) == BatchFailures()
    assert scene.server.deleted == ["1", "2"]
    (again,) = queue.receive(0, 60)
    assert (again.id, again.body, again.times) == ("id-0", "0", 2)
    assert scene.paths == [scene.path] * 4


def test_what_boto3_asks_is_asked(server: SqsServer) -> None:
    """Both paths send the same body to the same address."""
    asked = []
    for path in PATHS:
        queue = Scene(server, path).open()
        server.calls.clear()
        queue.receive(0, 60)
        queue.set_visibility([(message, 7) for message in received('ä"\\', "b")])
        queue.delete(received('ä"\\', "b"))
        asked.append([(c.method, c.target, c.operation, json.loads(c.body)) for c in server.calls])
    assert asked[0] == asked[1]
    assert len(asked[0]) == 3


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING)
def test_after_a_fault_that_passes_boto3_repeats_the_call(scene: Scene, fault: Answer) -> None:
    queue = scene.open()
    scene.server.send("0")
    for call in (lambda: bodies(queue) == ["0"], lambda: queue.delete(received("receipt-0-1"))):
        scene.server.calls.clear()
        scene.server.fail(fault)
        assert call()
        assert scene.paths == [scene.path, "boto3"]
    assert scene.server.deleted == ["0"]


def failures(queue: Queue) -> list[QueueError]:
    """The errors of the three calls."""
    (message,) = received("receipt-0-1")
    calls: tuple[Callable[[], object], ...] = (
        lambda: queue.receive(0, 60),
        lambda: queue.delete([message]),
        lambda: queue.set_visibility([(message, 0)]),
    )
    errors = []
    for call in calls:
        with pytest.raises(QueueError) as caught:
            call()
        errors.append(caught.value)
    return errors


@pytest.mark.parametrize("fault", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_what_is_no_answer_of_sqs_is_an_error(scene: Scene, fault: Answer) -> None:
    queue = scene.open()
    scene.server.send("0")
    scene.server.fail_always(fault)
    for failure in failures(queue):
        assert "the answer is not one of SQS" in str(failure)
        assert not failure.lasting
    scene.server.heal()
    assert bodies(queue) == ["0"]


@pytest.mark.parametrize("fault", WRONG_SHAPES.values(), ids=WRONG_SHAPES)
def test_messages_of_the_wrong_shape_are_an_error(scene: Scene, fault: Answer) -> None:
    queue = scene.open()
    scene.server.send("0")
    scene.server.fail_always(fault)
    with pytest.raises(QueueError, match="the answer is not one of SQS") as caught:
        queue.receive(0, 60)
    assert not caught.value.lasting
    scene.server.heal()
    assert bodies(queue) == ["0"]


@pytest.mark.parametrize("fault", [*NO_ANSWERS.values(), *WRONG_SHAPES.values()])
def test_what_is_no_answer_of_sqs_once_costs_nothing_directly(
    server: SqsServer, fault: Answer
) -> None:
    scene = Scene(server, "direct")
    queue = scene.open()
    server.send("0")
    server.fail(fault)
    assert bodies(queue) == ["0"]
    assert scene.paths == ["direct", "boto3"]


@pytest.mark.parametrize(("code", "fault"), LASTING.items(), ids=LASTING)
def test_both_paths_end_in_the_same_error(server: SqsServer, code: str, fault: Answer) -> None:
    server.fail_always(fault)
    found = []
    for path in PATHS:
        scene = Scene(server, path)
        queue = scene.open()
        server.calls.clear()
        errors = failures(queue)
        assert {error.code for error in errors} == {code}
        found.append([(str(error), error.lasting) for error in errors])
        assert (scene.paths[0], scene.paths[-1]) == (path, "boto3")
    assert found[0] == found[1]


def test_messages_of_an_answer_that_breaks_off_come_again(scene: Scene) -> None:
    queue = scene.open()
    scene.server.send("0", "1")
    scene.server.fail(lambda answer: answer.in_pieces(3, 0.002).cut(30))
    with suppress(QueueError):  # of boto3 alone
        assert queue.receive(0, 60) == []
    assert scene.server.handed_out == 2
    scene.server.surface()
    messages = queue.receive(0, 60)
    assert [(message.body, message.times) for message in messages] == [("0", 2), ("1", 2)]
    assert queue.delete(messages) == BatchFailures()


def failed(*entries: tuple[int, bool]) -> Answer:
    return Answer.of(
        {
            "Successful": [],
            "Failed": [
                {"Id": str(n), "SenderFault": f, "Code": "Code", "Message": "no"}
                for n, f in entries
            ],
        }
    )


def test_entries_that_failed_are_retried_alone(scene: Scene) -> None:
    queue = scene.open()
    scene.server.send("0", "1", "2")
    messages = queue.receive(0, 60)
    scene.server.fail(failed((0, False), (1, True)), failed((0, False)))
    assert queue.delete(messages) == BatchFailures(expired=frozenset(["receipt-1-1"]))
    asked = [
        [entry["ReceiptHandle"] for entry in json.loads(call.body)["Entries"]]
        for call in scene.server.seen("DeleteMessageBatch")
    ]
    assert asked == [[m.receipt for m in messages], ["receipt-0-1"], ["receipt-0-1"]]
    scene.server.fail(*[failed((0, False))] * 4)
    assert queue.set_visibility([(messages[2], 9)]) == BatchFailures(
        failed=frozenset(["receipt-2-1"])
    )
    # An answer that names entries that failed is a success of the call.
    assert scene.paths == [scene.path] * 8


@pytest.mark.parametrize("sender_fault", [True, False])
def test_a_failure_of_an_entry_that_was_not_sent_is_ignored(
    scene: Scene, sender_fault: bool
) -> None:
    queue = scene.open()
    scene.server.fail_always(failed((7, sender_fault)))
    assert queue.delete(received("r")) == BatchFailures()
    assert scene.paths == [scene.path]


def test_receipts_that_have_expired_are_returned(scene: Scene) -> None:
    queue = scene.open()
    scene.server.send("0")
    (first,) = queue.receive(0, 0)
    (second,) = queue.receive(0, 60)
    assert queue.delete([first]) == BatchFailures(expired=frozenset([first.receipt]))
    assert queue.delete([second]) == BatchFailures()
    assert scene.server.left == 0
    assert scene.paths == [scene.path] * 4
