"""Connections to SQS that are closed, refused, too slow, encrypted, or led through a proxy."""

import gc
import ssl
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from sesbounce.aws import sqs
from sesbounce.errors import QueueError
from tests.certificates import self_signed
from tests.sqs_server import Answer, SqsServer
from tests.support import until
from tests.unit.sesbounce.aws.conftest import BY_BOTO3, Scene, bodies

CALLS = 5


def test_calls_share_a_connection(scene: Scene) -> None:
    queue = scene.open()
    for _ in range(CALLS):
        assert bodies(queue) == []
    assert scene.paths == [scene.path] * CALLS
    assert {call.connection for call in scene.server.calls} == {0}


@pytest.mark.parametrize("connection", ["close", ""], ids=["said", "unsaid"])
def test_a_server_closes_each_connection_after_one_answer(scene: Scene, connection: str) -> None:
    queue = scene.open()
    answer = replace(Answer.of({}, Connection=connection), closes=True)
    scene.server.fail_always(answer)
    for _ in range(CALLS):
        assert bodies(queue) == []
        scene.server.wait_until_closed()
    assert scene.paths == [scene.path] * CALLS
    assert len({call.connection for call in scene.server.calls}) == CALLS


def test_a_server_closes_connections_that_idle(scene: Scene) -> None:
    queue = scene.open()
    scene.server.send("0")
    for _ in range(3):
        (message,) = queue.receive(0, 0)
        scene.server.drop()
    assert not queue.delete([message]).count
    assert scene.server.deleted == ["0"]
    assert scene.paths == [scene.path] * 4


def test_a_server_that_is_gone_and_comes_back(scene: Scene, aws: pytest.MonkeyPatch) -> None:
    with SqsServer().running() as server:
        aws.setenv("AWS_ENDPOINT_URL", server.url)
        queue = Scene(server, scene.path).open()
        assert bodies(queue) == []
    with pytest.raises(QueueError, match="Could not connect to the endpoint URL") as caught:
        queue.receive(0, 60)
    assert (caught.value.code, caught.value.lasting) == ("EndpointConnectionError", False)
    with SqsServer(server.port).running() as server:
        server.send("0")
        assert bodies(queue) == ["0"]
        assert Scene(server, scene.path).paths == [scene.path]


def test_an_answer_that_comes_too_late_is_no_answer_to_another_call(
    scene: Scene, aws: pytest.MonkeyPatch
) -> None:
    aws.setattr(sqs, "_TIMEOUT_SECONDS", 1)
    queue = scene.open()

    def late(_: Answer) -> Answer:
        scene.server.send("0")
        until(lambda: len(scene.server.calls) > 1)
        return Answer.of({"Messages": [{"MessageId": "1", "ReceiptHandle": "r", "Body": "late"}]})

    scene.server.fail(late)
    assert bodies(queue) == ["0"]
    scene.server.send("1")
    assert bodies(queue) == ["1"]
    assert scene.paths == [scene.path, "boto3", scene.path]


def test_a_server_that_never_answers(scene: Scene, aws: pytest.MonkeyPatch) -> None:
    aws.setattr(sqs, "_TIMEOUT_SECONDS", 0.05)
    scene.server.fail_always(replace(Answer.of({}), pause=1))
    failure = scene.failure()
    assert "Read timeout on endpoint URL" in str(failure)
    assert (failure.code, failure.lasting) == ("ReadTimeoutError", False)
    # A busy server may read a request after its client has given it up.
    until(lambda: len(scene.paths) == len(scene.failing))
    assert scene.paths == scene.failing


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate of localhost, and its key."""
    return self_signed("localhost", tmp_path_factory.mktemp("tls"))


class TestTls:
    @pytest.fixture
    def server(self, aws: pytest.MonkeyPatch, files: tuple[Path, Path]) -> Iterator[SqsServer]:
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(*files)
        with SqsServer(tls=tls).running() as server:
            aws.setenv("AWS_ENDPOINT_URL", server.url)
            yield server

    def test_a_private_authority(
        self, scene: Scene, aws: pytest.MonkeyPatch, files: tuple[Path, Path]
    ) -> None:
        aws.setenv("AWS_CA_BUNDLE", str(files[0]))
        queue = scene.open()
        scene.server.send("0")
        assert not queue.delete(queue.receive(0, 60)).count
        assert scene.server.left == 0
        assert scene.paths == [scene.path] * 2
        assert {call.connection for call in scene.server.calls} == {0}

    def test_an_authority_that_nobody_knows(self, scene: Scene) -> None:
        failure = scene.failure()
        assert "SSL validation failed" in str(failure)
        assert "CERTIFICATE_VERIFY_FAILED" in str(failure)
        assert (failure.code, failure.lasting) == ("SSLError", False)
        assert scene.server.calls == []

    def test_a_bundle_that_is_not_there(
        self, scene: Scene, aws: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        aws.setenv("AWS_CA_BUNDLE", str(tmp_path / "bundle.pem"))
        failure = scene.failure()
        assert "No such file or directory" in str(failure)
        assert failure.code == "SSLError"
        assert scene.server.calls == []

    def test_a_certificate_of_another_host(
        self, scene: Scene, aws: pytest.MonkeyPatch, files: tuple[Path, Path]
    ) -> None:
        aws.setenv("AWS_CA_BUNDLE", str(files[0]))
        aws.setenv("AWS_ENDPOINT_URL", scene.server.url.replace("localhost", "127.0.0.1"))
        failure = scene.failure()
        assert "127.0.0.1" in str(failure)
        assert failure.code == "SSLError"
        assert scene.server.calls == []


class TestProxy:
    @pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy"])
    def test_calls_go_through_a_proxy_by_boto3(
        self, scene: Scene, aws: pytest.MonkeyPatch, variable: str
    ) -> None:
        aws.setenv(variable, scene.server.url)
        aws.setenv("AWS_ENDPOINT_URL", "http://sqs.example.test")
        with capture_logs() as logs:
            queue = scene.open()
        reasons = [entry["reason"] for entry in logs if "direct requests" in entry["event"]]
        expected = ["a proxy applies to the endpoint"] if scene.path == "direct" else []
        assert reasons == expected
        scene.server.send("0")
        assert not queue.delete(queue.receive(0, 60)).count
        assert scene.server.left == 0
        assert [call.target for call in scene.server.calls] == ["http://sqs.example.test/"] * 2
        assert scene.paths == ["boto3"] * 2

    def test_tls_goes_through_a_tunnel_of_boto3(
        self, scene: Scene, aws: pytest.MonkeyPatch
    ) -> None:
        aws.setenv("HTTPS_PROXY", scene.server.url)
        aws.setenv("AWS_ENDPOINT_URL", "https://sqs.example.test")
        failure = scene.failure()
        assert failure.code == "ProxyConnectionError"
        asked = [(call.method, call.target) for call in scene.server.calls]
        assert asked == [("CONNECT", "sqs.example.test:443")] * len(BY_BOTO3)

    def test_a_proxy_that_is_not_for_this_endpoint(
        self, scene: Scene, aws: pytest.MonkeyPatch
    ) -> None:
        aws.setenv("HTTP_PROXY", "http://127.0.0.1:1")
        aws.setenv("NO_PROXY", "127.0.0.1")
        with capture_logs() as logs:
            queue = scene.open()
        assert logs == []
        assert bodies(queue) == []
        assert scene.paths == [scene.path]


def test_many_threads_share_a_queue(scene: Scene) -> None:
    threads, rounds = 8, 5
    queue = scene.open(connections=threads)
    scene.server.send(*map(str, range(threads * rounds * 10)))

    def work(_: int) -> list[str]:
        done = []
        for _ in range(rounds):
            messages = queue.receive(0, 60)
            assert not queue.set_visibility([(message, 60) for message in messages]).count
            assert not queue.delete(messages).count
            done += [message.body for message in messages]
        return done

    with ThreadPoolExecutor(threads) as pool:
        done = [body for some in pool.map(work, range(threads)) for body in some]
    assert sorted(done) == sorted(scene.server.deleted) == sorted(map(str, range(400)))
    assert scene.paths == [scene.path] * (threads * rounds * 3)
    assert len({call.connection for call in scene.server.calls}) <= threads


def test_thousands_of_calls_and_their_faults_leave_nothing_in_memory(server: SqsServer) -> None:
    queue = Scene(server, "direct").open()
    message = {"MessageId": "1", "ReceiptHandle": "r" * 300, "Body": "b" * 1000}
    whole = Answer.of({"Messages": [message] * 2})
    # boto3 repeats the call after each fault.
    answers = [*[whole] * 24, Answer.error(503, "SlowDown"), whole, whole.cut(50), whole]

    def traced_after(rounds: int) -> int:
        for _ in range(rounds):
            server.fail(*answers)
            for _ in range(len(answers) - 2):
                assert len(queue.receive(0, 60)) == 2
            server.calls.clear()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        before = traced_after(10)
        grown = traced_after(60) - before
    finally:
        tracemalloc.stop()
    # Less than 40 bytes a call, of which there are 1560, and 500 a fault. (Python itself keeps some
    # small objects for later.)
    assert grown < 60_000
