"""Records the decisions that people make about addresses."""

import sys

import click

from sesbounce.cli.ask import answer_line
from sesbounce.cli.common import as_json, asking, now, print_each, warn_of_rejected
from sesbounce.cli.group import PARTLY_DONE, exit_codes
from sesbounce.cli.person import by_option, user
from sesbounce.feedback.manual import decide
from sesbounce.feedback.reason import Reason
from sesbounce.opening import open_store
from sesbounce.settings import load_settings

_addresses = click.argument("addresses", nargs=-1, required=True, metavar="ADDRESS...")
_note = click.option("--note", help="Reason for the decision; `why` shows it.")
_EXIT_CODES = exit_codes(
    {"3": "The decision is recorded, but your database rejected a statement of yours."}
)


@click.command(epilog=_EXIT_CODES)
@_addresses
@_note
@by_option
@as_json
def suppress(addresses: tuple[str, ...], note: str | None, by: str | None, as_json: bool) -> None:
    """Suppress each ADDRESS until somebody allows it.

    sesbounce records the decision as an event, and runs your strike-off statement for the
    address.
    """
    _record(Reason.SUPPRESSED_BY_HAND, addresses, note, by, as_json)


@click.command(epilog=_EXIT_CODES)
@_addresses
@_note
@by_option
@as_json
def allow(addresses: tuple[str, ...], note: str | None, by: str | None, as_json: bool) -> None:
    """Allow each ADDRESS, whatever is recorded against it so far.

    sesbounce records the decision as an event, and runs your restore statement for an address
    that was suppressed. A later hard bounce, complaint or opt-out suppresses the address; later
    strikes do not.
    """
    _record(Reason.ALLOWED_BY_HAND, addresses, note, by, as_json)


def _record(
    reason: Reason, addresses: tuple[str, ...], note: str | None, by: str | None, as_json: bool
) -> None:
    settings = load_settings()
    at = now()
    # All of them are read before one is recorded: a typing error changes nothing.
    by = by or user()
    decisions = [decide(address, reason, at, by=by, note=note) for address in addresses]
    with open_store(settings) as opened:
        rejected = opened.store.record(decisions, at).rejected
    with asking() as lookup:
        print_each((lookup.check(address, at) for address in addresses), as_json, answer_line)
    warn_of_rejected(rejected)
    if rejected:
        sys.exit(PARTLY_DONE)
