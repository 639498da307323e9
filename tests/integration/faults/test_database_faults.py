"""PostgreSQL fails, or the network before it, while one worker goes on.

Every test begins with a healthy worker, and makes it record an event that the fault hinders.
"""

import contextlib
import itertools
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import InternalError, OperationalError

from tests.databases.products import Kind
from tests.databases.servers import empty_database
from tests.integration.faults.conftest import MANY_RECEIVES
from tests.integration.faults.probe import HURRIED, green, red
from tests.integration.feedback_queue import FeedbackQueue, feedback_queue
from tests.integration.tcp_proxy import TcpProxy
from tests.integration.worker_process import Running, Worker
from tests.ports import free_port
from tests.support import in_sns, mail, said

if TYPE_CHECKING:
    from types_boto3_sqs.client import SQSClient

# libpq's limits: for a connection, and for a server that does not answer any more.
TIMEOUTS = (
    "connect_timeout=2&tcp_user_timeout=2000"
    "&keepalives_idle=1&keepalives_interval=1&keepalives_count=2"
)
WAITING = (
    "SELECT 1 FROM pg_locks JOIN pg_database ON pg_database.oid = database "
    "WHERE NOT granted AND datname = current_database()"
)
OTHERS = (
    "SELECT pid FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@dataclass
class Scene:
    """A running worker, its queue, its database, and the network between them."""

    running: Running
    worker: Worker
    queue: FeedbackQueue
    network: TcpProxy
    port: int
    server: sa.Engine
    numbers: Iterator[int]

    def member(self) -> str:
        """Insert a member with a new address; return the address."""
        address = f"{next(self.numbers)}@example.com"
        self.worker.rows(f"INSERT INTO member VALUES ('{address}', 1, 0)")
        return address

    def bounces(self, address: str) -> None:
        self.queue.send([in_sns(said(about=mail(address, address)))])

    def goes_on(self, address: str) -> None:
        """Wait until the same process has recorded the bounce once, and is healthy."""
        struck = f"SELECT mailable, struck FROM member WHERE email = '{address}'"
        self.running.until(lambda: self.worker.rows(struck) == [(0, 1)])
        self.running.until(green(self.port))
        self.queue.is_done()
        events = f"SELECT count(*) FROM feedback_event WHERE address = '{address}'"
        assert self.worker.rows(events) == [(1,)]
        assert self.worker.rows(struck) == [(0, 1)]

    @property
    def batches(self) -> list[str]:
        """The lines of the log about batches that were recorded."""
        return [line for line in self.running.log.splitlines() if '"event": "batch"' in line]

    def red(self, words: str) -> None:
        self.running.until(red(self.port, words))

    def waits(self, problem: str) -> None:
        """Wait until health says that the worker waits for the database, and the log says why."""
        self.red("The worker waits for the database; its log says why.")
        self.running.says(problem)

    @contextmanager
    def in_mid_transaction(self, address: str) -> Iterator[None]:
        """Lock the members, so that the worker has inserted the bounce and can't commit it."""
        engine = sa.create_engine(self.worker.environment["SESBOUNCE_DATABASE_URL"])
        with engine.connect() as other:
            other.exec_driver_sql("LOCK TABLE member IN SHARE MODE")
            self.bounces(address)
            self.running.until(lambda: self.worker.rows(WAITING))
            yield
        engine.dispose()


@pytest.fixture(scope="module")
def the_scene(
    client: "SQSClient",
    quick: Mapping[str, str],
    server_urls: Callable[[Kind], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Scene]:
    server = sa.create_engine(
        server_urls("postgresql"), poolclass=sa.NullPool, isolation_level="AUTOCOMMIT"
    )
    with ExitStack() as stack:
        url = stack.enter_context(empty_database(server_urls("postgresql")))
        queue = stack.enter_context(feedback_queue(client, MANY_RECEIVES))
        network = stack.enter_context(TcpProxy(url).running())
        port = free_port()
        worker = Worker.make(
            {**quick, "SESBOUNCE_METRICS_PORT": str(port)},
            queue.url,
            tmp_path_factory.mktemp("worker"),
            database_url=url,
        )
        through = {"SESBOUNCE_DATABASE_URL": f"{network.through(url)}?{TIMEOUTS}"}
        running = stack.enter_context(worker.running(*HURRIED, **through))
        scene = Scene(running, worker, queue, network, port, server, itertools.count())
        # A worker that has just started counts as healthy, so it has to record an event first.
        address = scene.member()
        scene.bounces(address)
        scene.goes_on(address)
        yield scene
        assert running.stop() == 0, running.log


@pytest.fixture
def scene(the_scene: Scene) -> Iterator[Scene]:
    the_scene.running.until(green(the_scene.port))
    yield the_scene
    the_scene.network.heal()


@pytest.mark.parametrize(
    "fault",
    [
        TcpProxy.cut,
        TcpProxy.reset,
        pytest.param(
            TcpProxy.half_open,
            marks=pytest.mark.skipif(sys.platform != "linux", reason="needs a filter of Linux"),
        ),
    ],
)
def test_a_connection_that_breaks_in_mid_transaction(
    scene: Scene, fault: Callable[[TcpProxy], None]
) -> None:
    address = scene.member()
    with scene.in_mid_transaction(address):
        fault(scene.network)
        scene.waits("the batch was not recorded")
    # A server keeps the locks of a client that has vanished until it notices that as well.
    scene.network.heal()
    scene.goes_on(address)


def test_a_connection_that_is_cut_between_the_commit_and_its_answer(scene: Scene) -> None:
    address = scene.member()
    batches = len(scene.batches)
    # A sweep may commit as well, in the meantime.
    scene.network.lose_answer(b"INSERT INTO feedback_event", b"COMMIT")
    scene.bounces(address)
    scene.running.until(scene.network.lost.is_set)
    scene.goes_on(address)
    (batch,) = scene.batches[batches:]
    assert '"events": 0, "duplicates": 1' in batch


def test_a_server_that_can_t_be_reached_turns_health_red_and_then_green_again(
    scene: Scene,
) -> None:
    assert scene.worker.run("health") == "The worker is healthy.\n"
    address = scene.member()
    scene.network.refuse()
    scene.bounces(address)
    scene.waits("Connection refused")
    scene.running.says("the batch was not recorded: connection failed")
    assert scene.worker.run("health", code=1) == (
        "The worker waits for the database; its log says why.\n"
    )
    assert scene.queue.in_flight == 1
    scene.network.heal()
    scene.goes_on(address)
    assert scene.worker.run("health") == "The worker is healthy.\n"


def test_a_server_that_accepts_connections_and_says_nothing(scene: Scene) -> None:
    address = scene.member()
    scene.network.stall()
    scene.network.cut()
    scene.bounces(address)
    scene.waits("timeout expired")
    scene.network.heal()
    scene.goes_on(address)


def test_a_connection_that_stalls(scene: Scene) -> None:
    address = scene.member()
    scene.network.stall()
    scene.bounces(address)
    scene.red("No commit has succeeded for")
    scene.network.heal()
    scene.goes_on(address)


def test_a_slow_network(scene: Scene) -> None:
    address = scene.member()
    scene.network.delay(0.03)
    scene.bounces(address)
    scene.goes_on(address)


def test_a_server_that_has_become_read_only(scene: Scene) -> None:
    address = scene.member()
    name = scene.worker.rows("SELECT current_database()")[0][0]
    with scene.server.connect() as server:
        server.exec_driver_sql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        scene.network.cut()
        scene.bounces(address)
        scene.waits("read-only transaction")
        server.exec_driver_sql(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    # Open connections stay read-only, as after a failover.
    scene.network.cut()
    scene.goes_on(address)


def test_a_server_that_crashes_and_starts_again(scene: Scene) -> None:
    address = scene.member()
    ((victim,), *_) = scene.worker.rows(OTHERS)
    # When one of its processes is killed, PostgreSQL ends all others and recovers. The statement
    # may also fail because its pipe is gone.
    with contextlib.suppress(OperationalError, InternalError):
        scene.worker.rows(f"COPY (SELECT 1) TO PROGRAM 'kill -9 {victim}'")
    scene.bounces(address)
    scene.running.until(lambda: answers(scene.worker))
    scene.goes_on(address)


def answers(worker: Worker) -> bool:
    with contextlib.suppress(OperationalError):
        return bool(worker.rows("SELECT 1"))
    return False
