"""What an idle worker costs: the calls of SQS, and the timers that wake its threads.

`tests/bench/bench_idle.py` measures the same from outside, on the worker as a process.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from sesbounce.aws.sqs import open_queue
from sesbounce.worker.loop import LoopSettings
from tests.bench.sqs_stub import QUEUE, counts_of
from tests.support import until
from tests.unit.bench.test_sqs_stub import serving as serving_stub
from tests.unit.sesbounce.delivering import Pigeon
from tests.unit.sesbounce.worker.working import make, run

POLLS = 20


@contextmanager
def waits(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, float]]:
    """The shortest timer of each thread that waits with one, by the thread's name."""
    shortest: dict[str, float] = {}
    wait = threading.Condition.wait

    def recorded(self: threading.Condition, timeout: float | None = None) -> bool:
        if timeout:
            name = threading.current_thread().name
            shortest[name] = min(timeout, shortest.get(name, timeout))
        return wait(self, timeout)

    with monkeypatch.context() as patched:
        patched.setattr(threading.Condition, "wait", recorded)
        yield shortest


def test_an_idle_worker_polls_alone_and_wakes_less_than_twice_a_second(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "none")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    with serving_stub("--messages", "0") as address, waits(monkeypatch) as shortest:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        loop_settings = LoopSettings(wait_seconds=0)
        queue = open_queue(f"{address}/{QUEUE}", 0, loop_settings.connections)
        working = make(engine, queue, loop_settings=loop_settings, targets=[Pigeon()])
        thread = run(working)
        until(lambda: counts_of(address).calls.get("ReceiveMessage", 0) > POLLS)
        until(lambda: {"gauge", "heartbeat", "relay to pigeon", thread.name} <= shortest.keys())
        timers = dict(shortest)
        working.worker.stop()
        thread.join()
        calls = counts_of(address).calls
    assert calls.keys() == {"ReceiveMessage", "GetQueueAttributes"}
    assert calls["GetQueueAttributes"] == 1
    assert {timer for name, timer in timers.items() if timer < 5} == set()
    assert sum(1 / timer for timer in timers.values()) < 0.5
