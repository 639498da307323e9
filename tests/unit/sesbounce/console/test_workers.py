"""The workers on the overview: the backlog, the dead letters, and what is known of each worker."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from sesbounce.aws.depth import Depth
from sesbounce.console import workers
from sesbounce.console.texts import texts_of
from sesbounce.console.workers import QueueNumbers, age, workers_of
from sesbounce.store.engine import write
from sesbounce.store.workers import Mode, WorkerRow, save_worker
from tests.console import Browser, Site
from tests.support import AT
from tests.unit.sesbounce.console.test_overview import OVERVIEW, part, text_of
from tests.unit.sesbounce.store.test_workers import HOSTILE, HOUR, MINUTE, SECOND, ran, worker

UNKNOWN = "\N{EN DASH} not known"


@pytest.fixture
def viewer(site: Site) -> Browser:
    return site.with_role("viewer")


def save(site: Site, *rows: WorkerRow) -> None:
    with write(site.engine) as connection:
        for row in rows:
            save_worker(connection, row)


def shown(browser: Browser, **more: Any) -> str:
    """What a reader sees of the section."""
    answer = browser.get(OVERVIEW, **more)
    assert answer.status_code == 200
    return text_of(part(answer.text, "workers"))


def test_where_no_worker_has_written_the_page_says_what_to_do(viewer: Browser) -> None:
    text = shown(viewer)
    assert "No worker has written to this database yet" in text
    assert "sesbounce run" in text
    assert "Dead letters" not in text


def test_a_healthy_worker_stands_with_the_backlog_of_its_queue(site: Site, viewer: Browser) -> None:
    row = worker(seen_at=AT - MINUTE, polled_at=AT - MINUTE, depth=Depth(1200, 30, 4))
    save(site, msgspec.structs.replace(row, oldest_seconds=150, dead_letters=2))
    text = shown(viewer)
    assert "Queue feedback, as of 2026-11-20 11:59 UTC" in text
    assert "Waiting in the queue 1,204 In flight 30 Oldest message 2 min" in text
    assert "Dead letters 2 Workers Worker Status" in text
    assert '<a href="/console/dead-letters">Dead letters</a>' in viewer.get(OVERVIEW).text
    assert "host process 1 version 1.2 healthy SQS answers its polls" in text
    assert text.count("2026-11-20 10:59 UTC") == 1  # since when
    assert "SQS answered at 2026-11-20 11:59 UTC" in text


def test_what_no_worker_knows_is_no_zero(site: Site, viewer: Browser) -> None:
    save(site, worker(mode=Mode.LAMBDA, host="the-function", version=""))
    text = shown(viewer)
    assert f"Waiting in the queue {UNKNOWN} This worker does not count them." in text
    assert f"In flight {UNKNOWN}" in text
    assert "Oldest message \N{EN DASH} none was handled in the last minute" in text
    assert f"Dead letters {UNKNOWN} No worker counts them. The alarm “dlq” watches them" in text
    assert "the-function healthy AWS Lambda calls it when messages come" in text


@pytest.mark.parametrize(
    ("row", "after", "said", "japanese"),
    [
        (
            worker(waits_for=("certificate", "queue")),
            MINUTE,
            "waits It waits for a certificate of SNS. It waits for the queue: SQS does not answer.",
            "待機",
        ),
        (
            worker(waits_for=("database",)),
            MINUTE,
            "waits It waits for the database.",
            "データベースを待っています。",
        ),
        (
            worker(),
            4 * MINUTE,
            "not seen It has written nothing since 2026-11-20 12:00 UTC",
            "強制終了",
        ),
        (
            worker(ended_at=AT),
            HOUR,
            "ended It ended in order at 2026-11-20 12:00 UTC",
            "正常に終了しました。",
        ),
        (
            worker(mode=Mode.UNTIL_EMPTY),
            MINUTE,
            "healthy It runs until the queue is empty.",
            "キューが空になるまで",
        ),
    ],
)
def test_the_status_is_a_word_and_a_sentence(
    site: Site, viewer: Browser, row: WorkerRow, after: timedelta, said: str, japanese: str
) -> None:
    save(site, row)
    site.now = AT + after
    assert said in shown(viewer)
    assert japanese in shown(viewer, headers={"Accept-Language": "ja"})


def test_a_schedule_that_is_late_is_a_warning(site: Site, viewer: Browser) -> None:
    save(site, ran("1", AT), ran("2", AT + 15 * MINUTE))
    site.now = AT + 40 * MINUTE
    text = shown(viewer)
    assert "ended It ended in order at 2026-11-20 12:15 UTC" in text
    assert text.count("process 1") == 1
    site.now = AT + 50 * MINUTE
    text = shown(viewer)
    assert (
        "late Judging by its earlier runs, the next run should have begun by "
        "2026-11-20 12:48" in text
    )


def test_several_queues_have_their_own_numbers_and_few_workers_are_shown(
    site: Site, viewer: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "MOST_WORKERS", 2)
    save(
        site,
        *(worker(str(n), host=f"host-{n}", queue="a-queue") for n in range(2)),
        *(worker(f"b{n}", host=f"other-{n}", queue="b-queue") for n in range(3)),
    )
    text = shown(viewer)
    assert text.count("Dead letters") == 2
    assert "Queue a-queue, as of" in text
    assert "host-1 process 1 version 1.2 a-queue healthy" in text
    assert "other-" not in text
    assert "3 further workers are not shown." in text


def numbers(*rows: WorkerRow) -> QueueNumbers:
    latest_first = sorted(rows, key=lambda row: row.seen_at, reverse=True)
    (found,) = workers_of(latest_first, AT).queues
    return found


def test_the_numbers_are_the_latest_that_some_worker_knows() -> None:
    known = Depth(5, 6, 7)
    new = worker("new", AT)
    before = worker("before", AT - MINUTE, depth=known, oldest_seconds=9, dead_letters=0)
    older = worker("older", AT - 2 * MINUTE, depth=Depth(1, 1, 1), oldest_seconds=20)
    assert numbers(new, before, older) == QueueNumbers("feedback", AT, 12, 6, 20, 0)


def test_old_numbers_are_not_known_any_more() -> None:
    old = worker("old", AT - 3 * MINUTE - SECOND, depth=Depth(5, 6, 7), dead_letters=3)
    assert numbers(worker("new", AT), old) == QueueNumbers("feedback", AT, None, None, None, None)


def test_an_emulator_that_leaves_numbers_out_leaves_the_others() -> None:
    assert numbers(worker(depth=Depth(5, None, None)))[2:4] == (5, None)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7199, "119 min"),
        (7200, "2 h"),
        (10**7, "2,777 h"),
    ],
)
def test_an_age_is_in_the_unit_that_fits(seconds: int, said: str) -> None:
    assert age(texts_of("en"), seconds) == said


def test_a_hostile_host_is_text(site: Site, viewer: Browser) -> None:
    save(site, worker(host=HOSTILE, version=HOSTILE, queue=HOSTILE))
    page = part(viewer.get(OVERVIEW).text, "workers")
    assert "<b>" not in page
    assert page.count("&lt;b&gt;\\u202e&#39;; DROP TABLE") == 3


def test_a_clock_that_is_ahead_is_no_fault(site: Site, viewer: Browser) -> None:
    at: datetime = AT + HOUR
    save(site, worker(seen_at=at))
    assert "healthy" in shown(viewer)
