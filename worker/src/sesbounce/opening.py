"""Opens the database and the targets that the settings name, for all that writes verdicts.

Commands that only ask end within half a second: what only the others need is imported where they
need it.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING, NamedTuple

import sqlalchemy as sa

from sesbounce.errors import SchemaError
from sesbounce.extras import needed_by
from sesbounce.store.engine import demand_lasting, open_database, translated

if TYPE_CHECKING:
    from sesbounce.outbound.relay import Target
    from sesbounce.settings import Settings
    from sesbounce.store.store import Store
    from sesbounce.store.strike_off import StrikeOff

# An error lists this many tables.
_NAMES = 3


@contextmanager
def disposed(engine: sa.Engine) -> Iterator[sa.Engine]:
    """An engine whose connections are closed at the end of the block."""
    try:
        yield engine
    finally:
        engine.dispose()


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
def open_store(
    settings: "Settings", *, migrate: bool = False, alone: bool = False
) -> Iterator[Opened]:
    """The store, with its schema and its statements checked.

    All connections are closed at the end.

    Args:
        settings: name the database, the policy, the statements and the targets.
        migrate: whether to create the database and its schema, or to bring the schema up to date.
            Only the worker does: a person's decision must not go to a database that nobody reads.
        alone: whether one thread uses the store, with pauses; see `open_database`.

    Raises:
        ConfigurationError: a setting is wrong, or names a target whose extra is not installed, or a
            database in memory.
        StoreError: a database can't be used, or a statement does not fit it.
    """
    from sesbounce.store.outbox import Outbox  # noqa: PLC0415
    from sesbounce.store.store import Store  # noqa: PLC0415
    from sesbounce.store.strike_off import StrikeOff  # noqa: PLC0415

    strike_off = statements(settings)
    with ExitStack() as stack:
        with needed_by("a target that the settings name"):
            targets = list(_targets(settings, strike_off, stack, alone=alone))
        outbox = Outbox((target.name for target in targets), uses_event=strike_off.uses_event)
        if settings.strike_off_database_url:
            strike_off = StrikeOff(seconds=settings.strike_off_seconds)
        engine = stack.enter_context(
            disposed(
                open_database(
                    settings.database, create=migrate, alone=alone, passwords=settings.passwords
                )
            )
        )
        demand_lasting(engine)
        if migrate and not settings.migrate_is_set:
            _demand_own(engine, strike_off)
        store = Store(engine, settings.policy, strike_off, outbox, settings.hash_keys)
        store.prepare(migrate=migrate)
        yield Opened(engine, store, targets)


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


def _targets(
    settings: "Settings", strike_off: "StrikeOff", stack: ExitStack, *, alone: bool
) -> Iterator["Target"]:
    """The targets of the outbox that the settings name; what no target needs is not loaded."""
    if settings.strike_off_database_url:
        from sesbounce.outbound.targets import OtherDatabase  # noqa: PLC0415

        url = settings.strike_off_database_url.get_secret_value()
        other = OtherDatabase.open(url, strike_off, settings.strike_off_passwords, alone=alone)
        yield stack.enter_context(closing(other))
    if settings.ses_suppression_list:
        from sesbounce.outbound.targets import SesSuppressionList  # noqa: PLC0415

        yield SesSuppressionList.open()
    if endpoints := settings.endpoints:
        from sesbounce.outbound.webhook import Webhook  # noqa: PLC0415

        yield from map(Webhook, endpoints)
