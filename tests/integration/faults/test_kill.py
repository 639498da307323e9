"""SIGKILL ends the worker at any point: no event is lost, and none counts twice."""

import time

import sqlalchemy as sa

from tests.integration.feedback_queue import FeedbackQueue
from tests.integration.proxy import Proxy
from tests.integration.worker_process import Running, Worker
from tests.support import in_sns, mail, said

# As many as one call deletes.
BODIES = [in_sns(said(about=mail(message_id=f"mail-{n}"))) for n in range(10)]


def kill(running: Running) -> None:
    time.sleep(0.5)  # time for a step that the worker would do too early
    running.kill()


def recorded(worker: Worker) -> int:
    count: int = worker.rows("SELECT count(*) FROM feedback_event")[0][0]
    return count


def finish(worker: Worker, queue: FeedbackQueue, proxy: Proxy) -> str:
    """Let another worker handle the rest; assert that each event has had its effect once."""
    queue.surface(proxy.receipts)
    log = worker.drain()
    assert recorded(worker) == 10
    assert worker.rows("SELECT address FROM suppressed") == [("jane@example.com",)]
    assert worker.rows("SELECT mailable, struck FROM member") == [(0, 1)]
    queue.is_done()
    return log


def test_after_receive(worker: Worker, queue: FeedbackQueue, proxy: Proxy) -> None:
    with worker.running(AWS_ENDPOINT_URL=proxy.url) as running:
        proxy.wait_for("ReceiveMessage")  # the tables exist by then
        with worker.write_lock():
            queue.send(BODIES)
            running.until(lambda: len(proxy.receipts) == 10)
            kill(running)
    assert recorded(worker) == 0
    assert queue.in_flight == 10
    assert "10 messages received, 10 deleted" in (log := finish(worker, queue, proxy))
    assert "10 events recorded, 0 known already; 1 address suppressed" in log


def test_in_the_transaction(on_postgresql: Worker, queue: FeedbackQueue, proxy: Proxy) -> None:
    worker = on_postgresql
    engine = sa.create_engine(worker.environment["SESBOUNCE_DATABASE_URL"], poolclass=sa.NullPool)
    queue.send(BODIES)
    with engine.connect() as other:
        other.exec_driver_sql("SELECT * FROM member FOR UPDATE")
        with worker.running(AWS_ENDPOINT_URL=proxy.url) as running:
            # The worker has inserted the events, and can't strike off.
            running.until(lambda: worker.rows("SELECT 1 FROM pg_locks WHERE NOT granted"))
            kill(running)
    assert recorded(worker) == 0
    assert queue.in_flight == 10
    assert "10 messages received, 10 deleted" in (log := finish(worker, queue, proxy))
    assert "10 events recorded, 0 known already; 1 address suppressed" in log


def test_between_commit_and_delete(worker: Worker, queue: FeedbackQueue, proxy: Proxy) -> None:
    queue.send(BODIES)
    proxy.hold("DeleteMessageBatch")
    with worker.running(AWS_ENDPOINT_URL=proxy.url) as running:
        running.until(lambda: proxy.held.is_set() and recorded(worker) == 10)
        kill(running)
    assert worker.rows("SELECT address FROM suppressed") == [("jane@example.com",)]
    assert queue.in_flight == 10
    assert "10 messages received, 10 deleted" in (log := finish(worker, queue, proxy))
    assert "0 events recorded, 10 known already; 0 addresses suppressed" in log


def test_in_mid_delete(worker: Worker, queue: FeedbackQueue, proxy: Proxy) -> None:
    queue.send(BODIES)
    proxy.hold_answer("DeleteMessageBatch")
    with worker.running(AWS_ENDPOINT_URL=proxy.url) as running:
        # SQS has deleted the messages, and the worker does not get the answer.
        running.until(lambda: proxy.held.is_set() and queue.in_flight == 0)
        kill(running)
    assert recorded(worker) == 10
    proxy.receipts.clear()
    assert "0 messages received, 0 deleted" in finish(worker, queue, proxy)
