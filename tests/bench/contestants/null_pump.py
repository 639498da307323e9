"""The null pump: the pollers and deleters of sesbounce, at its own pace, and nothing in between.

What is received is deleted as it is: no decoding, no database, no log. That is the most that the
worker could do with boto3 on one core.
"""

from sesbounce.crew import Crew
from sesbounce.hand import Hand
from sesbounce.poller import Poller
from sesbounce.queue import open_queue
from sesbounce.reports import Report
from sesbounce.settler import Settler
from sesbounce.worker import Pace
from tests.bench.contestants.durable import QUEUE_URL

_PATIENCE_SECONDS = 0.5


def ignore(_report: Report) -> None:
    pass


def main() -> None:
    pace = Pace()
    queue = open_queue(QUEUE_URL, pace.wait_seconds, pace.connections)
    hand = Hand(pace.room)
    crew = Crew()
    settler = Settler(queue, hand, ignore)
    poller = Poller(queue, hand, ignore, pace.wait_seconds, pace.visibility_seconds)
    settler.start(crew, pace.pollers)
    poller.start(crew, pace.pollers)
    while True:
        crew.check()
        settler.delete(hand.take(pace.batch_size, pace.batch_wait, _PATIENCE_SECONDS))


if __name__ == "__main__":
    main()
