"""The null pump: the pollers and deleters of sesbounce, by its settings, and nothing in between.

It deletes each message that it receives: no decoding, no database, no log. That is the most that
a worker could do with boto3 on one core. `python -m tests.bench.contestants.null_pump
--processes 2` runs two pumps, and shows the most that two processes could do. With `--direct` the
pump goes past boto3, as the worker does by its own settings.
"""

import argparse
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


def pump(direct: bool) -> None:
    settings = LoopSettings()
    queue = open_queue(QUEUE_URL, settings.wait_seconds, settings.connections, direct=direct)
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--direct", action="store_true")
    options = parser.parse_args()
    process = get_context("spawn").Process
    others = [
        process(target=pump, args=(options.direct,), daemon=True)
        for _ in range(options.processes - 1)
    ]
    for other in others:
        other.start()
    # Without a handler SIGTERM would end this process alone; `sys.exit` ends its daemons as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit())
    pump(options.direct)


if __name__ == "__main__":
    main()
