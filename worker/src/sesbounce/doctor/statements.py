"""Checks the statements for the sender's tables: they fit, are fast, and are not rejected."""

from collections.abc import Iterator

from sesbounce.doctor.finding import Finding, broken, hint
from sesbounce.doctor.subject import Database, connected
from sesbounce.errors import StrikeOffError
from sesbounce.store.engine import open_database, translated
from sesbounce.store.outbox import Outbox
from sesbounce.store.propagate import Propagator
from sesbounce.store.strike_off import DOES_NOT_FIT, StrikeOff


def statements(database: Database) -> Iterator[Finding]:
    """The statements for the sender's tables fit them, use an index, and are not rejected."""
    settings = database.settings
    engine, is_other = database.engine, bool(settings.strike_off_database_url)
    if settings.strike_off_database_url:
        engine = open_database(
            settings.strike_off_database_url.get_secret_value(),
            read_only=True,
            variable="SESBOUNCE_STRIKE_OFF_DATABASE_URL",
            passwords=settings.strike_off_passwords,
        )
    try:
        strike_off = StrikeOff(settings.strike_off_sql, settings.restore_sql)
        with translated("the statements can't be checked"), engine.connect() as opened:
            warnings = strike_off.check(opened)
    except StrikeOffError as error:
        yield broken(
            str(error).removesuffix(f". {DOES_NOT_FIT}"),
            "the worker does not start",
            f"{DOES_NOT_FIT} `sesbounce db check` checks it",
        )
        return
    finally:
        if is_other:
            engine.dispose()
    for warning in warnings:
        what, _, advice = warning.partition(": ")
        yield hint(what, "each strike-off takes long", f"Help the database: {advice}")
    if not is_other:
        yield from _pending(database, strike_off)


def _pending(database: Database, strike_off: StrikeOff) -> Iterator[Finding]:
    """No address waits for a statement: the database rejects none, and a worker runs them."""
    query = Propagator(strike_off, Outbox()).count_pending("", database.now)
    with connected(database) as opened:
        waiting_addresses = opened.scalar(query)
    if waiting_addresses:
        yield hint(
            f"addresses wait for a strike-off or restore statement: {waiting_addresses:,}",
            "the sender's own tables do not have these verdicts",
            "Read the lines `statement rejected` in the worker's log, and correct the statement, "
            "the table or the grant; a running worker retries each minute",
        )


def without_statements(database: Database) -> str:
    """Why the statements are not checked."""
    settings = database.settings
    if settings.strike_off_sql or settings.restore_sql:
        return ""
    return "neither SESBOUNCE_STRIKE_OFF_SQL nor SESBOUNCE_RESTORE_SQL is set"
