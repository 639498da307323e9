"""The loop, with a queue that fails where a real one can't be made to."""

import os
import signal
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from scripts.ses_messages import Scenario
from sesbounce.courier import Courier
from sesbounce.database import write
from sesbounce.errors import CertificateError, QueueError, StoreError
from sesbounce.log import set_up_logs
from sesbounce.outbox import Outbox
from sesbounce.policy import Policy
from sesbounce.queue import Queue, Received
from sesbounce.store import Store
from sesbounce.strike_off import StrikeOff
from sesbounce.trust import Trust
from sesbounce.worker import Worker
from tests.support import AT, in_sns, mail, said

STRIKE_OFF = "UPDATE member SET mailable = 0 WHERE lower(email) = :address"
RESTORE = "UPDATE member SET mailable = 1 WHERE lower(email) = :address"


class Shelf(Queue):
    """A queue in memory that notes in which order things are done to it."""

    def __init__(self, *batches: Sequence[str]) -> None:
        self.batches = list(batches)
        self.done: list[tuple[str, list[str]]] = []
        self.on_receive: Callable[[], None] = lambda: None

    def receive(self, wait_seconds: int) -> list[Received]:
        self.on_receive()
        bodies = self.batches.pop(0) if self.batches else []
        self.done.append(("receive", list(bodies)))
        return [Received(f"id-{n}", "receipt", body, 1, AT) for n, body in enumerate(bodies)]

    def delete(self, messages: Sequence[Received]) -> int:
        self.done.append(("delete", [m.body for m in messages]))
        return 0

    def give_back(self, message: Received) -> int:
        self.done.append(("give back", [message.body]))
        return 1

    def depth(self) -> int:
        return len(self.batches)


def make(engine: sa.Engine, queue: Queue, trust: Trust | None = None, now: datetime = AT) -> Worker:
    store = Store(engine, Policy(), StrikeOff(STRIKE_OFF, RESTORE))
    store.prepare()
    courier = Courier(Outbox(), engine, lambda: now)
    return Worker(queue, store, trust or Trust(), courier, 20, lambda: now)


def body(recipient: str = "jane@example.com", scenario: Scenario = Scenario.BOUNCE) -> str:
    return in_sns(said(scenario, mail(recipient, recipient)))


NEW = '{"eventType": "New"}'
JUNK = '{"notificationType": "Bounce"}'


def test_what_is_refused_is_given_back_after_the_rest_is_recorded_and_deleted(
    engine: sa.Engine,
) -> None:
    shelf = Shelf([JUNK, body()])
    totals = make(engine, shelf).run(until_empty=True)
    assert shelf.done[1:3] == [("delete", [body()]), ("give back", [JUNK])]
    assert (totals.received, totals.deleted, totals.undecodable) == (2, 1, 1)


def test_a_message_that_can_t_be_given_back_does_not_stop_the_worker(engine: sa.Engine) -> None:
    class Stuck(Shelf):
        def give_back(self, message: Received) -> int:
            raise QueueError("the message is not in flight")

    totals = make(engine, Stuck([JUNK], [body()])).run(until_empty=True)
    assert (totals.deleted, totals.undecodable) == (1, 1)


def test_a_row_that_is_refused_costs_only_itself(engine: sa.Engine) -> None:
    bodies = [body(f"{n}@example.com") for n in range(9)]
    bodies.insert(4, body())
    shelf = Shelf(bodies)
    worker = make(engine, shelf)
    with write(engine) as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER refuse BEFORE INSERT ON feedback_event WHEN new.address LIKE 'jane%' "
            "BEGIN SELECT raise(ABORT, 'not this one'); END"
        )
    totals = worker.run(until_empty=True)
    assert (totals.deleted, totals.failed, totals.recorded.suppressed) == (9, 1, 9)
    assert ("give back", [body()]) in shelf.done


def test_a_table_that_vanishes_stops_the_worker_and_nothing_is_given_back(
    engine: sa.Engine,
) -> None:
    shelf = Shelf([body()])
    worker = make(engine, shelf)
    with write(engine) as connection:
        connection.exec_driver_sql("ALTER TABLE member RENAME TO members")
    with pytest.raises(StoreError, match="no such table"):
        worker.run(until_empty=True)
    assert [name for name, _ in shelf.done] == ["receive"]


def test_without_its_certificate_a_message_waits_for_the_visibility_timeout(
    engine: sa.Engine,
) -> None:
    def unavailable(url: str) -> bytes:
        raise CertificateError(f"{url} can't be fetched")

    shelf = Shelf([body()])
    trust = Trust(signatures=True, fetch=unavailable)
    totals = make(engine, shelf, trust).run(until_empty=True)
    assert totals.failed == 1
    assert shelf.done[:2] == [("receive", [body()]), ("delete", [])]
    assert not [name for name, _ in shelf.done if name == "give back"]


def test_a_topic_that_is_not_named_is_refused(engine: sa.Engine) -> None:
    trust = Trust(["arn:aws:sns:us-east-1:000000000000:another"])
    totals = make(engine, Shelf([body()]), trust).run(until_empty=True)
    assert (totals.undecodable, totals.recorded.events) == (1, 0)


def test_what_ran_out_is_restored_before_the_first_message(engine: sa.Engine) -> None:
    make(engine, Shelf([body(scenario=Scenario.SUPPRESSIONLIST)])).run(until_empty=True)
    later = AT + timedelta(days=31)
    totals = make(engine, Shelf(), now=later).run(until_empty=True)
    assert totals.recorded.restored_rows == 1


def test_a_queue_that_looks_empty_once_is_asked_again(engine: sa.Engine) -> None:
    shelf = Shelf([], [body()])
    shelf.depth = lambda: 0  # type: ignore[method-assign]  # approximate, as SQS says
    assert make(engine, shelf).run(until_empty=True).received == 1


def test_a_signal_lets_it_finish_what_is_in_hand(engine: sa.Engine) -> None:
    shelf = Shelf([body()], [body("mary@example.com")])
    worker = make(engine, shelf)
    before = signal.signal(signal.SIGTERM, lambda *_: worker.stop())
    shelf.on_receive = lambda: os.kill(os.getpid(), signal.SIGTERM)
    try:
        totals = worker.run()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert (totals.received, totals.deleted) == (1, 1)
    assert len(shelf.batches) == 1


def test_logs_hold_no_address(engine: sa.Engine, capsys: pytest.CaptureFixture[str]) -> None:
    odd: dict[str, Any] = said(about=mail("jane@example.com"))
    odd["bounce"]["timestamp"] = "jane@example.com"
    shelf = Shelf([JUNK, body(), body("Jane.2@example.com"), in_sns(odd), in_sns(NEW)])
    worker = make(engine, shelf)
    with write(engine) as connection:
        for statement in (
            "CREATE TRIGGER keep BEFORE UPDATE ON member "
            "BEGIN SELECT raise(ABORT, 'jane@example.com stays'); END",
            "CREATE TRIGGER refuse BEFORE INSERT ON feedback_event "
            "WHEN new.address = 'jane.2@example.com' BEGIN SELECT raise(ABORT, 'not her'); END",
        ):
            connection.exec_driver_sql(statement)
    set_up_logs("json")
    worker.run(until_empty=True)
    said_in_logs = "".join(capsys.readouterr())
    for what in ("undecodable", "not recorded", "statement refused", "unknown", "batch"):
        assert what in said_in_logs
    assert "jane" not in said_in_logs
