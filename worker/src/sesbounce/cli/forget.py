"""Erasure on request."""

import click

from sesbounce.cli.common import as_json, now, open_store, to_json
from sesbounce.errors import AddressError
from sesbounce.feedback.address import Address, parse
from sesbounce.operations.erasure import Erasure, forget, truncate_log
from sesbounce.settings import load_settings
from sesbounce.store.store import Store


@click.command(name="forget")
@click.argument("addresses", nargs=-1, required=True, metavar="ADDRESS...")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
def forget_(addresses: tuple[str, ...], yes: bool, as_json: bool) -> None:
    """Erase all that names the persons behind ADDRESSES, on their request (GDPR, article 17).

    What SES told of them stays as numbers; in the place of the address stands a keyed hash, so
    that who is suppressed stays so: `check`, sesbounce.client and the worker recognise the
    address when they are asked about it. Messages of SES that mention it are given up whole.

    It needs SESBOUNCE_HASH_KEY, which all that use this database must have as well. It does not
    reach your own tables, SES's own suppression list, the queues, logs and backups. The
    addresses are not printed; the output names them by their place on the command line.
    """
    settings = load_settings()
    parsed = [parse(address) for address in addresses]
    keys = settings.hash_keys
    opened = open_store(settings)
    if keys:
        _refuse_strangers(opened.store, parsed)
        if not yes:
            click.confirm(
                f"Forget {len(parsed)} addresses? It can't be undone", abort=True, err=True
            )
    erasure = forget(opened.store, keys, parsed, now())
    truncate_log(opened.engine)
    if as_json:
        click.echo(to_json(erasure))
    else:
        _print(erasure)


def _refuse_strangers(store: Store, addresses: list[Address]) -> None:
    """Refuse what is no address, unless something is recorded under it: a typing error."""
    with store.reading("the addresses can't be read") as connection:
        known = store.known(connection, [address.key for address in addresses])
    for number, address in enumerate(addresses, 1):
        if not address.parsed and address.key not in known:
            raise AddressError(f"argument {number} is no address; nothing was forgotten")


def _print(erasure: Erasure) -> None:
    for number, erased in enumerate(erasure.addresses, 1):
        if erased.name is None:
            click.echo(f"{number}: {erased.why}")
            continue
        verdict = "stays suppressed" if erased.suppressed else "is not suppressed"
        click.echo(f"{number}: forgotten, {erased.events} events; it {verdict} ({erased.why})")
        click.echo(f"    {erased.name}")
    click.echo(
        f"{erasure.messages} messages given up, {erasure.mentions} mentions in events about others "
        "cut."
    )
    if erasure.waiting:
        click.echo(
            f"{erasure.waiting} notes in the outbox hold the address until they are delivered: "
            "see `sesbounce outbox`."
        )
