"""Starts real PostgreSQL and MariaDB servers for the tests alone, and stops them at the end.

The first of these that is available is used:

1. the server's programs, on PATH or where systems put them;
2. a container, where a Docker engine answers;
3. Debian's packages, which are then installed, where root runs the tests.
"""

import contextlib
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from psycopg.errors import ObjectInUse
from sqlalchemy.exc import OperationalError

from scripts.local import localstack_container
from tests.databases.container import container
from tests.databases.errors import ServerError
from tests.databases.process import process
from tests.databases.products import MARIADB, POSTGRESQL, Product, Started
from tests.databases.programs import find, install
from tests.ports import LOOPBACK

_READY_SECONDS = 300.0
_POLL_SECONDS = 0.05
# How long to wait for the clients of a database that is being dropped.
_DROP_SECONDS = 60


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """The URL of an empty database of a PostgreSQL of its own, whose data is in `folder`."""
    with running(POSTGRESQL, folder) as url:
        yield url


@contextmanager
def mariadb(folder: Path) -> Iterator[str]:
    """The URL of an empty database of a MariaDB of its own, whose data is in `folder`."""
    with running(MARIADB, folder) as url:
        yield url


@contextmanager
def empty_database(url: str) -> Iterator[str]:
    """The URL of a fresh database on the server of `url`, dropped at the end with all clients."""
    name = f"test_{secrets.token_hex(6)}"
    engine = admin_engine(url)
    execute(engine, f"CREATE DATABASE {name}")
    try:
        yield sa.make_url(url).set(database=name).render_as_string(hide_password=False)
    finally:
        drop(engine, name)


@contextmanager
def running(product: Product, folder: Path) -> Iterator[str]:
    password = secrets.token_hex(16)
    programs = find(product)
    in_container = programs is None and localstack_container.docker_answers()
    if programs is None and not in_container:
        programs = install(product)
    server = (
        process(product, programs, folder, password) if programs else container(product, password)
    )
    with server as started:
        url = product.url.set(password=password, host=LOOPBACK, port=started.port)
        yield _first_database(product, started, url)


def _first_database(product: Product, started: Started, url: sa.URL) -> str:
    """Make a database as soon as the server accepts it, and return its URL."""
    engine = admin_engine(url)
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        try:
            execute(engine, "CREATE DATABASE sesbounce")
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


def admin_engine(url: str | sa.URL) -> sa.Engine:
    # Neither server makes a database within a transaction.
    return sa.create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        poolclass=sa.NullPool,
        connect_args={"connect_timeout": 60},
    )


def execute(engine: sa.Engine, sql: str) -> None:
    with engine.connect() as connection:
        connection.exec_driver_sql(sql)


def drop(engine: sa.Engine, name: str) -> None:
    """Drop a database even if a test left a connection to it open: that must not hang the rest."""
    if engine.dialect.name == "postgresql":
        _drop_from_postgresql(engine, name)
        return
    with engine.connect() as connection:
        clients = sa.text("SELECT id FROM information_schema.processlist WHERE db = :name")
        for client in connection.scalars(clients, {"name": name}).all():
            with contextlib.suppress(OperationalError):  # it has gone by itself
                connection.exec_driver_sql(f"KILL {client}")
        connection.exec_driver_sql(f"SET lock_wait_timeout = {_DROP_SECONDS}")
        connection.exec_driver_sql(f"DROP DATABASE {name}")


def _drop_from_postgresql(engine: sa.Engine, name: str) -> None:
    """PostgreSQL ends the clients, and waits five seconds for them: on a busy machine, too few."""
    deadline = time.monotonic() + _DROP_SECONDS
    while True:
        try:
            execute(engine, f"DROP DATABASE {name} WITH (FORCE)")
            return
        except OperationalError as error:
            in_use = isinstance(error.orig, ObjectInUse)
            if not in_use or time.monotonic() > deadline:
                raise
