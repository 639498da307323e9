"""What happens to letters: recorded, sent or written, and when SQS moves them itself."""

import errno
import json
import os
import stat
import time
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from sesbounce.aws import queue_calls
from sesbounce.aws.dead_letters import DeadLetterQueue, Letter
from sesbounce.aws.sns_trust import Trust
from sesbounce.aws.target_queue import TargetQueue
from sesbounce.dead_letters.actions import ExportFile, Redrive, Replay
from sesbounce.dead_letters.moving import move_all
from sesbounce.dead_letters.stopping import Stop, StoppedError
from sesbounce.dead_letters.working import Progress
from sesbounce.errors import ListError, QueueError, StoreError
from sesbounce.store.store import Store
from sesbounce.worker.batch import Handler
from sesbounce.worker.in_flight import InFlightMessage
from tests import stored
from tests.support import AT, in_sns, mail, said
from tests.unit.sesbounce.dead_letter_queue import URL, FakeSqs, rejected


def message(body: str, **attributes: Any) -> InFlightMessage:
    letter = Letter(f"id-{body[:3]}", f"r-{body[:99]}", body, 1, AT, attributes)
    return InFlightMessage(letter, time.monotonic() + 60)


def text(value: str) -> dict[str, str]:
    return {"DataType": "String", "StringValue": value}


def target(sqs: FakeSqs) -> TargetQueue:
    return TargetQueue(sqs, "https://main")  # type: ignore[arg-type]


def queue_of(sqs: FakeSqs) -> DeadLetterQueue:
    return DeadLetterQueue(sqs, URL)  # type: ignore[arg-type]


def replay_into(store: Store) -> Replay:
    return Replay(Handler(store, Trust(), lambda: AT, lambda *_: False))


def test_a_replay_records_what_is_understood_once(engine: sa.Engine) -> None:
    good = [message(in_sns(said(about=mail(message_id=f"m{n}")))) for n in range(3)]
    store = stored.store(engine)
    first, second = replay_into(store), replay_into(store)
    assert list(first([*good, message("no JSON")]).done) == good
    assert (first.recorded.events, first.recorded.duplicates) == (3, 0)
    assert list(second(good).done) == good
    assert (second.recorded.events, second.recorded.duplicates) == (0, 3)
    assert stored.rows(engine, "SELECT count(*) FROM feedback_event") == [(3,)]


def test_a_replay_without_a_database_does_nothing(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = stored.store(engine)

    def away(*_: object) -> None:
        raise StoreError("away")

    monkeypatch.setattr(store, "record", away)
    acted = replay_into(store)([message(in_sns(said()))])
    assert (acted.done, str(acted.error)) == ([], "away")


def test_a_copy_keeps_the_attributes_of_the_sender_alone() -> None:
    sqs, entries = FakeSqs(), []

    def send(*, Entries: Any, **_: Any) -> Any:  # noqa: N803
        entries.extend(Entries)
        return {}

    sqs.send_message_batch = send  # type: ignore[method-assign]
    one = message("a", own=text("x"), ErrorCode=text("AccessDenied"), ErrorMessage=text("no"))
    assert Redrive(target(sqs))([one]).done == [one]
    assert entries == [{"Id": "0", "MessageBody": "a", "MessageAttributes": {"own": text("x")}}]


def test_large_letters_go_in_several_calls_and_one_that_sqs_rejects_stays() -> None:
    sqs, calls = FakeSqs(), []

    def send(*, Entries: Any, **_: Any) -> Any:  # noqa: N803
        calls.append([entry["MessageBody"][0] for entry in Entries])
        failed = [e["Id"] for e in Entries if e["MessageBody"].startswith("c")]
        return {"Failed": [{"Id": id_, "SenderFault": True, "Code": "no"} for id_ in failed]}

    sqs.send_message_batch = send  # type: ignore[method-assign]
    messages = [message(letter * 100_000) for letter in "abcd"]
    messages += [message(f"{n}{n}") for n in range(8)]
    done = Redrive(target(sqs))(messages).done
    assert [body for call in calls for body in call] == list("abcd01234567")
    assert [len(call) for call in calls] == [2, 10]
    assert list(done) == [m for m in messages if not m.received.body.startswith("c")]


def test_a_failure_of_sqs_is_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_calls, "_PAUSE_SECONDS", 0.001)
    sqs = FakeSqs()
    answers = [{"Failed": [{"Id": "0", "SenderFault": False, "Code": "InternalError"}]}, {}]
    sqs.send_message_batch = lambda **_: answers.pop(0)  # type: ignore[method-assign]
    one = message("a")
    assert Redrive(target(sqs))([one]).done == [one]
    assert answers == []


def test_the_disk_holds_a_letter_before_it_is_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, synced = tmp_path / "dead.jsonl", []
    fsync = os.fsync

    def sync(number: int) -> None:
        synced.append(file.read_text())
        fsync(number)

    monkeypatch.setattr(os, "fsync", sync)
    with ExportFile(file) as export:
        assert synced == [""]  # the folder
        assert list(export([message("ä\n")]).done)
    (line,) = synced[-1].splitlines()
    assert json.loads(line) | {"id": 0} == {
        "id": 0,
        "sent_at": "2026-11-20T12:00:00Z",
        "receives": 1,
        "code": None,
        "reason": None,
        "attributes": {},
        "body": "ä\n",
    }
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_no_file_is_written_over(tmp_path: Path) -> None:
    file = tmp_path / "dead.jsonl"
    file.write_text("earlier\n")
    with (
        pytest.raises(ListError, match=r"dead\.jsonl was not written: File exists"),
        ExportFile(file),
    ):
        pass
    assert file.read_text() == "earlier\n"


def test_a_disk_that_is_full_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with ExportFile(tmp_path / "dead.jsonl") as export:
        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(ListError, match=r"dead\.jsonl was not written: No space left"):
            export([message("a")])


def task(status: str, moved: int = 0, **more: Any) -> dict[str, Any]:
    return {"Status": status, "ApproximateNumberOfMessagesMoved": moved, "TaskHandle": "t"} | more


@pytest.fixture
def short_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sesbounce.dead_letters.moving._LOOK_SECONDS", 0.001)


@pytest.mark.usefixtures("short_looks")
def test_sqs_moves_all_letters_at_the_rate() -> None:
    sqs, progress, rates = FakeSqs(), Progress(), []
    sqs.start_message_move_task = lambda **call: rates.append(call)  # type: ignore[method-assign]
    sqs.tasks = [task("COMPLETED", 7), task("RUNNING", 1), task("COMPLETED", 3)]
    assert move_all(queue_of(sqs), 5000, Stop(), progress) is None
    assert progress.done == 3
    assert [call["MaxNumberOfMessagesPerSecond"] for call in rates] == [500]


def test_sqs_runs_one_task_a_queue() -> None:
    sqs = FakeSqs()
    sqs.tasks = [task("RUNNING", 1)]
    with pytest.raises(QueueError, match=r"cancel-message-move-task --task-handle t"):
        move_all(queue_of(sqs), None, Stop(), Progress())
    assert "StartMessageMoveTask" not in sqs.calls


@pytest.mark.parametrize("code", ["AWS.SimpleQueueService.UnsupportedOperation", "AccessDenied"])
def test_sqs_does_not_move_the_letters_of_a_subscription(code: str) -> None:
    sqs = FakeSqs()

    def refuse(call: str) -> None:
        if call == "StartMessageMoveTask":
            raise rejected(code, "not a DLQ of a queue")

    sqs.before = refuse
    if code == "AccessDenied":
        with pytest.raises(QueueError, match="needs sqs:StartMessageMoveTask"):
            move_all(queue_of(sqs), None, Stop(), Progress())
    else:
        refusal = move_all(queue_of(sqs), None, Stop(), Progress())
        assert refusal
        assert "not a DLQ of a queue" in refusal


@pytest.mark.usefixtures("short_looks")
def test_a_task_that_fails_leaves_the_rest_to_the_command() -> None:
    sqs, progress = FakeSqs(), Progress()
    sqs.tasks = [task("COMPLETED"), task("FAILED", 2, FailureReason="CouldNotDetermine")]
    assert move_all(queue_of(sqs), None, Stop(), progress) == (
        "its move task failed: CouldNotDetermine"
    )
    assert progress.done == 2


@pytest.mark.usefixtures("short_looks")
def test_a_signal_cancels_the_task() -> None:
    sqs, stop = FakeSqs(), Stop()
    sqs.tasks = [task("COMPLETED"), task("RUNNING", 2)]
    sqs.before = lambda call: setattr(stop, "number", 2) if call[:5] == "Start" else None
    with pytest.raises(StoppedError):
        move_all(queue_of(sqs), None, stop, Progress())
    assert sqs.calls[-1] == "CancelMessageMoveTask"


@pytest.mark.usefixtures("short_looks")
def test_a_task_that_somebody_has_cancelled_is_an_error() -> None:
    sqs = FakeSqs()
    sqs.tasks = [task("COMPLETED"), task("CANCELLED", 2)]
    with pytest.raises(QueueError, match="cancelled"):
        move_all(queue_of(sqs), None, Stop(), Progress())
