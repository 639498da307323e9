"""What ends the loop: a signal, a thread that fails, or an empty queue."""

import os
import signal
import threading
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from scripts.local.ses_messages import Scenario
from sesbounce.aws.depth import Depth
from sesbounce.aws.received import Received
from sesbounce.aws.sqs import BatchFailures
from sesbounce.errors import QueueError, StoreError
from sesbounce.outbound import relay
from sesbounce.store.outbox import OutboxEntry, waiting
from sesbounce.telemetry.reports import Swept
from sesbounce.worker import loop
from sesbounce.worker.loop import LoopSettings
from tests.support import AT, until
from tests.unit.sesbounce.delivering import Pigeon
from tests.unit.sesbounce.worker.working import Shelf, body, make, rename, run


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


def test_until_it_is_empty_a_queue_is_not_waited_for(engine: sa.Engine) -> None:
    def fail() -> None:
        raise QueueError("no route to host")

    shelf = Shelf([body()])
    shelf.on_receive = fail
    with pytest.raises(QueueError, match="no route"):
        make(engine, shelf).run()


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
