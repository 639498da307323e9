"""Makes, lists and revokes the tokens of the HTTP API."""

from datetime import datetime, timedelta

import click
from msgspec.structs import asdict

from sesbounce.cli.common import as_json, now, print_each, reading, to_json, writing
from sesbounce.cli.days import Days
from sesbounce.cli.group import exit_codes
from sesbounce.cli.person import by_option, user
from sesbounce.store import tokens
from sesbounce.store.migrate import ensure
from sesbounce.store.tokens import Scope, Token
from sesbounce.telemetry.visible import visible


@click.group()
def token() -> None:
    """Manage the tokens with which programs use the HTTP API. docs/api.md explains it."""


@token.command(epilog=exit_codes())
@click.argument("name")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([scope.value for scope in Scope]),
    multiple=True,
    required=True,
    help="What the token permits: to check addresses, to read events and statistics, to decide "
    "about addresses, to export lists of addresses, or all of it (admin). The option can be "
    "repeated.",
)
@click.option(
    "--expires-in",
    type=Days(),
    metavar="TIME",
    help="Time for which the token is valid: 90d is 90 days, 12w is 12 weeks.  [default: it has no "
    "end]",
)
@click.option(
    "--by",
    metavar="NAME",
    help="Person who makes the token.  [default: the user who runs the command]",
)
@as_json
def create(
    name: str,
    scopes: tuple[str, ...],
    expires_in: timedelta | None,
    by: str | None,
    as_json: bool,
) -> None:
    """Make the token NAME, and print it once.

    The database holds only its SHA-256, so nobody can print the token a second time.
    """
    at = now()
    made = Token(
        name=name,
        scopes=tuple(map(Scope, scopes)),
        created_at=at,
        created_by=by or user(),
        expires_at=at + expires_in if expires_in else None,
    )
    with writing() as engine:
        ensure(engine, migrate=False)
        secret = tokens.create(engine, made)
    click.echo(to_json({"token": secret, **asdict(made)}) if as_json else secret)


@token.command(name="list", epilog=exit_codes())
@as_json
def list_(as_json: bool) -> None:
    """Print the name, the scopes, the times and the last use of each token.

    The command does not print the token itself. The server records the day of the last request
    with a token.
    """
    with reading() as engine:
        found = tokens.all_tokens(engine)
    if not found and not as_json:
        click.echo("There is no token.")
    at = now()
    print_each(found, as_json, lambda one: _line(one, at))


@token.command(epilog=exit_codes())
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@by_option
@as_json
def revoke(names: tuple[str, ...], by: str | None, as_json: bool) -> None:
    """Revoke the token of each NAME: from then on, the server answers it with 401."""
    at = now()
    with writing() as engine:
        ensure(engine, migrate=False)
        revoked = tokens.revoke(engine, names, at, by or user())
    print_each(revoked, as_json, lambda one: _line(one, at))


def _line(one: Token, at: datetime) -> str:
    return (
        f"{visible(one.name)}: {', '.join(one.scopes)}; made {one.created_at:%Y-%m-%d} by "
        f"{visible(one.created_by)}, {_validity(one, at)}, {_use(one)}"
    )


def _validity(one: Token, at: datetime) -> str:
    if one.revoked_at:
        by = f" by {visible(one.revoked_by)}" if one.revoked_by else ""
        return f"revoked {one.revoked_at:%Y-%m-%d}{by}"
    if one.expires_at is None:
        return "valid without an end"
    return f"{'valid until' if one.is_valid_at(at) else 'expired'} {one.expires_at:%Y-%m-%d}"


def _use(one: Token) -> str:
    return f"last used {one.last_used_on}" if one.last_used_on else "never used"
