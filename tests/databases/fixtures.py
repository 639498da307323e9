"""Databases for a test. A conftest takes the fixtures by their names:

    from tests.databases.fixtures import database_url, server_urls  # noqa: F401

`database_url` gives a test an empty database on SQLite, PostgreSQL and MariaDB in turn,
`server_database_url` on the two servers. A server starts when the first test asks for it.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.databases.errors import ServerMissing
from tests.databases.products import SERVERS, Kind
from tests.databases.servers import empty_database, mariadb, postgresql


@dataclass
class _Servers:
    """The servers of the session: one of each kind, however many conftests take the fixtures."""

    running: ExitStack = field(default_factory=ExitStack)
    outcomes: dict[Kind, str | Exception] = field(default_factory=dict)

    def url(self, kind: Kind) -> str:
        """The URL of a server, which the first call starts; a failed start fails at each call."""
        if kind not in self.outcomes:
            try:
                self.outcomes[kind] = self._start(kind)
            except Exception as error:  # noqa: BLE001 - raised below, each time
                self.outcomes[kind] = error
        outcome = self.outcomes[kind]
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def _start(self, kind: Kind) -> str:
        # pytest's own folders are closed to the user that the server runs as.
        folder = self.running.enter_context(tempfile.TemporaryDirectory(prefix="sesbounce-"))
        start = {"postgresql": postgresql, "mariadb": mariadb}[kind]
        return self.running.enter_context(start(Path(folder)))

    def stop(self) -> None:
        self.outcomes.clear()
        self.running.close()


_servers = _Servers()


@pytest.fixture(scope="session")
def server_urls() -> Iterator[Callable[[Kind], str]]:
    """The URL of the session's server of a kind; the test is skipped where there is none."""

    def url(kind: Kind) -> str:
        try:
            return _servers.url(kind)
        except ServerMissing as error:
            reason = str(error)
        pytest.skip(reason)

    yield url
    _servers.stop()


@pytest.fixture(params=SERVERS)
def server_database_url(
    request: pytest.FixtureRequest, server_urls: Callable[[Kind], str]
) -> Iterator[str]:
    """An empty database of the test's own, on each server in turn."""
    with empty_database(server_urls(request.param)) as url:
        yield url


@pytest.fixture(params=("sqlite", *SERVERS))
def database_url(
    request: pytest.FixtureRequest, server_urls: Callable[[Kind], str], tmp_path: Path
) -> Iterator[str]:
    """An empty database of the test's own, of each kind in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'database.sqlite3'}"
        return
    with empty_database(server_urls(request.param)) as url:
        yield url
