"""What differs between the servers."""

import pwd
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import sqlalchemy as sa

from tests.ports import LOOPBACK

Kind = Literal["postgresql", "mariadb"]


@dataclass(frozen=True)
class Home:
    """The folder of a server process, and the user it runs as (None: the user of the tests)."""

    folder: Path
    owner: pwd.struct_passwd | None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def secret(self) -> Path:
        return self.folder / "secret"


@dataclass(frozen=True)
class Product:
    name: Kind
    title: str
    url: sa.URL
    """Of a database that every server has, for its administrator."""
    programs: tuple[tuple[str, ...], ...]
    """The program that makes the data folder, the one that serves, and those that these need, each
    with all its names."""
    packages: tuple[str, ...]
    users: tuple[str, ...]
    secret: str
    """The content of the file that gives the administrator a password."""
    image: str
    password_variable: str
    options: tuple[str, ...]
    initialise: Callable[[Home], list[str]]
    serve: Callable[[Home, int], list[str]]
    stop: tuple[signal.Signals, ...]


def _postgresql_initialise(home: Home) -> list[str]:
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


def _postgresql_serve(home: Home, port: int) -> list[str]:
    return [
        f"-D{home.data}",
        f"--listen_addresses={LOOPBACK}",
        f"--port={port}",
        "--unix_socket_directories=",
    ]


def _mariadb_initialise(home: Home) -> list[str]:
    return [
        "--no-defaults",  # the machine's own settings are for its own server
        f"--datadir={home.data}",
        "--skip-test-db",
        "--force",  # a machine that does not know its own name will do
        *_MARIADB_OPTIONS,
    ]


def _mariadb_serve(home: Home, port: int) -> list[str]:
    return [
        "--no-defaults",
        f"--datadir={home.data}",
        f"--init-file={home.secret}",
        f"--bind-address={LOOPBACK}",
        f"--port={port}",
        "--socket=socket",  # within the data: an absolute one may be longer than sockets allow
    ]


# Nothing waits for the disk: a power failure would end the tests as well. The system still gets
# each commit, so that it outlives the death of the server.
POSTGRESQL = Product(
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
MARIADB = Product(
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
PRODUCTS = {product.name: product for product in (POSTGRESQL, MARIADB)}
SERVERS = tuple(PRODUCTS)


@dataclass(frozen=True)
class Started:
    """A server that has been started, and may not be ready yet."""

    port: int
    alive: Callable[[], bool]
    log: Callable[[], str]
