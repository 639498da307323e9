"""The loop, with a queue that fails where a real one can't be made to."""

import json
import os
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from scripts.local.ses_messages import Scenario
from sesbounce.aws.depth import Depth
from sesbounce.aws.received import Received
from sesbounce.aws.sns_trust import Trust
from sesbounce.aws.sqs import BatchFailures, Queue
from sesbounce.errors import QueueError, StoreError
from sesbounce.feedback.stream import read_stream_by
from sesbounce.operations.incidents import Incidents
from sesbounce.outbound import relay
from sesbounce.outbound.relay import Relay, Target
from sesbounce.store.engine import write
from sesbounce.store.outbox import Outbox, OutboxEntry, waiting
from sesbounce.store.store import Store
from sesbounce.store.sweep import Progress
from sesbounce.store.workers import Mode
from sesbounce.telemetry.counts import Counts, count
from sesbounce.telemetry.health import Health
from sesbounce.telemetry.logs import set_up_logs
from sesbounce.telemetry.reports import BatchDone, Report, Stalled, Swept
from sesbounce.worker import loop
from sesbounce.worker.loop import LoopSettings, Worker
from sesbounce.worker.presence import Presence, introduce
from tests import sending
from tests.stored import rows, store
from tests.support import AT, in_sns, mail, said, until
from tests.unit.sesbounce.delivering import Pigeon


class Shelf(Queue):
    """A queue in memory that records the calls."""

    def __init__(self, *batches: Sequence[str]) -> None:
        self.batches = list(batches)
        self.received: list[str] = []
        self.deleted: list[str] = []
        self.back: list[tuple[str, int]] = []
        self.on_receive: Callable[[], None] = lambda: None
        self._lock = threading.Lock()
        self._number = 0

    def receive(self, wait_seconds: int, visibility_seconds: int) -> list[Received]:
        self.on_receive()
        with self._lock:
            bodies = self.batches.pop(0) if self.batches else []
            self.received += bodies
            messages = []
            for body in bodies:
                self._number += 1
                messages.append(Received(f"id-{self._number}", f"{self._number}", body, 1, AT))
        if not messages:
            time.sleep(0.01)
        return messages

    def delete(self, messages: Sequence[Received]) -> BatchFailures:
        self.deleted += [m.body for m in messages]
        return BatchFailures()

    def set_visibility(self, messages: Sequence[tuple[Received, int]]) -> BatchFailures:
        self.back += [(m.body, seconds) for m, seconds in messages]
        return BatchFailures()

    def depth(self) -> Depth:
        return Depth(len(self.batches), 0, 0)


class Working:
    """A worker and its reports."""

    def __init__(
        self,
        engine: sa.Engine,
        queue: Queue,
        trust: Trust,
        now: datetime,
        loop_settings: LoopSettings,
        targets: Sequence[Target],
    ) -> None:
        self.reports: list[Report] = []
        self.overdue = threading.Event()
        recording = store(engine, outbox=Outbox(target.name for target in targets))
        self.worker = Worker(
            queue,
            recording,
            trust,
            Relay(engine, targets, lambda: now, patient=not loop_settings.until_empty),
            self.reports.append,
            loop_settings,
            incidents=Incidents(recording),
            presence=Presence(
                engine,
                introduce(Mode.UNTIL_EMPTY if loop_settings.until_empty else Mode.RUN, URL, now),
                Health(time.monotonic(), loop_settings.wait_seconds),
                lambda: now,
            ),
            overdue=self.overdue.set,
            now=lambda: now,
        )

    @property
    def totals(self) -> Counts:
        """What it has reported until now, added up."""
        totals = Counts()
        for report in self.reports:
            totals.add(count(report))
        return totals

    def run(self) -> Counts:
        self.worker.run()
        return self.totals

    def of(self, kind: type[Report]) -> list[Any]:
        return [report for report in self.reports if isinstance(report, kind)]


URL = "https://sqs.eu-west-1.amazonaws.com/111122223333/feedback"
UNTIL_EMPTY = LoopSettings(pollers=1, until_empty=True)


def make(
    engine: sa.Engine,
    queue: Queue,
    trust: Trust | None = None,
    now: datetime = AT,
    loop_settings: LoopSettings = UNTIL_EMPTY,
    targets: Sequence[Target] = (),
) -> Working:
    return Working(engine, queue, trust or Trust(), now, loop_settings, targets)


def body(recipient: str = "jane@example.com", scenario: Scenario = Scenario.BOUNCE) -> str:
    return in_sns(said(scenario, mail(recipient, recipient)))


NEW = '{"eventType": "New"}'
JUNK = '{"notificationType": "Bounce"}'


def run(working: Working) -> threading.Thread:
    """Run a worker beside the test, which has to stop it."""
    thread = threading.Thread(target=working.run, daemon=True)
    thread.start()
    return thread


def test_a_message_that_is_understood_is_deleted_and_another_is_returned(engine: sa.Engine) -> None:
    shelf = Shelf([JUNK, body()])
    totals = make(engine, shelf).run()
    assert shelf.deleted == [body()]
    assert shelf.back == [(JUNK, 1)]
    assert (totals.received, totals.deleted, totals.undecodable) == (2, 1, 1)


def test_a_type_that_nobody_knows_is_kept_and_counted_and_a_warning_says_so(
    engine: sa.Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    shelf = Shelf([in_sns(NEW), body()])
    set_up_logs("json")
    totals = make(engine, shelf).run()
    assert (totals.unknown, totals.undecodable, totals.deleted) == (1, 0, 2)
    lines = map(json.loads, "".join(capsys.readouterr()).splitlines())
    (warning,) = (line for line in lines if line["event"] == "message of an unknown type")
    assert (warning["level"], warning["type"], warning["message_id"]) == ("warning", "New", "id-1")
    with engine.connect() as connection:
        kept = sa.text("SELECT payload FROM feedback_message WHERE kind = 'unknown'")
        assert connection.scalars(kept).all() == [NEW]


def test_events_keep_the_chosen_tags(engine: sa.Engine) -> None:
    message = said(schema="event")
    message["mail"]["tags"] |= {"campaign": ["spring"], "other": ["x"]}
    settings = LoopSettings(pollers=1, until_empty=True, tags=("campaign",))
    make(engine, Shelf([in_sns(message)]), loop_settings=settings).run()
    with engine.connect() as connection:
        kept = connection.exec_driver_sql("SELECT tags FROM feedback_event").scalar()
    assert kept == '{"campaign":"spring"}'


def test_recipients_that_can_t_be_read_cost_the_others_nothing(engine: sa.Engine) -> None:
    message = said(about=mail("good@example.com"))
    recipients = message["bounce"]["bouncedRecipients"]
    recipients[:0] = [{"emailAddress": 5}, {"status": "5.1.1"}, {"emailAddress": "nobody"}]
    working = make(engine, Shelf([in_sns(message)]))
    totals = working.run()
    assert (totals.deleted, totals.undecodable, totals.events) == (1, 0, 2)
    assert sum(batch.unreadable for batch in working.of(BatchDone)) == 3


def test_in_a_wrapper_what_is_not_understood_costs_the_others_nothing(engine: sa.Engine) -> None:
    records = [{"Sns": json.loads(text)} for text in (body("a@example.com"), in_sns(JUNK), body())]
    wrapper = json.dumps({"Records": records})
    shelf = Shelf([wrapper, body("b@example.com")])
    totals = make(engine, shelf).run()
    assert (totals.undecodable, totals.events) == (1, 3)
    # The wrapper goes the way to the dead-letter queue, where somebody may look at the rest.
    assert shelf.deleted == [body("b@example.com")]
    assert [returned for returned, _ in shelf.back] == [wrapper]


def test_a_wrapper_whose_recording_fails_is_returned_once(engine: sa.Engine) -> None:
    records = [{"Sns": json.loads(text)} for text in (in_sns(JUNK), body())]
    shelf = Shelf([json.dumps({"Records": records})])
    working = make(engine, shelf)
    with write(engine) as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER refuse BEFORE INSERT ON feedback_event "
            "BEGIN SELECT raise(ABORT, 'not her'); END"
        )
    totals = working.run()
    assert (totals.undecodable, totals.failed, len(shelf.back)) == (1, 1, 1)


def test_nothing_is_deleted_before_its_effect_is_committed(engine: sa.Engine, url: str) -> None:
    class Witness(Shelf):
        committed: tuple[int] | None = None

        def delete(self, messages: Sequence[Received]) -> BatchFailures:
            with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as other:
                self.committed = other.execute("SELECT count(*) FROM feedback_event").fetchone()
            return super().delete(messages)

    witness = Witness([body()])
    make(engine, witness).run()
    assert witness.committed == (1,)


def test_what_comes_together_is_committed_together(engine: sa.Engine) -> None:
    shelf = Shelf(*([body(f"{n}-{i}@example.com") for i in range(10)] for n in range(20)))
    working = make(
        engine, shelf, loop_settings=LoopSettings(pollers=2, batch_wait=5, until_empty=True)
    )
    assert working.run().deleted == 200
    assert [done.messages for done in working.of(BatchDone)] == [200]


def test_a_batch_is_no_larger_than_it_may_be(engine: sa.Engine) -> None:
    shelf = Shelf([body(f"{n}@example.com") for n in range(10)])
    working = make(
        engine, shelf, loop_settings=LoopSettings(batch_size=4, pollers=1, until_empty=True)
    )
    assert working.run().deleted == 10
    assert [done.messages for done in working.of(BatchDone)] == [4, 4, 2]


def test_a_message_that_can_t_be_returned_does_not_stop_the_worker(engine: sa.Engine) -> None:
    class Stuck(Shelf):
        def set_visibility(self, messages: Sequence[tuple[Received, int]]) -> BatchFailures:
            raise QueueError("the message is not in flight")

    totals = make(engine, Stuck([JUNK], [body()])).run()
    assert (totals.deleted, totals.undecodable) == (1, 1)


def test_a_message_that_can_t_be_deleted_is_not_counted_as_deleted(engine: sa.Engine) -> None:
    class Stuck(Shelf):
        def delete(self, messages: Sequence[Received]) -> BatchFailures:
            gone, stuck = (m.receipt for m in messages)
            return BatchFailures(expired=frozenset([gone]), failed=frozenset([stuck]))

    totals = make(engine, Stuck([body(), body("mary@example.com")])).run()
    assert (totals.received, totals.events, totals.deleted) == (2, 2, 0)


def test_a_worker_that_may_not_delete_ends_with_an_error(engine: sa.Engine) -> None:
    class Forbidden(Shelf):
        def delete(self, messages: Sequence[Received]) -> BatchFailures:
            raise QueueError("may not delete", lasting=True)

    with pytest.raises(QueueError, match="may not delete"):
        make(engine, Forbidden([body()]), loop_settings=LoopSettings()).run()


def test_a_thread_that_dies_takes_the_worker_down(engine: sa.Engine) -> None:
    class Faulty(Shelf):
        def receive(self, wait_seconds: int, visibility_seconds: int) -> list[Received]:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        make(engine, Faulty(), loop_settings=LoopSettings()).run()


def test_a_queue_that_can_t_be_reached_is_waited_for(engine: sa.Engine) -> None:
    shelf = Shelf([body()])
    failures = [QueueError("no route to host")]

    def fail() -> None:
        if failures:
            raise failures.pop()

    shelf.on_receive = fail
    working = make(engine, shelf, loop_settings=LoopSettings(pollers=1))
    thread = run(working)
    until(lambda: shelf.deleted)
    working.worker.stop()
    thread.join()
    assert working.of(Stalled) == [Stalled("queue", "no route to host")]


def test_until_it_is_empty_a_queue_is_not_waited_for(engine: sa.Engine) -> None:
    def fail() -> None:
        raise QueueError("no route to host")

    shelf = Shelf([body()])
    shelf.on_receive = fail
    with pytest.raises(QueueError, match="no route"):
        make(engine, shelf).run()


def test_a_row_that_is_rejected_does_not_hinder_the_others(engine: sa.Engine) -> None:
    bodies = [body(f"{n}@example.com") for n in range(9)]
    bodies.insert(4, body())
    shelf = Shelf(bodies)
    working = make(engine, shelf)
    with write(engine) as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER refuse BEFORE INSERT ON feedback_event WHEN new.address LIKE 'jane%' "
            "BEGIN SELECT raise(ABORT, 'not this one'); END"
        )
    totals = working.run()
    assert (totals.deleted, totals.failed, totals.suppressed) == (9, 1, 9)
    assert shelf.back == [(body(), 1)]


def outage() -> list[str]:
    """Deliveries to 30 addresses of a provider, and their hard bounces a day later."""
    about = [mail(f"user{n}@gmail.com", f"-{n}") for n in range(30)]
    told = [said(Scenario.SUCCESS, replace(m, message_id=f"d{m.message_id}")) for m in about]
    told += [
        said(Scenario.BOUNCE, replace(m, message_id=f"b{m.message_id}"), at=AT + timedelta(days=1))
        for m in about
    ]
    return [in_sns(message) for message in told]


def test_before_it_ends_it_looks_for_incidents_and_logs_what_it_finds(
    engine: sa.Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    working = make(engine, Shelf(outage()), now=AT + timedelta(days=1))
    set_up_logs("json")
    totals = working.run()
    assert (totals.suppressed, totals.released) == (30, 30)
    looked = [swept.incidents for swept in working.of(Swept) if swept.incidents is not None]
    assert looked[-1] == 1
    text = "".join(capsys.readouterr())
    (found,) = (line for line in map(json.loads, text.splitlines()) if line["event"] == "incident")
    assert (found["level"], found["provider"], found["status"]) == (
        "warning",
        "google",
        "confirmed",
    )
    assert (found["begins"], found["ends"]) == (
        "2026-11-21T11:00:00+00:00",
        "2026-11-21T14:00:00+00:00",
    )
    assert found["numbers"].startswith("30 hard bounces, 30 of addresses with")
    assert "user" not in text


def test_incidents_wait_until_the_sweep_of_the_store_has_ended(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    working = make(engine, Shelf([body()]))
    progresses = [Progress(1, 3), Progress(1, 3), Progress(2, 3)]
    unfinished = property(lambda _: progresses.pop(0) if progresses else None)
    monkeypatch.setattr(Store, "progress", unfinished)
    working.run()
    assert [swept.incidents for swept in working.of(Swept)][:2] == [None, None]
    looked = [swept.incidents for swept in working.of(Swept) if swept.incidents is not None]
    assert looked[-1] == 0


def test_it_says_which_senders_are_stopped_though_nobody_has_asked(
    engine: sa.Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    working = make(engine, Shelf([]))
    sending.count(engine, AT, delivered=700, hard=300)
    set_up_logs("json")
    working.run()
    assert [swept.stopped for swept in working.of(Swept) if swept.stopped is not None] == [2]
    logged = map(json.loads, "".join(capsys.readouterr()).splitlines())
    stopped = [line for line in logged if line["event"] == "sender stopped"]
    assert {line["sender"] for line in stopped} == {
        sending.IDENTITY,
        f"{sending.ACCOUNT}/{sending.REGION}",
    }
    assert all("300 hard bounces in 1,000 mails" in line["why"] for line in stopped)


@pytest.mark.parametrize("event", ["a thread fails", "stop"])
def test_a_worker_that_waits_for_messages_hears_at_once_of_what_ends_it(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch, event: str
) -> None:
    """Its next sweep is a minute away: it would time out the test."""
    monkeypatch.setattr(loop, "_SWEEP_SECONDS", 3600.0)
    shelf, end = Shelf(), threading.Event()

    def receive() -> None:
        end.wait()
        if event == "a thread fails":
            raise QueueError("denied", lasting=True)

    shelf.on_receive = receive
    working = make(engine, shelf, loop_settings=LoopSettings(pollers=1))
    failures: list[QueueError] = []

    def work() -> None:
        try:
            working.run()
        except QueueError as error:
            failures.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    until(lambda: working.of(Swept))
    if event == "stop":
        working.worker.stop()
    end.set()
    thread.join()
    assert [str(error) for error in failures] == (["denied"] if event == "a thread fails" else [])


def test_a_sweep_of_incidents_that_fails_is_retried(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "_SWEEP_RETRY_SECONDS", 0.01)
    shelf = Shelf([])
    working = make(engine, shelf, loop_settings=LoopSettings(pollers=1))
    rename(engine, "feedback_hour", "gone")
    thread = run(working)
    until(lambda: len(working.of(Stalled)) >= 2)
    rename(engine, "gone", "feedback_hour")
    until(lambda: any(swept.incidents == 0 for swept in working.of(Swept)))
    working.worker.stop()
    thread.join()


def rename(engine: sa.Engine, old: str, new: str) -> None:
    with write(engine) as connection:
        connection.exec_driver_sql(f"ALTER TABLE {old} RENAME TO {new}")


def test_until_it_is_empty_a_missing_table_stops_the_worker_and_nothing_is_deleted(
    engine: sa.Engine,
) -> None:
    shelf = Shelf([body()])
    working = make(engine, shelf)
    rename(engine, "feedback_event", "gone")
    with pytest.raises(StoreError, match="no such table"):
        working.run()
    assert shelf.deleted == []
    assert shelf.back in (
        [],
        [(body(), 0)],
    )  # the first one where the sweep failed before the batch


class TestOutboxUntilTheQueueIsEmpty:
    @pytest.fixture(autouse=True)
    def nothing_is_delivered_after_the_stop(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(relay, "_LAST_ROUNDS_SECONDS", 0)

    def test_all_that_is_due_is_delivered_once_before_the_end(self, engine: sa.Engine) -> None:
        pigeon = Pigeon()
        bodies = [body(f"{n}@example.com") for n in range(120)]  # more than in one round
        make(engine, Shelf(bodies), targets=[pigeon]).run()
        assert sorted(pigeon.delivered) == sorted((True, f"{n}@example.com") for n in range(120))
        assert waiting(engine) == []

    def test_what_the_last_sweep_has_changed_is_delivered_as_well(self, engine: sa.Engine) -> None:
        suppressed = body(scenario=Scenario.SUPPRESSIONLIST)
        make(engine, Shelf([suppressed]), targets=[Pigeon()]).run()
        pigeon = Pigeon()
        make(engine, Shelf(), now=AT + timedelta(days=31), targets=[pigeon]).run()
        assert pigeon.delivered == [(False, "jane@example.com")]

    def test_a_slow_target_delays_the_end(self, engine: sa.Engine) -> None:
        class Slow(Pigeon):
            def deliver(self, entry: OutboxEntry) -> None:
                time.sleep(0.2)
                super().deliver(entry)

        slow = Slow()
        make(engine, Shelf([body()]), targets=[slow]).run()
        assert slow.delivered == [(True, "jane@example.com")]

    def test_a_target_that_is_down_does_not_delay_the_end(self, engine: sa.Engine) -> None:
        working = make(engine, Shelf([body()]), targets=[Pigeon(failures=1)])
        assert working.run().deleted == 1
        (entry,) = waiting(engine)
        assert (entry["attempts"], entry["problem"]) == (1, "the pigeon is lost")

    def test_an_outbox_that_can_t_be_used_is_not_waited_for(self, engine: sa.Engine) -> None:
        working = make(engine, Shelf(), targets=[Pigeon()])
        rename(engine, "feedback_outbox", "gone")
        with pytest.raises(StoreError, match="the outbox can't be used"):
            working.run()


def test_while_the_worker_waits_for_a_database_nothing_is_deleted_or_returned(
    engine: sa.Engine,
) -> None:
    shelf = Shelf([body()])
    working = make(engine, shelf, loop_settings=LoopSettings(pollers=1))
    rename(engine, "feedback_event", "gone")
    thread = run(working)
    until(lambda: len(working.of(Stalled)) >= 2)
    assert (shelf.deleted, shelf.back, len(working.of(BatchDone))) == ([], [], 0)
    rename(engine, "gone", "feedback_event")
    until(lambda: shelf.deleted)
    working.worker.stop()
    thread.join()
    assert {stalled.what for stalled in working.of(Stalled)} == {"database"}
    assert working.totals.struck_rows == 1


def test_while_the_worker_waits_for_a_database_it_receives_no_more_than_it_has_room_for(
    engine: sa.Engine,
) -> None:
    shelf = Shelf(*([body(f"{n}-{i}@example.com") for i in range(10)] for n in range(50)))
    loop_settings = LoopSettings(batch_size=10, pollers=2)
    working = make(engine, shelf, loop_settings=loop_settings)
    rename(engine, "feedback_event", "gone")
    thread = run(working)
    until(lambda: len(shelf.received) == loop_settings.room)
    until(lambda: len(working.of(Stalled)) >= 2)
    assert len(shelf.received) == loop_settings.room
    working.worker.stop()
    thread.join()
    # The worker has stopped, and others can receive the messages at once.
    assert {seconds for _, seconds in shelf.back} == {0}
    assert len(shelf.back) == loop_settings.room


def test_a_message_of_another_topic_is_not_recorded(engine: sa.Engine) -> None:
    trust = Trust(["arn:aws:sns:us-east-1:000000000000:another"])
    totals = make(engine, Shelf([body()]), trust).run()
    assert (totals.undecodable, totals.events) == (1, 0)


def test_expired_suppressions_are_restored_before_the_first_message(engine: sa.Engine) -> None:
    make(engine, Shelf([body(scenario=Scenario.SUPPRESSIONLIST)])).run()
    later = AT + timedelta(days=31)
    totals = make(engine, Shelf(), now=later).run()
    assert totals.restored_rows == 1


def test_a_queue_that_looks_empty_once_is_polled_once_more(engine: sa.Engine) -> None:
    shelf = Shelf([], [body()])
    shelf.depth = lambda: Depth(0, 0, 0)  # type: ignore[method-assign]  # approximate, as SQS says
    assert make(engine, shelf).run().received == 1


def test_a_signal_lets_the_worker_finish_the_messages_in_flight(engine: sa.Engine) -> None:
    shelf = Shelf([body()], [body("mary@example.com")])
    working = make(engine, shelf, loop_settings=LoopSettings(pollers=1))
    before = signal.signal(signal.SIGTERM, lambda *_: working.worker.stop())

    def stop_once() -> None:
        if not shelf.received:
            os.kill(os.getpid(), signal.SIGTERM)
            until(working.worker._stopping.is_set)

    shelf.on_receive = stop_once
    try:
        totals = working.run()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (totals.received, totals.deleted) == (1, 1)
    assert len(shelf.batches) == 1


def test_a_worker_that_can_t_stop_in_time_is_ended(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    shelf = Shelf([body()])
    working = make(engine, shelf, loop_settings=LoopSettings(pollers=1, shutdown_seconds=0.2))
    record = working.worker._store.record

    def hang(*arguments: Any) -> Any:
        working.worker.stop()
        release.wait()
        return record(*arguments)

    monkeypatch.setattr(working.worker._store, "record", hang)
    thread = run(working)
    assert working.overdue.wait(60)
    assert shelf.deleted == []
    release.set()
    thread.join()


def test_messages_that_others_may_have_received_are_not_recorded(engine: sa.Engine) -> None:
    class Slow(Shelf):
        def set_visibility(self, messages: Sequence[tuple[Received, int]]) -> BatchFailures:
            return BatchFailures(expired=frozenset(m.receipt for m, _ in messages))

    shelf = Slow([body()])
    working = make(engine, shelf, loop_settings=LoopSettings(pollers=1, visibility_seconds=1))
    rename(engine, "feedback_event", "gone")
    thread = run(working)
    until(lambda: len(working.of(BatchDone)))
    rename(engine, "gone", "feedback_event")
    working.worker.stop()
    thread.join()
    assert (shelf.deleted, working.totals.events) == ([], 0)


def test_the_age_of_the_oldest_message_is_never_negative(engine: sa.Engine) -> None:
    working = make(engine, Shelf([body()]), now=AT - timedelta(hours=1))
    working.run()
    (done,) = working.of(BatchDone)
    assert done.oldest_seconds == 0


def test_logs_hold_no_address(engine: sa.Engine, capsys: pytest.CaptureFixture[str]) -> None:
    odd: dict[str, Any] = said(about=mail("jane@example.com"))
    odd["bounce"]["bouncedRecipients"] += [{"emailAddress": "jane@example.com", "status": ["jane"]}]
    nobody = in_sns(said(about=mail("jane doe", "nobody")))
    shelf = Shelf([JUNK, body(), body("Jane.2@example.com"), in_sns(odd), in_sns(NEW), nobody])
    working = make(engine, shelf)
    with write(engine) as connection:
        for statement in (
            "CREATE TRIGGER keep BEFORE UPDATE ON member "
            "BEGIN SELECT raise(ABORT, 'jane@example.com stays'); END",
            "CREATE TRIGGER refuse BEFORE INSERT ON feedback_event "
            "WHEN new.address = 'jane.2@example.com' BEGIN SELECT raise(ABORT, 'not her'); END",
        ):
            connection.exec_driver_sql(statement)
    set_up_logs("json")
    working.run()
    said_in_logs = "".join(capsys.readouterr())
    for what in (
        "message not understood",
        "message not recorded",
        "recipient not read",
        "recipient without an address",
        "statement rejected",
        "message of an unknown type",
        "batch",
    ):
        assert what in said_in_logs
    assert "jane" not in said_in_logs


def test_the_worker_reads_the_stream_of_each_mail(engine: sa.Engine) -> None:
    about = mail(configuration_set="news")
    shelf = Shelf([in_sns(said(Scenario.COMPLAINT, about, "event"))])
    by = read_stream_by("configuration-set")
    settings = LoopSettings(pollers=1, until_empty=True, stream_by=by)
    totals = make(engine, shelf, loop_settings=settings).run()
    assert (totals.events, totals.suppressed) == (1, 0)
    assert rows(engine, "SELECT address, stream FROM suppressed") == [("jane@example.com", "news")]
