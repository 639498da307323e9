"""Judges every address from the event log."""

import sys
from collections.abc import Callable, Collection, Iterable
from typing import Any, TypeVar

import click

from sesbounce.cli.common import (
    as_json,
    counted,
    counted_addresses,
    now,
    open_store_or_preview,
    rejections,
    to_json,
    writing,
)
from sesbounce.cli.group import PARTLY_DONE, InterruptedCommandError, exit_codes
from sesbounce.cli.progress import reporting
from sesbounce.errors import AddressError
from sesbounce.feedback.address import parse
from sesbounce.operations.rebuild import Change, Rebuild, Rebuilt
from sesbounce.operations.recount import Recounted, recount
from sesbounce.settings import PREFIX, Settings, load_settings
from sesbounce.store.addresses import names_of
from sesbounce.store.migrate import ensure
from sesbounce.store.store import Store
from sesbounce.telemetry.visible import visible

_F = TypeVar("_F", bound=Callable[..., Any])
_VERBS = {
    "suppressed": "is suppressed",
    "released": "is released",
    "changed": "stays suppressed",
}


def _number(option: str, setting: str, kind: Any = click.IntRange) -> Callable[[_F], _F]:
    """An option that replaces a setting of the policy, and takes the same numbers."""
    field = Settings.model_fields[setting]
    help_text = f"Replace {PREFIX}{setting.upper()} in this run: {field.description}."
    metavar = None
    if isinstance(kind, type):
        kind = kind(min=_bound(field.metadata, "ge"), max=_bound(field.metadata, "le"))
        metavar = "NUMBER"
    return click.option(option, setting, type=kind, metavar=metavar, help=help_text)


def _bound(metadata: Iterable[Any], name: str) -> Any:
    return next(getattr(bound, name) for bound in metadata if hasattr(bound, name))


@click.command(epilog=exit_codes({"3": "Your database rejected a statement for some address."}))
@click.argument("addresses", nargs=-1, metavar="[ADDRESS]...")
@click.option("--dry-run", is_flag=True, help="Print what would change, and change nothing.")
@click.option(
    "--reclassify",
    is_flag=True,
    help="Also classify the recorded events with the rules of this version.",
)
@click.option(
    "--counts",
    is_flag=True,
    help="Count the recorded events once more, by sender and by provider, and judge no address.",
)
@_number("--strikes", "strikes")
@_number("--window-days", "strike_window_days")
@_number("--probation-days", "probation_days")
@_number("--probation-growth", "probation_growth", click.FloatRange)
@_number("--probation-longest-days", "probation_longest_days")
@_number("--not-attempted-days", "not_attempted_days")
@_number(
    "--possible-complaint", "possible_complaint", click.Choice(["strike", "suppress", "ignore"])
)
@as_json
def rebuild(
    addresses: tuple[str, ...],
    dry_run: bool,
    reclassify: bool,
    counts: bool,
    as_json: bool,
    **numbers: Any,
) -> None:
    """Judge every address, or each ADDRESS, from the event log.

    The options replace settings of the policy in this run. Run the command after you have changed
    such a setting; otherwise the change reaches an address with the next event about it. Run it
    with --reclassify after you have updated sesbounce. Try it with --dry-run first: the command
    prints each address that would be suppressed or released, or stay suppressed for another
    reason or time, with the verdict before and after.

    Without --dry-run, the command also makes these changes, and runs your strike-off and restore
    statements; the worker retries a statement that your database rejects. Workers may keep
    running. You may stop the command at any time and repeat it. It adds what the log holds to
    what sesbounce knows about an address, so that verdicts based on pruned events stay (see
    `prune`).

    With --counts, the command corrects the counts from which `gate` and the rates follow. Run it
    once after the update to the version that keeps them: the counts begin with the events that
    were recorded since. Counts of pruned events stay.
    """
    given = {name: value for name, value in numbers.items() if value is not None}
    if counts:
        if addresses or dry_run or reclassify or given:
            raise click.UsageError("--counts takes no address and no other option but --json")
        _recount(as_json)
        return
    settings = load_settings(**given)
    with open_store_or_preview(settings, dry_run) as store:
        keys = _keys(addresses, settings, store) if addresses else None
        rebuilding = Rebuild(store, now(), reclassify=reclassify, keys=keys)
        try:
            with reporting(lambda: f"rebuilding: {_so_far(rebuilding.totals)}"):
                for change in rebuilding.preview() if dry_run else rebuilding.apply():
                    click.echo(to_json(change) if as_json else _line(change))
        except KeyboardInterrupt:
            raise InterruptedCommandError(_how_far(rebuilding.totals, dry_run)) from None
    if as_json:
        click.echo(to_json({"dry_run": dry_run, "totals": rebuilding.totals}))
    else:
        for sentence in _summary(rebuilding.totals, dry_run):
            click.echo(sentence)
    if not dry_run:
        _warn(settings, given)
    if rebuilding.totals.rejected:
        sys.exit(PARTLY_DONE)


def _recount(as_json: bool) -> None:
    totals = Recounted()
    with writing() as engine:
        ensure(engine, migrate=False)
        try:
            with reporting(lambda: f"counting: {counted(totals.events, 'event')}"):
                for day in recount(engine):
                    totals.add(day)
        except KeyboardInterrupt:
            raise InterruptedCommandError(
                f"interrupted after {counted(totals.events, 'event')}; repeat the command to count "
                "the others"
            ) from None
    if as_json:
        click.echo(to_json(totals))
    else:
        click.echo(
            f"{counted(totals.events, 'event')} of {counted(totals.days, 'day')} counted, "
            f"{counted(totals.corrected, 'count')} corrected."
        )


def _keys(addresses: Iterable[str], settings: Settings, store: Store) -> Collection[str]:
    """The keys of addresses, in any spelling, and the hashes of those that may be forgotten.

    Raises:
        AddressError: a text is no address, and nothing is recorded under it.
    """
    parsed = [parse(address) for address in addresses]
    with store.reading("the addresses can't be read") as connection:
        known = store.known(connection, [one.key for one in parsed])
    for one in parsed:
        if not one.parsed and one.key not in known:
            raise AddressError(f"{one.original!r} is no address; nothing was changed")
    return names_of([one.key for one in parsed], settings.hash_keys)


def _how_far(totals: Rebuilt, dry_run: bool) -> str:
    addresses = f"interrupted after {totals.addresses:,} addresses"
    if dry_run:
        return f"{addresses}; nothing was changed"
    return (
        f"{addresses}, whose verdicts are up to date. Run the same command to judge the others: it "
        "changes nothing about these"
    )


def _line(change: Change) -> str:
    stream = f" in the stream {visible(change.stream)}" if change.stream else ""
    return (
        f"{visible(change.address)}{stream}: {_VERBS[change.change]}\n"
        f"    before: {visible(change.before.why)}\n"
        f"    after:  {visible(change.after.why)}"
    )


def _so_far(totals: Rebuilt) -> str:
    return f"{counted(totals.events, 'event')} about {counted_addresses(totals.addresses)}"


def _summary(totals: Rebuilt, dry_run: bool) -> Iterable[str]:
    yield (
        f"{_so_far(totals)}: {totals.suppressed:,} newly suppressed, {totals.released:,} released, "
        f"{totals.changed:,} suppressed for another reason or time, "
        f"{totals.reworded:,} changed only in wording or in a past suppression."
    )
    for what, events in sorted(totals.reclassified.items()):
        yield f"{counted(events, 'event')} reclassified: {what}"
    if dry_run:
        yield "Nothing was changed: this was a dry run."
        return
    struck = counted(totals.struck_rows, "row")
    yield f"{struck} struck off, {counted(totals.restored_rows, 'row')} restored."
    yield from rejections(totals.rejected)


def _warn(settings: Settings, given: dict[str, Any]) -> None:
    """Warn about numbers that differ from the worker's settings."""
    present = load_settings()
    for name in given:
        if getattr(present, name) != getattr(settings, name):
            click.echo(
                f"sesbounce: set {PREFIX}{name.upper()}={getattr(settings, name)} for the worker: "
                f"it still uses {getattr(present, name)}, and will judge an address by that with "
                "the next event about it",
                err=True,
            )
