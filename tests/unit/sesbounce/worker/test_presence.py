"""What a worker says of itself, how often, and that no failure of it hinders the worker."""

import socket
from collections.abc import Sequence
from datetime import datetime, timedelta
from importlib.metadata import PackageNotFoundError
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from sesbounce.aws.depth import Depth
from sesbounce.errors import QueueError
from sesbounce.store.engine import write
from sesbounce.store.result import Recorded
from sesbounce.store.workers import Mode, WorkerRow, WorkerStatus, read_workers
from sesbounce.telemetry.health import Health
from sesbounce.telemetry.logs import set_up_logs
from sesbounce.telemetry.reports import BatchDone, Polled, Report, Resumed, Stalled, Swept
from sesbounce.worker import presence
from sesbounce.worker.gauge import Gauge
from sesbounce.worker.loop import LoopSettings
from sesbounce.worker.presence import Presence, introduce
from tests.support import AT, until
from tests.unit.sesbounce.observed import QUEUE_URL, Clock
from tests.unit.sesbounce.worker.working import Shelf, body, make, run

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


class Scene:
    """A worker in time."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine
        self.clock = Clock()
        self._began = self.clock()
        row = introduce(Mode.RUN, QUEUE_URL, AT)
        self.presence = Presence(engine, row, Health(self.clock(), 20), self.now, self.clock)

    def now(self) -> datetime:
        return AT + (self.clock() - self._began) * SECOND

    def after(self, seconds: float, *reports: Report) -> None:
        self.clock.time += seconds
        for report in reports:
            self.presence.add(report)

    @property
    def row(self) -> WorkerRow:
        (row,) = saved(self.engine)
        return row


def saved(engine: sa.Engine) -> Sequence[WorkerRow]:
    with engine.connect() as connection:
        return read_workers(connection)


@pytest.fixture
def scene(engine: sa.Engine) -> Scene:
    return Scene(engine)


def batch(oldest_seconds: float, messages: int = 10) -> BatchDone:
    return BatchDone(messages, {}, 0, Recorded(), 0.1, 0.1, oldest_seconds)


def test_the_row_says_what_the_reports_say(scene: Scene) -> None:
    scene.after(1, Polled(10), Depth(5, 10, 0), batch(12.4), batch(70.6), batch(0.1))
    scene.after(2, Swept(Recorded()))
    scene.presence.save()
    row = scene.row
    assert (row.mode, row.queue, row.started_at) == (Mode.RUN, "feedback", AT)
    assert (row.seen_at, row.polled_at) == (AT + 3 * SECOND, AT + SECOND)
    assert (row.depth, row.oldest_seconds, row.waits_for) == (Depth(5, 10, 0), 71, ())
    assert (row.ended_at, row.dead_letters) == (None, None)
    assert row.version


def test_it_is_written_once_a_minute_and_each_minute_has_an_oldest_message_of_its_own(
    scene: Scene,
) -> None:
    scene.after(0, batch(9))
    scene.presence.save()
    scene.after(20, batch(8), batch(0, messages=0))
    scene.presence.save()
    assert (scene.row.seen_at, scene.row.oldest_seconds) == (AT, 9)
    scene.after(40)
    scene.presence.save()
    assert (scene.row.seen_at, scene.row.oldest_seconds) == (AT + MINUTE, 8)
    scene.after(60)
    scene.presence.save()
    assert (scene.row.seen_at, scene.row.oldest_seconds) == (AT + 2 * MINUTE, None)


@pytest.mark.parametrize(
    ("seconds", "reports", "waits_for"),
    [
        (0, [Stalled("queue", "x")], ("queue",)),
        (0, [Stalled("queue", "x"), Polled(0)], ()),
        (0, [Stalled("certificate", "x")], ("certificate",)),
        (0, [Stalled("certificate", "x"), Resumed("certificate")], ()),
        (51, [Swept(Recorded())], ("queue",)),
        (0, [Stalled("database", "x"), Stalled("certificate", "x")], ("certificate", "database")),
        (121, [Polled(0)], ("database",)),
    ],
)
def test_it_says_what_it_waits_for(
    scene: Scene, seconds: float, reports: Sequence[Report], waits_for: Sequence[str]
) -> None:
    scene.after(seconds, *reports)
    scene.presence.save()
    assert scene.row.waits_for == waits_for


def test_an_end_in_order_is_marked(scene: Scene) -> None:
    scene.presence.save()
    scene.after(1)
    scene.presence.end()
    assert (scene.row.seen_at, scene.row.ended_at) == (AT + SECOND, AT + SECOND)


def test_it_does_not_wait_for_a_database_that_is_gone_to_say_that_it_ends(scene: Scene) -> None:
    scene.presence.save()
    scene.after(1, Stalled("database", "x"))
    scene.presence.end()
    assert scene.row.ended_at is None


def test_a_row_that_can_t_be_written_is_one_warning_and_no_end_is_tried(
    scene: Scene, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logs("json")
    with write(scene.engine) as connection:
        connection.exec_driver_sql("ALTER TABLE feedback_worker RENAME TO hidden")
    for _ in range(3):
        scene.after(60)
        scene.presence.save()
    scene.presence.end()
    logged = capsys.readouterr().err
    assert logged.count("worker not shown on the console") == 1
    assert "can't write its own row: no such table: feedback_worker" in logged
    with write(scene.engine) as connection:
        connection.exec_driver_sql("ALTER TABLE hidden RENAME TO feedback_worker")
    scene.after(60)
    scene.presence.save()
    assert scene.row.seen_at == AT + 4 * MINUTE


@pytest.mark.parametrize(
    ("depth", "dead_letters"), [(Depth(2, 1, 0), 3), (Depth(2, None, None), 2), (Depth(), None)]
)
def test_dead_letters_are_all_messages_of_their_queue(
    scene: Scene, depth: Depth, dead_letters: int | None
) -> None:
    scene.presence.count_dead_letters(Depth(9, 9, 9))
    scene.presence.count_dead_letters(depth)
    scene.presence.save()
    assert scene.row.dead_letters == dead_letters


def test_reports_are_passed_on(scene: Scene) -> None:
    passed: list[Report] = []
    report = scene.presence.watching(passed.append)
    report(Depth(1, 2, 3))
    scene.presence.save()
    assert (passed, scene.row.depth) == ([Depth(1, 2, 3)], Depth(1, 2, 3))


TASK = "cd189a933e5849daa93386466019ab50"


@pytest.mark.parametrize(
    ("mode", "environment", "host"),
    [
        (Mode.RUN, {}, "a-host"),
        (
            Mode.RUN,
            {"ECS_CONTAINER_METADATA_URI_V4": f"http://169.254.170.2/v4/{TASK}-2495160603"},
            TASK,
        ),
        (Mode.RUN, {"ECS_CONTAINER_METADATA_URI_V4": "http://169.254.170.2/v4/other"}, "a-host"),
        (Mode.LAMBDA, {"AWS_LAMBDA_FUNCTION_NAME": "sesbounce-worker"}, "sesbounce-worker"),
    ],
)
def test_people_find_the_worker_by_its_host(
    mode: Mode, environment: dict[str, str], host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "a-host")
    first, second = (introduce(mode, QUEUE_URL, AT, environment) for _ in range(2))
    assert first.host == host
    # The environments of a function share a row, and no others do.
    assert (first.id == second.id == host) == (mode is Mode.LAMBDA)


def test_the_package_for_lambda_knows_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_name: str) -> str:
        raise PackageNotFoundError

    monkeypatch.setattr(presence, "version", missing)
    assert introduce(Mode.LAMBDA, None, AT, {}).version == ""


# --- With the loop


def test_a_run_until_the_queue_is_empty_leaves_its_row_with_an_end(engine: sa.Engine) -> None:
    make(engine, Shelf([body()])).run()
    (row,) = saved(engine)
    assert (row.mode, row.ended_at, row.waits_for) == (Mode.UNTIL_EMPTY, AT, ())
    assert (row.depth, row.queue) == (Depth(0, 0, 0), "feedback")
    assert row.polled_at == AT


def test_a_worker_that_is_stopped_leaves_its_row_with_an_end(engine: sa.Engine) -> None:
    working = make(engine, Shelf([body()]), loop_settings=LoopSettings(pollers=1))
    thread = run(working)
    until(lambda: saved(engine))
    (row,) = saved(engine)
    assert row.status_at(AT) is WorkerStatus.HEALTHY
    working.worker.stop()
    thread.join()
    (ended,) = saved(engine)
    assert ended.id == row.id
    assert ended.status_at(AT) is WorkerStatus.ENDED


def test_a_worker_that_fails_has_not_ended_in_order(engine: sa.Engine) -> None:
    shelf = Shelf()

    def fail() -> None:
        until(lambda: saved(engine))
        raise QueueError("gone", lasting=True)

    shelf.on_receive = fail
    with pytest.raises(QueueError):
        make(engine, shelf).run()
    (row,) = saved(engine)
    assert row.ended_at is None


def test_without_its_table_the_worker_does_its_work(engine: sa.Engine) -> None:
    working = make(engine, Shelf([body()]))
    with write(engine) as connection:
        connection.exec_driver_sql("DROP TABLE feedback_worker")
    assert working.run().deleted == 1


def test_a_large_sweep_that_goes_on_does_not_hide_the_worker(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    working = make(engine, Shelf([body()]), loop_settings=LoopSettings(pollers=1))
    monkeypatch.setattr(working.worker._sweeper, "_sweep_store", lambda: False)
    assert not working.worker._sweeper.sweep()
    assert len(saved(engine)) == 1


def test_an_id_is_no_longer_than_its_column(engine: sa.Engine) -> None:
    function = {"AWS_LAMBDA_FUNCTION_NAME": "f" * 64}  # the longest that AWS accepts
    row: Any = introduce(Mode.LAMBDA, QUEUE_URL, AT, function)
    Presence(engine, msgspec.structs.replace(row, host="h" * 1000), None, lambda: AT).save()
    assert [len(one.id) for one in saved(engine)] == [64]


def test_a_worker_that_may_read_the_dead_letter_queue_says_how_many_there_are(
    engine: sa.Engine,
) -> None:
    letters = Shelf([body()], [body()])
    working = make(engine, Shelf([body()]), loop_settings=LoopSettings(pollers=1))
    counted = working.worker._presence.count_dead_letters
    working.worker._dead_letters = Gauge(letters, counted, lambda _: False)
    thread = run(working)
    until(lambda: working.worker._presence._row.dead_letters is not None)
    until(lambda: saved(engine))
    working.worker.stop()
    thread.join()
    (row,) = saved(engine)
    assert row.dead_letters == 2
