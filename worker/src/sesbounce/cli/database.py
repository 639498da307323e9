"""The database's schema: its version, and how to bring it up to date."""

import sys

import click

from sesbounce.cli.common import DIFFERS, reading
from sesbounce.settings import load_settings
from sesbounce.store import migrate
from sesbounce.store.engine import open_database


@click.group()
def db() -> None:
    """The database's schema: its version, and how to bring it up to date."""


@db.command()
def upgrade() -> None:
    """Bring the schema up to date, or make it; several may do so at once."""
    engine = open_database(load_settings().database)
    migrate.upgrade(engine)
    click.echo(f"The database is at version {migrate.current(engine)}.")


@db.command()
def current() -> None:
    """Print the version of the schema, and the one that is needed. Exit code 1: not the same."""
    found = migrate.current(reading())
    click.echo(f"The database is at version {found or 'none'}; {migrate.newest()} is needed.")
    if found != migrate.newest():
        sys.exit(DIFFERS)


@db.command()
def check() -> None:
    """Compare the schema with what is needed, column by column. Exit code 1: it differs."""
    differences = migrate.drift(reading())
    for difference in differences:
        click.echo(str(difference))
    click.echo(f"{len(differences) or 'No'} differences.")
    if differences:
        sys.exit(DIFFERS)
