import socket
from contextlib import closing
from urllib.parse import quote, urlsplit

import httpx
import pytest
import sqlalchemy as sa

from sesbounce.errors import ConfigurationError
from sesbounce.server import serving
from sesbounce.settings import Settings
from sesbounce.store.tokens import Scope
from tests.api import Api
from tests.ports import LOOPBACK, free_port
from tests.serving import served


def test_an_answer_does_not_wait_for_the_client_s_acknowledgement() -> None:
    settings = Settings(serve_port=free_port())
    with (
        closing(serving._listening(socket.AF_INET, LOOPBACK, settings)) as listener,
        closing(socket.create_connection(listener.getsockname())),
        closing(listener.accept()[0]) as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_as_many_requests_as_connections_use_the_database(engine: sa.Engine) -> None:
    assert serving._connections(engine) == 5
    with_one = sa.create_engine("sqlite://")
    assert serving._connections(with_one) == 1
    with_one.dispose()


def test_the_longest_url_that_a_client_may_need_is_read_however_it_arrives(api: Api) -> None:
    note, address = quote("\U0001f4ec" * 2000), quote("é" * 300)
    path = f"/v1/suppressions/{address}@example.com?note={note}"
    token = f"Authorization: Bearer {api.token(Scope.DECIDE)}"
    head = f"DELETE {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{token}\r\n\r\n".encode()
    with served(api.app()) as url:
        host, port = urlsplit(url).hostname, urlsplit(url).port
        with socket.create_connection((host, port)) as client:
            client.sendall(head[:20_000])
            # By the time of this answer the server has read what came before the question.
            assert httpx.get(f"{url}/healthz").is_success
            client.sendall(head[20_000:])
            answer = client.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"}")


def test_a_host_is_resolved_or_named() -> None:
    assert serving._resolved("localhost", 8080)[1] in {"127.0.0.1", "::1"}
    assert serving._resolved("::1", 8080) == (socket.AF_INET6, "::1")
    with pytest.raises(ConfigurationError, match=r"SESBOUNCE_SERVE_HOST is a\.\.b, which"):
        serving._resolved("a..b", 8080)
