"""The rows of the workers: what is kept of them, and what follows from them at a time."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from sesbounce.aws.depth import Depth
from sesbounce.store import schema
from sesbounce.store.engine import write
from sesbounce.store.workers import (
    KEPT,
    Mode,
    WorkerRow,
    WorkerStatus,
    present_workers,
    read_workers,
    save_worker,
)
from tests.support import AT

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
HOSTILE = "<b>\u202e'; DROP TABLE feedback_worker --"


def worker(id_: str = "1", seen_at: datetime = AT, **more: Any) -> WorkerRow:
    values: dict[str, Any] = {
        "mode": Mode.RUN,
        "host": "host",
        "process": 1,
        "version": "1.2",
        "queue": "feedback",
        "started_at": seen_at - HOUR,
    }
    return WorkerRow(id=id_, seen_at=seen_at, **values | more)


def ran(id_: str, began: datetime, **more: Any) -> WorkerRow:
    """A run until the queue was empty, which took ten seconds."""
    end = began + 10 * SECOND
    values = {"mode": Mode.UNTIL_EMPTY, "started_at": began, "ended_at": end, **more}
    return worker(id_, end, **values)


def save(engine: sa.Engine, *rows: WorkerRow) -> list[WorkerRow]:
    """Save rows one after the other, and return all that are there then."""
    for row in rows:
        with write(engine) as connection:
            save_worker(connection, row)
    with engine.connect() as connection:
        return read_workers(connection)


def test_a_row_is_read_as_it_was_saved(engine: sa.Engine) -> None:
    full = worker(
        host=HOSTILE,
        version=HOSTILE,
        queue=HOSTILE,
        ended_at=AT,
        polled_at=AT - SECOND,
        waits_for=("certificate", "queue"),
        depth=Depth(1, None, 3),
        oldest_seconds=70,
        dead_letters=0,
    )
    assert save(engine, full, worker("2", AT + SECOND)) == [worker("2", AT + SECOND), full]


def test_a_worker_has_one_row_which_it_replaces(engine: sa.Engine) -> None:
    later = worker(seen_at=AT + MINUTE, waits_for=("queue",))
    assert save(engine, worker(depth=Depth(1, 2, 3), polled_at=AT), later) == [later]


def test_what_nobody_has_written_for_a_day_is_deleted(engine: sa.Engine) -> None:
    old, younger, new = worker("old"), worker("younger", AT + SECOND), worker("new", AT + KEPT)
    assert save(engine, old, younger, new) == [new, younger, old]
    assert save(engine, worker("new", AT + KEPT + SECOND))[1:] == [younger]


def test_a_worker_whose_clock_was_fast_is_no_ghost(engine: sa.Engine) -> None:
    fast, now = worker("fast", AT + KEPT + SECOND), worker("now")
    assert save(engine, fast, now) == [now]


def test_nul_is_replaced_in_what_the_host_says(engine: sa.Engine) -> None:
    (row,) = save(engine, worker(host="a\0b"))
    assert row.host == "a\N{REPLACEMENT CHARACTER}b"


def test_a_newer_release_may_write_what_this_one_does_not_know(engine: sa.Engine) -> None:
    save(engine, worker(waits_for=("queue",)))
    with write(engine) as connection:
        values = {"mode": "swarm", "waits_for": "queue moon"}
        connection.execute(sa.update(schema.worker).values(values))
    with engine.connect() as connection:
        assert read_workers(connection) == [worker(waits_for=("queue",))]


@pytest.mark.parametrize(
    ("row", "after", "status"),
    [
        (worker(), 3 * MINUTE, WorkerStatus.HEALTHY),
        (worker(), 3 * MINUTE + SECOND, WorkerStatus.UNSEEN),
        (worker(waits_for=("queue",)), MINUTE, WorkerStatus.WAITING),
        (worker(waits_for=("queue",)), HOUR, WorkerStatus.UNSEEN),
        (worker(mode=Mode.UNTIL_EMPTY), HOUR, WorkerStatus.UNSEEN),
        (worker(mode=Mode.LAMBDA), 2 * HOUR, WorkerStatus.HEALTHY),
        (worker(mode=Mode.LAMBDA), 2 * HOUR + SECOND, WorkerStatus.UNSEEN),
        (worker(ended_at=AT), 9 * HOUR, WorkerStatus.ENDED),
        (worker(), -HOUR, WorkerStatus.HEALTHY),
    ],
)
def test_the_status_follows_from_the_row_and_the_time(
    row: WorkerRow, after: timedelta, status: WorkerStatus
) -> None:
    assert row.status_at(AT + after) is status


def present(now: datetime, *rows: WorkerRow) -> dict[str, list[tuple[str, WorkerStatus]]]:
    latest_first = sorted(rows, key=lambda row: row.seen_at, reverse=True)
    found = present_workers(latest_first, now)
    return {queue: [(one.row.id, one.status) for one in some] for queue, some in found.items()}


def test_each_worker_that_has_not_ended_is_present_by_its_queue() -> None:
    rows = worker("a"), worker("b", AT - HOUR), worker("c", queue="other", waits_for=("queue",))
    assert present(AT, *rows) == {
        "feedback": [("a", WorkerStatus.HEALTHY), ("b", WorkerStatus.UNSEEN)],
        "other": [("c", WorkerStatus.WAITING)],
    }
    assert present(AT) == {}


def test_the_last_end_counts_where_nobody_was_seen_since() -> None:
    ended = worker("ended", AT, ended_at=AT)
    before, after = worker("before", AT - SECOND), worker("after", AT + SECOND)
    assert present(AT, ended, before)["feedback"] == [("before", WorkerStatus.HEALTHY)]
    gone = ("before", WorkerStatus.UNSEEN)
    end = ("ended", WorkerStatus.ENDED)
    assert present(AT + HOUR, ended, before)["feedback"] == [gone, end]
    assert present(AT + HOUR, ended, after)["feedback"] == [("after", WorkerStatus.UNSEEN)]
    earlier = worker("earlier", AT - HOUR, ended_at=AT - HOUR)
    assert present(AT + HOUR, ended, earlier)["feedback"] == [end]


def test_a_schedule_is_late_by_the_runs_before() -> None:
    # Two processes of a run begin at nearly the same time.
    runs = [ran("1", AT), ran("2", AT + 15 * MINUTE), ran("3", AT + 15 * MINUTE + 2 * SECOND)]
    by = AT + 45 * MINUTE + 2 * SECOND + 3 * MINUTE
    assert present(by, *runs)["feedback"] == [("3", WorkerStatus.ENDED)]
    assert present(by + SECOND, *runs)["feedback"] == [("3", WorkerStatus.LATE)]
    newest_first = sorted(runs, key=lambda row: row.seen_at, reverse=True)
    (late,) = present_workers(newest_first, by + SECOND)["feedback"]
    assert late.late_since == by


@pytest.mark.parametrize(
    "rows",
    [
        [ran("1", AT)],
        [ran("1", AT), ran("2", AT + SECOND)],
        [ran("1", AT), worker("2", AT - HOUR, ended_at=AT - HOUR)],
        [worker("1", AT, ended_at=AT), worker("2", AT - HOUR, ended_at=AT - HOUR)],
    ],
    ids=["one run", "two processes of one run", "another worker", "no schedule"],
)
def test_where_no_schedule_is_known_nobody_is_late(rows: list[WorkerRow]) -> None:
    ((_, status),) = present(AT + 20 * HOUR, *rows)["feedback"]
    assert status is WorkerStatus.ENDED


def test_a_run_that_goes_on_is_not_late() -> None:
    long = ran("long", AT + HOUR)
    long = msgspec.structs.replace(long, ended_at=None, seen_at=AT + 9 * HOUR)
    runs = ran("1", AT), ran("2", AT + MINUTE), long
    assert present(AT + 9 * HOUR, *runs)["feedback"] == [("long", WorkerStatus.HEALTHY)]
