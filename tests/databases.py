"""Real PostgreSQL and MariaDB servers for the tests, started for them alone and gone after them.

A conftest takes the fixtures by their names:

    from tests.databases import database_url, server_database_url, server_urls  # noqa: F401

`database_url` gives a test an empty database on SQLite, PostgreSQL and MariaDB in turn,
`server_database_url` on the two servers. A server starts when the first test asks for it.

The first of these that is to be had is taken:

1. the server's programs, on PATH or where systems put them;
2. a container, where a Docker engine answers;
3. Debian's packages, which are then installed, where root runs the tests.

* ServerError
  x ServerMissing
"""

import contextlib
import functools
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from scripts.local import localstack_container

Kind = Literal["postgresql", "mariadb"]
SERVERS: tuple[Kind, ...] = ("postgresql", "mariadb")

_LOOPBACK = "127.0.0.1"
# Below those that systems give to outgoing connections, which come and go all the time.
_PORTS = range(20_000, 32_000)
_PROGRAM_FOLDERS = ("/usr/lib/postgresql/*/bin", "/usr/sbin", "/usr/libexec", "/usr/local/sbin")
_DEBIAN = Path("/etc/debian_version")
_NO_CLUSTER = Path("/etc/postgresql-common/createcluster.d/tests.conf")
_READY_SECONDS = 60.0
_STOP_SECONDS = 20.0
_INSTALL_SECONDS = 300.0
_POLL_SECONDS = 0.05
_LOG_LINES = 15


class ServerError(Exception):
    """A database server does not start, or can't be reached."""


class ServerMissing(ServerError):  # noqa: N818 - it is said of a server
    """There is no such server here, and no way to get one."""


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """The URL of an empty database of a PostgreSQL of its own, whose data is in `folder`."""
    with _running(_POSTGRESQL, folder) as url:
        yield url


@contextmanager
def mariadb(folder: Path) -> Iterator[str]:
    """The URL of an empty database of a MariaDB of its own, whose data is in `folder`."""
    with _running(_MARIADB, folder) as url:
        yield url


@contextmanager
def empty_database(url: str) -> Iterator[str]:
    """The URL of a fresh database on the server of `url`, dropped at the end with all clients."""
    name = f"test_{secrets.token_hex(6)}"
    engine = _admin_engine(url)
    _execute(engine, f"CREATE DATABASE {name}")
    try:
        yield sa.make_url(url).set(database=name).render_as_string(hide_password=False)
    finally:
        _drop(engine, name)


# --- What differs between the servers -----------------------------------------------------------


@dataclass(frozen=True)
class _Home:
    """Where a server process lives. `owner` is whom it runs as: nobody else than we if None."""

    folder: Path
    owner: pwd.struct_passwd | None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def secret(self) -> Path:
        return self.folder / "secret"


@dataclass(frozen=True)
class _Product:
    name: Kind
    title: str
    url: sa.URL
    """Of a database that every server has, for its administrator."""
    programs: tuple[tuple[str, ...], ...]
    """What makes the data folder, then what serves, then what these need; by any of its names."""
    packages: tuple[str, ...]
    users: tuple[str, ...]
    secret: str
    """What the file says that gives the administrator a password."""
    image: str
    password_variable: str
    options: tuple[str, ...]
    initialise: Callable[[_Home], list[str]]
    serve: Callable[[_Home, int], list[str]]
    stop: tuple[signal.Signals, ...]


def _postgresql_initialise(home: _Home) -> list[str]:
    return [
        f"--pgdata={home.data}",
        f"--pwfile={home.secret}",
        "--username=postgres",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale=C.UTF-8",  # plain C would leave "É" alone in lower()
        "--no-instructions",
        "--no-sync",
    ]


def _postgresql_serve(home: _Home, port: int) -> list[str]:
    return [
        f"-D{home.data}",
        f"--listen_addresses={_LOOPBACK}",
        f"--port={port}",
        "--unix_socket_directories=",
    ]


def _mariadb_initialise(home: _Home) -> list[str]:
    return [
        "--no-defaults",  # the machine's own settings are for its own server
        f"--datadir={home.data}",
        "--skip-test-db",
        "--force",  # a machine that does not know its own name will do
        *_MARIADB_OPTIONS,
    ]


def _mariadb_serve(home: _Home, port: int) -> list[str]:
    return [
        "--no-defaults",
        f"--datadir={home.data}",
        f"--init-file={home.secret}",
        f"--bind-address={_LOOPBACK}",
        f"--port={port}",
        "--socket=socket",  # within the data: an absolute one may be longer than sockets allow
    ]


# Nothing waits for the disk: after a power failure the data is lost, and so are the tests. Each
# commit is handed to the system all the same, so that it outlives the server's own death.
_POSTGRESQL = _Product(
    name="postgresql",
    title="PostgreSQL",
    url=sa.URL.create("postgresql+psycopg", "postgres", port=5432, database="postgres"),
    programs=(("initdb",), ("postgres",)),
    packages=("postgresql",),
    users=("postgres", "nobody"),
    secret="{password}\n",
    image="postgres:15",
    password_variable="POSTGRES_PASSWORD",
    options=("--fsync=off", "--full_page_writes=off", "--timezone=UTC"),
    initialise=_postgresql_initialise,
    serve=_postgresql_serve,
    # Fast (clients are disconnected), then at once.
    stop=(signal.SIGINT, signal.SIGQUIT),
)
_MARIADB_OPTIONS = (
    "--debug-no-sync",
    "--innodb-flush-method=nosync",
    "--innodb-flush-log-at-trx-commit=2",
    "--innodb-buffer-pool-size=64M",
    "--innodb-log-file-size=16M",
    "--character-set-server=utf8mb4",
    "--default-time-zone=+00:00",
    "--skip-name-resolve",
)
_MARIADB = _Product(
    name="mariadb",
    title="MariaDB",
    url=sa.URL.create("mysql+pymysql", "root", port=3306, query={"charset": "utf8mb4"}),
    # MySQL has a mysqld as well, but none of the first.
    programs=(
        ("mariadb-install-db", "mysql_install_db"),
        ("mariadbd", "mysqld"),
        ("my_print_defaults",),
    ),
    # The first lacks my_print_defaults. Neither brings a service.
    packages=("mariadb-server-core", "mariadb-client-core"),
    users=("mysql", "nobody"),
    secret=(
        "CREATE USER root@127.0.0.1 IDENTIFIED BY '{password}';\n"
        "GRANT ALL ON *.* TO root@127.0.0.1 WITH GRANT OPTION;\n"
    ),
    image="mariadb:10.11",
    password_variable="MARIADB_ROOT_PASSWORD",
    options=_MARIADB_OPTIONS,
    initialise=_mariadb_initialise,
    serve=_mariadb_serve,
    stop=(signal.SIGTERM,),
)


# --- Starting one -------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Started:
    port: int
    alive: Callable[[], bool]
    log: Callable[[], str]


@contextmanager
def _running(product: _Product, folder: Path) -> Iterator[str]:
    password = secrets.token_hex(16)
    programs = _find(product)
    in_container = programs is None and localstack_container.docker_answers()
    if programs is None and not in_container:
        programs = _install(product)
    server = (
        _process(product, programs, folder, password) if programs else _container(product, password)
    )
    with server as started:
        url = product.url.set(password=password, host=_LOOPBACK, port=started.port)
        yield _first_database(product, started, url)


def _first_database(product: _Product, started: _Started, url: sa.URL) -> str:
    """Make a database as soon as the server lets us, and return its URL."""
    engine = _admin_engine(url)
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        try:
            _execute(engine, "CREATE DATABASE sesbounce")
            return url.set(database="sesbounce").render_as_string(hide_password=False)
        except OperationalError as error:
            alive = started.alive()
            if not alive or time.monotonic() > deadline:
                what = (
                    f"is not ready after {_READY_SECONDS:.0f} s"
                    if alive
                    else "ended before it was ready"
                )
                raise ServerError(
                    f"{product.title} {what} ({error.orig}); its last words:\n{started.log()}"
                ) from error
        time.sleep(_POLL_SECONDS)


@contextmanager
def _process(
    product: _Product, programs: list[str], folder: Path, password: str
) -> Iterator[_Started]:
    log = folder / f"{product.name}.log"
    home = _make_home(product, folder)
    try:
        home.secret.touch(0o600)
        home.secret.write_text(product.secret.format(password=password), encoding="ascii")
        _give(home.secret, home.owner)
        _initialise(product, [programs[0], *product.initialise(home)], home, log)
        port = _free_port()
        serve = [programs[1], *product.serve(home, port), *product.options]
        process = _spawn([*_end_with_us(product), *serve], home, log)
        try:
            yield _Started(port, lambda: process.poll() is None, lambda: _tail(log))
        finally:
            _end(process, product.stop)
    finally:
        shutil.rmtree(home.folder)


def _initialise(product: _Product, command: list[str], home: _Home, log: Path) -> None:
    process = _spawn(command, home, log)
    try:
        code: int | None = process.wait(_READY_SECONDS)
    except subprocess.TimeoutExpired:
        code = None
    finally:
        _end(process)
    if code != 0:
        what = "takes too long" if code is None else f"failed ({code})"
        raise ServerError(f"{product.title}: {command[0]} {what}; its last words:\n{_tail(log)}")


def _spawn(command: list[str], home: _Home, log: Path) -> subprocess.Popen[bytes]:
    owner = home.owner
    with log.open("ab") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=home.folder,
            # Nothing of PGPORT, MYSQL_HOME and their like; English, should it end in an error.
            env={"PATH": _path(), "TMPDIR": str(home.folder), "LC_ALL": "C"},
            user=owner.pw_uid if owner else None,
            group=owner.pw_gid if owner else None,
            extra_groups=[] if owner else None,
            umask=0o077,
            # Ctrl-C is for the tests, which end the server when they are done with it.
            start_new_session=True,
        )


def _end_with_us(product: _Product) -> list[str]:
    """A command in front of the server's, so that it stops should the tests be killed."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", product.stop[0].name.removeprefix("SIG")] if setpriv else []


def _end(process: subprocess.Popen[bytes], signals: tuple[signal.Signals, ...] = ()) -> None:
    for number in (*signals, signal.SIGKILL):
        if process.poll() is None:
            process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_SECONDS)


def _make_home(product: _Product, folder: Path) -> _Home:
    home = _Home(folder / product.name, _owner(product) if os.geteuid() == 0 else None)
    home.folder.mkdir(mode=0o700)
    if not home.owner:
        return home
    _give(home.folder, home.owner)
    folder.chmod(folder.stat().st_mode | 0o011)  # its user must pass, but sees nothing
    reached = subprocess.run(
        ["test", "-w", home.folder],
        user=home.owner.pw_uid,
        group=home.owner.pw_gid,
        extra_groups=[],
        check=False,
    )
    if reached.returncode != 0:
        home.folder.rmdir()
        raise ServerError(
            f"{product.title} does not run as root, and the user {home.owner.pw_name} can't get "
            f"into {folder}: give a folder whose parents let everyone pass (pytest's own do not)"
        )
    return home


def _owner(product: _Product) -> pwd.struct_passwd:
    """The unprivileged user that a server runs as when root starts it."""
    for name in product.users:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise ServerError(f"{product.title} does not run as root; it needs a user {product.users[-1]}")


def _give(path: Path, owner: pwd.struct_passwd | None) -> None:
    if owner:
        os.chown(path, owner.pw_uid, owner.pw_gid)


def _free_port() -> int:
    for _ in _PORTS:
        port = secrets.choice(_PORTS)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((_LOOPBACK, port))
            return port
    raise ServerError(f"no port of {_LOOPBACK} is free from {_PORTS.start} to {_PORTS.stop - 1}")


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:])


@contextmanager
def _container(product: _Product, password: str) -> Iterator[_Started]:
    docker = localstack_container.docker
    publish = f"--publish={_LOOPBACK}::{product.url.port}"
    environment = f"--env={product.password_variable}={password}"
    run = ("run", "--detach", publish, environment, product.image, *product.options)
    try:
        said = docker(*run, timeout=_INSTALL_SECONDS)  # the image may have to come first
    except localstack_container.DockerError as error:
        raise ServerError(f"{product.title} does not start in a container: {error}") from error
    container = said.splitlines()[-1]
    try:
        address = docker("port", container, f"{product.url.port}/tcp").splitlines()[0]
        yield _Started(
            int(address.rpartition(":")[2]),
            lambda: bool(docker("ps", "--quiet", "--filter", f"id={container}")),
            lambda: docker("logs", "--tail", str(_LOG_LINES), container),
        )
    finally:
        docker("rm", "--force", "--volumes", container)


# --- Finding or installing one ------------------------------------------------------------------


def _find(product: _Product) -> list[str] | None:
    found = [_which(names) for names in product.programs]
    return [program for program in found if program] if all(found) else None


def _which(names: tuple[str, ...]) -> str | None:
    return next(filter(None, (shutil.which(name, path=_path()) for name in names)), None)


def _path() -> str:
    """PATH, and where systems put servers; of several PostgreSQLs the newest first."""
    folders = [folder for pattern in _PROGRAM_FOLDERS for folder in Path("/").glob(pattern[1:])]
    folders.sort(key=_version, reverse=True)
    return os.pathsep.join([os.environ.get("PATH") or os.defpath, *map(str, folders)])


def _version(folder: Path) -> int:
    """Of the PostgreSQL in /usr/lib/postgresql/<version>/bin; 0 for other folders."""
    return int(folder.parent.name) if folder.parent.name.isdecimal() else 0


def _install(product: _Product) -> list[str]:
    packages = " ".join(product.packages)
    missing = (
        f"{product.title.upper()} IS MISSING: no {product.programs[1][0]} on PATH. Install it "
        f"(Debian: apt-get install --no-install-recommends {packages}) or start a Docker engine"
    )
    if os.geteuid() != 0 or not _DEBIAN.exists() or not shutil.which("apt-get"):
        raise ServerMissing(missing)
    # Packages are the machine's business: whoever runs the tests should see it.
    print(f"{product.title} is missing: apt-get install {packages}", file=sys.stderr)  # noqa: T201
    with _no_cluster():
        said = _update() or _apt_get("install", "--no-install-recommends", *product.packages)
    if not (programs := _find(product)):
        raise ServerMissing(f"{missing}; apt-get, which was tried, said: {said or 'all is well'}")
    return programs


@contextmanager
def _no_cluster() -> Iterator[None]:
    """PostgreSQL's package would make a server of the machine's own, and start it."""
    _NO_CLUSTER.parent.mkdir(parents=True, exist_ok=True)
    _NO_CLUSTER.write_text("create_main_cluster = false\n", encoding="ascii")
    try:
        yield
    finally:
        _NO_CLUSTER.unlink()
        with contextlib.suppress(OSError):  # others' files are in it
            _NO_CLUSTER.parent.rmdir()


def find_pgbouncer() -> str:
    """The program of PgBouncer, installed where there is none; the test is skipped without one."""
    found = shutil.which("pgbouncer", path=_path())
    if not found and os.geteuid() == 0 and _DEBIAN.exists() and shutil.which("apt-get"):
        print("PgBouncer is missing: apt-get install pgbouncer", file=sys.stderr)  # noqa: T201
        if not _update():
            _apt_get("install", "--no-install-recommends", "pgbouncer")
        found = shutil.which("pgbouncer", path=_path())
    if found:
        return found
    reason = "PGBOUNCER IS MISSING: no pgbouncer on PATH. Install it (Debian: apt-get install "
    reason += "--no-install-recommends pgbouncer)"
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@functools.cache
def _update() -> str:
    return _apt_get("update")


def _apt_get(*arguments: str) -> str:
    """What went wrong, in a line, or nothing."""
    command = ["apt-get", "--quiet", "--yes", "--option=DPkg::Lock::Timeout=120", *arguments]
    try:
        run = subprocess.run(
            command,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_INSTALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        return str(error)
    return " ".join(run.stdout.split("\n")[-3:]) if run.returncode else ""


# --- Databases ----------------------------------------------------------------------------------


def _admin_engine(url: str | sa.URL) -> sa.Engine:
    # Neither server makes a database within a transaction.
    return sa.create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        poolclass=sa.NullPool,
        connect_args={"connect_timeout": 5},
    )


def _execute(engine: sa.Engine, sql: str) -> None:
    with engine.connect() as connection:
        connection.exec_driver_sql(sql)


def _drop(engine: sa.Engine, name: str) -> None:
    """Drop a database even if a test left a connection to it open: that must not hang the rest."""
    if engine.dialect.name == "postgresql":
        _execute(engine, f"DROP DATABASE {name} WITH (FORCE)")
        return
    with engine.connect() as connection:
        clients = sa.text("SELECT id FROM information_schema.processlist WHERE db = :name")
        for client in connection.scalars(clients, {"name": name}).all():
            with contextlib.suppress(OperationalError):  # it has gone by itself
                connection.exec_driver_sql(f"KILL {client}")
        connection.exec_driver_sql(f"SET lock_wait_timeout = {_STOP_SECONDS:.0f}")
        connection.exec_driver_sql(f"DROP DATABASE {name}")


# --- Fixtures -----------------------------------------------------------------------------------


@dataclass
class _Servers:
    """The session's servers. However many conftests take the fixtures, there is one of a kind."""

    running: ExitStack = field(default_factory=ExitStack)
    outcomes: dict[Kind, str | Exception] = field(default_factory=dict)

    def url(self, kind: Kind) -> str:
        """The URL of a server, started at the first call; what then failed, fails again."""
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
        if os.environ.get("CI") == "true":  # where a skipped test would pass for a good one
            pytest.fail(reason, pytrace=False)
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
