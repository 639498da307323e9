"""The workers on the overview: what they say of themselves in the database.

The server asks neither SQS nor the workers, so it needs no right in AWS, and no way to them.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from markupsafe import Markup

from sesbounce.console.rendering import time
from sesbounce.console.texts import Texts
from sesbounce.store.workers import (
    Mode,
    Present,
    WorkerRow,
    WorkerStatus,
    present_workers,
)

# A page with more of them would be long.
MOST_WORKERS = 12
# A worker that wrote its row so long before another one may know what that one does not know yet.
_AS_FRESH = timedelta(minutes=3)
_MINUTE, _HOUR = 60, 3600
_AWAITS = {
    "certificate": "workers.awaits_certificate",
    "database": "workers.awaits_database",
    "queue": "workers.awaits_queue",
}
_WORKS = {
    Mode.RUN: "workers.works_run",
    Mode.UNTIL_EMPTY: "workers.works_until_empty",
    Mode.LAMBDA: "workers.works_lambda",
}


class QueueNumbers(NamedTuple):
    """The numbers of a queue; None for one that no worker knows.

    Attributes:
        queue: its name.
        at: when a worker wrote the latest of them, UTC.
        waiting: messages that wait, also delayed ones.
        in_flight: messages that were received and are not yet deleted.
        oldest_seconds: the age of the oldest message that was handled in the minute before.
        dead_letters: messages in the dead-letter queue.
    """

    queue: str
    at: datetime
    waiting: int | None
    in_flight: int | None
    oldest_seconds: int | None
    dead_letters: int | None


class Workers(NamedTuple):
    """All that is known of the workers.

    Attributes:
        queues: the numbers of each queue, by its name.
        shown: the workers to show, those of a queue together, the latest first.
        more: the number of workers that are not shown.
    """

    queues: Sequence[QueueNumbers]
    shown: Sequence[Present]
    more: int


def workers_of(rows: Sequence[WorkerRow], now: datetime) -> Workers:
    """What there is to show at a time.

    Args:
        rows: what the workers say of themselves, the latest first.
        now: the time, UTC.
    """
    found = present_workers(rows, now)
    shown = [one for some in found.values() for one in some]
    return Workers(
        queues=[_numbers([row for row in rows if row.queue == queue]) for queue in found],
        shown=shown[:MOST_WORKERS],
        more=max(0, len(shown) - MOST_WORKERS),
    )


def sentence(t: Texts, worker: Present) -> Markup:
    """What is known of a worker in a sentence or two."""
    row = worker.row
    match worker.status:
        case WorkerStatus.HEALTHY:
            return t(_WORKS[row.mode])
        case WorkerStatus.WAITING:
            return Markup(" ").join(t(_AWAITS[one]) for one in row.waits_for)
        case WorkerStatus.UNSEEN:
            return t("workers.about_unseen", time=time(row.seen_at))
        case _ if worker.late_since:
            return t("workers.about_late", time=time(worker.late_since))
        case _:
            return t("workers.about_ended", time=time(row.ended_at or row.seen_at))


def age(t: Texts, seconds: int) -> Markup:
    """An age for people: seconds, minutes or hours."""
    if seconds < 2 * _MINUTE:
        return t("workers.seconds", number=f"{seconds:,}")
    if seconds < 2 * _HOUR:
        return t("workers.minutes", number=f"{seconds // _MINUTE:,}")
    return t("workers.hours", number=f"{seconds // _HOUR:,}")


def _numbers(rows: Sequence[WorkerRow]) -> QueueNumbers:
    """The latest numbers: a worker that has just started does not know all of them yet."""
    latest = rows[0].seen_at
    fresh = [row for row in rows if latest - row.seen_at <= _AS_FRESH]
    depth = next((row.depth for row in fresh if row.depth.visible is not None), rows[0].depth)
    ages = [row.oldest_seconds for row in fresh if row.oldest_seconds is not None]
    letters = (row.dead_letters for row in fresh if row.dead_letters is not None)
    return QueueNumbers(
        queue=rows[0].queue,
        at=latest,
        waiting=None if depth.visible is None else depth.visible + (depth.delayed or 0),
        in_flight=depth.in_flight,
        oldest_seconds=max(ages, default=None),
        dead_letters=next(letters, None),
    )
