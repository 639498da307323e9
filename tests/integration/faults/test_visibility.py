"""Where the database takes longer than the visibility timeout, no other worker gets messages."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

from tests.integration.feedback_queue import FeedbackQueue
from tests.integration.proxy import Proxy
from tests.integration.worker_process import Worker
from tests.support import in_sns, mail, said

BODIES = [in_sns(said(about=mail(message_id=f"mail-{n}"))) for n in range(3)]
# Seconds; the visibility timeout is ten seconds.
LONGER = 12


@contextmanager
def write_lock(worker: Worker) -> Iterator[None]:
    with closing(sqlite3.connect(worker.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


def recorded_once(worker: Worker) -> None:
    assert worker.rows("SELECT count(*) FROM feedback_event") == [(3,)]
    assert worker.rows("SELECT mailable, struck FROM member") == [(0, 1)]


def test_messages_in_flight_stay_invisible(
    worker: Worker, queue: FeedbackQueue, proxy: Proxy
) -> None:
    with worker.running(AWS_ENDPOINT_URL=proxy.url) as running:
        proxy.wait_for("ReceiveMessage")
        with write_lock(worker):
            queue.send(BODIES)
            running.until(lambda: len(proxy.receipts) == 3)
            assert queue.receive(LONGER) == []
        queue.is_done()
        recorded_once(worker)
        assert running.stop() == 0, running.log
    assert len(proxy.receipts) == 3  # SQS delivered each message once
    assert proxy.seen("ChangeMessageVisibilityBatch") >= 2


def test_a_heartbeat_that_fails_does_not_end_the_worker_or_repeat_an_event(
    worker: Worker, queue: FeedbackQueue, proxy: Proxy
) -> None:
    proxy.refuse("ChangeMessageVisibilityBatch", 400, "InternalError")
    with worker.running(AWS_ENDPOINT_URL=proxy.url) as running:
        proxy.wait_for("ReceiveMessage")
        with write_lock(worker):
            queue.send(BODIES)
            # SQS delivers them a second time while they are in flight, as to another worker.
            running.until(lambda: len(proxy.receipts) == 6)
        queue.is_done()
        recorded_once(worker)
        assert '"event": "visibility not extended"' in running.log
        assert running.stop() == 0, running.log
