"""What the commands have in common: exit codes, output, the store."""

from collections.abc import Callable, Iterable, Iterator, Sequence
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


def now() -> datetime:
    """This moment, UTC."""
    return datetime.now(UTC)


def reading() -> sa.Engine:
    """The database, for those who only ask."""
    return open_database(load_settings().database, read_only=True)


def asking() -> Lookup:
    """The answers of the database, for those who only ask."""
    return Lookup(reading(), load_settings().hash_keys)


class Opened(NamedTuple):
    """The database, opened for writing, with all that belongs to it."""

    engine: sa.Engine
    store: Store
    targets: Sequence[Target]


def open_store(settings: Settings, *, migrate: bool | None = None) -> Opened:
    """The store, its schema up to date and its statements checked.

    Args:
        settings: what to open.
        migrate: whether the schema may be changed; by default the setting says so.
    """
    strike_off = StrikeOff(settings.strike_off_sql, settings.restore_sql)
    targets = list(_targets(settings, strike_off))
    if settings.strike_off_database_url:
        strike_off = StrikeOff()
    outbox = Outbox(target.name for target in targets)
    engine = open_database(settings.database)
    store = Store(engine, settings.policy, strike_off, outbox, settings.hash_keys)
    store.prepare(migrate=settings.migrate if migrate is None else migrate)
    return Opened(engine, store, targets)


def _targets(settings: Settings, strike_off: StrikeOff) -> Iterator[Target]:
    """Whom the outbox is to tell."""
    if settings.strike_off_database_url:
        yield OtherDatabase.open(settings.strike_off_database_url, strike_off)
    if settings.ses_suppression_list:
        yield SesSuppressionList.open()
    if settings.webhook_url and settings.webhook_secret:
        yield Webhook(settings.webhook_url, settings.webhook_secret)


def to_json(value: Any) -> str:
    """One line of JSON."""
    return msgspec.json.encode(value).decode()


def print_each(items: Iterable[_T], as_json: bool, line: Callable[[_T], str]) -> None:
    """Print things, a line or a JSON object each."""
    for item in items:
        click.echo(to_json(item) if as_json else line(item))
