"""Shows the version of the database's schema, and brings the schema up to date."""

import sys

import click
import sqlalchemy as sa

from sesbounce.cli.common import DIFFERS, counted, reading, statements, writing
from sesbounce.cli.group import exit_codes
from sesbounce.settings import load_settings
from sesbounce.store import migrate
from sesbounce.store.drift import in_words
from sesbounce.store.engine import translated
from sesbounce.telemetry.visible import visible


@click.group()
def db() -> None:
    """Show the version of the database's schema, or bring the schema up to date."""


@db.command(epilog=exit_codes())
def upgrade() -> None:
    """Create the schema, or bring it up to date; several processes may do so at once.

    The command also creates a SQLite database that is not there, and creates the schema in a
    database that holds other tables. Of the other commands only `run` does either.
    """
    with writing(create=True) as engine:
        migrate.upgrade(engine)
        click.echo(f"The database's schema has version {migrate.current(engine)}.")


@db.command(epilog=exit_codes({"1": "The two versions differ."}))
def current() -> None:
    """Print the version of the database's schema, and the version that sesbounce needs."""
    with reading() as engine:
        found = migrate.current(engine)
    click.echo(
        f"The database's schema has version {found or 'none'}; "
        f"sesbounce needs version {migrate.newest()}."
    )
    if found != migrate.newest():
        sys.exit(DIFFERS)


@db.command(epilog=exit_codes({"1": "The schema differs."}))
def check() -> None:
    """Compare every column of the database's schema with the schema that sesbounce needs.

    The command also checks the statements in SESBOUNCE_STRIKE_OFF_SQL and SESBOUNCE_RESTORE_SQL.
    They may use the parameters :address, :original, :reason, :kind, :occurred_at and :why; and of
    the event that decided :mail_id, :configuration_set, :source, :identity, :region,
    :account_id, :tenant and :tags.
    """
    with reading() as engine:
        differences = list(in_words(migrate.drift(engine)))
        warnings = _warnings(engine)
    for warning in warnings:
        click.echo(f"Warning: {visible(warning)}", err=True)
    for difference in differences:
        click.echo(visible(difference))
    click.echo(f"{counted(len(differences), 'difference')}." if differences else "No difference.")
    if differences:
        sys.exit(DIFFERS)


def _warnings(engine: sa.Engine) -> list[str]:
    """What the sender's statements may suffer from, where they run in sesbounce's own database."""
    settings = load_settings()
    if settings.strike_off_database_url:
        return []
    with translated("the statements can't be checked"), engine.connect() as connection:
        return statements(settings).check(connection)
