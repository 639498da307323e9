"""SQS rejects calls, or the network before it fails, while one worker goes on.

Every test begins with a healthy worker, and makes it record an event that the fault hinders.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scripts.local.localstack import LocalStack
from tests.integration.faults.conftest import MANY_RECEIVES
from tests.integration.faults.probe import HURRIED, green, red
from tests.integration.feedback_queue import FeedbackQueue, feedback_queue
from tests.integration.proxy import Proxy
from tests.integration.tcp_proxy import TcpProxy
from tests.integration.worker_process import Running, Worker
from tests.ports import free_port
from tests.support import in_sns, mail, said

if TYPE_CHECKING:
    from types_boto3_sqs.client import SQSClient


@dataclass
class Scene:
    """A running worker; between it and LocalStack a network, and a proxy that can reject calls."""

    running: Running
    worker: Worker
    queue: FeedbackQueue
    network: TcpProxy
    proxy: Proxy
    port: int
    numbers: Iterator[int]

    def bounces(self) -> str:
        """Send the bounce of a new address; return the address."""
        address = f"{next(self.numbers)}@example.com"
        self.queue.send([in_sns(said(about=mail(address, address)))])
        return address

    def records(self, address: str) -> None:
        sql = f"SELECT count(*) FROM feedback_event WHERE address = '{address}'"
        self.running.until(lambda: self.worker.rows(sql) == [(1,)])

    def goes_on(self, address: str) -> None:
        """Wait until the same process has recorded the bounce once, and is healthy."""
        self.records(address)
        self.running.until(green(self.port))
        self.queue.is_done()

    def red(self, words: str) -> None:
        self.running.until(red(self.port, words))

    def waits(self, problem: str) -> None:
        """Wait until health says that the worker waits for the queue, and the log says why."""
        self.red("The worker waits for the queue; its log says why.")
        self.running.says(problem)

    def times(self, event: str) -> int:
        return self.running.log.count(f'"event": "{event}"')


@pytest.fixture(scope="module")
def the_scene(
    aws: LocalStack,
    client: "SQSClient",
    quick: Mapping[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Scene]:
    with ExitStack() as stack:
        queue = stack.enter_context(feedback_queue(client, MANY_RECEIVES))
        proxy = stack.enter_context(Proxy(aws.endpoint).running())
        network = stack.enter_context(TcpProxy(proxy.url).running())
        port = free_port()
        worker = Worker.make(
            {**quick, "SESBOUNCE_METRICS_PORT": str(port), "SESBOUNCE_POLLERS": "1"},
            queue.url,
            tmp_path_factory.mktemp("worker"),
        )
        through = {"AWS_ENDPOINT_URL": network.through(proxy.url)}
        running = stack.enter_context(worker.running(*HURRIED, **through))
        scene = Scene(running, worker, queue, network, proxy, port, itertools.count())
        # A worker that has just started counts as healthy, so it has to record an event first.
        proxy.wait_for("ReceiveMessage")
        scene.goes_on(scene.bounces())
        # The tests run on either path: SESBOUNCE_SQS_DIRECT of their own environment decides.
        assert bool(proxy.direct) is (quick.get("SESBOUNCE_SQS_DIRECT") != "false")
        yield scene
        assert running.stop() == 0, running.log


@pytest.fixture
def scene(the_scene: Scene) -> Iterator[Scene]:
    the_scene.running.until(green(the_scene.port))
    yield the_scene
    the_scene.network.heal()
    the_scene.proxy.accept()


@pytest.mark.parametrize("fault", [TcpProxy.cut, TcpProxy.reset])
def test_messages_whose_connection_breaks_on_their_way_are_delivered_again(
    scene: Scene, fault: Callable[[TcpProxy], None]
) -> None:
    received = len(scene.proxy.receipts)
    scene.proxy.hold_answer("ReceiveMessage")
    address = scene.bounces()
    scene.running.until(lambda: len(scene.proxy.receipts) > received)
    fault(scene.network)
    scene.proxy.release()
    assert scene.queue.in_flight == 1
    scene.queue.surface(scene.proxy.receipts[received:])
    scene.goes_on(address)
    assert len(scene.proxy.receipts) == received + 2


def test_a_delete_whose_answer_is_lost(scene: Scene) -> None:
    scene.network.lose_answer(b"AmazonSQS.DeleteMessageBatch")
    address = scene.bounces()
    scene.running.until(scene.network.lost.is_set)
    scene.goes_on(address)


def test_a_server_that_can_t_be_reached(scene: Scene) -> None:
    received = len(scene.proxy.receipts)
    scene.network.refuse()
    address = scene.bounces()
    problem = "can't receive messages (sqs:ReceiveMessage): Could not connect to the endpoint"
    scene.waits(problem)
    assert scene.worker.run("health", code=1) == (
        "The worker waits for the queue; its log says why.\n"
    )
    scene.network.heal()
    # The poll that was cut may have received the message.
    scene.queue.surface(scene.proxy.receipts[received:])
    scene.goes_on(address)


def test_a_network_that_stalls(scene: Scene) -> None:
    scene.network.stall()
    address = scene.bounces()
    scene.red("SQS has not answered a receive for")
    scene.network.heal()
    scene.goes_on(address)


def test_a_slow_network(scene: Scene) -> None:
    scene.network.delay(0.2)
    scene.goes_on(scene.bounces())


@pytest.mark.parametrize(
    ("status", "code", "advice"),
    [
        (403, "ExpiredToken", "the AWS credentials have expired"),
        (403, "RequestExpired", "this machine's clock is wrong"),
        (403, "OverLimit", "120,000 messages are in flight"),
        (400, "ThrottlingException", "ThrottlingException"),
        (503, "ServiceUnavailable", "ServiceUnavailable"),
    ],
)
def test_a_receive_that_is_rejected(scene: Scene, status: int, code: str, advice: str) -> None:
    scene.proxy.refuse("ReceiveMessage", status, code)
    address = scene.bounces()
    scene.waits(advice)
    scene.proxy.accept()
    scene.goes_on(address)


def test_a_delete_that_is_throttled_for_a_moment_is_retried_without_a_warning(
    scene: Scene,
) -> None:
    failures, calls = scene.times("messages not deleted"), scene.proxy.seen("DeleteMessageBatch")
    scene.proxy.refuse("DeleteMessageBatch", 503, "ServiceUnavailable", times=1)
    scene.goes_on(scene.bounces())
    assert scene.proxy.seen("DeleteMessageBatch") >= calls + 2
    assert scene.times("messages not deleted") == failures


def test_a_message_that_can_t_be_deleted_is_delivered_again_and_recognised(scene: Scene) -> None:
    failures, received = scene.times("messages not deleted"), len(scene.proxy.receipts)
    scene.proxy.refuse("DeleteMessageBatch", 400, "InternalError")
    address = scene.bounces()
    scene.running.until(lambda: scene.times("messages not deleted") > failures)
    scene.records(address)
    assert scene.queue.in_flight == 1
    scene.proxy.accept()
    scene.queue.surface(scene.proxy.receipts[received:])
    scene.goes_on(address)
    assert len(scene.proxy.receipts) == received + 2


@pytest.mark.parametrize(
    ("status", "code"), [(403, "AccessDenied"), (500, "InternalFailure"), (400, "Odd")]
)
def test_a_depth_that_can_t_be_read(
    worker: Worker, queue: FeedbackQueue, proxy: Proxy, status: int, code: str
) -> None:
    proxy.refuse("GetQueueAttributes", status, code)
    queue.send([in_sns(said())])
    with worker.running(AWS_ENDPOINT_URL=proxy.url) as running:
        running.says("queue depth unknown")
        running.until(lambda: worker.rows("SELECT count(*) FROM feedback_event") == [(1,)])
        queue.is_done()
        assert running.stop() == 0, running.log
    queue.send([in_sns(said(about=mail("mary@example.com", "mail-2")))])
    log = Worker({**worker.environment, "AWS_ENDPOINT_URL": proxy.url}, worker.folder).drain()
    assert "1 message received, 1 deleted" in log
    assert log.count("queue depth unknown") == 1


def gives_up(running: Running) -> None:
    assert running.ends() == 2, running.log
    assert "sesbounce: can't receive messages (sqs:ReceiveMessage): " in running.log
    assert "check SESBOUNCE_QUEUE_URL and AWS_REGION" in running.log
    assert "Traceback" not in running.log


def test_a_missing_queue_ends_the_worker(worker: Worker, queue: FeedbackQueue) -> None:
    with worker.running(SESBOUNCE_QUEUE_URL=f"{queue.url}-not") as running:
        gives_up(running)


def test_a_queue_that_is_deleted_meanwhile_ends_the_worker(
    client: "SQSClient", quick: Mapping[str, str], proxy: Proxy, tmp_path: Path
) -> None:
    with ExitStack() as stack:
        with feedback_queue(client, MANY_RECEIVES) as queue:
            worker = Worker.make(quick, queue.url, tmp_path)
            running = stack.enter_context(worker.running(AWS_ENDPOINT_URL=proxy.url))
            proxy.wait_for("ReceiveMessage", 2)
        gives_up(running)
