"""Where the CPU time of the worker goes.

`python -m tests.bench.bench_profile` has the worker's own code handle the messages of the stub in
batches of 200, in one thread and without a queue, and prints the CPU time of each stage. How that
is measured, and what the measuring adds: see `tests.bench.stages`. The sum of the stages stands
beside the time of the same work when nothing is watched, in the same rounds.

`--worker` starts the whole worker on the stub, and prints the CPU time and the switches of its
threads, by what they do. Linux only.
"""

import argparse
import gc
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

import sqlalchemy as sa
from rich.console import Console
from rich.progress import track
from rich.table import Table

from sesbounce.aws.received import Received
from sesbounce.aws.sns_trust import Trust
from sesbounce.errors import MessageError
from sesbounce.feedback import classify, decode, extract
from sesbounce.policy.verdict import Policy
from sesbounce.store import bulk, propagate, store
from sesbounce.store.engine import open_database
from sesbounce.store.store import Store
from sesbounce.store.strike_off import StrikeOff
from sesbounce.worker import batch as batches
from sesbounce.worker.in_flight import InFlightMessage
from tests.bench.backlog import Backlog
from tests.bench.contest import BenchError
from tests.bench.recording import postgresql_url
from tests.bench.stages import Clock, Replay, Stage
from tests.bench.threads import Costs, measure

BATCH = 200
BATCHES = 5
_DECODE = "events, and the rest of decoding"
DECODING = (
    Stage(_DECODE, decode, "decode_all"),
    Stage("envelope", decode, "open_envelope", _DECODE),
    Stage("typed message", decode, "read_notification", _DECODE),
    Stage("digests", decode, "digest", _DECODE),
    Stage("attribution and stream", decode, "attribution_of", _DECODE),
    Stage("attribution and stream", decode, "stream_of", _DECODE),
    Stage("classify", extract, "classify_bounce", _DECODE),
    Stage("read the reply", classify, "read_reply", "classify"),
    Stage("fold the address", extract, "parse", _DECODE),
    Stage("dedupe key", extract._EventBuilder, "_dedupe_key", _DECODE),
    Stage("digests", extract, "digest", "dedupe key"),
)


Result = decode.Decoded | MessageError


def recording(engine: sa.Engine) -> Sequence[Stage]:
    """The stages of a batch beside decoding."""
    dialect = engine.dialect
    return (
        Stage("trust, and sort the batch", batches.Handler, "handle"),
        Stage("transaction, and counts", Store, "record"),
        Stage("rows and states of the batch", store, "ready_batch"),
        Stage("rows of the log", store, "insert_messages"),
        Stage("rows of the log", store, "insert_events"),
        Stage("read known addresses", store, "lock_rows_to_save"),
        Stage("merge and verdict", Store, "_merge"),
        Stage("changes, counts by hour", Store, "_change"),
        Stage("rows of addresses", store, "save_rows"),
        Stage("propagate", propagate.Propagator, "propagate"),
        Stage("values for the driver", bulk.Insert, "ready"),
        Stage("values for the driver", bulk.Insert, "send"),
        Stage("SQLAlchemy", sa.Connection, "execute"),
        Stage("SQLAlchemy", sa.Connection, "exec_driver_sql"),
        Stage("driver and database", dialect, "do_execute"),
        Stage("driver and database", dialect, "do_executemany"),
        Stage("commit", dialect, "do_commit"),
    )


class Profile:
    """Handles batches, and keeps the figures of each round, in microseconds a message.

    Attributes:
        stages: the CPU time of each stage, round by round.
        whole: the CPU time of all when nothing is watched.
    """

    def __init__(self, engine: sa.Engine) -> None:
        """Prepare the database."""
        self.stages: list[Mapping[str, float]] = []
        self.whole: list[float] = []
        self._engine = engine
        self._store = Store(engine, Policy(), StrikeOff())
        self._store.prepare()
        self._backlog = Backlog()

    def run(self) -> None:
        """Run a round."""
        bare = list(self._batches())
        began = time.thread_time_ns()
        for one in bare:
            self._handler(decode.decode_all).handle(one)
        self.whole.append(_microseconds(time.thread_time_ns() - began))
        self.stages.append(self._watched())

    def _watched(self) -> Mapping[str, float]:
        """The stages of a round: decoding for all batches first, and then all else."""
        watched = list(self._batches())
        replay, clock = Replay(DECODING), Clock()
        with replay.keeping():
            decoded = [
                decode.decode_all(message.received.body, message.received.sent_at)
                for one in watched
                for message in one
            ]
        own = replay.own()
        given = iter(decoded)
        handler = self._handler(lambda *_: next(given))
        with clock.watching(recording(self._engine)):
            for one in watched:
                handler.handle(one)
        return {name: _microseconds(spent) for name, spent in (own | clock.own).items()}

    def _batches(self) -> Iterator[list[InFlightMessage]]:
        visible_at = time.monotonic() + 3600
        for _ in range(BATCHES):
            answers = (json.loads(self._backlog.take(10)) for _ in range(BATCH // 10))
            yield [
                InFlightMessage(
                    Received(m["MessageId"], m["ReceiptHandle"], m["Body"], 1, datetime.now(UTC)),
                    visible_at,
                )
                for answer in answers
                for m in answer["Messages"]
            ]

    def _handler(self, decode_body: Callable[..., list[Result]]) -> batches.Handler:
        return batches.Handler(
            self._store, Trust(), lambda: datetime.now(UTC), lambda *_: False, decode_body
        )


def _microseconds(nanoseconds: int) -> float:
    return nanoseconds / 1000 / (BATCH * BATCHES)


def table_of(name: str, profile: Profile) -> Table:
    """The stages, the dearest first, beside the whole."""
    table = Table(title=f"{name}: medians of {len(profile.whole)} rounds, batches of {BATCH}")
    for heading in ("stage", "CPU µs a message", "share"):
        table.add_column(heading, justify="left" if heading == "stage" else "right")
    whole = statistics.median(profile.whole)
    medians = {
        stage: statistics.median(each[stage] for each in profile.stages)
        for stage in profile.stages[0]
    }
    for stage, spent in sorted(medians.items(), key=lambda item: -item[1]):
        table.add_row(stage, f"{spent:.1f}", f"{spent / sum(medians.values()):.0%}")
    table.add_section()
    decoding = sum(medians[stage] for stage in {stage.name for stage in DECODING})
    table.add_row("decoding", f"{decoding:.1f}", f"{decoding / sum(medians.values()):.0%}")
    table.add_row("all stages", f"{sum(medians.values()):.1f}", "100%")
    table.add_row("the same, not watched", f"{whole:.1f}", "")
    return table


def table_of_threads(costs: Costs) -> Table:
    """The kinds of threads, the dearest first."""
    rate = costs.messages / costs.seconds
    table = Table(title=f"the whole worker, {rate:,.0f} messages/s")
    for heading in ("threads", "CPU µs a message", "switches a message"):
        table.add_column(heading, justify="left" if heading == "threads" else "right")

    def row(name: str, cpu_seconds: float, switches: int | None) -> None:
        each = "" if switches is None else f"{switches / costs.messages:.3f}"
        table.add_row(name, f"{cpu_seconds / costs.messages * 1e6:.1f}", each)

    for kind, cost in sorted(costs.kinds.items(), key=lambda item: -item[1].cpu_seconds):
        row(kind, cost.cpu_seconds, cost.switches)
    table.add_section()
    every = costs.kinds.values()
    row("all", sum(c.cpu_seconds for c in every), sum(c.switches for c in every))
    row("the stub of the queue", costs.stub_cpu_seconds, None)
    return table


def profiled(name: str, url: str, rounds: int) -> Table:
    """Profile one kind of database."""
    engine = open_database(url)
    profile = Profile(engine)
    profile.run()  # to warm up
    profile.stages.clear()
    profile.whole.clear()
    gc.freeze()  # as `sesbounce run` does
    for _ in track(range(rounds), description=name):
        profile.run()
    engine.dispose()
    return table_of(name, profile)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=20, help="of five batches (20)")
    parser.add_argument("--postgresql", action="store_true", help="PostgreSQL as well")
    parser.add_argument("--worker", action="store_true", help="the threads of a whole worker")
    parser.add_argument("--processes", type=int, default=1, help="of that worker (1)")
    parser.add_argument("--seconds", type=float, default=10, help="that are measured (10)")
    options = parser.parse_args()
    console = Console()
    if options.worker:
        try:
            console.print(table_of_threads(measure(options.processes, 3, options.seconds)))
        except BenchError as error:
            raise SystemExit(f"bench: {error}") from None
        return
    with tempfile.TemporaryDirectory() as folder:
        console.print(profiled("SQLite", f"sqlite:///{folder}/profile.sqlite3", options.rounds))
    if options.postgresql:
        with postgresql_url() as url:
            console.print(profiled("PostgreSQL", url, options.rounds))


if __name__ == "__main__":
    main()
