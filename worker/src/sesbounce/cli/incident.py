"""Shows the incidents of providers, opens, closes and withdraws them."""

import sys
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import click
import msgspec
from msgspec.structs import asdict

from sesbounce.cli.common import (
    as_json,
    counted_addresses,
    now,
    open_store_or_preview,
    print_each,
    to_json,
    warn_of_rejected,
    yes,
)
from sesbounce.cli.group import PARTLY_DONE, InterruptedCommandError, confirm, exit_codes
from sesbounce.cli.incident_text import (
    Shown,
    change_line,
    difference,
    in_minutes,
    incident_line,
    saved,
    so_far,
    summary,
    suspect_line,
)
from sesbounce.cli.person import by_option, user
from sesbounce.cli.progress import reporting
from sesbounce.cli.times import Time
from sesbounce.errors import IncidentError
from sesbounce.feedback.provider import PROVIDERS, provider_named
from sesbounce.operations.incident_detection import Detector
from sesbounce.operations.incident_rows import changed, new
from sesbounce.operations.incidents import Incidents
from sesbounce.policy.incident import Incident
from sesbounce.settings import load_settings
from sesbounce.store.incidents import IncidentRow, IncidentStatus
from sesbounce.store.result import Recorded

_F = TypeVar("_F", bound=Callable[..., Any])
_LINES = 10
_DECIDING = {
    "3": "The incident is saved, but your database rejected a statement for some address.",
    "4": "You did not confirm.",
}

_until = click.option(
    "--until",
    type=Time(),
    metavar="TIME",
    help="End of the incident, 2026-11-20 or 2026-11-20T12:30:00 (UTC).",
)
_decision = (
    click.option("--note", help="Reason for the decision; `list` and `show` print it."),
    by_option,
    click.option(
        "--all",
        "all_lines",
        is_flag=True,
        help=f"Print each address that changes, instead of the first {_LINES}.",
    ),
    click.option("--dry-run", is_flag=True, help="Print what would change, and change nothing."),
    yes,
    as_json,
)


def _deciding(command: _F) -> _F:
    """Add the options of a command that opens or closes an incident."""
    for option in reversed(_decision):
        command = option(command)
    return command


@click.group()
def incident() -> None:
    """Handle outages of mailbox providers.

    During an outage a provider may answer that mailboxes do not exist, though they do. A hard
    bounce inside an incident, of an address that has had a delivery before, counts as a strike.
    docs/incidents.md explains it.
    """


@incident.command(name="list", epilog=exit_codes())
@click.option("--all", "all_", is_flag=True, help="Print the withdrawn ones as well.")
@as_json
def list_(all_: bool, as_json: bool) -> None:
    """Print the incidents, the latest first."""
    with open_store_or_preview(load_settings(), dry_run=True) as store:
        rows = Incidents(store).all()
    shown = [Shown.of(r) for r in rows if all_ or r.status is not IncidentStatus.WITHDRAWN]
    if not shown and not as_json:
        click.echo("There is no incident.")
    print_each(shown, as_json, incident_line)


@incident.command(epilog=exit_codes())
@as_json
def suspect(as_json: bool) -> None:
    """Print the outages that the counts of the last two days show; this changes nothing.

    The worker looks for them every minute, and does with them what SESBOUNCE_INCIDENTS says.
    """
    settings = load_settings()
    with open_store_or_preview(settings, dry_run=True) as store:
        found = Detector(store, detection=settings.detection).suspects(now())
    if not found and not as_json:
        click.echo("The counts of the last two days show no outage.")
    print_each(found, as_json, suspect_line)


@incident.command(epilog=exit_codes())
@click.argument("number", type=click.IntRange(min=1))
@as_json
def show(number: int, as_json: bool) -> None:
    """Print the incident NUMBER, and how many addresses it concerns."""
    with open_store_or_preview(load_settings(), dry_run=True) as store:
        incidents = Incidents(store)
        row = incidents.get(number)
        concerned = incidents.concerned(row, now())
    if as_json:
        click.echo(to_json({**msgspec.to_builtins(Shown.of(row)), **asdict(concerned)}))
        return
    click.echo(incident_line(Shown.of(row)))
    keeps = "keeps" if row.confirmed else "would keep"
    click.echo(
        f"It concerns {counted_addresses(concerned.addresses)}, and {keeps} "
        f"{concerned.kept:,} of them from suppression."
    )


@incident.command(name="open", epilog=exit_codes(_DECIDING))
@click.argument("target", metavar="PROVIDER|DOMAIN|NUMBER")
@click.option(
    "--from",
    "begins",
    type=Time(),
    metavar="TIME",
    help="Beginning of the incident, 2026-11-20 or 2026-11-20T12:30:00 (UTC); not with a NUMBER.",
)
@_until
@_deciding
def open_(
    target: str,
    begins: datetime | None,
    until: datetime | None,
    note: str | None,
    by: str | None,
    **options: bool,
) -> None:
    """Open an incident of a provider or a domain, or the suspected or withdrawn one NUMBER.

    Give a provider by its name or a domain: `google`, `gmail.com`. A name stands for all domains
    of the provider, and for domains that it hosts, where its reply shows that.

    The command prints which addresses would be released, and asks. Then it judges the addresses,
    and runs your restore statement for each that is released. Without --until the incident goes
    on until somebody closes it.
    """
    at, by = now(), by or user()
    if target.isdecimal():
        if begins:
            raise click.UsageError("--from goes with a provider or a domain, not with a NUMBER.")
        before = _incident(int(target))
        if before.status is IncidentStatus.CONFIRMED:
            raise IncidentError(
                f"incident {before.id} is {before.state_at(at)} and not withdrawn: its hard "
                "bounces count as strikes already; `close --until` changes its end"
            )
        given = _given(ends_at=until, note=note)
        after = changed(before, at, status=IncidentStatus.CONFIRMED, decided_by=by, **given)
        _decide(after, before, **options)
        return
    if not begins:
        raise click.UsageError("--from is missing: the time at which the incident began.")
    provider = provider_named(target)
    if provider is None:
        raise IncidentError(
            f"{target} is neither a domain nor the name of a provider. The names are: "
            + ", ".join(sorted(PROVIDERS))
        )
    one = Incident(provider=provider, begins=begins, ends=until)
    _decide(new(one, at, IncidentStatus.CONFIRMED, note or "", by), None, **options)


@incident.command(epilog=exit_codes(_DECIDING))
@click.argument("number", type=click.IntRange(min=1))
@_until
@click.option(
    "--withdraw",
    is_flag=True,
    help="Withdraw the incident, as if it had never been: its hard bounces count in full.",
)
@_deciding
def close(
    number: int,
    until: datetime | None,
    withdraw: bool,
    note: str | None,
    by: str | None,
    **options: bool,
) -> None:
    """End the incident NUMBER, now or at another time, or withdraw it.

    The command prints which addresses would be suppressed or released, and asks. From then on the
    detection leaves the incident as it is.
    """
    if until and withdraw:
        raise click.UsageError("Give either --until or --withdraw.")
    at = now()
    before = _incident(number)
    changes: dict[str, Any] = {"decided_by": by or user(), **_given(note=note)}
    if withdraw:
        changes["status"] = IncidentStatus.WITHDRAWN
    elif before.status is IncidentStatus.CONFIRMED:
        changes["ends_at"] = until or min(before.ends_at or at, at)
    else:
        raise IncidentError(
            f"incident {number} is {before.status}, so its hard bounces count in full; "
            f"`open {number}` makes them strikes"
        )
    _decide(changed(before, at, **changes), before, **options)


def _incident(number: int) -> IncidentRow:
    with open_store_or_preview(load_settings(), dry_run=True) as store:
        return Incidents(store).get(number)


def _decide(
    row: IncidentRow,
    before: IncidentRow | None,
    *,
    all_lines: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Print what a decision changes, ask the person, save it, and judge the addresses."""
    if row.ends_at and row.ends_at <= row.begins_at:
        raise IncidentError(
            f"the incident would end at {in_minutes(row.ends_at)}, and begins at "
            f"{in_minutes(row.begins_at)}: give a later --until"
        )
    done = Recorded()
    with open_store_or_preview(load_settings(), dry_run) as store:
        incidents = Incidents(store)
        totals = _preview(incidents, row, as_json=as_json, all_lines=all_lines)
        if not dry_run:
            if not yes:
                confirm(f"{summary(row, totals, now())} Save it?")
            row = incidents.save(row, now(), before)
            done = _settle(incidents, row)
    if as_json:
        result = {"dry_run": dry_run, "totals": totals, "rejected": done.rejected}
        click.echo(to_json({"incident": Shown.of(row), **result}))
    else:
        click.echo(
            f"{summary(row, totals, now())} Nothing was changed." if dry_run else saved(row, done)
        )
    warn_of_rejected(done.rejected)
    if done.rejected:
        sys.exit(PARTLY_DONE)


def _preview(
    incidents: Incidents, row: IncidentRow, *, as_json: bool, all_lines: bool
) -> Counter[str]:
    """Print what saving an incident would change, and count it."""
    totals: Counter[str] = Counter(released=0, suppressed=0, changed=0)
    with reporting(lambda: f"comparing: {difference(totals)}"):
        for change in incidents.preview(row):
            totals[change.change] += 1
            if as_json:
                click.echo(to_json(change))
            elif all_lines or totals.total() <= _LINES:
                click.echo(change_line(change))
    if not as_json and not all_lines and totals.total() > _LINES:
        click.echo(f"… and {totals.total() - _LINES:,} more; --all prints them.")
    return totals


def _settle(incidents: Incidents, row: IncidentRow) -> Recorded:
    """Judge the addresses concerned, and show how far it has got."""
    done = Recorded()
    try:
        with reporting(
            lambda: f"judging: {done.released:,} released, {done.suppressed:,} suppressed"
        ):
            for recorded, _ in incidents.settle(row, now()):
                done.add(recorded)
    except KeyboardInterrupt:
        raise InterruptedCommandError(
            f"interrupted; incident {row.id} is saved ({so_far(done)}), and the worker judges the "
            "other addresses"
        ) from None
    return done


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
