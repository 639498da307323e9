"""Judges all addresses anew, from the log of events."""

import sys
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click

from sesbounce.cli.common import DIFFERS, as_json, now, open_store, reading, to_json
from sesbounce.operations.rebuild import Change, Rebuild, Rebuilt
from sesbounce.settings import PREFIX, Settings, load_settings
from sesbounce.store.migrate import ensure
from sesbounce.store.store import Store
from sesbounce.store.strike_off import StrikeOff

_F = TypeVar("_F", bound=Callable[..., Any])
_VERBS = {
    "suppressed": "is suppressed",
    "released": "is released",
    "changed": "stays suppressed",
}


def _number(option: str, setting: str, kind: Any) -> Callable[[_F], _F]:
    """An option that takes the place of a setting."""
    description = Settings.model_fields[setting].description
    help_text = f"Instead of {PREFIX}{setting.upper()}: {description}."
    return click.option(option, setting, type=kind, help=help_text)


@click.command()
@click.option("--dry-run", is_flag=True, help="Print what would change, and change nothing.")
@click.option(
    "--reclassify",
    is_flag=True,
    help="Read the words of the receiving hosts again as well, as this version does.",
)
@_number("--strikes", "strikes", int)
@_number("--window-days", "strike_window_days", int)
@_number("--probation-days", "probation_days", int)
@_number("--probation-growth", "probation_growth", float)
@_number("--probation-longest-days", "probation_longest_days", int)
@_number("--refusal-days", "not_attempted_days", int)
@_number(
    "--possible-complaint", "possible_complaint", click.Choice(["strike", "suppress", "ignore"])
)
@as_json
def rebuild(dry_run: bool, reclassify: bool, as_json: bool, **numbers: Any) -> None:
    """Judge all addresses anew from the log, under the settings or under other numbers.

    Use it after a setting has changed (else it reaches an address with the next event about it),
    and with --reclassify after an update of sesbounce. Try it with --dry-run first: it prints
    who would be suppressed, who released and for whom the reason or the time changes, with the
    verdict before and after.

    Without it, the same is printed while it is done, and your own tables are struck off and
    restored by the usual statements. The worker may go on meanwhile. It may be stopped at any
    time and run again. What the log no longer holds (see `prune`) is not lost: what is known of
    an address is completed from the log, not replaced.

    Exit code 1: one of your statements was rejected for some address; the worker tries again.
    """
    given = {name: value for name, value in numbers.items() if value is not None}
    settings = load_settings(**given)
    rebuilding = Rebuild(_store(settings, dry_run), now(), reclassify=reclassify)
    changes = rebuilding.preview() if dry_run else rebuilding.apply()
    for change in changes:
        click.echo(to_json(change) if as_json else _line(change))
    if as_json:
        click.echo(to_json({"dry_run": dry_run, "totals": rebuilding.totals}))
    else:
        click.echo("\n".join(_summary(rebuilding.totals, dry_run)))
    if not dry_run:
        _warn(settings, given)
    if rebuilding.totals.rejected:
        sys.exit(DIFFERS)


def _store(settings: Settings, dry_run: bool) -> Store:
    """The store; for a dry run one that can't change anything."""
    if not dry_run:
        return open_store(settings).store
    engine = reading()
    ensure(engine, migrate=False)
    return Store(engine, settings.policy, StrikeOff())


def _line(change: Change) -> str:
    return (
        f"{change.address}: {_VERBS[change.change]}\n"
        f"    before: {change.before.why}\n"
        f"    after:  {change.after.why}"
    )


def _summary(totals: Rebuilt, dry_run: bool) -> Iterable[str]:
    yield (
        f"{totals.events} events about {totals.addresses} addresses: {totals.suppressed} are "
        f"suppressed, {totals.released} released, {totals.changed} stay suppressed for another "
        f"reason or time, {totals.reworded} change in words or in what is past."
    )
    for what, events in sorted(totals.reclassified.items()):
        yield f"{events} events judged again: {what}"
    if dry_run:
        yield "Nothing was changed: this was a dry run."
        return
    yield f"{totals.struck_rows} rows struck off, {totals.restored_rows} rows restored."
    for problem, addresses in sorted(totals.rejected.items()):
        yield f"{addresses} addresses were rejected by your tables: {problem}"


def _warn(settings: Settings, given: dict[str, Any]) -> None:
    """Say where the worker would go on with other numbers."""
    present = load_settings()
    for name in given:
        if getattr(present, name) != getattr(settings, name):
            click.echo(
                f"sesbounce: the worker still has {getattr(present, name)}: set "
                f"{PREFIX}{name.upper()}={getattr(settings, name)} for it, or the next event about "
                "an address is judged as before",
                err=True,
            )
