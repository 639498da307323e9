"""What other tests rely on when they ask for a database: tests/databases keeps its promises."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from unittest.mock import Mock

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from scripts.local import localstack_container
from scripts.local.localstack import CHECKOUT
from tests import debian
from tests.databases import fixtures, servers
from tests.databases import process as process_module
from tests.databases import programs as finding
from tests.databases.errors import ServerError, ServerMissing
from tests.databases.products import POSTGRESQL, PRODUCTS, SERVERS, Kind
from tests.databases.servers import empty_database, mariadb, postgresql

Start = Callable[[Path], AbstractContextManager[str]]

database_url = fixtures.database_url
server_database_url = fixtures.server_database_url
server_urls = fixtures.server_urls

PEOPLE = ("Jürgen", "Ёлка", "田中", "📬 𝄞", "x" * 200)


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = sa.create_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def folder() -> Iterator[Path]:
    """Unlike tmp_path, one that a server's unprivileged user can get into."""
    with tempfile.TemporaryDirectory(prefix="sesbounce-") as folder:
        yield Path(folder)


@pytest.fixture(params=SERVERS)
def start(request: pytest.FixtureRequest, server_urls: Callable[[Kind], str]) -> Start:
    """How to start one more server of each kind, as a process."""
    server_urls(request.param)
    if finding.find(PRODUCTS[request.param]) is None:
        pytest.skip(f"{request.param} runs in a container")
    starts: dict[str, Start] = {"postgresql": postgresql, "mariadb": mariadb}
    return starts[request.param]


def processes(folder: Path) -> dict[int, int]:
    """Those that work within a folder, even if it has gone, and whose they are."""
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended, or is nothing of ours
            if (process / "cwd").readlink().is_relative_to(folder):
                found[int(process.name)] = process.stat().st_uid
    return found


# --- The servers --------------------------------------------------------------------------------


@pytest.mark.parametrize("turn", [1, 2])
def test_each_test_gets_an_empty_database(engine: sa.Engine, turn: int) -> None:
    assert sa.inspect(engine).get_table_names() == []
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE member (email VARCHAR(99))")


def test_text_of_every_script_survives(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE person (name VARCHAR(200))")
        connection.execute(
            sa.text("INSERT INTO person VALUES (:name)"), [{"name": name} for name in PEOPLE]
        )
    with engine.connect() as connection:
        names = connection.scalars(sa.text("SELECT name FROM person")).all()
    assert sorted(names) == sorted(PEOPLE)


def test_servers_know_the_small_letters_of_other_scripts(server_database_url: str) -> None:
    engine = sa.create_engine(server_database_url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT lower(:word)"), {"word": "ÉCOLE"}) == "école"


def test_a_transaction_is_one(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE member (email VARCHAR(99))")
    with engine.connect() as connection:
        connection.exec_driver_sql("INSERT INTO member VALUES ('jane@example.com')")
        connection.rollback()
        assert connection.scalar(sa.text("SELECT count(*) FROM member")) == 0


def test_servers_listen_on_the_loopback_address_alone(server_database_url: str) -> None:
    port = sa.make_url(server_database_url).port
    socket.create_connection(("127.0.0.1", port), timeout=60).close()
    # The first would be answered by whoever listens on all addresses.
    for host in ("127.0.0.2", "::1"):
        with pytest.raises(OSError, match=r"refused|unreachable|assign|timed out"):
            socket.create_connection((host, port), timeout=1)


def test_nobody_gets_in_without_the_password(server_database_url: str) -> None:
    for password in ("", "guess"):
        url = sa.make_url(server_database_url).set(password=password)
        with pytest.raises(OperationalError, match=r"(?i)password"):
            sa.create_engine(url).connect()


def test_databases_are_apart_and_go_with_their_clients(server_database_url: str) -> None:
    with empty_database(server_database_url) as one:
        left_open = sa.create_engine(one, poolclass=sa.NullPool).connect()
        left_open.exec_driver_sql("CREATE TABLE member (email VARCHAR(99))")
        left_open.commit()
        left_open.exec_driver_sql("SELECT * FROM member")  # holds a lock, as a lost client may
        with empty_database(server_database_url) as other:
            engine = sa.create_engine(other, poolclass=sa.NullPool)
            assert sa.inspect(engine).get_table_names() == []
    with pytest.raises(OperationalError, match=r"(?i)database"):
        sa.create_engine(one, poolclass=sa.NullPool).connect()
    left_open.invalidate()


def test_a_server_leaves_neither_process_nor_data(start: Start, folder: Path) -> None:
    with start(folder) as url:
        running = processes(folder)
        assert running
        # root's tests, too, run it as somebody else.
        assert 0 not in running.values()
        left_open = sa.create_engine(url, poolclass=sa.NullPool).connect()
    assert not processes(folder)
    assert [path.suffix for path in folder.iterdir()] == [".log"]
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", sa.make_url(url).port), timeout=60)
    left_open.invalidate()


def test_a_server_goes_when_the_tests_are_killed(start: Start, folder: Path) -> None:
    script = (
        "import os, pathlib, sys; from tests.databases import servers\n"
        f"with servers.{start.__name__}(pathlib.Path(sys.argv[1])):\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", script, folder], cwd=CHECKOUT, check=False, timeout=600)
    deadline = time.monotonic() + 120
    while (left := processes(folder)) and time.monotonic() < deadline:
        time.sleep(0.05)
    for process in left:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    assert not left


# --- When there is none, or it does not start ---------------------------------------------------


def program(folder: Path, name: str, script: str) -> None:
    """Put a program of ours on a PATH."""
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def programs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder with programs on a machine that is not Debian."""
    programs = folder / "programs"
    programs.mkdir()
    folder.chmod(0o755)
    monkeypatch.setenv("PATH", str(programs))
    monkeypatch.setattr(finding, "_FOLDERS", ())
    monkeypatch.setattr(finding, "_DEBIAN", folder / "none")
    return programs


def test_a_missing_server_is_told_in_one_line(programs: Path, folder: Path) -> None:
    with pytest.raises(ServerMissing) as caught, postgresql(folder):
        pass
    with pytest.raises(ServerMissing) as caught_too, mariadb(folder):
        pass
    assert str(caught.value) == (
        "POSTGRESQL IS MISSING: no postgres on PATH. Install it (Debian: apt-get install "
        "--no-install-recommends postgresql) or start a Docker engine"
    )
    assert str(caught_too.value) == (
        "MARIADB IS MISSING: no mariadbd on PATH. Install it (Debian: apt-get install "
        "--no-install-recommends mariadb-server-core mariadb-client-core) or start a Docker engine"
    )


@pytest.mark.parametrize(
    ("initdb", "postgres", "patience", "words"),
    [
        ("echo no locale; exit 3", "", 60, r"initdb failed \(3\); its last words:\nno locale"),
        ("", "echo no memory; exit 1", 60, r"ended before it was ready .*refused(.|\n)*no memory"),
        ("", "echo patience; exec /bin/sleep 600", 5, r"is not ready after 5 s(.|\n)*patience"),
    ],
)
def test_a_server_that_does_not_start_has_the_last_word(
    programs: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    initdb: str,
    postgres: str,
    patience: float,
    words: str,
) -> None:
    monkeypatch.setattr(servers, "_READY_SECONDS", patience)
    # Whoever started the tests in the background has them, and this program, ignore SIGINT.
    monkeypatch.setattr(process_module, "_STOP_SECONDS", 1.0)
    program(programs, "initdb", initdb)
    program(programs, "postgres", postgres)
    program(programs, "test", "")
    with pytest.raises(ServerError, match=words), postgresql(folder):
        pass
    assert not processes(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts servers as another user")
def test_a_folder_that_the_server_cannot_enter_is_named(start: Start, folder: Path) -> None:
    closed = folder / "closed" / "inner"
    closed.mkdir(parents=True)
    with pytest.raises(ServerError, match=f"can't get into {closed}: give"), start(closed):
        pass


def test_debian_packages_are_installed_without_a_service(
    programs: Path,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    no_cluster = folder / "etc/createcluster.d/tests.conf"
    monkeypatch.setattr(finding, "_DEBIAN", programs)
    monkeypatch.setattr(finding, "_NO_CLUSTER", no_cluster)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    debian.update.cache_clear()
    program(
        programs,
        "apt-get",
        f'PATH=/usr/bin:/bin; echo "$*" >> {folder}/calls; cat {no_cluster} >> {folder}/calls\n'
        f"case $* in *install*) cp $0 {programs}/initdb; cp $0 {programs}/postgres;; esac",
    )
    found = finding.install(POSTGRESQL)
    assert found == [str(programs / "initdb"), str(programs / "postgres")]
    options = "--quiet --yes --option=DPkg::Lock::Timeout=120"
    assert (folder / "calls").read_text().splitlines() == [
        f"{options} update",
        "create_main_cluster = false",
        f"{options} install --no-install-recommends postgresql",
        "create_main_cluster = false",
    ]
    assert not no_cluster.parent.exists()
    assert capsys.readouterr().err == "PostgreSQL is missing: apt-get install postgresql\n"


def shown(url: sa.URL) -> str:
    return url.render_as_string(hide_password=False)


def test_a_container_is_taken_where_docker_answers(
    programs: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker = Mock()
    docker.port.return_value = "23456"
    docker.create.return_value.status = "running"
    monkeypatch.setattr("testcontainers.core.container.DockerClient", lambda: docker)
    monkeypatch.setattr("testcontainers.core.container.c.ryuk_disabled", True)
    monkeypatch.setattr(localstack_container, "docker_answers", lambda: True)
    monkeypatch.setattr(servers, "_first_database", lambda *given: shown(given[-1]))
    with servers.mariadb(folder) as url:
        assert "@127.0.0.1:23456?" in url
        made = docker.create.return_value
        docker.start.assert_called_once_with(made)
        made.remove.assert_not_called()
    made.remove.assert_called_once_with(force=True, v=True)
    ((image,), asked) = docker.create.call_args
    assert image == "mariadb:10.11"
    assert asked["command"][0] == "--debug-no-sync"
    assert asked["ports"] == {"3306/tcp": ("127.0.0.1", None)}
    assert f":{asked['environment']['MARIADB_ROOT_PASSWORD']}@" in url


@pytest.mark.parametrize(("ci", "outcome"), [("", "2 skipped"), ("true", "2 errors")])
def test_a_missing_server_skips_but_fails_in_ci(
    tmp_path: Path, programs: Path, ci: str, outcome: str
) -> None:
    (tmp_path / "pytest.ini").touch()
    (tmp_path / "conftest.py").write_text(
        "from tests.conftest import pytest_runtest_makereport\n"
        "from tests.databases import programs\n"
        "from tests.databases.fixtures import database_url, server_database_url, server_urls\n"
        "programs._FOLDERS = ()\n"
    )
    (tmp_path / "test_it.py").write_text("def test_it(database_url): pass\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-ra", "-p", "no:cacheprovider", tmp_path],
        env={"PATH": str(programs), "PYTHONPATH": str(CHECKOUT), "CI": ci, "COLUMNS": "300"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert f"1 passed, {outcome}" in done.stdout, done.stdout + done.stderr
    assert "POSTGRESQL IS MISSING: no postgres on PATH" in done.stdout
    assert "MARIADB IS MISSING: no mariadbd on PATH" in done.stdout
