"""Decisions that people make about addresses."""

import getpass
import os

import click

from sesbounce.cli.ask import answer_line
from sesbounce.cli.common import as_json, asking, now, open_store, print_each
from sesbounce.feedback.manual import decide
from sesbounce.feedback.reason import Reason
from sesbounce.settings import load_settings

_addresses = click.argument("addresses", nargs=-1, required=True, metavar="ADDRESS...")
_note = click.option("--note", help="Why; it is kept, and `why` shows it.")
_by = click.option("--by", help="Who decides; by default who is logged in here.")


@click.command()
@_addresses
@_note
@_by
@as_json
def suppress(addresses: tuple[str, ...], note: str | None, by: str | None, as_json: bool) -> None:
    """Suppress ADDRESSES: they are not to be mailed until somebody allows them.

    It is recorded like feedback of SES: your own tables are struck off by the same statement.
    """
    _record(Reason.SUPPRESSED_BY_HAND, addresses, note, by, as_json)


@click.command()
@_addresses
@_note
@_by
@as_json
def allow(addresses: tuple[str, ...], note: str | None, by: str | None, as_json: bool) -> None:
    """Allow ADDRESSES, whatever is known against them so far.

    A hard bounce, a complaint or an opt-out that comes later suppresses them again; strikes do
    not. Your own tables are restored by the same statement as when a suppression runs out.
    """
    _record(Reason.ALLOWED_BY_HAND, addresses, note, by, as_json)


def _who() -> str:
    """Who is logged in, or the number of a user without a name, as containers have."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _record(
    reason: Reason, addresses: tuple[str, ...], note: str | None, by: str | None, as_json: bool
) -> None:
    settings = load_settings()
    at = now()
    # All of them are read before one is recorded: a typing error changes nothing.
    by = by or _who()
    decisions = [decide(address, reason, at, by=by, note=note) for address in addresses]
    open_store(settings).store.record(decisions, at)
    lookup = asking()
    print_each((lookup.check(address, at) for address in addresses), as_json, answer_line)
