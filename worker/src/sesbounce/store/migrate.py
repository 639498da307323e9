"""Migrates the database's schema to the version that this sesbounce needs.

If several workers start at once, one of them migrates, and the others wait for it.

While a new release is rolled out, and after a rollback, an older release meets a newer schema. So
the id of a migration also names the oldest version whose release can use the new schema, and the
database keeps the id: `0009_from_0008` is version 0009, which the release of version 0008 can use.
An id without `_from_` demands the release of that version.
"""

import re
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from sesbounce.errors import SchemaError, StoreError
from sesbounce.store.engine import translated, write
from sesbounce.store.schema import SUPPRESSED, metadata

# Alembic's default name may be in use by the sender's application in the same database.
VERSION_TABLE = "feedback_version"

_ID = re.compile(r"(?P<version>[0-9]+)_from_(?P<oldest>[0-9]+)")

# A random number, so that no other application is likely to use the same lock.
_LOCK = 5_735_222_630
_LOCK_TIMEOUT_SECONDS = 300

_IN_SEARCH_PATH = sa.text(
    "SELECT CASE nspname WHEN current_schema() THEN relname ELSE nspname || '.' || relname END "
    "FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace "
    "WHERE relname = ANY(:names) AND nspname = ANY(current_schemas(false))"
)
# Not all kinds of database have these.
_OF_DIALECTS = {
    "ix_feedback_address_to_strike_off",
    "ix_feedback_address_to_restore",
    "ix_feedback_address_domain",
    "ix_feedback_address_since",
    "ix_feedback_address_suppressed_since",
    "ix_feedback_event_by_hand",
}
_NOT_COMPARED = "Skipped unsupported reflection of expression-based index"


def is_ours(name: str | None, kind: str, _parents: object) -> bool:
    """Whether an object in the database is one of the schema, and not of the sender."""
    if kind == "table":
        return name in metadata.tables
    return kind != "index" or name not in _OF_DIALECTS


def newest() -> str:
    """The newest version of the schema, which this sesbounce needs."""
    head = _scripts().get_current_head()
    assert head is not None  # noqa: S101  there is at least one migration
    return head


def current(engine: sa.Engine) -> str | None:
    """The database's version; None if it has none of sesbounce's tables.

    Raises:
        StoreError: the database can't be read.
    """
    with translated("the database can't be read"), engine.connect() as connection:
        return _context(connection).get_current_revision()


def upgrade(engine: sa.Engine, revision: str = "head") -> None:
    """Migrate up to a version, the newest by default; a newer schema stays as it is.

    Raises:
        SchemaError: the database has a table or view of the same name that is not sesbounce's, or
            its schema is newer, and this release can't use it.
        StoreError: the database can't be used, or rejected a statement.
    """
    with translated("the database can't be migrated"), locked(engine) as connection:
        found = _context(connection).get_current_revision()
        if found is None:
            _check_names(connection)
        elif is_newer(found):
            _check_usable(found)
            return
        command.upgrade(_config(connection), revision)


def downgrade(engine: sa.Engine, revision: str) -> None:
    """Migrate down to a version; `base` drops all of sesbounce's tables.

    Raises:
        SchemaError: it would lose data, or the schema is newer than this sesbounce.
        StoreError: the database can't be used, or rejected a statement.
    """
    with translated("the database can't be migrated"), locked(engine) as connection:
        found = _context(connection).get_current_revision()
        if is_newer(found):
            raise SchemaError(
                f"the database is at version {number(found)}, and this sesbounce knows no version "
                f"after {number(newest())}: downgrade with the release that made that version"
            )
        for script in _scripts().iterate_revisions(found or "base", revision):
            if refuse_losses := getattr(script.module, "refuse_losses", None):
                refuse_losses(connection)
        command.downgrade(_config(connection), revision)


def ensure(engine: sa.Engine, *, migrate: bool) -> str:
    """Make sure that this release can use the schema.

    Args:
        engine: the database.
        migrate: whether to migrate an older schema.

    Returns:
        The version of the schema, which may be newer than the one that this sesbounce needs.

    Raises:
        SchemaError: the schema is newer and this release can't use it, or it is older and may
            not be migrated.
        StoreError: the database can't be used, or rejected a statement.
    """
    found = current(engine)
    if found and (found == newest() or is_newer(found)):
        _check_usable(found)
        return found
    if not migrate and not found:
        raise SchemaError(
            "the database has none of sesbounce's tables: set SESBOUNCE_DATABASE_URL to the "
            "worker's database. To create the tables in this one, run `sesbounce db upgrade`"
        )
    if not migrate:
        raise SchemaError(
            f"the database's schema has version {number(found)}, and this sesbounce needs "
            f"{number(newest())}: run `sesbounce db upgrade`, or set SESBOUNCE_MIGRATE=true for "
            "the worker"
        )
    upgrade(engine)
    return newest()


def number(revision: str | None) -> str:
    """The version that the id of a migration stands for, for people to read."""
    return revision.partition("_")[0] if revision else "none"


def is_newer(revision: str | None) -> bool:
    """Whether a schema's version is one that this sesbounce does not know."""
    return revision is not None and revision not in {
        script.revision for script in _scripts().walk_revisions()
    }


def is_usable(revision: str | None) -> bool:
    """Whether this release can use a schema of this version as it is."""
    if revision is None or not is_newer(revision):
        return revision == newest()
    names = _ID.fullmatch(revision)
    return names is not None and int(names["oldest"]) <= int(number(newest()))


def _check_usable(revision: str) -> None:
    if not is_usable(revision):
        raise SchemaError(
            f"the database is at version {number(revision)}, which is newer than this sesbounce: "
            f"update it (its version is {number(newest())}, which can't use that one)"
        )


def other_tables(engine: sa.Engine) -> list[str]:
    """The tables of a database that has none of sesbounce's: whose database is it?

    Raises:
        StoreError: the database can't be read.
    """
    if current(engine):
        return []
    with translated("the database can't be read"), engine.connect() as connection:
        return sorted(sa.inspect(connection).get_table_names())


def drift(engine: sa.Engine) -> list[Any]:
    """The differences between the database and the newest version, as Alembic describes them.

    What a newer version has added is no difference.

    Raises:
        StoreError: the database can't be read.
    """
    with translated("the database can't be read"), engine.connect() as connection:
        context = _context(connection, include_name=is_ours, compare_type=True)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", _NOT_COMPARED)  # SQLite's index by domain
            found = list(compare_metadata(context, metadata))
        newer = is_newer(context.get_current_revision())
    return [each for each in found if not (newer and str(each[0]).startswith("remove_"))]


@cache  # to read all of them takes longer than most commands
def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config(connection: sa.Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", "sesbounce:store/migrations")
    config.attributes["connection"] = connection
    return config


def _context(connection: sa.Connection, **options: Any) -> MigrationContext:
    return MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE, **options})


def _check_names(connection: sa.Connection) -> None:
    """Make sure that the sender's own objects in the database have other names."""
    ours = {*metadata.tables, SUPPRESSED}
    if connection.dialect.name == "postgresql":
        # A table of the same name in a later schema of the search path would be hidden from the
        # sender's application, or may be sesbounce's own.
        clash = set(connection.scalars(_IN_SEARCH_PATH, {"names": [*ours]}))
    else:
        inspector = sa.inspect(connection)
        clash = ours & {*inspector.get_table_names(), *inspector.get_view_names()}
    if clash:
        raise SchemaError(
            f"the database has a {', a '.join(sorted(clash))} that is not sesbounce's, or that a "
            "failed migration has left: rename or drop it, or give sesbounce another database"
        )


@contextmanager
def locked(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Open a transaction that lets no other process migrate or grant until it is committed.

    On SQLite the write lock does so. On MySQL a lock belongs to a connection, and a second
    connection holds it, so that it is released after the migration's own has committed.
    """
    dialect = engine.dialect.name
    with ExitStack() as stack:
        if dialect == "mysql":
            guard = stack.enter_context(engine.connect())
            if not guard.scalar(sa.select(sa.func.get_lock(str(_LOCK), _LOCK_TIMEOUT_SECONDS))):
                raise StoreError("another worker has been migrating the database for minutes")
            stack.callback(guard.execute, sa.select(sa.func.release_lock(str(_LOCK))))
        connection = stack.enter_context(write(engine))
        if dialect == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        yield connection
