"""The loop, with a queue that fails where a real one can't be made to."""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from scripts.local.ses_messages import Scenario
from sesbounce.aws.received import Received
from sesbounce.aws.sns_trust import Trust
from sesbounce.aws.sqs import BatchFailures
from sesbounce.errors import QueueError
from sesbounce.feedback.stream import read_stream_by
from sesbounce.store.engine import write
from sesbounce.telemetry.logs import set_up_logs
from sesbounce.telemetry.reports import BatchDone, Stalled
from sesbounce.worker.loop import LoopSettings
from tests.stored import rows
from tests.support import AT, in_sns, mail, said, until
from tests.unit.sesbounce.worker.working import JUNK, NEW, Shelf, body, make, rename, run


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
        engine, shelf, loop_settings=LoopSettings(pollers=2, batch_wait=60, until_empty=True)
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
