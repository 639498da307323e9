"""Erases personal data on request."""

import click

from sesbounce.cli.common import as_json, counted, counted_addresses, now, to_json, yes
from sesbounce.cli.group import confirm, exit_codes
from sesbounce.cli.person import by_option, user
from sesbounce.errors import AddressError
from sesbounce.feedback.address import Address, parse
from sesbounce.opening import open_store
from sesbounce.operations.erasure import Erasure, forget, truncate_log
from sesbounce.settings import load_settings
from sesbounce.store.store import Store
from sesbounce.telemetry.visible import visible


@click.command(name="forget", epilog=exit_codes({"4": "You did not confirm."}))
@click.argument("addresses", nargs=-1, required=True, metavar="ADDRESS...")
@by_option
@yes
@as_json
def forget_(addresses: tuple[str, ...], by: str | None, yes: bool, as_json: bool) -> None:
    """Erase all personal data about each ADDRESS (GDPR, article 17).

    sesbounce keeps the events about the address as numbers, empties messages of SES that mention
    it, and replaces the address by a keyed hash. A suppressed address stays suppressed: `check`,
    sesbounce.client and the worker find the hash when they are asked about the address.

    The command needs SESBOUNCE_HASH_KEY; every process that uses this database needs the same
    key. The command does not reach your own tables, SES's own suppression list, the queues, logs
    and backups. It does not print the addresses: the output numbers them in the order of the
    command line.
    """
    settings = load_settings()
    parsed = [parse(address) for address in addresses]
    keys = settings.hash_keys
    with open_store(settings) as opened:
        if keys:
            _demand_addresses(opened.store, parsed)
            if not yes:
                number = counted_addresses(len(parsed))
                confirm(f"Forget {number}? It can't be undone")
        erasure = forget(opened.store, keys, parsed, now(), by or user())
        truncate_log(opened.engine)
    if as_json:
        click.echo(to_json(erasure))
    else:
        _print(erasure)


def _demand_addresses(store: Store, addresses: list[Address]) -> None:
    """Stop at a text that is no address, a typing error, unless something is recorded under it."""
    with store.reading("the addresses can't be read") as connection:
        known = store.known(connection, [address.key for address in addresses])
    for number, address in enumerate(addresses, 1):
        if not address.parsed and address.key not in known:
            raise AddressError(f"argument {number} is no address; nothing was forgotten")


def _print(erasure: Erasure) -> None:
    for number, erased in enumerate(erasure.addresses, 1):
        if erased.name is None:
            click.echo(f"{number}: {visible(erased.why)}")
            continue
        verdict = "stays suppressed" if erased.suppressed else "is not suppressed"
        click.echo(
            f"{number}: the address was forgotten in {counted(erased.events, 'event')}; "
            f"it {verdict} ({visible(erased.why)})"
        )
        click.echo(f"    {erased.name}")
    messages = counted(erasure.messages, "message was", "messages were")
    mentions = counted(
        erasure.mentions,
        "event about others no longer mentions",
        "events about others no longer mention",
    )
    click.echo(f"{messages} emptied; {mentions} a forgotten address.")
    if erasure.waiting:
        entries = counted(erasure.waiting, "outbox entry holds", "outbox entries hold")
        deliver = "delivers it" if erasure.waiting == 1 else "delivers them"
        click.echo(f"{entries} an address until the worker {deliver}: see `sesbounce outbox`.")
