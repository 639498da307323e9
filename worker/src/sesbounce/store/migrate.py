"""Brings the database's schema to the version that this sesbounce needs.

Several workers may start at once: one of them migrates, the others wait for it.
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

# Not Alembic's own name for it, which the sender's application may use in the same database.
VERSION_TABLE = "feedback_version"

# Any number that nobody else is likely to lock.
_LOCK = 5_735_222_630
_PATIENCE_SECONDS = 300


def is_ours(name: str | None, kind: str, _parents: object) -> bool:
    """Whether a thing in the database belongs to sesbounce: the rest is the sender's."""
    return kind != "table" or name in metadata.tables


def newest() -> str:
    """The version that this sesbounce needs."""
    head = _scripts().get_current_head()
    assert head is not None  # noqa: S101  there is at least the first one
    return head


def current(engine: sa.Engine) -> str | None:
    """The database's version; None where it has none of sesbounce's tables.

    Raises:
        StoreError: the database can't be read.
    """
    with translated("the database can't be read"), engine.connect() as connection:
        return _context(connection).get_current_revision()


def upgrade(engine: sa.Engine, revision: str = "head") -> None:
    """Migrate up to a version, the newest by default.

    Raises:
        SchemaError: a name is taken by something that is not sesbounce's.
        StoreError: the database rejected.
    """
    with translated("the database can't be migrated"), _alone(engine) as connection:
        if _context(connection).get_current_revision() is None:
            _refuse_strangers(connection)
        command.upgrade(_config(connection), revision)


def downgrade(engine: sa.Engine, revision: str) -> None:
    """Migrate down to a version; `base` removes everything of sesbounce's.

    Raises:
        StoreError: the database rejected.
    """
    with translated("the database can't be migrated"), _alone(engine) as connection:
        command.downgrade(_config(connection), revision)


def ensure(engine: sa.Engine, *, migrate: bool) -> None:
    """Make sure that the schema is the one that this sesbounce needs.

    Args:
        engine: the database.
        migrate: whether it may be migrated.

    Raises:
        SchemaError: it is another one.
        StoreError: the database rejected.
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
    """What in the database is not as the newest version has it, in Alembic's words.

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


def _refuse_strangers(connection: sa.Connection) -> None:
    """Make sure that no name is taken: the database may be the sender's own."""
    inspector = sa.inspect(connection)
    taken = {*inspector.get_table_names(), *inspector.get_view_names()}
    if clash := taken & {*metadata.tables, SUPPRESSED}:
        raise SchemaError(
            f"the database has a {', a '.join(sorted(clash))} that is not sesbounce's, or is left "
            "of a migration that failed: rename or drop it, or give sesbounce another database"
        )


@contextmanager
def _alone(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A transaction that holds the migrations of all other workers off until it is committed.

    SQLite's write lock does so already. MySQL's lock belongs to a connection, and is given back
    by another one than the migration's: not before that has committed.
    """
    dialect = engine.dialect.name
    with ExitStack() as held:
        if dialect == "mysql":
            guard = held.enter_context(engine.connect())
            if not guard.scalar(sa.select(sa.func.get_lock(str(_LOCK), _PATIENCE_SECONDS))):
                raise StoreError("another worker has been migrating the database for minutes")
            held.callback(guard.execute, sa.select(sa.func.release_lock(str(_LOCK))))
        connection = held.enter_context(write(engine))
        if dialect == "postgresql":
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
        yield connection
