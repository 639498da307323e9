"""The table in which each worker says that it lives, and what it sees: the console shows it.

So a server needs no right in AWS, and none but the database need connect the two.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from sesbounce.aws.depth import Depth
from sesbounce.store import schema
from sesbounce.store.bulk import Insert

# What a worker may wait for.
AWAITED = ("certificate", "database", "queue")
_table = schema.worker
_save = Insert(_table, "id", replace=[c.name for c in _table.columns if c.name != "id"])
# A row that was not written for so long is deleted.
KEPT = timedelta(days=1)
# A worker writes its row once a minute, and a function at the sweep of each hour at least.
_SEEN_WITHIN = timedelta(minutes=3)
_FUNCTION_SEEN_WITHIN = timedelta(hours=2)
# The processes of one run start within this time, and its tasks as well.
_ONE_RUN = timedelta(seconds=30)
_MOST_GAPS = 2


class Mode(StrEnum):
    """How a worker runs: until a signal, until the queue is empty, or in AWS Lambda."""

    RUN = "run"
    UNTIL_EMPTY = "until_empty"
    LAMBDA = "lambda"


class WorkerStatus(StrEnum):
    """What is known of a worker: it works, waits for something, has ended, or nobody knows.

    A worker that has ended is late if its schedule should have begun the next run.
    """

    HEALTHY = "healthy"
    WAITING = "waiting"
    UNSEEN = "unseen"
    ENDED = "ended"
    LATE = "late"


class WorkerRow(msgspec.Struct, frozen=True, kw_only=True):
    """What one worker says of itself; with several processes, each of them has a row.

    Attributes:
        id: random, or the name of a function in AWS Lambda, whose environments share a row.
        mode: how it runs.
        host: the host, the task of ECS, or the function.
        process: the number of the process there.
        version: the version of sesbounce; empty if it is not known.
        queue: the name of the queue.
        started_at: when it started, UTC; of a function, the environment that wrote the row last.
        seen_at: when it wrote the row, UTC.
        ended_at: when it ended in order, UTC; None if it has not.
        polled_at: when SQS last answered a receive, UTC; None before the first answer.
        waits_for: what it waits for, of `AWAITED`; nothing if it is healthy.
        depth: the number of messages in the queue.
        oldest_seconds: the age of the oldest message that it handled in the minute before; None
            if there was none.
        dead_letters: the number of messages in the dead-letter queue; None if it is not known.
    """

    id: str
    mode: Mode
    host: str
    process: int
    version: str
    queue: str
    started_at: datetime
    seen_at: datetime
    ended_at: datetime | None = None
    polled_at: datetime | None = None
    waits_for: Sequence[str] = ()
    depth: Depth = Depth()
    oldest_seconds: int | None = None
    dead_letters: int | None = None

    def status_at(self, now: datetime) -> WorkerStatus:
        """What is known of the worker at a time."""
        if self.ended_at:
            return WorkerStatus.ENDED
        within = _FUNCTION_SEEN_WITHIN if self.mode is Mode.LAMBDA else _SEEN_WITHIN
        if now - self.seen_at > within:
            return WorkerStatus.UNSEEN
        return WorkerStatus.WAITING if self.waits_for else WorkerStatus.HEALTHY


def save_worker(connection: sa.Connection, row: WorkerRow) -> None:
    """Save what a worker says of itself, and delete the rows that nobody has written for a day.

    Each worker locks its own row first, then the old ones by their keys: so no two wait for each
    other.
    """
    values = msgspec.structs.asdict(row)
    depth: Depth = values.pop("depth")
    values |= msgspec.structs.asdict(depth) | {"waits_for": " ".join(row.waits_for)}
    _save(connection, [tuple(values[name] for name in _save.columns)])
    seen_at = _table.c.seen_at
    # One that is a day ahead is of a clock that was fast.
    is_old = (seen_at < row.seen_at - KEPT) | (seen_at > row.seen_at + KEPT)
    for id_ in sorted(connection.scalars(sa.select(_table.c.id).where(is_old))):
        connection.execute(sa.delete(_table).where(_table.c.id == id_, is_old))


def read_workers(connection: sa.Connection) -> list[WorkerRow]:
    """What the workers say of themselves, the latest first."""
    query = sa.select(_table).order_by(_table.c.seen_at.desc(), _table.c.id)
    return [_read(row) for row in connection.execute(query).mappings()]


class Present(NamedTuple):
    """A worker at a time.

    Attributes:
        row: what it says of itself.
        status: what is known of it.
        late_since: when its schedule should have begun the next run, UTC; None if it is not late.
    """

    row: WorkerRow
    status: WorkerStatus
    late_since: datetime | None = None

    @property
    def is_seen(self) -> bool:
        """Whether it runs now."""
        return self.status in {WorkerStatus.HEALTHY, WorkerStatus.WAITING}


def present_workers(rows: Sequence[WorkerRow], now: datetime) -> Mapping[str, list[Present]]:
    """The workers of each queue that have not ended; where the last one has ended, that one too.

    Args:
        rows: what the workers say of themselves, the latest first.
        now: the time, UTC.
    """
    by_queue: defaultdict[str, list[WorkerRow]] = defaultdict(list)
    for row in rows:
        by_queue[row.queue].append(row)
    return {queue: _present(some, now) for queue, some in sorted(by_queue.items())}


def _present(rows: Sequence[WorkerRow], now: datetime) -> list[Present]:
    found = [Present(row, row.status_at(now)) for row in rows if not row.ended_at]
    last = rows[0]
    if not last.ended_at or any(one.is_seen for one in found):
        return found
    by = _next_run_by(rows) if last.mode is Mode.UNTIL_EMPTY else None
    is_late = by is not None and now > by
    status = WorkerStatus.LATE if is_late else WorkerStatus.ENDED
    return [*found, Present(last, status, by if is_late else None)]


def _next_run_by(rows: Iterable[WorkerRow]) -> datetime | None:
    """The time by which a schedule should have begun its next run; None where nobody can know.

    The database does not hold the schedule, so the runs before have to tell: the next one is late
    if it has not begun after twice the longest time between two of them.
    """
    starts = sorted(row.started_at for row in rows if row.mode is Mode.UNTIL_EMPTY)
    gaps = [after - before for before, after in pairwise(starts) if after - before > _ONE_RUN]
    return starts[-1] + _MOST_GAPS * max(gaps) + _SEEN_WITHIN if gaps else None


def _read(row: sa.RowMapping) -> WorkerRow:
    values = dict(row)
    depth = Depth(*(values.pop(name) for name in Depth.__struct_fields__))
    # A newer version may run in a mode, or wait for something, that this one does not know.
    known_mode = values["mode"] in set(Mode)
    waits_for = tuple(one for one in AWAITED if one in values["waits_for"].split())
    values |= {"mode": Mode(values["mode"]) if known_mode else Mode.RUN, "waits_for": waits_for}
    return WorkerRow(**values, depth=depth)
