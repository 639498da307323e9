"""Checks the database: what the worker records reaches it, and whoever asks gets an answer.

Nothing is written: rights are asked with EXPLAIN, which needs those of the statement, and does not
run it.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from sesbounce.doctor.examine import Check
from sesbounce.doctor.finding import Finding, broken, hint, setting
from sesbounce.doctor.statements import statements, without_statements
from sesbounce.doctor.subject import Database, connected
from sesbounce.errors import ConfigurationError, NotCheckedError, StoreError
from sesbounce.store import forgotten, migrate, schema
from sesbounce.store.drift import in_words
from sesbounce.store.driver_errors import lacks_right
from sesbounce.store.outbox import waiting
from sesbounce.store.postgresql import is_pooled
from sesbounce.store.workers import WorkerStatus, present_workers, read_workers

_CLOCK_SECONDS = 60
_LATE = timedelta(minutes=15)
_QUIET = timedelta(days=7)
_NO_TABLES = "the database has none of sesbounce's tables"
_SEND = "Send mail to the simulator: `sesbounce doctor --roundtrip --from ADDRESS`"
_UPGRADE = "Bring it up to date: `sesbounce db upgrade`"
_GRANTS = "Grant the user what docs/database.md lists, or run `sesbounce db upgrade` as the owner"


def connection(find: Callable[[], Database]) -> Iterator[Finding]:
    """The database is there, and answers."""
    try:
        database = find()
        with connected(database) as opened:
            opened.execute(sa.text("SELECT 1"))
        migrate.current(database.engine)  # for the line above, SQLite reads nothing of its file
    except StoreError as error:
        yield broken(
            str(error),
            "the worker records nothing",
            "Check that the database runs and has space, SESBOUNCE_DATABASE_URL and the network",
        )


def tables(database: Database) -> Iterator[Finding]:
    """The tables are those that this version needs."""
    found = migrate.current(database.engine)
    if found is None:
        yield broken(
            _NO_TABLES,
            "nothing is recorded in it",
            "Set SESBOUNCE_DATABASE_URL to the worker's database, or create the tables: "
            "`sesbounce db upgrade`",
        )
        return
    if not migrate.is_usable(found):
        yield broken(
            f"the schema has version {migrate.number(found)}, and this version of sesbounce needs "
            f"version {migrate.number(migrate.newest())}",
            "the worker does not start, and some commands fail",
            "Update sesbounce: the schema is that of a newer release"
            if migrate.is_newer(found)
            else _UPGRADE,
        )
        return
    if migrate.is_newer(found):
        yield setting(
            f"the schema has version {migrate.number(found)}, newer than this version of sesbounce",
            "a newer release has brought it up to date, and this one can use it",
            "Bring this release up to date as well",
        )
    for difference in in_words(migrate.drift(database.engine)):
        yield hint(
            difference.rstrip("."), "somebody has changed the tables by hand", "Undo that change"
        )


def view(database: Database) -> Iterator[Finding]:
    """The view answers, which the sender's own SQL asks."""
    query = sa.select(sa.literal(1)).select_from(sa.table(schema.SUPPRESSED)).where(sa.false())
    try:
        with connected(database) as opened:
            opened.execute(query)
    except StoreError as error:
        yield broken(
            f"the view {schema.SUPPRESSED} can't be read ({error})",
            "whoever asks it may not learn which addresses are suppressed",
            _UPGRADE,
        )


def hash_keys(database: Database) -> Iterator[Finding]:
    """This process has each key under which addresses were forgotten."""
    with connected(database) as opened:
        checks = forgotten.checks(opened)
    try:
        database.settings.hash_keys.require(checks)
    except ConfigurationError as error:
        what, _, advice = str(error).partition(". ")
        yield broken(what, "the worker does not start, and nobody learns who may be mailed", advice)


def without_tables(database: Database) -> str:
    """Why the tables are not read: there is none."""
    return "" if migrate.current(database.engine) else _NO_TABLES


def outbox(database: Database) -> Iterator[Finding]:
    """Each target accepts its entries in time."""
    for entry in waiting(database.engine):
        target, due_at = entry["target"], entry["due_at"]
        is_stopped = due_at is None
        if entry["problem"] or due_at.replace(tzinfo=UTC) < database.now - _LATE:
            yield hint(
                f"outbox entries wait for {target}: {entry['entries']:,} "
                f"({entry['problem'] or 'nobody has tried to deliver them'})",
                f"{target} does not know these verdicts yet",
                f"Remove the cause, and run `sesbounce outbox retry --target {target}`"
                if is_stopped
                else "Remove the cause; a running worker retries them",
            )


def clock(database: Database) -> Iterator[Finding]:
    """The database's clock and this machine's agree."""
    now = sa.func.utc_timestamp() if database.engine.dialect.name == "mysql" else sa.func.now()
    began = datetime.now(UTC)
    with connected(database) as opened:
        at: datetime = opened.scalar(sa.select(now)) or began
    off = abs(((at if at.tzinfo else at.replace(tzinfo=UTC)) - began).total_seconds())
    if off > _CLOCK_SECONDS:
        yield hint(
            f"the clocks of the database and of this machine differ by {off:.0f} seconds",
            "a suppression that ends, ends at another moment for those who ask the view",
            "Let both take their time from NTP",
        )


def without_clock(database: Database) -> str:
    """Why there is no other clock."""
    is_here = database.engine.dialect.name == "sqlite"
    return "SQLite has the clock of this machine" if is_here else ""


def last_event(database: Database) -> Iterator[Finding]:
    """An event was recorded lately."""
    newest = sa.select(schema.event.c.recorded_at).order_by(schema.event.c.id.desc()).limit(1)
    with connected(database) as opened:
        at = opened.scalar(newest)
    if at is None:
        yield hint(
            "no event is recorded yet",
            "nothing shows that the path from SES to the database works",
            _SEND,
        )
    elif at < database.now - _QUIET:
        yield hint(
            f"the last event was recorded {(database.now - at).days} days ago",
            "perhaps SES publishes nothing any more",
            _SEND,
        )


def workers(database: Database) -> Iterator[Finding]:
    """A worker writes to the database, as far as the rows of the workers say.

    Raises:
        NotCheckedError: there is none.
    """
    with connected(database) as opened:
        found = present_workers(read_workers(opened), database.now)
    if not found:
        raise NotCheckedError("no worker of this release has written to this database yet")
    for queue, some in found.items():
        seen = [one.row for one in some if one.is_seen]
        for row in seen:
            if row.waits_for:
                yield hint(
                    f"the worker on {row.host} waits for the {' and the '.join(row.waits_for)}",
                    "messages wait in the queue",
                    "Read the log of the worker, which says why",
                )
        # The latest one comes last if it has ended, which is no fault unless its schedule is late.
        if not seen and some[-1].status is not WorkerStatus.ENDED:
            at = max(one.row.seen_at for one in some)
            yield hint(
                f"no worker of the queue {queue} was seen since {at:%Y-%m-%d %H:%M} UTC",
                "nobody records its messages",
                "Read the log of the worker, and start it",
            )


def pooler(database: Database) -> Iterator[Finding]:
    """Whether a pooler answers in the place of PostgreSQL."""
    with connected(database) as opened:
        if is_pooled(opened.connection.dbapi_connection):  # type: ignore[arg-type]
            yield setting(
                "a pooler answers in the place of PostgreSQL",
                "sesbounce prepares no statements there, and takes its locks for a transaction",
                "Read what docs/database.md says about poolers",
            )


def without_pooler(database: Database) -> str:
    """Why there can't be a pooler."""
    return "" if database.engine.dialect.name == "postgresql" else "PostgreSQL alone has poolers"


def grants(database: Database) -> Iterator[Finding]:
    """The user of SESBOUNCE_DATABASE_URL may write what the worker writes."""
    lacking = []
    with connected(database) as opened:
        for table in schema.metadata.sorted_tables:
            column = next(iter(table.primary_key))
            for statement in (
                sa.insert(table).from_select([column], sa.select(column).where(sa.false())),
                sa.update(table).values({column: column}).where(sa.false()),
                sa.delete(table).where(sa.false()),
            ):
                sql = statement.compile(opened, compile_kwargs={"literal_binds": True})
                try:
                    with opened.begin_nested():
                        opened.exec_driver_sql(f"EXPLAIN {sql}")
                except sa.exc.DBAPIError as error:
                    # The statement itself may not do: MariaDB wants a value for each column.
                    if lacks_right(error):
                        lacking.append(f"{str(sql).split()[0]} on {table.name}")
    if lacking:
        yield hint(
            f"the user of SESBOUNCE_DATABASE_URL has no right to {', '.join(lacking)}",
            "it may ask, and a worker with it can't record",
            _GRANTS,
        )


def without_grants(database: Database) -> str:
    """Why the rights are not checked."""
    return "SQLite has no users" if database.engine.dialect.name == "sqlite" else ""


CONNECTION = (Check("database.connection", "the database answers", connection),)
CHECKS = (
    Check("database.schema", "the tables are those that this version needs", tables),
    Check("database.view", f"the view {schema.SUPPRESSED} answers", view, without_tables),
    Check("database.grants", "the user may record events", grants, without_grants),
    Check(
        "database.hash-keys", "the keys of forgotten addresses are here", hash_keys, without_tables
    ),
    Check(
        "database.statements",
        "the statements fit the sender's tables",
        statements,
        without_statements,
    ),
    Check("database.outbox", "each target accepts its outbox entries", outbox, without_tables),
    Check("database.clock", "the database's clock is right", clock, without_clock),
    Check("database.last-event", "an event was recorded lately", last_event, without_tables),
    Check("database.workers", "a worker writes to the database", workers, without_tables),
    Check("database.pooler", "no pooler answers", pooler, without_pooler),
)
