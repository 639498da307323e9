"""The null pump: the pollers and deleters of sesbounce, by its settings, and nothing in between.

It deletes each message that it receives: no decoding, no database, no log. That is the most that
the worker could do with boto3 on one core. `python -m tests.bench.contestants.null_pump 2` runs
two pumps, and shows the most that two processes could do.
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

_TAKE_SECONDS = 0.5


def ignore(_report: Report) -> None:
    pass


def pump() -> None:
    settings = LoopSettings()
    queue = open_queue(QUEUE_URL, settings.wait_seconds, settings.connections)
    in_flight = InFlight(settings.room)
    threads = Threads()
    acknowledger = Acknowledger(queue, in_flight, ignore)
    poller = Poller(queue, in_flight, ignore, settings.wait_seconds, settings.visibility_seconds)
    acknowledger.start(threads, settings.pollers)
    poller.start(threads, settings.pollers)
    while True:
        threads.check()
        batch = in_flight.take(settings.batch_size, settings.batch_wait, _TAKE_SECONDS)
        acknowledger.acknowledge(batch)


def main(processes: int) -> None:
    others = [get_context("spawn").Process(target=pump, daemon=True) for _ in range(processes - 1)]
    for other in others:
        other.start()
    # Without a handler SIGTERM would end this process alone; `sys.exit` ends its daemons as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    pump()


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 1)
