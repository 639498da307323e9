"""The worker stops on one signal, and at once on two, at any point of its work."""

import json
import os
import signal

import pytest

from tests.integration.feedback_queue import FeedbackQueue
from tests.integration.proxy import Proxy
from tests.integration.tcp_proxy import TcpProxy
from tests.integration.worker_process import Running, Worker, gone
from tests.support import in_sns, mail, said, until

MANY = 300
POLLERS = 4
# Small batches, so that a signal comes while some are done and others are not begun.
SMALL = {"SESBOUNCE_BATCH_SIZE": "10", "SESBOUNCE_POLLERS": str(POLLERS)}
# So many receives bring messages before the signal, each ten of them. The others are held: a worker
# is in the middle of its work, however late the signal comes.
RECEIVES = 4
STOPPING = '"event": "stopping"'


def events(count: int) -> list[str]:
    return [in_sns(said(about=mail(f"{n}@example.com", f"mail-{n}"))) for n in range(count)]


def recorded(worker: Worker) -> int:
    count: int = worker.rows("SELECT count(*) FROM feedback_event")[0][0]
    return count


def under_load(worker: Worker, running: Running, proxy: Proxy, processes: int = 1) -> None:
    """Wait until each process polls, and one of them has recorded a batch."""
    # One process polls at most so many times, and each polls then.
    proxy.wait_for("ReceiveMessage", RECEIVES + POLLERS * (processes - 1) + 1)
    running.says('"event": "batch"')
    assert recorded(worker) > 0


def nothing_is_in_between(worker: Worker, queue: FeedbackQueue) -> None:
    """Assert that each message is recorded and deleted, or visible to the next worker."""
    assert queue.in_flight == 0
    left = queue.visible
    assert left == MANY - recorded(worker)
    assert left > 0, "the signal came too late to show anything"


def test_sigterm_under_load(worker: Worker, queue: FeedbackQueue, proxy: Proxy) -> None:
    queue.send(events(MANY))
    proxy.hold("ReceiveMessage", RECEIVES)
    with worker.running(AWS_ENDPOINT_URL=proxy.url, **SMALL) as running:
        under_load(worker, running, proxy)
        running.signal(signal.SIGTERM)
        running.says(STOPPING)
        proxy.release()
        assert running.ends() == 0, running.log
    nothing_is_in_between(worker, queue)
    assert f" {recorded(worker)} deleted, 0 not understood, 0 not recorded" in running.log


def test_sigterm_in_mid_poll_on_an_empty_queue(
    worker: Worker, queue: FeedbackQueue, proxy: Proxy
) -> None:
    with worker.running(AWS_ENDPOINT_URL=proxy.url, SESBOUNCE_WAIT_SECONDS="20") as running:
        proxy.wait_for("ReceiveMessage")
        assert running.stop() == 0, running.log
    assert proxy.seen("ReceiveMessage") == 1
    assert "0 messages received" in running.log
    (stopping,) = [line for line in running.log.splitlines() if STOPPING in line]
    told = json.loads(stopping)
    assert (told["receives_under_way"], told["in_flight"]) == (1, 0)
    assert 0 < told["up_to_seconds"] <= 20
    assert told["advice"] == "a second signal ends the worker at once; nothing is lost"


def test_messages_that_a_poll_brings_after_sigterm_are_handled(
    worker: Worker, queue: FeedbackQueue, proxy: Proxy
) -> None:
    with worker.running(AWS_ENDPOINT_URL=proxy.url, SESBOUNCE_WAIT_SECONDS="20") as running:
        proxy.wait_for("ReceiveMessage")
        running.signal(signal.SIGINT)
        running.says(STOPPING)
        queue.send(events(1))
        assert running.ends() == 0, running.log
    assert "1 message received, 1 deleted" in running.log
    assert recorded(worker) == 1
    queue.is_done()


def test_sigterm_finishes_the_messages_in_flight(
    worker: Worker, queue: FeedbackQueue, proxy: Proxy
) -> None:
    queue.send(events(5))
    proxy.hold("DeleteMessageBatch")
    with worker.running(AWS_ENDPOINT_URL=proxy.url) as running:
        running.until(proxy.held.is_set)
        running.signal(signal.SIGTERM)
        running.says(STOPPING)
        proxy.release()
        assert running.ends() == 0, running.log
    assert "5 messages received, 5 deleted" in running.log
    assert recorded(worker) == 5
    queue.is_done()


def test_a_database_that_hangs_does_not_keep_the_worker(
    worker: Worker, queue: FeedbackQueue, proxy: Proxy
) -> None:
    settings = {"AWS_ENDPOINT_URL": proxy.url, "SESBOUNCE_SHUTDOWN_SECONDS": "2"}
    worker.run("db", "upgrade")
    queue.send(events(3))
    with worker.write_lock(), worker.running(**settings) as running:
        running.until(lambda: len(proxy.receipts) == 3)
        # After the next polls the main thread hangs in a call of the database's driver.
        proxy.wait_for("ReceiveMessage", 3)
        assert running.stop() == 2, running.log
    assert (
        '"in_flight": 3, "after_seconds": 2, "event": "worker not stopped in time"' in running.log
    )
    queue.surface(proxy.receipts)
    assert "3 messages received, 3 deleted" in worker.drain()
    assert recorded(worker) == 3
    queue.is_done()


def test_while_the_database_is_down_all_messages_are_returned_at_once(
    on_postgresql: Worker, queue: FeedbackQueue, proxy: Proxy, postgresql_url: str
) -> None:
    with TcpProxy(postgresql_url).running() as network:
        settings = {
            "AWS_ENDPOINT_URL": proxy.url,
            "SESBOUNCE_DATABASE_URL": network.through(postgresql_url),
        }
        with on_postgresql.running(**settings, **SMALL) as running:
            proxy.wait_for("ReceiveMessage")
            network.refuse()
            queue.send(events(50))
            # The worker handles one batch, and the other messages wait.
            running.says('"event": "batch not recorded yet"')
            running.until(lambda: len(proxy.receipts) == 50)
            assert running.stop() == 0, running.log
    assert (queue.visible, queue.in_flight) == (50, 0)
    assert recorded(on_postgresql) == 0


@pytest.mark.parametrize("processes", [1, 2])
def test_a_second_signal_ends_it_at_once(
    worker: Worker, queue: FeedbackQueue, proxy: Proxy, processes: int
) -> None:
    settings = {
        "AWS_ENDPOINT_URL": proxy.url,
        "SESBOUNCE_PROCESSES": str(processes),
        "SESBOUNCE_SHUTDOWN_SECONDS": "3600",
        "SESBOUNCE_WAIT_SECONDS": "20",
    }
    worker.run("db", "upgrade")
    queue.send(events(1))
    with worker.write_lock(), worker.running(**settings) as running:
        # One process has received the message, and each waits for others.
        proxy.wait_for("ReceiveMessage", processes + 1)
        children = running.children()
        assert len(children) == (processes if processes > 1 else 0)
        running.signal(signal.SIGTERM)
        running.says(STOPPING, processes)
        running.signal(signal.SIGINT)
        assert running.ends() == 128 + signal.SIGINT
        gone(children)
    assert (recorded(worker), queue.in_flight) == (0, 1)


class TestSeveralProcesses:
    SETTINGS = SMALL | {"SESBOUNCE_PROCESSES": "2"}

    def test_sigterm_to_the_parent(
        self, worker: Worker, queue: FeedbackQueue, proxy: Proxy
    ) -> None:
        queue.send(events(MANY))
        proxy.hold("ReceiveMessage", RECEIVES)
        with worker.running(AWS_ENDPOINT_URL=proxy.url, **self.SETTINGS) as running:
            under_load(worker, running, proxy, processes=2)
            children = running.children()
            running.signal(signal.SIGTERM)
            running.says(STOPPING, 2)
            proxy.release()
            assert running.ends() == 0, running.log
        gone(children)
        nothing_is_in_between(worker, queue)

    def test_sigterm_to_all_of_them(
        self, worker: Worker, queue: FeedbackQueue, proxy: Proxy
    ) -> None:
        queue.send(events(MANY))
        proxy.hold("ReceiveMessage", RECEIVES)
        with worker.running(AWS_ENDPOINT_URL=proxy.url, **self.SETTINGS) as running:
            under_load(worker, running, proxy, processes=2)
            for child in running.children():
                os.kill(child, signal.SIGTERM)
            running.signal(signal.SIGTERM)
            running.says(STOPPING, 2)
            proxy.release()
            assert running.ends() == 0, running.log
        nothing_is_in_between(worker, queue)

    def test_sigterm_before_the_children_are_ready(
        self, worker: Worker, queue: FeedbackQueue
    ) -> None:
        with worker.running(**self.SETTINGS) as running:
            running.until(running.children)
            assert running.stop() == 0, running.log
        assert "0 messages received" in running.log

    def test_after_the_kill_of_a_child_the_others_stop_and_the_log_says_why(
        self, worker: Worker, queue: FeedbackQueue
    ) -> None:
        with worker.running(**self.SETTINGS) as running:
            running.until(lambda: len(running.children()) == 2)
            victim, other = running.children()
            shown = "SELECT process, mode, ended_at IS NOT NULL FROM feedback_worker"
            running.until(lambda: len(worker.rows(shown)) == 2)
            os.kill(victim, signal.SIGKILL)
            assert running.ends() == 2, running.log
        # The console tells the process that was killed from the one that ended in order.
        assert {*worker.rows(shown)} == {(victim, "run", 0), (other, "run", 1)}
        assert '"event": "a process has failed"' in running.log
        assert "has ended with exit code -9; the others were stopped" in running.log
        gone([other])

    def test_children_do_not_outlive_a_parent_that_is_killed(
        self, worker: Worker, queue: FeedbackQueue, proxy: Proxy
    ) -> None:
        queue.send(events(MANY))
        proxy.hold("ReceiveMessage", RECEIVES)
        with worker.running(AWS_ENDPOINT_URL=proxy.url, **self.SETTINGS) as running:
            under_load(worker, running, proxy, processes=2)
            children = running.children()
            running.kill()
            # A child learns it when it has something to report: the answer of a receive.
            proxy.let_pass(3 * POLLERS)
            until(lambda: running.log.count(STOPPING) == 2)
            proxy.release()
            gone(children)
        nothing_is_in_between(worker, queue)
