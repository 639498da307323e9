"""What the commands have in common: exit codes, output, and the database, closed at the end.

Commands that only ask end within half a second: what only the others need is imported where they
need it.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec
import sqlalchemy as sa

from sesbounce.database_settings import load_database_settings
from sesbounce.errors import MissingExtraError, SchemaError, StoreError, StrikeOffError
from sesbounce.extras import needed_by
from sesbounce.opening import disposed, open_store
from sesbounce.store.engine import demand_lasting, open_database
from sesbounce.store.lookup import Lookup
from sesbounce.telemetry.visible import visible, visible_json

if TYPE_CHECKING:
    from sesbounce.settings import Settings
    from sesbounce.store.store import Store

MAY_NOT = DIFFERS = 1

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
    with disposed(
        open_database(settings.url, read_only=True, passwords=settings.passwords)
    ) as engine:
        try:
            yield engine
        except StrikeOffError:
            raise  # which says all: the schema is no cause of it
        except StoreError as error:
            # Only now, because whoever may read the verdicts may read no other table.
            if problem := _schema_problem(engine):
                raise problem from error
            raise


def _schema_problem(engine: sa.Engine) -> SchemaError | None:
    """What is wrong with the schema; None if nothing is, or if there is no way to tell.

    Only an error needs this: the migrations take long to import, and may not be installed.
    """
    try:
        with needed_by("to compare the schema"):
            from sesbounce.store.migrate import ensure  # noqa: PLC0415  slow

        ensure(engine, migrate=False)
    except SchemaError as problem:
        return problem
    except (MissingExtraError, StoreError):
        return None
    return None


@contextmanager
def writing(*, create: bool = False) -> Iterator[sa.Engine]:
    """The database, for commands that write; its connections are closed at the end.

    Args:
        create: whether to create a SQLite database that is not there.

    Raises:
        ConfigurationError: the database is one in memory.
        StoreError: the database is not there.
    """
    settings = load_database_settings()
    with disposed(
        open_database(settings.url, create=create, passwords=settings.passwords)
    ) as engine:
        demand_lasting(engine)
        yield engine


@contextmanager
def asking() -> Iterator[Lookup]:
    """The answers of the database; its connections are closed at the end."""
    with reading() as engine:
        yield Lookup(engine, load_database_settings().hash_keys)


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


def counted_addresses(number: int) -> str:
    """A number of addresses in words: `1 address`, `2,000 addresses`."""
    return counted(number, "address", "addresses")


def rejections(rejected: Mapping[str, int]) -> Iterator[str]:
    """Say for how many addresses the sender's database rejected a statement: a line an error.

    Args:
        rejected: the numbers of addresses, by the database's error message.
    """
    for problem, addresses in sorted(rejected.items()):
        yield (
            f"Your database rejected a statement for {counted_addresses(addresses)}: "
            f"{visible(problem)}"
        )


def warn_of_rejected(rejected: Mapping[str, int]) -> None:
    """Print on standard error for how many addresses the sender's database rejected a statement.

    Args:
        rejected: the numbers of addresses, by the database's error message.
    """
    for problem, addresses in sorted(rejected.items()):
        click.echo(
            f"sesbounce: your database rejected a statement for {counted_addresses(addresses)}; "
            f"the worker retries it: {visible(problem)}",
            err=True,
        )


def print_each(items: Iterable[_T], as_json: bool, line: Callable[[_T], str]) -> None:
    """Print each item as a line, or as a JSON object."""
    for item in items:
        click.echo(to_json(item) if as_json else line(item))
