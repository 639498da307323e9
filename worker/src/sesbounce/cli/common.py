"""What the commands have in common: exit codes, output, and the database, closed at the end.

Commands that only ask end within half a second: what only the others need is imported where they
need it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click
import msgspec
import sqlalchemy as sa

from sesbounce.database_settings import load_database_settings
from sesbounce.errors import SchemaError, StoreError
from sesbounce.store.engine import open_database, translated
from sesbounce.store.lookup import Lookup
from sesbounce.telemetry.visible import visible_json

if TYPE_CHECKING:
    from sesbounce.outbound.relay import Target
    from sesbounce.settings import Settings
    from sesbounce.store.store import Store
    from sesbounce.store.strike_off import StrikeOff

MAY_NOT = DIFFERS = 1
# An error lists this many tables.
_NAMES = 3

_T = TypeVar("_T")

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
raw = click.option(
    "--raw",
    is_flag=True,
    help="Write CSV cells as they are. Without this option, an apostrophe stands before each cell "
    "that a spreadsheet program would run as a formula.",
)
stream = click.option(
    "--stream",
    metavar="NAME",
    help="Stream of the mail, as SESBOUNCE_STREAM_BY divides it: suppressions in other streams "
    "alone do not count.  [default: suppressions in any stream count]",
)
yes = click.option("--yes", is_flag=True, help="Do not ask for confirmation.")


def now() -> datetime:
    """This moment, UTC."""
    return datetime.now(UTC)


@contextmanager
def reading() -> Iterator[sa.Engine]:
    """The database, for commands that only read; its connections are closed at the end.

    Raises:
        SchemaError: the database can't answer, because its schema is not the one that is needed.
        StoreError: the database is not there, or can't answer.
    """
    settings = load_database_settings()
    with _disposed(
        open_database(settings.url, read_only=True, passwords=settings.passwords)
    ) as engine:
        try:
            yield engine
        except StoreError as error:
            # Only now, because whoever may read the verdicts may read no other table.
            if problem := _schema_problem(engine):
                raise problem from error
            raise


def _schema_problem(engine: sa.Engine) -> SchemaError | None:
    """What is wrong with the schema; None if nothing is, or if the database does not tell."""
    from sesbounce.store.migrate import ensure  # noqa: PLC0415  slow, and only an error needs it

    try:
        ensure(engine, migrate=False)
    except SchemaError as problem:
        return problem
    except StoreError:
        return None
    return None


@contextmanager
def writing(*, create: bool = False) -> Iterator[sa.Engine]:
    """The database, for commands that write; its connections are closed at the end.

    Args:
        create: whether to create a SQLite database that is not there.
    """
    settings = load_database_settings()
    with _disposed(
        open_database(settings.url, create=create, passwords=settings.passwords)
    ) as engine:
        yield engine


@contextmanager
def asking() -> Iterator[Lookup]:
    """The answers of the database; its connections are closed at the end."""
    with reading() as engine:
        yield Lookup(engine, load_database_settings().hash_keys)


def statements(settings: "Settings") -> "StrikeOff":
    """The statements for the sender's tables.

    Raises:
        StrikeOffError: a statement is not one that changes the rows of an address.
    """
    from sesbounce.store.strike_off import StrikeOff  # noqa: PLC0415

    return StrikeOff(
        settings.strike_off_sql, settings.restore_sql, seconds=settings.strike_off_seconds
    )


class Opened(NamedTuple):
    """The database, opened for writing, with its store and the targets of its outbox."""

    engine: sa.Engine
    store: "Store"
    targets: Sequence["Target"]


@contextmanager
def open_store(settings: "Settings", *, migrate: bool = False) -> Iterator[Opened]:
    """The store, with its schema and its statements checked.

    All connections are closed at the end.

    Args:
        settings: name the database, the policy, the statements and the targets.
        migrate: whether to create the database and its schema, or to bring the schema up to date.
            Only the worker does: a person's decision must not go to a database that nobody reads.

    Raises:
        ConfigurationError: a setting is wrong.
        StoreError: a database can't be used, or a statement does not fit it.
    """
    from sesbounce.store.outbox import Outbox  # noqa: PLC0415
    from sesbounce.store.store import Store  # noqa: PLC0415
    from sesbounce.store.strike_off import StrikeOff  # noqa: PLC0415

    strike_off = statements(settings)
    with ExitStack() as stack:
        targets = list(_targets(settings, strike_off, stack))
        outbox = Outbox((target.name for target in targets), uses_event=strike_off.uses_event)
        if settings.strike_off_database_url:
            strike_off = StrikeOff(seconds=settings.strike_off_seconds)
        engine = stack.enter_context(
            _disposed(
                open_database(settings.database, create=migrate, passwords=settings.passwords)
            )
        )
        if migrate and not settings.migrate_is_set:
            _demand_own(engine, strike_off)
        store = Store(engine, settings.policy, strike_off, outbox, settings.hash_keys)
        store.prepare(migrate=migrate)
        yield Opened(engine, store, targets)


@contextmanager
def open_store_or_preview(settings: "Settings", dry_run: bool) -> Iterator["Store"]:
    """The store; for a dry run one that can't change anything."""
    from sesbounce.store.migrate import ensure  # noqa: PLC0415
    from sesbounce.store.store import Store  # noqa: PLC0415
    from sesbounce.store.strike_off import StrikeOff  # noqa: PLC0415

    if not dry_run:
        with open_store(settings) as opened:
            yield opened.store
        return
    with reading() as engine:
        ensure(engine, migrate=False)
        yield Store(engine, settings.policy, StrikeOff())


def _demand_own(engine: sa.Engine, strike_off: "StrikeOff") -> None:
    """Create no schema in a database of somebody else.

    Tables that the statements fit are the sender's own, beside which sesbounce is to work.

    Raises:
        SchemaError: the database holds other tables, and nobody has said that it is the right one.
        StrikeOffError: a statement does not fit the other tables.
    """
    from sesbounce.store.migrate import other_tables  # noqa: PLC0415  slow

    others = other_tables(engine)
    if not others:
        return
    if not strike_off.strikes and not strike_off.restores:
        raise SchemaError(
            f"the database holds other tables ({_some(others)}) and none of sesbounce's. Set "
            "SESBOUNCE_DATABASE_URL to another database; or, to create sesbounce's tables beside "
            "these, run `sesbounce db upgrade` or set SESBOUNCE_MIGRATE=true"
        )
    with translated("the statements can't be checked"), engine.connect() as connection:
        strike_off.check(connection)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMES]) + (", …" if len(names) > _NAMES else "")


@contextmanager
def _disposed(engine: sa.Engine) -> Iterator[sa.Engine]:
    try:
        yield engine
    finally:
        engine.dispose()


def _targets(settings: "Settings", strike_off: "StrikeOff", stack: ExitStack) -> Iterator["Target"]:
    """The targets of the outbox that the settings name."""
    from sesbounce.outbound.targets import OtherDatabase, SesSuppressionList  # noqa: PLC0415
    from sesbounce.outbound.webhook import Webhook  # noqa: PLC0415

    if settings.strike_off_database_url:
        other = OtherDatabase.open(
            settings.strike_off_database_url.get_secret_value(),
            strike_off,
            settings.strike_off_passwords,
        )
        yield stack.enter_context(closing(other))
    if settings.ses_suppression_list:
        yield SesSuppressionList.open()
    if settings.webhook_url and settings.webhook_secret:
        yield Webhook(
            settings.webhook_url.get_secret_value(), settings.webhook_secret.get_secret_value()
        )


def to_json(value: Any) -> str:
    """One line of JSON, without characters that would act on a terminal."""
    return visible_json(msgspec.json.encode(value).decode())


def counted(number: int, one: str, several: str | None = None) -> str:
    """A number of things in words: `1 address`, `2,000 addresses`.

    Args:
        number: how many there are.
        one: what one of them is called.
        several: what several are called, unless an `s` is all that is added.
    """
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def print_each(items: Iterable[_T], as_json: bool, line: Callable[[_T], str]) -> None:
    """Print each item as a line, or as a JSON object."""
    for item in items:
        click.echo(to_json(item) if as_json else line(item))
