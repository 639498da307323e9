"""`sesbounce dlq` and the console on real queues: no letter is lost, whatever ends them."""

import dataclasses
import json
import os
import signal
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from botocore.config import Config

from scripts.local.ses_messages import Scenario
from sesbounce.aws.dead_letters import DeadLetterQueue, Letter
from sesbounce.console import letter_queues
from sesbounce.errors import QueueError
from sesbounce.store.engine import open_database
from tests import stored
from tests.console import Site, press, text_of
from tests.integration.feedback_queue import FeedbackQueue, feedback_queue
from tests.integration.proxy import Proxy
from tests.integration.worker_process import COMMAND, Worker
from tests.support import in_sns, mail, said, until

if TYPE_CHECKING:
    from types_boto3_sqs.client import SQSClient

# DEAD_LETTERS=5000 tries as many as a bad day brings; LocalStack needs minutes for them.
LETTERS = int(os.environ.get("DEAD_LETTERS", "200"))
UNDERSTOOD = 3
# Letters in a second, where a process is to be ended in the middle: a busy machine has time for it.
SLOWLY = 5


def letter(number: int) -> str:
    """The body of one letter; there are ten kinds, of which three are understood."""
    about = mail(f"person{number}@example.com", f"mail-{number}")
    broken = said(about=about)
    del broken["bounce"]["bouncedRecipients"]
    return [
        in_sns(said(about=about)),
        json.dumps(said(Scenario.COMPLAINT, about)),
        json.dumps(said(Scenario.SUCCESS, about, "event")),
        f"no JSON {number}",
        json.dumps({"number": number}),
        in_sns(broken),
        json.dumps({"Type": "Notification", "MessageId": str(number)}),
        json.dumps({"Records": [], "number": number}),
        json.dumps({"Records": [{"s3": number}]}),
        f'"a string without end {number}',
    ][number % 10]


def bury(queue: FeedbackQueue, bodies: Sequence[str]) -> None:
    """Put messages into the dead-letter queue, as if SQS had moved them."""
    dead = FeedbackQueue(queue.sqs, queue.dlq_url, queue.dlq_url)
    dead.send(bodies)


def in_flight(queue: FeedbackQueue) -> int:
    return FeedbackQueue(queue.sqs, queue.dlq_url, queue.dlq_url).in_flight


def take_all(queue: FeedbackQueue, url: str) -> list[str]:
    """The bodies of all messages that are visible in a queue, which loses them."""
    bodies: list[str] = []
    while messages := queue.sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get(
        "Messages"
    ):
        bodies += [message["Body"] for message in messages]
        queue.sqs.delete_message_batch(
            QueueUrl=url,
            Entries=[
                {"Id": str(n), "ReceiptHandle": m["ReceiptHandle"]} for n, m in enumerate(messages)
            ],
        )
    return bodies


def surface(queue: FeedbackQueue, receipts: Iterable[str]) -> None:
    """Make letters visible, as after ten minutes; those that are deleted stay so."""
    for receipt in receipts:
        try:
            queue.sqs.change_message_visibility(
                QueueUrl=queue.dlq_url, ReceiptHandle=receipt, VisibilityTimeout=0
            )
        except queue.sqs.exceptions.ClientError:
            continue


def lines(text: str) -> list[dict[str, object]]:
    return [msgspec.json.decode(line) for line in text.splitlines() if line.startswith("{")]


def exported(file: Path) -> list[str]:
    """The bodies in an export, of which another process may be writing the last line."""
    text = file.read_text() if file.exists() else ""
    return [str(line["body"]) for line in lines(text[: text.rfind("\n") + 1])]


def test_ten_kinds_are_listed_recorded_once_sent_back_and_deleted(
    worker: Worker, queue: FeedbackQueue, tmp_path: Path
) -> None:
    worker.run("db", "upgrade")
    bodies = [letter(number) for number in range(LETTERS)]
    bury(queue, bodies)
    groups = lines(worker.run("dlq", "list", "--json"))
    assert [group["count"] for group in groups] == [LETTERS // 10] * 10
    assert sum(bool(group["understood"]) for group in groups) == UNDERSTOOD
    assert len({group["fingerprint"] for group in groups}) == 10
    # They expire as many days after they were sent as SQS keeps them here.
    assert all(4 * 86400 - 3600 < int(str(g["expires_in_seconds"])) <= 4 * 86400 for g in groups)
    assert (queue.dead, in_flight(queue)) == (LETTERS, 0)

    understood = UNDERSTOOD * LETTERS // 10
    said_first = worker.run("dlq", "replay", "--yes")
    assert f"{understood:,} dead letters recorded.\n{understood:,} events recorded" in said_first
    assert (queue.dead, in_flight(queue)) == (LETTERS - understood, 0)
    before = worker.rows("SELECT count(*) FROM feedback_event")
    again = [body for number, body in enumerate(bodies) if number % 10 < UNDERSTOOD]
    bury(queue, again)
    assert f"0 events recorded, {understood:,} known" in worker.run("dlq", "replay", "--yes")
    assert worker.rows("SELECT count(*) FROM feedback_event") == before == [(understood,)]

    file = tmp_path / "deleted.jsonl"
    chosen = next(str(g["fingerprint"]) for g in groups if "not JSON" in str(g["problem"]))
    worker.run("dlq", "delete", "--fingerprint", chosen, "--output", str(file), "--yes")
    wanted = [body for body in bodies if body.startswith("no JSON")]
    assert sorted(exported(file)) == sorted(wanted)

    left = LETTERS - understood - len(wanted)
    # SQS can't move them itself, for it does not know from where they came.
    said_last = worker.run("dlq", "redrive", "--yes")
    assert "because SQS does not move them itself: its move task failed" in said_last
    assert f"{left:,} dead letters sent back." in said_last
    assert (queue.dead, queue.visible) == (0, left)


def test_letters_of_a_subscription_go_back_without_what_sns_has_added(
    worker: Worker, queue: FeedbackQueue
) -> None:
    bury(queue, [letter(0)])
    queue.sqs.send_message(
        QueueUrl=queue.dlq_url,
        MessageBody=letter(10),
        MessageAttributes={
            "ErrorCode": {"DataType": "String", "StringValue": "KMS.AccessDeniedException"},
            "ErrorMessage": {"DataType": "String", "StringValue": "no key"},
            "own": {"DataType": "String", "StringValue": "kept"},
        },
    )
    at = ("--queue", "subscription", "--queue-url", queue.dlq_url)
    groups = lines(worker.run("dlq", "list", *at, "--json"))
    assert {(g["code"], g["problem"], g["count"]) for g in groups} == {
        (None, "Bounce", 1),
        ("KMS.AccessDeniedException", "no key", 1),
    }
    worker.run("dlq", "redrive", *at, "--code", "KMS.AccessDeniedException", "--yes")
    assert (queue.dead, in_flight(queue)) == (1, 0)
    received = queue.sqs.receive_message(QueueUrl=queue.url, MessageAttributeNames=["All"])
    (message,) = received["Messages"]
    assert message["Body"] == letter(10)
    assert message["MessageAttributes"].keys() == {"own"}


@pytest.fixture
def site(
    queue: FeedbackQueue,
    environment: Mapping[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Site]:
    """The console, with AWS in LocalStack, which answers late on a busy machine."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(letter_queues, "_CONFIG", Config(connect_timeout=60, read_timeout=60))
    for name in ("_LOOK", "_WORK"):
        patient = getattr(letter_queues, name)._replace(seconds=300)
        monkeypatch.setattr(letter_queues, name, patient)
    engine = open_database(f"sqlite:///{tmp_path}/console.sqlite3")
    stored.make_members(engine)
    made = Site(engine, queue_url=queue.url)
    yield made
    made.close()
    engine.dispose()


def test_the_console_looks_records_deletes_and_sends_back_and_loses_no_letter(
    site: Site, queue: FeedbackQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    bodies = [letter(number) for number in range(50)]
    bury(queue, bodies)
    admin, path = site.with_role("admin"), "/console/dead-letters"
    assert "About 50 letters can be received." in text_of(admin.get(path))
    small = letter_queues._LOOK._replace(letters=30, rest_seconds=15)
    with monkeypatch.context() as patched:
        patched.setattr(letter_queues, "_LOOK", small)
        part = admin.send(f"{path}/main/look")
        assert "looked at the first 30 of about 50 letters" in text_of(part)
        page = press(admin, part, "Continue")
    assert "looked at 50 letters, and there were no others" in text_of(page)
    until(lambda: queue.dead == 50)

    receive = DeadLetterQueue.receive
    received: list[Letter] = []

    def receive_once(queue: DeadLetterQueue, *seconds: int) -> list[Letter]:
        if received:
            raise QueueError("SQS can't be reached")
        received.extend(receive(queue, *seconds))
        return received

    with monkeypatch.context() as patched:
        patched.setattr(DeadLetterQueue, "receive", receive_once)
        broken = admin.send(f"{path}/main/look")
    assert broken.status_code == 503
    assert len(received) == 10
    assert (queue.dead, in_flight(queue)) == (50, 0)

    done = press(admin, press(admin, page, "Open all 50 letters"), "Record 15 letters")
    assert "15 letters were recorded in the database and deleted" in text_of(done)
    assert stored.rows(site.engine, "SELECT count(*) FROM feedback_event") == [(15,)]
    assert (queue.dead, in_flight(queue)) == (35, 0)

    page = admin.send(f"{path}/main/look")
    chosen = next(row for row in page.text.split("<tr>") if "not JSON" in row)
    group = press(admin, chosen, "Open")
    *kept, last = lines(press(admin, group, "Export 5 letters").text)
    assert queue.dead == 35
    deleted = press(admin, group, "Delete 5 letters", code=str(last["code"]))
    assert "5 letters were deleted" in text_of(deleted)
    assert (queue.dead, in_flight(queue)) == (30, 0)

    page = admin.send(f"{path}/main/look")
    sent = press(admin, press(admin, page, "Open all 30 letters"), "Send 30 letters back")
    assert "30 letters were sent back to the queue" in text_of(sent)
    assert (queue.dead, in_flight(queue)) == (0, 0)
    recorded = [body for number, body in enumerate(bodies) if number % 10 < UNDERSTOOD]
    exported_bodies = [str(one["body"]) for one in kept]
    assert sorted(take_all(queue, queue.url) + exported_bodies + recorded) == sorted(bodies)


def test_killed_between_send_and_delete(worker: Worker, queue: FeedbackQueue, proxy: Proxy) -> None:
    bodies = [letter(number) for number in range(60)]
    bury(queue, bodies)
    proxy.hold("DeleteMessageBatch")
    command = (COMMAND, "dlq", "redrive", "--newer", "1d", "--yes")
    with worker.running(*command, AWS_ENDPOINT_URL=proxy.url) as running:
        running.until(proxy.held.is_set)
        running.kill()
    surface(queue, proxy.receipts)
    sent, dead = take_all(queue, queue.url), take_all(queue, queue.dlq_url)
    assert len(sent) == 10
    assert sorted(dead) == sorted(bodies)  # ten of them twice, which the dedupe key notices


@pytest.mark.parametrize("what", ["redrive", "delete"])
def test_killed_in_the_middle(
    worker: Worker, queue: FeedbackQueue, proxy: Proxy, tmp_path: Path, what: str
) -> None:
    bodies = [letter(number) for number in range(100)]
    bury(queue, bodies)
    file = tmp_path / "deleted.jsonl"
    how = ["--newer", "1d"] if what == "redrive" else ["--output", str(file)]
    command = (COMMAND, "dlq", what, *how, "--rate", str(SLOWLY), "--yes")
    with worker.running(*command, AWS_ENDPOINT_URL=proxy.url) as running:
        running.until(lambda: queue.visible + len(exported(file)) >= 20)
        running.kill()
    surface(queue, proxy.receipts)
    dead = take_all(queue, queue.dlq_url)
    handled = take_all(queue, queue.url) + exported(file)
    assert len(dead) > 20
    assert len(handled) >= 20
    assert set(dead) | set(handled) == set(bodies)
    # At most those twice that were handled and not yet deleted.
    assert len(dead) + len(handled) <= len(bodies) + SLOWLY


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_makes_every_letter_visible(
    worker: Worker, queue: FeedbackQueue, tmp_path: Path, number: int, code: int
) -> None:
    bury(queue, [letter(number) for number in range(100)])
    file = tmp_path / "deleted.jsonl"
    command = (COMMAND, "dlq", "delete", "--output", str(file), "--rate", str(SLOWLY), "--yes")
    with worker.running(*command) as running:
        running.until(lambda: len(exported(file)) >= 10)
        running.signal(number)
        assert running.ends() == code
        assert "All letters that were not handled are visible" in running.log
    assert in_flight(queue) == 0
    assert queue.dead > 20
    assert queue.dead + len(exported(file)) == 100


def test_sqs_moves_back_what_it_has_moved_there(worker: Worker, client: "SQSClient") -> None:
    with feedback_queue(client, max_receives=1) as queue:
        queue.send([letter(3)])
        for _ in range(2):
            queue.surface(queue.receive(wait_seconds=1))
        assert (queue.visible, queue.dead) == (0, 1)
        own = dataclasses.replace(
            worker, environment={**worker.environment, "SESBOUNCE_QUEUE_URL": queue.url}
        )
        printed = own.run("dlq", "redrive", "--yes")
        assert "1 dead letter sent back." in printed
        assert "one by one" not in printed
        assert (queue.visible, queue.dead) == (1, 0)
