"""Opens the database, with the settings that each kind of database needs to be dependable."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from sesbounce.database_password import Login, PasswordSource
from sesbounce.errors import (
    ConfigurationError,
    ConflictError,
    MissingExtraError,
    RowError,
    SchemaError,
    StoreError,
)
from sesbounce.extras import needed_by
from sesbounce.store import postgresql, urls
from sesbounce.store.driver_errors import (
    DRIVER_ERRORS,
    cause,
    ends_in_conflict,
    is_login_failure,
    is_row_fault,
    is_sqlite_permission,
    lacks_table,
)
from sesbounce.store.sqlite import HOW_TO_PERMIT, WAIT, WRITE, file_of, open_sqlite

_HOW_TO_UPGRADE = (
    "Set SESBOUNCE_DATABASE_URL to the worker's database; if it is that one, run `sesbounce db "
    "upgrade`, which makes the tables and columns that this version needs"
)

# Parameters hold addresses: SQLAlchemy keeps them out of error messages, and so out of logs.
_OPTIONS: dict[str, Any] = {"hide_parameters": True}
# The store locks rows one by one before it changes them. MySQL's default isolation level would
# lock the gaps between them as well, and the workers would deadlock.
_ISOLATION: dict[str, Any] = {"isolation_level": "READ COMMITTED"}
# A NAT gateway drops an idle connection after 350 seconds, without a word to this end, where a
# statement would wait for its answer for minutes.
# The second connection holds MySQL's lock during a migration, and is closed then.
_ALONE: dict[str, Any] = {"pool_size": 1, "max_overflow": 1, "pool_recycle": 240}
_PORTS = {"postgresql": 5432, "mysql": 3306}


def open_database(
    url: str,
    *,
    read_only: bool = False,
    create: bool = True,
    alone: bool = False,
    variable: str = "SESBOUNCE_DATABASE_URL",
    passwords: PasswordSource | None = None,
) -> sa.Engine:
    """Make an engine for the database at `url`; it opens no connection yet.

    The caller disposes of the engine.

    Args:
        url: a database URL of SQLAlchemy; the driver may be left out.
        read_only: neither create an SQLite file nor change its settings.
        create: whether to create an SQLite file that does not exist.
        alone: whether one thread uses a server's database, with pauses of minutes or hours, as a
            function in AWS Lambda does: then it keeps one connection, and none that was idle long.
        variable: the setting that holds the URL, for error messages.
        passwords: where each new connection gets its password, if the URL holds none.

    Raises:
        ConfigurationError: the text is not a database URL, or the database is not supported, or
            its driver is not installed.
        StoreError: the SQLite file (if `read_only`) or its folder does not exist, or this user may
            not enter the folder.
    """
    needs_tls = passwords is not None and passwords.needs_tls
    parsed = urls.read_url(url, variable, needs_tls=needs_tls)
    if parsed.url.drivername == "sqlite":
        return open_sqlite(
            parsed.url, variable, _OPTIONS, read_only=read_only, create=create and not read_only
        )
    with _driver_of(parsed.url, variable):
        engine = sa.create_engine(
            parsed.url,
            pool_pre_ping=True,
            connect_args=parsed.arguments,
            **_OPTIONS,
            **_ISOLATION,
            **(_ALONE if alone else {}),
        )
    sa.event.listen(engine, "do_connect", partial(_connect, variable, passwords))
    if engine.dialect.name == "postgresql":
        sa.event.listen(engine, "connect", partial(postgresql.prepare, parsed.prepare_threshold))
    return engine


@contextmanager
def _driver_of(url: sa.URL, variable: str) -> Iterator[None]:
    """Translate what the import of a database's driver raises.

    Raises:
        MissingExtraError: the driver is not installed.
        ConfigurationError: the driver can't be loaded; psycopg may lack its library.
    """
    try:
        with needed_by(f"the {url.get_backend_name()} URL in {variable}"):
            yield
    except ImportError as error:
        raise ConfigurationError(
            f"the {url.get_backend_name()} URL in {variable} needs a driver that can't be loaded: "
            f"{' '.join(str(error).split())}"
        ) from error


def _connect(
    variable: str,
    passwords: PasswordSource | None,
    dialect: sa.Dialect,
    _record: object,
    arguments: list[Any],
    options: dict[str, Any],
) -> Any:
    """Connect, and translate what drivers raise beside their own errors.

    Raises:
        ConfigurationError: the driver does not understand an option of the URL.
        MissingExtraError: the driver lacks a package that this server's logins need.
        StoreError: a certificate or key can't be read, or TLS fails; or the database refuses the
            password of the source, or the source has none.
    """
    try:
        if passwords:
            return _log_in(variable, passwords, dialect, arguments, options)
        return dialect.connect(*arguments, **options)
    except DRIVER_ERRORS as error:
        raise StoreError(f"{variable}: the connection failed: {error}") from error
    except (TypeError, ValueError, AttributeError, NotImplementedError) as error:
        raise ConfigurationError(
            f"{variable} holds an option that can't be used: {error}"
        ) from error
    except RuntimeError as error:
        if "'cryptography' package is required" not in str(error):
            raise
        # PyMySQL alone can't log in by MySQL's default plugin, caching_sha2_password.
        raise MissingExtraError(f"{variable}: {error}", "mysql") from error


def _log_in(
    variable: str,
    passwords: PasswordSource,
    dialect: sa.Dialect,
    arguments: list[Any],
    options: dict[str, Any],
) -> Any:
    """Connect with the password of a source; with its newer one, if the first one fails.

    The error of a server may be in any language, so every failure counts as a refused password.
    """
    host, port = options.get("host") or "", int(options.get("port") or _PORTS[dialect.name])
    login = Login(host, port, options.get("user") or "", variable)
    failure = dialect.loaded_dbapi.OperationalError
    password = passwords.password(login)
    try:
        return dialect.connect(*arguments, **options, password=password)
    except failure as first:
        error: Exception = first
        try:
            newer = passwords.password(login, refused=password)
        except StoreError as unread:
            if is_login_failure(first):
                raise
            # The database does not answer; that the network is down explains both.
            raise first from unread
    if newer != password:
        try:
            return dialect.connect(*arguments, **options, password=newer)
        except failure as second:
            error = second
    if is_login_failure(error):
        raise StoreError(f"{variable}: {cause(error)}. {passwords.advice}") from error
    raise error


def demand_lasting(engine: sa.Engine) -> None:
    """Demand a database that outlives the process, from which the queue's messages are deleted.

    Raises:
        ConfigurationError: the database is one of SQLite in memory, or a temporary file.
    """
    if engine.dialect.name == "sqlite" and file_of(engine.url.database) is None:
        raise ConfigurationError(
            "SESBOUNCE_DATABASE_URL is a database in memory, which ends with this process: name a "
            "file, for example sqlite:////srv/app/sesbounce.sqlite3"
        )


@contextmanager
def write(engine: sa.Engine, *, wait: bool = True) -> Iterator[sa.Connection]:
    """Open a connection and a transaction that writes; the end of the block commits it.

    Args:
        engine: the database.
        wait: whether to wait on SQLite while another transaction writes; if not, `is_locked` is
            true of the error.
    """
    with engine.execution_options(**{WRITE: True, WAIT: wait}).begin() as connection:
        yield connection


@contextmanager
def ask(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Open a connection for a query or two, each of which sees all that is committed by then.

    PostgreSQL gets no transaction around them, which would take two more round trips. On MySQL to
    do without one takes as many, and on SQLite it costs next to nothing.
    """
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execution_options(isolation_level="AUTOCOMMIT")
        yield connection


@contextmanager
def translated(problem: str, hint: str = "", *, of_schema: bool = False) -> Iterator[None]:
    """Translate the database's errors in the block into those of sesbounce.

    Args:
        problem: what could not be done; the error message begins with it.
        hint: what to do about it; the error message ends with it.
        of_schema: whether all tables in the block are those of the schema, so that one that is
            missing shows that the database has no schema or an older one.

    Raises:
        SchemaError: a table or column is missing, and all are those of the schema.
        RowError: the database rejected the values of a row, and would accept other values.
        ConflictError: the transaction conflicted with another writer's.
        StoreError: the database can't be used.
    """
    try:
        yield
    except (SQLAlchemyError, *DRIVER_ERRORS) as error:
        kind: type[StoreError] = StoreError
        if is_row_fault(error):
            kind = RowError
        elif ends_in_conflict(error):
            kind = ConflictError
        elif of_schema and lacks_table(error):
            kind, hint = SchemaError, _HOW_TO_UPGRADE
        text = cause(error)
        if is_login_failure(error):
            hint = f"{hint} {urls.HOW_TO_ESCAPE}".strip()
        if "certificate verify failed" in text:
            hint = f"{hint} {urls.HOW_TO_TRUST}".strip()
        if is_sqlite_permission(error):
            hint = f"To repair it, {HOW_TO_PERMIT}"
        raise kind(f"{problem}: {text}{f'. {hint}' if hint else ''}") from error


def answering(problem: str) -> AbstractContextManager[None]:
    """`translated` for those who ask, with a hint that the URL may be the wrong one."""
    hint = "Is SESBOUNCE_DATABASE_URL the worker's database?"
    return translated(problem, hint, of_schema=True)
