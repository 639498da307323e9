"""A pass sees each letter once, handles what it may, and makes all others visible."""

import json
import time
import tracemalloc
from collections.abc import Sequence
from typing import Any

import pytest

from sesbounce.aws import queue_calls
from sesbounce.aws.dead_letters import DeadLetterQueue
from sesbounce.aws.sns_trust import Trust
from sesbounce.dead_letters import passes, stopping
from sesbounce.dead_letters.examining import Examiner, Wanted
from sesbounce.dead_letters.grouping import identity
from sesbounce.dead_letters.passes import Limits
from sesbounce.dead_letters.stopping import Stop, StoppedError
from sesbounce.dead_letters.working import Acted, DeadLetters, Progress
from sesbounce.errors import QueueError, StoreError
from sesbounce.worker.in_flight import InFlightMessage
from tests.support import in_sns, said
from tests.unit.sesbounce.dead_letter_queue import URL, FakeSqs, rejected

GOOD = in_sns(said())
ALL = Wanted()


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_calls, "_PAUSE_SECONDS", 0.001)


def letters_of(sqs: FakeSqs, stop: Stop | None = None, **limits: Any) -> DeadLetters:
    queue = DeadLetterQueue(sqs, URL)  # type: ignore[arg-type]
    return DeadLetters(queue, Examiner(Trust()), stop or Stop(), Progress(), Limits(**limits))


class Kept:
    """An action that succeeds, and keeps the bodies."""

    def __init__(self) -> None:
        self.bodies: list[str] = []
        self.sizes: list[int] = []

    def __call__(self, messages: Sequence[InFlightMessage]) -> Acted:
        self.bodies += [message.received.body for message in messages]
        self.sizes.append(len(messages))
        return Acted(messages)


def test_a_survey_sees_each_letter_once_and_leaves_all_visible() -> None:
    sqs = FakeSqs([GOOD, "no"] * 17)
    survey = letters_of(sqs).survey(ALL)
    assert sorted((g.count, g.understood) for g in survey.groups) == [(17, 0), (17, 17)]
    assert (survey.looked_at, len(survey.selected), survey.understood) == (34, 34, 17)
    assert len(sqs.visible) == 34


def test_a_pass_asks_once_more_where_sqs_has_said_too_early_that_nothing_is_there() -> None:
    sqs = FakeSqs(["no"] * 12)
    answers = iter([True, False, True, False, False])
    receive = sqs.receive_message
    sqs.receive_message = lambda **_: receive() if next(answers) else {}  # type: ignore[method-assign]
    assert letters_of(sqs).survey(ALL).looked_at == 12


def test_letters_that_others_have_received_are_counted_apart() -> None:
    sqs = FakeSqs(["no"] * 3)
    sqs.hidden["id-0"] = "theirs"
    survey = letters_of(sqs).survey(ALL)
    assert (survey.looked_at, survey.in_flight) == (2, 1)
    assert sqs.hidden == {"id-0": "theirs"}


def test_no_pass_begins_where_a_receive_would_move_letters() -> None:
    sqs = FakeSqs(["no"])
    sqs.attributes["RedrivePolicy"] = "{}"
    with pytest.raises(QueueError, match="would move letters"):
        letters_of(sqs).survey(ALL)
    assert "ReceiveMessage" not in sqs.calls


@pytest.mark.parametrize("limits", [{"letters": 20}, {"size": 39}])
def test_a_pass_has_an_end(limits: dict[str, Any]) -> None:
    sqs = FakeSqs(["no"] * 30)
    survey = letters_of(sqs, **limits).survey(ALL)
    assert (survey.looked_at, survey.cut) == (20, True)
    assert len(sqs.visible) == 30


def test_a_pass_ends_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    sqs = FakeSqs(["no"] * 50)

    def later(call: str) -> None:
        now[0] += call == "ReceiveMessage"

    sqs.before = later
    found = letters_of(sqs, seconds=3)
    survey = found.survey(ALL)
    assert (survey.looked_at, survey.cut) == (30, True)
    assert len(sqs.visible) == 50
    selected = {identity(f"id-{n}") for n in range(50)}
    assert found.work(selected, Kept()) == (30, 20, 0)
    assert len(sqs.visible) == len(sqs.bodies) == 20


def test_a_second_part_looks_at_the_others_and_counts_none_twice() -> None:
    sqs = FakeSqs(["no"] * 32)
    first = letters_of(sqs, letters=20, rest_seconds=30).survey(ALL)
    # Those of the first part rest, so that the next receive brings others.
    assert len(sqs.visible) == 12
    del sqs.hidden["id-7"]
    second = letters_of(sqs, letters=20, rest_seconds=30).survey(ALL, first.groups)
    (group,) = second.groups
    assert (group.count, len(set(group.identities)), second.cut) == (32, 32, False)
    assert set(second.selected) == {identity(f"id-{n}") for n in range(32)}
    assert len(sqs.visible) == 13
    # No letter rests after an error.
    sqs.surface()

    def reject(call: str) -> None:
        if call == "ReceiveMessage" and sqs.received == 43:
            raise rejected("AccessDenied")

    sqs.before = reject
    with pytest.raises(QueueError):
        letters_of(sqs, letters=20, rest_seconds=30).survey(ALL)
    assert len(sqs.visible) == 32


def test_the_second_pass_handles_what_the_survey_has_selected_and_no_later_letter() -> None:
    sqs = FakeSqs([GOOD, "no"] * 15)
    found = letters_of(sqs)
    survey = found.survey(Wanted(understood=False))
    sqs.bodies["later"] = "no"
    action = Kept()
    assert found.work(survey.selected, action, most_at_once=6) == (15, 0, 0)
    assert action.bodies == ["no"] * 15
    assert max(action.sizes) == 6
    assert sorted(sqs.visible) == sorted([*[GOOD] * 15, "no"])


def test_what_the_action_has_not_done_stays_and_is_visible() -> None:
    sqs = FakeSqs(["no"] * 20)
    found = letters_of(sqs)

    def half(messages: Sequence[InFlightMessage]) -> Acted:
        return Acted(messages[::2])

    assert found.work(found.survey(ALL).selected, half).done == 10
    assert len(sqs.visible) == 10


def test_an_error_comes_after_the_deletion_of_what_is_done() -> None:
    sqs = FakeSqs(["no"] * 20)
    found = letters_of(sqs)

    def fail(messages: Sequence[InFlightMessage]) -> Acted:
        return Acted(messages[:3], StoreError("the database is away"))

    with pytest.raises(StoreError, match="away"):
        found.work(found.survey(ALL).selected, fail)
    assert found.progress.done == 3
    assert len(sqs.visible) == 17


def test_an_exception_of_an_action_leaves_all_visible() -> None:
    sqs = FakeSqs(["no"] * 20)
    found = letters_of(sqs)

    def crash(_: Sequence[InFlightMessage]) -> Acted:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        found.work(found.survey(ALL).selected, crash)
    assert len(sqs.visible) == 20


def test_a_letter_whose_receipt_has_expired_does_not_count() -> None:
    sqs = FakeSqs(["no"] * 5)
    found = letters_of(sqs)
    selected = found.survey(ALL).selected

    def slow(messages: Sequence[InFlightMessage]) -> Acted:
        sqs.surface()
        return Acted(messages)

    assert found.work(selected, slow) == (0, 0, 5)
    assert len(sqs.visible) == 5
    # By this machine's clock it is noticed before SQS is asked.
    sqs.calls.clear()
    action = Kept()
    short = letters_of(sqs, invisible_seconds=passes._SAFE_SECONDS - 1)
    assert short.work(selected, action) == (0, 0, 5)
    assert action.bodies == []


def test_what_is_deleted_before_sqs_rejects_a_call_counts() -> None:
    sqs = FakeSqs(["no"] * 40)
    found = letters_of(sqs)
    selected = found.survey(ALL).selected

    def reject(call: str) -> None:
        if call == "DeleteMessageBatch" and len(sqs.bodies) == 20:
            raise rejected("AccessDenied", "not authorized")

    sqs.before = reject
    with pytest.raises(QueueError):
        found.work(selected, Kept())
    assert (found.progress.acted, found.progress.done) == (40, 20)
    assert len(sqs.visible) == len(sqs.bodies) == 20


def test_letters_that_others_take_meanwhile_are_gone() -> None:
    sqs = FakeSqs(["no"] * 5)
    found = letters_of(sqs)
    selected = found.survey(ALL).selected
    del sqs.bodies["id-3"]
    assert found.work(selected, Kept()) == (4, 1, 0)


def test_a_long_pass_keeps_its_letters_invisible(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    sqs = FakeSqs(["no"] * 30)

    def later(call: str) -> None:
        now[0] += 250 if call == "ReceiveMessage" else 0

    sqs.before = later
    found = letters_of(sqs)
    assert found.survey(ALL).looked_at == 30
    # Those of the first receive are extended before the third, and all become visible.
    extended = sqs.calls.count("ChangeMessageVisibilityBatch") - 3
    assert extended > 0
    assert len(sqs.visible) == 30


@pytest.mark.parametrize("call", ["ReceiveMessage", "DeleteMessageBatch"])
def test_after_a_signal_all_others_are_visible(call: str) -> None:
    sqs, stop = FakeSqs(["no"] * 40), Stop()
    found = letters_of(sqs, stop)
    selected = found.survey(ALL).selected

    def signal(name: str) -> None:
        if name == call:
            assert stop.in_order
            stop.number = 2

    sqs.before = signal
    with pytest.raises(StoppedError):
        found.work(selected, Kept(), most_at_once=10)
    assert not stop.in_order
    assert len(sqs.visible) == len(sqs.bodies) == 40 - found.progress.done
    assert found.progress.done == (0 if call == "ReceiveMessage" else 10)


def test_a_signal_stops_a_survey() -> None:
    sqs, stop = FakeSqs(["no"] * 40), Stop()
    sqs.before = lambda _: setattr(stop, "number", 15)
    with pytest.raises(StoppedError):
        letters_of(sqs, stop).survey(ALL)
    assert len(sqs.visible) == 40


def test_a_rate_limits_what_is_handled_in_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(Stop, "wait", lambda _, seconds: waited.append(seconds))
    sqs = FakeSqs(["no"] * 6)
    found = letters_of(sqs)
    found.work(found.survey(ALL).selected, Kept(), rate=2)
    assert [round(seconds) for seconds in waited] == [1, 2]


def test_a_wait_ends_with_a_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    stop = Stop()
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        stop.number = 2

    monkeypatch.setattr(time, "sleep", sleep)
    stop.wait(60)
    assert slept == [stopping._NOTICE_SECONDS]
    assert stopping._NOTICE_SECONDS < 1


def test_sqs_rejects_a_call() -> None:
    sqs = FakeSqs(["no"] * 20)

    def reject(call: str) -> None:
        if call == "DeleteMessageBatch":
            raise rejected("AccessDenied", "not authorized")

    sqs.before = reject
    found = letters_of(sqs)
    with pytest.raises(QueueError, match=r"sqs:DeleteMessage on .*dlq_operator_policy"):
        found.work(found.survey(ALL).selected, Kept())
    assert len(sqs.visible) == 20


def test_the_memory_of_a_pass_does_not_hold_the_letters() -> None:
    def peak(count: int) -> int:
        sqs = FakeSqs([json.dumps({"number": n, "text": "x" * 4000}) for n in range(count)])
        found = letters_of(sqs)
        tracemalloc.start()
        selected = found.survey(ALL).selected
        found.work(selected, Acted, delete=False)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    # Receipts and ids, of some hundred bytes each; the bodies have 4,000.
    assert (peak(2000) - peak(200)) / 1800 < 700
