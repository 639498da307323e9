"""What the commands have in common: errors, exit codes, output, the store."""

import traceback
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

import click
import msgspec
import sqlalchemy as sa

from sesbounce.database import open_database
from sesbounce.errors import SesBounceError
from sesbounce.lookup import Lookup
from sesbounce.outbox import Outbox, Target
from sesbounce.settings import Settings, load_settings
from sesbounce.store import Store
from sesbounce.strike_off import StrikeOff
from sesbounce.targets import OtherDatabase, SesSuppressionList, Webhook

MAY_NOT = DIFFERS = 1
ERROR = 2
FAULT = 70  # EX_SOFTWARE of sysexits.h; Python's own 1 would say "may not be mailed"

_T = TypeVar("_T")

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")


class Commands(click.Group):
    """Turns the errors of sesbounce into one line and an exit code."""

    def invoke(self, context: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(context)
        except SesBounceError as error:
            click.echo(f"sesbounce: {error}", err=True)
            context.exit(ERROR)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception:  # noqa: BLE001  nothing is hidden: the traceback is shown
            traceback.print_exc()
            context.exit(FAULT)


def now() -> datetime:
    """This moment, UTC."""
    return datetime.now(UTC)


def reading() -> sa.Engine:
    """The database, for those who only ask."""
    return open_database(load_settings().database_url, read_only=True)


def asking() -> Lookup:
    """The answers of the database, for those who only ask."""
    return Lookup(reading(), load_settings().hash_keys)


class Opened(NamedTuple):
    """The database, opened for writing, with all that belongs to it."""

    engine: sa.Engine
    store: Store
    outbox: Outbox


def open_store(settings: Settings) -> Opened:
    """The store, its schema up to date and its statements checked."""
    strike_off = StrikeOff(settings.strike_off_sql, settings.restore_sql)
    outbox = Outbox(_targets(settings, strike_off))
    if settings.strike_off_database_url:
        strike_off = StrikeOff()
    engine = open_database(settings.database_url)
    store = Store(engine, settings.policy, strike_off, outbox, settings.hash_keys)
    store.prepare(migrate=settings.migrate)
    return Opened(engine, store, outbox)


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
