"""Migrates the database's schema to the version that this sesbounce needs.

If several workers start at once, one of them migrates, and the others wait for it.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
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

# A random number, so that no other application is likely to use the same lock.
_LOCK = 5_735_222_630
_LOCK_TIMEOUT_SECONDS = 300

_IN_SEARCH_PATH = sa.text(
    "SELECT CASE nspname WHEN current_schema() THEN relname ELSE nspname || '.' || relname END "
    "FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace "
    "WHERE relname = ANY(:names) AND nspname = ANY(current_schemas(false))"
)


def is_ours(name: str | None, kind: str, _parents: object) -> bool:
    """Whether an object in the database belongs to sesbounce, and not to the sender."""
    return kind != "table" or name in metadata.tables


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
    """Migrate up to a version, the newest by default.

    Raises:
        SchemaError: the database has a table or view of the same name that is not sesbounce's.
        StoreError: the database can't be used, or rejected a statement.
    """
    with translated("the database can't be migrated"), _locked(engine) as connection:
        if _context(connection).get_current_revision() is None:
            _check_names(connection)
        command.upgrade(_config(connection), revision)


def downgrade(engine: sa.Engine, revision: str) -> None:
    """Migrate down to a version; `base` drops all of sesbounce's tables.

    Raises:
        SchemaError: it would lose data.
        StoreError: the database can't be used, or rejected a statement.
    """
    with translated("the database can't be migrated"), _locked(engine) as connection:
        found = _context(connection).get_current_revision()
        for script in _scripts().iterate_revisions(found or "base", revision):
            if refuse_losses := getattr(script.module, "refuse_losses", None):
                refuse_losses(connection)
        command.downgrade(_config(connection), revision)


def ensure(engine: sa.Engine, *, migrate: bool) -> None:
    """Make sure that the schema is at the version that this sesbounce needs.

    Args:
        engine: the database.
        migrate: whether to migrate an older schema.

    Raises:
        SchemaError: the schema is newer, or it is older and may not be migrated.
        StoreError: the database can't be used, or rejected a statement.
    """
    found = current(engine)
    if found == newest():
        return
    if found and found not in {script.revision for script in _scripts().walk_revisions()}:
        raise SchemaError(
            f"the database is at version {found}, which is newer than this sesbounce: update it"
        )
    if not migrate and not found:
        raise SchemaError(
            "the database has none of sesbounce's tables: set SESBOUNCE_DATABASE_URL to the "
            "worker's database. To create the tables in this one, run `sesbounce db upgrade`"
        )
    if not migrate:
        raise SchemaError(
            f"the database's schema has version {found}, and this sesbounce needs {newest()}: "
            "run `sesbounce db upgrade`, or set SESBOUNCE_MIGRATE=true for the worker"
        )
    upgrade(engine)


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

    Raises:
        StoreError: the database can't be read.
    """
    with translated("the database can't be read"), engine.connect() as connection:
        options = {"include_name": is_ours, "compare_type": True}
        return list(compare_metadata(_context(connection, **options), metadata))


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
def _locked(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Open a transaction that lets no other worker migrate until it is committed.

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
