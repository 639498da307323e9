"""Where the database takes longer than the visibility timeout, no other worker gets messages."""

from tests.integration.feedback_queue import FeedbackQueue
from tests.integration.proxy import Proxy
from tests.integration.worker_process import Worker
from tests.support import in_sns, mail, said

# Seconds: half of it is the time that a busy machine has for the heartbeat.
TIMEOUT = 20
BODIES = [in_sns(said(about=mail(message_id=f"mail-{n}"))) for n in range(3)]


def recorded_once(worker: Worker) -> None:
    assert worker.rows("SELECT count(*) FROM feedback_event") == [(3,)]
    assert worker.rows("SELECT mailable, struck FROM member") == [(0, 1)]


def test_messages_in_flight_stay_invisible(
    worker: Worker, queue: FeedbackQueue, proxy: Proxy
) -> None:
    settings = {"AWS_ENDPOINT_URL": proxy.url, "SESBOUNCE_VISIBILITY_SECONDS": str(TIMEOUT)}
    with worker.running(**settings) as running:
        proxy.wait_for("ReceiveMessage")
        with worker.write_lock():
            queue.send(BODIES)
            running.until(lambda: len(proxy.receipts) == 3)
            # Two seconds longer than the timeout.
            assert [queue.receive(seconds) for seconds in (TIMEOUT, 2)] == [[], []]
            proxy.wait_for("ChangeMessageVisibilityBatch", 2)
        queue.is_done()
        recorded_once(worker)
        assert running.stop() == 0, running.log
    assert len(proxy.receipts) == 3  # SQS delivered each message once


def test_a_heartbeat_that_fails_does_not_end_the_worker_or_repeat_an_event(
    worker: Worker, queue: FeedbackQueue, proxy: Proxy
) -> None:
    proxy.refuse("ChangeMessageVisibilityBatch", 400, "InternalError")
    settings = {"AWS_ENDPOINT_URL": proxy.url, "SESBOUNCE_VISIBILITY_SECONDS": "10"}
    with worker.running(**settings) as running:
        proxy.wait_for("ReceiveMessage")
        with worker.write_lock():
            queue.send(BODIES)
            # SQS delivers them a second time while they are in flight, as to another worker.
            running.until(lambda: len(proxy.receipts) >= 6)
        queue.is_done()
        recorded_once(worker)
        assert '"event": "visibility not extended"' in running.log
        assert running.stop() == 0, running.log
