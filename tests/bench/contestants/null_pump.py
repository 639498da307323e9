"""The null pump: the pollers and deleters of sesbounce, at its own pace, and nothing in between.

What is received is deleted as it is: no decoding, no database, no log. That is the most that the
worker could do with boto3 on one core. `python -m tests.bench.contestants.null_pump 2` runs two of
it, which is the most that two processes could do.
"""

import signal
import sys
from multiprocessing import get_context

from sesbounce.aws.sqs import open_queue
from sesbounce.telemetry.reports import Report
from sesbounce.worker.acknowledge import Acknowledger
from sesbounce.worker.in_flight import InFlight
from sesbounce.worker.loop import LoopSettings
from sesbounce.worker.poller import Poller
from sesbounce.worker.threads import Threads
from tests.bench.contestants.durable import QUEUE_URL

_PATIENCE_SECONDS = 0.5


def ignore(_report: Report) -> None:
    pass


def pump() -> None:
    pace = LoopSettings()
    queue = open_queue(QUEUE_URL, pace.wait_seconds, pace.connections)
    hand = InFlight(pace.room)
    threads = Threads()
    acknowledger = Acknowledger(queue, hand, ignore)
    poller = Poller(queue, hand, ignore, pace.wait_seconds, pace.visibility_seconds)
    acknowledger.start(threads, pace.pollers)
    poller.start(threads, pace.pollers)
    while True:
        threads.check()
        acknowledger.acknowledge(hand.take(pace.batch_size, pace.batch_wait, _PATIENCE_SECONDS))


def main(processes: int) -> None:
    others = [get_context("spawn").Process(target=pump, daemon=True) for _ in range(processes - 1)]
    for other in others:
        other.start()
    # By default it would end at once without the others; Python's own way to end takes them along.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    pump()


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 1)
