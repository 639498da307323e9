"""Shows the version of the database's schema, and brings the schema up to date."""

import sys
from collections.abc import Sequence

import click
import sqlalchemy as sa

from sesbounce.cli.common import DIFFERS, counted, reading, writing
from sesbounce.cli.group import exit_codes
from sesbounce.opening import statements
from sesbounce.settings import load_settings
from sesbounce.store import grants, migrate
from sesbounce.store.drift import in_words
from sesbounce.store.engine import translated
from sesbounce.telemetry.visible import visible


@click.group()
def db() -> None:
    """Show the version of the database's schema, or bring the schema up to date."""


@db.command(epilog=exit_codes())
@click.option(
    "--application-user",
    "application_users",
    metavar="NAME",
    multiple=True,
    help="Give this user what a worker with SESBOUNCE_MIGRATE=false needs, and no right to change "
    "the schema. The option can be repeated.",
)
@click.option(
    "--read-only-user",
    "readers",
    metavar="NAME",
    multiple=True,
    help="Give this user the right to read sesbounce's tables. The option can be repeated.",
)
def upgrade(application_users: Sequence[str], readers: Sequence[str]) -> None:
    """Create the schema, or bring it up to date; several processes may do so at once.

    The command also creates a SQLite database that is not there, and creates the schema in a
    database that holds other tables. Of the other commands only `run` does either.

    On PostgreSQL the command creates the users that the options name, where they are missing, and
    grants them their rights on sesbounce's tables each time. It sets no password: where the
    database has the role `rds_iam`, RDS IAM authentication stands for it.
    """
    with writing(create=True) as engine:
        grants.check(engine, [*application_users, *readers])
        migrate.upgrade(engine)
        click.echo(f"The database's schema has version {migrate.number(migrate.current(engine))}.")
        grants.grant(engine, application_users, readers)
    for user in application_users:
        click.echo(f"{user} may record events.")
    for user in readers:
        click.echo(f"{user} may read.")


@db.command(epilog=exit_codes({"1": "This release can't use the schema as it is."}))
def current() -> None:
    """Print the version of the database's schema, and the version that sesbounce needs.

    A release can usually use the next version as well, so that its workers go on while a newer
    release is rolled out.
    """
    with reading() as engine:
        found = migrate.current(engine)
    usable = migrate.is_usable(found)
    also = ", and also works with this newer one" if usable and migrate.is_newer(found) else ""
    click.echo(
        f"The database's schema has version {migrate.number(found)}; "
        f"sesbounce needs version {migrate.number(migrate.newest())}{also}."
    )
    if not usable:
        _advise(found)
        sys.exit(DIFFERS)


@db.command(epilog=exit_codes({"1": "The schema differs."}))
def check() -> None:
    """Compare every column of the database's schema with the schema that sesbounce needs.

    What a newer version of the schema has added is no difference.

    The command also checks the statements in SESBOUNCE_STRIKE_OFF_SQL and SESBOUNCE_RESTORE_SQL.
    They may use the parameters :address, :original, :reason, :kind, :occurred_at and :why; and of
    the event that decided :mail_id, :configuration_set, :source, :identity, :region,
    :account_id, :tenant and :tags.
    """
    with reading() as engine:
        found = migrate.current(engine)
        differences = list(in_words(migrate.drift(engine)))
        warnings = _warnings(engine)
    for warning in warnings:
        click.echo(f"Warning: {visible(warning)}", err=True)
    for difference in differences:
        click.echo(visible(difference))
    click.echo(f"{counted(len(differences), 'difference')}." if differences else "No difference.")
    if differences:
        if not migrate.is_usable(found):
            _advise(found)
        sys.exit(DIFFERS)


def _advise(found: str | None) -> None:
    """Say on standard error what makes the schema and this release fit each other."""
    repair = "Update sesbounce" if migrate.is_newer(found) else "Run `sesbounce db upgrade`"
    click.echo(f"{repair} before you use this database.", err=True)


def _warnings(engine: sa.Engine) -> list[str]:
    """What the sender's statements may suffer from, where they run in sesbounce's own database."""
    settings = load_settings()
    if settings.strike_off_database_url:
        return []
    with translated("the statements can't be checked"), engine.connect() as connection:
        return statements(settings).check(connection)
