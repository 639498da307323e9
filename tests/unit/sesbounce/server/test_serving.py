import socket
from contextlib import closing

import pytest
import sqlalchemy as sa

from sesbounce.errors import ConfigurationError
from sesbounce.server import serving
from sesbounce.settings import Settings
from tests.ports import LOOPBACK, free_port


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


def test_a_host_is_resolved_or_named() -> None:
    assert serving._resolved("localhost", 8080)[1] in {"127.0.0.1", "::1"}
    assert serving._resolved("::1", 8080) == (socket.AF_INET6, "::1")
    with pytest.raises(ConfigurationError, match=r"SESBOUNCE_SERVE_HOST is a\.\.b, which"):
        serving._resolved("a..b", 8080)
