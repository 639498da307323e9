import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from msgspec.structs import replace

from scripts.local.ses_messages import Scenario
from sesbounce.errors import DeliveryError, StoreError
from sesbounce.outbound import relay as module
from sesbounce.outbound.relay import Relay
from sesbounce.store.answers import LastAnswers, read_answers
from sesbounce.store.engine import write
from sesbounce.store.outbox import OutboxEntry, waiting
from tests.stored import DAY, decoded
from tests.support import AT, until
from tests.unit.sesbounce.delivering import Pigeon, at, make


def test_a_failed_delivery_is_retried_after_a_longer_pause_each_time(engine: sa.Engine) -> None:
    pigeon = Pigeon(failures=2)
    store, deliver = make(engine, pigeon)
    store.record([decoded(Scenario.BOUNCE)], AT)
    assert deliver(at(AT)).failed == {"pigeon: the pigeon is lost": 1}
    assert deliver(at(AT)).failed == {}  # not due yet
    (row,) = waiting(engine)
    assert (row["problem"], row["attempts"]) == ("the pigeon is lost", 1)
    assert AT < row["due_at"] <= AT + timedelta(seconds=2)
    again = AT + timedelta(seconds=2)
    assert deliver(at(again)).failed
    last = LastAnswers(failed_at=again, problem="the pigeon is lost")
    assert read_answers(engine) == {"pigeon": last}
    later = AT + timedelta(seconds=10)
    assert deliver(at(later)).delivered == 1
    assert read_answers(engine) == {"pigeon": replace(last, delivered_at=later)}


def test_answers_that_cannot_be_saved_hinder_no_delivery(
    engine: sa.Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    pigeon = Pigeon()
    store, deliver = make(engine, pigeon)
    store.record([decoded(Scenario.BOUNCE)], AT)
    with write(engine) as connection:
        connection.exec_driver_sql("DROP TABLE feedback_target")
    assert deliver(at(AT)).delivered == 1
    assert "answers not shown on the console" in capsys.readouterr().out
    assert waiting(engine) == []


def test_a_relay_that_died_leaves_its_entry_to_the_next(engine: sa.Engine) -> None:
    class Deadly(Pigeon):
        def deliver(self, entry: OutboxEntry) -> None:
            raise KeyboardInterrupt

    store, deliver = make(engine, Deadly())
    store.record([decoded(Scenario.BOUNCE)], AT)
    with pytest.raises(KeyboardInterrupt):
        deliver(at(AT))
    pigeon = Pigeon()
    _, another = make(engine, pigeon)
    assert another(at(AT)).delivered == 0  # claimed for a minute
    assert another(at(AT + timedelta(minutes=1))).delivered == 1


@pytest.fixture(autouse=True)
def time_for_last_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may need more than the two seconds of production."""
    monkeypatch.setattr(module, "_LAST_ROUNDS_SECONDS", 60.0)


@contextmanager
def running(relay: Relay) -> Iterator[None]:
    """The relay in a thread of its own, while the block runs."""
    (loop,) = relay.loops.values()
    thread = threading.Thread(target=loop)
    thread.start()
    yield
    relay.stop()
    thread.join()


def test_a_running_relay_delivers_also_after_it_is_stopped(engine: sa.Engine) -> None:
    pigeon = Pigeon()
    store, _deliver = make(engine, pigeon)
    with running(Relay(engine, [pigeon], lambda: AT + DAY)):
        store.record([decoded(Scenario.BOUNCE)], AT)
    assert pigeon.delivered == [(True, "jane@example.com")]


def test_a_relay_whose_database_is_gone_logs_it_and_retries(
    engine: sa.Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    pigeon = Pigeon()
    store, _deliver = make(engine, pigeon)
    store.record([decoded(Scenario.BOUNCE)], AT)
    rename = "ALTER TABLE {} RENAME TO {}".format
    with write(engine) as connection:
        connection.exec_driver_sql(rename("feedback_outbox", "gone"))
    logged = ""
    with running(Relay(engine, [pigeon], lambda: AT + DAY)):
        while "the outbox can't be used" not in logged:
            time.sleep(0.01)
            logged += capsys.readouterr().out
        with write(engine) as connection:
            connection.exec_driver_sql(rename("gone", "feedback_outbox"))
    assert pigeon.delivered == [(True, "jane@example.com")]


def test_a_target_that_can_t_be_reached_ends_its_round_but_delays_no_other(
    engine: sa.Engine,
) -> None:
    class Unreachable(Pigeon):
        name = "aviary"

        def deliver(self, entry: OutboxEntry) -> None:
            self.entries.append(entry)
            raise DeliveryError("closed", unreachable=True)

    closed, pigeon = Unreachable(), Pigeon()
    store, deliver = make(engine, closed, pigeon)
    store.record([decoded(Scenario.BOUNCE, n, f"{n}@example.com") for n in range(5)], AT)
    assert deliver(at(AT)).failed == {"aviary: closed": 1}
    assert (len(closed.entries), len(pigeon.entries)) == (1, 5)


def test_a_bug_in_a_target_is_a_failure_whose_problem_names_no_address(engine: sa.Engine) -> None:
    class Faulty(Pigeon):
        def deliver(self, entry: OutboxEntry) -> None:
            raise ValueError(entry.parameters["address"])

    store, deliver = make(engine, Faulty())
    store.record([decoded(Scenario.BOUNCE)], AT)
    assert deliver(at(AT)).failed == {"pigeon: a bug of sesbounce: ValueError": 1}


def test_a_round_stops_between_two_entries(engine: sa.Engine) -> None:
    pigeon = Pigeon()
    store, deliver = make(engine, pigeon)
    store.record([decoded(Scenario.BOUNCE, n, f"{n}@example.com") for n in range(5)], AT)
    deliver(at(AT), lambda: len(pigeon.entries) == 2)
    assert len(pigeon.entries) == 2
    assert sum(row["entries"] for row in waiting(engine)) == 3


def test_no_due_entry_stays_untried_behind_a_hundred_failures(engine: sa.Engine) -> None:
    """A run until the queue is empty, and the function in AWS Lambda, try each of them once."""
    pigeon = Pigeon(failures=120)
    store, _deliver = make(engine, pigeon)
    store.record([decoded(Scenario.BOUNCE, n, f"{n}@example.com") for n in range(130)], AT)
    Relay(engine, [pigeon], at(AT)).drain(lambda: False)
    assert len(pigeon.delivered) == 10
    assert sum(row["entries"] for row in waiting(engine)) == 120


def test_a_relay_has_tried_all_only_after_a_round_that_was_not_full(engine: sa.Engine) -> None:
    began, tried = time.monotonic(), []

    class Doubtful(Pigeon):
        def deliver(self, entry: OutboxEntry) -> None:
            tried.append(relay.has_tried_since(began))
            super().deliver(entry)

    pigeon = Doubtful(failures=130)
    relay = Relay(engine, [pigeon], at(AT), patient=False)
    store, _deliver = make(engine, pigeon)
    store.record([decoded(Scenario.BOUNCE, n, f"{n}@example.com") for n in range(130)], AT)
    with running(relay):
        until(lambda: relay.has_tried_since(began))
    assert tried == [False] * 130


def test_a_relay_that_waits_for_nothing_fails_with_its_last_round(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> None:
        raise StoreError("the database is gone")

    relay = Relay(engine, [Pigeon()], at(AT), patient=False)
    relay.stop()
    make(engine, Pigeon())
    monkeypatch.setattr(Relay, "_round", fail)
    (loop,) = relay.loops.values()
    with pytest.raises(StoreError, match="the database is gone"):
        loop()


def test_the_relay_uses_the_given_clock(engine: sa.Engine) -> None:
    def now() -> datetime:
        return AT

    pigeon = Pigeon()
    store, _deliver = make(engine, pigeon)
    store.record([decoded(Scenario.BOUNCE)], AT + DAY)
    with running(Relay(engine, [pigeon], now)):
        pass
    assert pigeon.entries == []
