"""Prints who did what."""

from datetime import datetime
from itertools import chain

import click

from sesbounce.cli.common import as_json, counted, print_each, reading
from sesbounce.cli.group import exit_codes
from sesbounce.cli.times import Time
from sesbounce.store.acts import Act
from sesbounce.store.audit import AuditEntry, AuditFilter, audit_entries
from sesbounce.telemetry.visible import visible


@click.command(epilog=exit_codes())
@click.option("--by", metavar="NAME", help="Print only what this person or program did.")
@click.option(
    "--act",
    type=click.Choice([act.value for act in Act]),
    metavar="ACT",
    help=f"Print only acts of this kind: {', '.join(Act)}.",
)
@click.option(
    "--since",
    type=Time(),
    metavar="TIME",
    help="Print only what was done since this time, 2026-11-20 or 2026-11-20T12:30:00 (UTC).",
)
@as_json
def audit(by: str | None, act: str | None, since: datetime | None, as_json: bool) -> None:
    """Print who did what, the latest first.

    The command prints decisions about addresses and incidents, forgotten addresses, imports and
    downloads of lists, what was done with dead letters and with entries of the outbox, resumed
    senders, and tokens. `prune` deletes decisions about addresses with the other events;
    docs/data-model.md says more.
    """
    wanted = AuditFilter(by=by, act=Act(act) if act else None, since=since)
    with reading() as engine:
        entries = iter(audit_entries(engine, wanted))
        first = next(entries, None)
        if first is not None:
            print_each(chain([first], entries), as_json, _line)
        elif not as_json:
            none = wanted == AuditFilter()
            click.echo(
                "Nobody has done anything yet." if none else "Nothing that was done matches."
            )


def _line(entry: AuditEntry) -> str:
    what = entry.act.replace("_", " ")
    number = "" if entry.number is None else f" {counted(entry.number, 'item')}"
    about = f" {entry.subject}" if entry.subject else ""
    by = f" by {entry.by}" if entry.by else ""
    note = f": {entry.note}" if entry.note else ""
    return visible(f"{entry.at:%Y-%m-%d %H:%M:%S}Z {what}{number}{about}{by}{note}")
