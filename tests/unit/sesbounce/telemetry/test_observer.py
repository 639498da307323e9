import http.client
import io
import json
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import generate_latest

from sesbounce.errors import ConfigurationError
from sesbounce.store.result import Recorded
from sesbounce.telemetry.emf import Tally
from sesbounce.telemetry.health import Health
from sesbounce.telemetry.logs import set_up_logs
from sesbounce.telemetry.observer import Observer, observing
from sesbounce.telemetry.reports import BatchDone, Polled, Stalled, Swept
from tests.ports import free_port
from tests.unit.sesbounce.observed import Clock, settings
from tests.unit.sesbounce.reported import BATCH

AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
NEVER = 3600.0


class Page(io.StringIO):
    """Holds what was printed, and lets a test wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self.printed = threading.Semaphore(0)

    def flush(self) -> None:
        super().flush()
        self.printed.release()

    @property
    def documents(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.getvalue().splitlines()]


def scrape(observer: Observer) -> dict[str, float]:
    lines = generate_latest(observer.metrics.registry).decode().splitlines()
    samples = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in samples}


class TestObserver:
    def test_reports_of_all_processes_are_counted_together(self) -> None:
        clock = Clock()
        observer = Observer(Health(clock(), 20, processes=2), Tally("feedback"), clock)
        observer(Polled(10), 1)
        observer(Polled(5), 2)
        assert scrape(observer)["sesbounce_messages_received_total"] == 15
        (line,) = observer.take_lines(AT)
        assert json.loads(line)["MessagesReceived"] == 15

    def test_totals_are_what_all_processes_have_counted(self) -> None:
        observer = Observer(Health(0, 20, processes=2))
        for source in (1, 2):
            observer(Polled(10), source)
            observer(BATCH, source)
        assert (observer.totals.received, observer.totals.events) == (20, 6)
        assert observer.totals.struck_rows == 10

    def test_health_is_in_the_metrics(self) -> None:
        clock = Clock()
        observer = Observer(Health(clock(), 20), Tally("feedback"), clock)
        observer(Polled(0))
        clock.time += 10
        observer(Swept(Recorded()))
        clock.time += 4
        scraped = scrape(observer)
        assert scraped["sesbounce_healthy"] == 1
        assert scraped["sesbounce_last_poll_age_seconds"] == 14
        assert scraped["sesbounce_last_commit_age_seconds"] == 4
        observer(Stalled("database", "down"))
        assert scrape(observer)["sesbounce_healthy"] == 0
        assert json.loads(observer.take_lines(AT)[0])["Healthy"] == 0
        assert observer.status().faults == ["The worker waits for the database; its log says why."]

    def test_the_oldest_message_is_one_of_the_last_minute(self) -> None:
        clock = Clock()
        observer = Observer(Health(clock(), 20), clock=clock)

        def oldest() -> float:
            return scrape(observer)["sesbounce_oldest_message_age_seconds"]

        assert oldest() == 0
        for age, source in ((700.0, 1), (30.0, 2)):
            observer(BatchDone(1, {}, 0, Recorded(), 0.1, 0.1, age), source)
        assert oldest() == 700
        observer(BatchDone(1, {}, 0, Recorded(), 0.1, 0.1, 3.0), 1)
        assert oldest() == 30
        clock.time += 61
        assert oldest() == 0

    def test_without_emf_there_are_no_lines(self) -> None:
        assert Observer(Health(0, 20)).take_lines(AT) == []

    def test_threads_may_report_and_read_at_once(self) -> None:
        observer = Observer(Health(0, 20), Tally("feedback"), Clock())
        taken: list[str] = []
        start = threading.Barrier(9)

        def work(step: Callable[[], object]) -> threading.Thread:
            def run() -> None:
                start.wait()
                for _ in range(200):
                    step()

            thread = threading.Thread(target=run)
            thread.start()
            return thread

        threads = [work(lambda: observer(BATCH)) for _ in range(6)]
        threads += [work(lambda: scrape(observer)), work(observer.status)]
        threads += [work(lambda: taken.extend(observer.take_lines(AT)))]
        for thread in threads:
            thread.join()
        documents = map(json.loads, [*taken, *observer.take_lines(AT)])
        counted = sum(document.get("Duplicates", 0) for document in documents)
        assert counted == scrape(observer)["sesbounce_duplicates_total"] == 1200 * 2


class TestObserving:
    def test_nothing_is_served_or_printed_by_default(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        before = {*threading.enumerate()}
        with observing(settings()) as observer:
            observer(BATCH)
            assert {*threading.enumerate()} <= before
        assert capsys.readouterr() == ("", "")

    def test_lines_are_printed_at_intervals_and_at_the_end(self) -> None:
        page = Page()
        with observing(
            settings(emf=True), now=lambda: AT, out=page, every_seconds=0.01
        ) as observer:
            observer(Polled(10))
            for _ in range(3):
                assert page.printed.acquire(timeout=60)
            observer(Polled(1))
        received = [document["MessagesReceived"] for document in page.documents]
        assert len(received) >= 3
        assert sum(received) == 11
        assert {document["Service"] for document in page.documents} == {"feedback"}

    def test_the_last_lines_are_printed_on_standard_output_even_after_an_error(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def work() -> None:
            with observing(settings(emf=True)) as observer:
                observer(Polled(7))
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            work()
        (line,) = capsys.readouterr().out.splitlines()
        assert json.loads(line)["MessagesReceived"] == 7

    def test_an_output_that_can_t_be_written_does_not_end_the_worker(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        set_up_logs("json")
        closed = Page()
        closed.close()
        with observing(settings(emf=True), out=closed, every_seconds=NEVER) as observer:
            observer(BATCH)
        assert json.loads(capsys.readouterr().err)["event"] == "metrics not printed"

    def test_a_problem_of_the_output_is_logged_once(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        set_up_logs("json")
        full = Path("/dev/full").open("w", encoding="utf-8")  # noqa: SIM115  closing it fails
        with observing(settings(emf=True), out=full, every_seconds=0.01):
            time.sleep(0.1)
        assert capsys.readouterr().err.count("metrics not printed") == 1
        with pytest.raises(OSError, match="No space"):
            full.close()

    def test_without_any_standard_output_the_worker_goes_on(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        set_up_logs("json")
        monkeypatch.setattr(sys, "stdout", None)
        with observing(settings(emf=True), every_seconds=NEVER) as observer:
            observer(BATCH)
            assert observer.totals.events > 0
        assert capsys.readouterr().err.count("standard output is closed") == 1

    def test_the_port_is_open_while_the_block_runs(self) -> None:
        port = free_port()
        with observing(settings(metrics_port=port)) as observer:
            observer(Polled(10))
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            connection.request("GET", "/metrics")
            body = connection.getresponse().read()
            connection.close()
            assert b"sesbounce_messages_received_total 10.0" in body
        with pytest.raises(ConnectionRefusedError):
            connection.connect()

    def test_a_port_in_use_stops_the_worker_before_it_begins(self) -> None:
        taken = settings(metrics_port=free_port())
        with (
            observing(taken),
            pytest.raises(ConfigurationError, match="SESBOUNCE_METRICS_PORT"),
            observing(taken),
        ):
            pass

    def test_a_metric_that_there_is_not_stops_the_worker_before_it_begins(self) -> None:
        wrong = settings(emf=True, emf_metrics="Failed, Healty")
        with pytest.raises(ConfigurationError, match="no metric Healty"), observing(wrong):
            pass

    def test_processes_that_report_nothing_are_a_fault(self) -> None:
        clock = Clock()
        with observing(settings(processes=2), clock=clock) as observer:
            clock.time += 1000
            observer(Polled(0), 1)
            observer(Swept(Recorded()), 1)
            assert [fault[:16] for fault in observer.status().faults] == ["1 of 2 processes"] * 2
