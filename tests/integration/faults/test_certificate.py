"""The host of SNS's certificates can't be reached, while the real worker verifies signatures."""

import ssl
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.certificates import self_signed, signed
from tests.integration.faults.probe import green, red
from tests.integration.feedback_queue import FeedbackQueue, feedback_queue
from tests.integration.worker_process import Running, Worker
from tests.ports import free_port
from tests.support import in_sns, mail, said

if TYPE_CHECKING:
    from types_boto3_sqs.client import SQSClient

HOST = "sns.us-east-1.amazonaws.com"
URL = f"https://{HOST}/SimpleNotificationService-{'0' * 32}.pem"
# The visibility timeout passes while the host is away: were the messages returned to the queue even
# twice, SQS would move them to the dead-letter queue.
MAX_RECEIVES = 1
VISIBILITY_SECONDS = 20
MESSAGES = 20
# The real pause between two fetches is half a minute.
HURRIED = """
import sys
from sesbounce import cli
from sesbounce.aws import sns_trust
from sesbounce.worker import unverified
sns_trust.FAILURE_SECONDS = unverified.FAILURE_SECONDS = 1.0
cli.main(["run", *sys.argv[1:]])
"""


class Away:
    """An HTTPS proxy that answers in place of AWS's host, or not at all while it is `away`."""

    def __init__(self, folder: Path, key: rsa.RSAPrivateKey) -> None:
        self.away = True
        self.asked = 0
        self.bundle, secret = self_signed(HOST, folder)
        (folder / "sns").mkdir()
        pem = self_signed("sns.amazonaws.com", folder / "sns", key)[0].read_bytes()
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(self.bundle, secret)
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_CONNECT(self) -> None:
                proxy.asked += 1
                if proxy.away:
                    self.send_error(502)
                    return
                self.send_response(200)
                self.end_headers()
                with tls.wrap_socket(self.connection, server_side=True) as inside:
                    inside.recv(4096)
                    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(pem)}\r\n\r\n"
                    inside.sendall(head.encode() + pem)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True

    @property
    def settings(self) -> dict[str, str]:
        return {
            "AWS_CA_BUNDLE": str(self.bundle),
            "HTTPS_PROXY": f"http://127.0.0.1:{self.server.server_port}",
            "SESBOUNCE_VERIFY_SIGNATURES": "true",
        }


@dataclass
class Scene:
    """A queue with signed messages, and the network between a worker and AWS's host."""

    queue: FeedbackQueue
    host: Away
    worker: Worker
    port: int

    def recorded(self) -> int:
        return int(self.worker.rows("SELECT count(*) FROM feedback_event")[0][0])

    def all_wait(self, running: Running) -> None:
        running.until(red(self.port, "The worker waits for the certificate; its log says why."))
        running.until(lambda: (self.queue.visible, self.queue.in_flight) == (0, MESSAGES))


@pytest.fixture
def scene(client: "SQSClient", quick: Mapping[str, str], tmp_path: Path) -> Iterator[Scene]:
    key = rsa.generate_private_key(65537, 2048)
    host = Away(tmp_path, key)
    thread = threading.Thread(target=host.server.serve_forever, args=(0.05,))
    thread.start()
    with feedback_queue(client, MAX_RECEIVES) as queue:
        queue.send(
            [
                signed(in_sns(said(about=mail(f"{n}@example.com", f"mail-{n}"))), key, URL)
                for n in range(MESSAGES)
            ]
        )
        port = free_port()
        settings = {
            **quick,
            **host.settings,
            "SESBOUNCE_METRICS_PORT": str(port),
            "SESBOUNCE_VISIBILITY_SECONDS": str(VISIBILITY_SECONDS),
        }
        yield Scene(queue, host, Worker.make(settings, queue.url, tmp_path), port)
    host.server.shutdown()
    host.server.server_close()
    thread.join()


def test_messages_wait_for_a_certificate_and_then_are_recorded(scene: Scene) -> None:
    with scene.worker.running(sys.executable, "-c", HURRIED) as running:
        scene.all_wait(running)
        # Each fetch after the first comes a second later.
        fetches = scene.host.asked + VISIBILITY_SECONDS + 5
        running.until(lambda: scene.host.asked > fetches)
        assert (scene.queue.visible, scene.queue.in_flight) == (0, MESSAGES)
        assert (scene.recorded(), scene.queue.dead) == (0, 0)
        scene.host.away = False
        running.until(lambda: scene.recorded() == MESSAGES)
        running.until(green(scene.port))
        scene.queue.is_done()
        assert running.stop() == 0, running.log
    assert f"{MESSAGES} messages received, {MESSAGES} deleted" in running.log


def test_on_sigterm_the_waiting_messages_return_at_once(scene: Scene) -> None:
    with scene.worker.running() as running:
        scene.all_wait(running)
        assert running.stop() == 0, running.log
    assert (scene.queue.visible, scene.queue.in_flight) == (MESSAGES, 0)
    assert scene.recorded() == 0


def test_until_it_is_empty_the_worker_ends_with_the_reason(scene: Scene) -> None:
    log = scene.worker.run("run", "--until-empty", code=2)
    assert f"sesbounce: {URL} can't be fetched: Failed to connect to proxy" in log
    assert "Traceback" not in log
    assert scene.queue.visible == MESSAGES
