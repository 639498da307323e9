"""What the commands have in common: exit codes, output, and the database, closed at the end."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

import click
import msgspec
import sqlalchemy as sa

from sesbounce.outbound.relay import Target
from sesbounce.outbound.targets import OtherDatabase, SesSuppressionList, Webhook
from sesbounce.settings import Settings, load_settings
from sesbounce.store.engine import open_database
from sesbounce.store.lookup import Lookup
from sesbounce.store.outbox import Outbox
from sesbounce.store.store import Store
from sesbounce.store.strike_off import StrikeOff

MAY_NOT = DIFFERS = 1

_T = TypeVar("_T")

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")
yes = click.option("--yes", is_flag=True, help="Do not ask for confirmation.")


def now() -> datetime:
    """This moment, UTC."""
    return datetime.now(UTC)


@contextmanager
def reading() -> Iterator[sa.Engine]:
    """The database, for commands that only read; its connections are closed at the end."""
    with _disposed(open_database(load_settings().database, read_only=True)) as engine:
        yield engine


@contextmanager
def writing() -> Iterator[sa.Engine]:
    """The database, for commands that write; its connections are closed at the end."""
    with _disposed(open_database(load_settings().database)) as engine:
        yield engine


@contextmanager
def asking() -> Iterator[Lookup]:
    """The answers of the database; its connections are closed at the end."""
    with reading() as engine:
        yield Lookup(engine, load_settings().hash_keys)


def statements(settings: Settings) -> StrikeOff:
    """The statements for the sender's tables.

    Raises:
        StrikeOffError: a statement is not one that changes the rows of an address.
    """
    return StrikeOff(
        settings.strike_off_sql, settings.restore_sql, seconds=settings.strike_off_seconds
    )


class Opened(NamedTuple):
    """The database, opened for writing, with its store and the targets of its outbox."""

    engine: sa.Engine
    store: Store
    targets: Sequence[Target]


@contextmanager
def open_store(settings: Settings, *, migrate: bool | None = None) -> Iterator[Opened]:
    """The store, with its schema up to date and its statements checked.

    All connections are closed at the end.

    Args:
        settings: name the database, the policy, the statements and the targets.
        migrate: whether to change the schema; None does as the settings say.

    Raises:
        ConfigurationError: a setting is wrong.
        StoreError: a database can't be used, or a statement does not fit it.
    """
    strike_off = statements(settings)
    with ExitStack() as stack:
        targets = list(_targets(settings, strike_off, stack))
        if settings.strike_off_database_url:
            strike_off = StrikeOff(seconds=settings.strike_off_seconds)
        outbox = Outbox(target.name for target in targets)
        engine = stack.enter_context(_disposed(open_database(settings.database)))
        store = Store(engine, settings.policy, strike_off, outbox, settings.hash_keys)
        store.prepare(migrate=settings.migrate if migrate is None else migrate)
        yield Opened(engine, store, targets)


@contextmanager
def _disposed(engine: sa.Engine) -> Iterator[sa.Engine]:
    try:
        yield engine
    finally:
        engine.dispose()


def _targets(settings: Settings, strike_off: StrikeOff, stack: ExitStack) -> Iterator[Target]:
    """The targets of the outbox that the settings name."""
    if settings.strike_off_database_url:
        other = OtherDatabase.open(settings.strike_off_database_url, strike_off)
        yield stack.enter_context(closing(other))
    if settings.ses_suppression_list:
        yield SesSuppressionList.open()
    if settings.webhook_url and settings.webhook_secret:
        yield Webhook(settings.webhook_url, settings.webhook_secret)


def to_json(value: Any) -> str:
    """One line of JSON."""
    return msgspec.json.encode(value).decode()


def print_each(items: Iterable[_T], as_json: bool, line: Callable[[_T], str]) -> None:
    """Print each item as a line, or as a JSON object."""
    for item in items:
        click.echo(to_json(item) if as_json else line(item))
