"""Tends the log: counts what it holds, and deletes what is old."""

from datetime import UTC, datetime, timedelta

import click

from sesbounce.cli.common import as_json, now, print_each, reading, to_json
from sesbounce.operations.retention import Pruned, age, prunable
from sesbounce.operations.retention import prune as prune_log
from sesbounce.operations.statistics import By, Counts, count
from sesbounce.settings import load_settings
from sesbounce.store.engine import open_database


@click.command()
@click.option(
    "--by",
    type=click.Choice([by.value for by in By]),
    default=By.DAY.value,
    help="What to count by: day (UTC), reason, the recipients' domain, or sender.",
)
@click.option("--since", type=click.DateTime(), help="Only what happened since then (UTC).")
@click.option("--until", type=click.DateTime(), help="Only what happened before then (UTC).")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many lines.")
@as_json
def stats(
    by: str, since: datetime | None, until: datetime | None, limit: int | None, as_json: bool
) -> None:
    """How many bounces, complaints and deliveries there were.

    A hard bounce is for good, a soft one may pass; other bounces say nothing new about the
    mailbox. Rates are of the mails that were delivered or bounced, where SES tells of deliveries.
    Mail to its simulator and what was imported are left out of them.
    """
    begin, end = (moment and moment.replace(tzinfo=UTC) for moment in (since, until))
    counts = count(reading(), By(by), begin, end, limit)
    if not counts and not as_json:
        click.echo("Nothing is recorded.")
    elif counts and not as_json:
        click.echo(_HEADER.format(by, *_HEADS))
    print_each(counts, as_json, _line)


class _Age(click.ParamType[timedelta]):
    """An age on the command line."""

    name = "age"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        """Read it."""
        try:
            return age(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command()
@click.option(
    "--older-than", type=_Age(), required=True, help="How old: 90d for days, 12w for weeks."
)
@click.option("--dry-run", is_flag=True, help="Delete nothing, and say what would be deleted.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
def prune(older_than: timedelta, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Delete old messages and events; who may be mailed stays as it is.

    What was recorded longer ago goes: SES's messages, and the events that `why` and `stats` show.
    Verdicts rest on what is kept with each address, and do not change; but `rebuild` can then
    only replay what is left, and `why` only show that.
    """
    before = now() - older_than
    found = prunable(reading(), before)
    if not dry_run:
        if not yes:
            click.confirm(f"Delete {_what(found)}?", abort=True, err=True)
        found = prune_log(open_database(load_settings().database), before)
    verb = "would be deleted" if dry_run else "deleted"
    click.echo(to_json(found) if as_json else f"{_what(found)} {verb}.")


_HEADS = ("hard", "soft", "other", "complaints", "deliveries", "bounced", "complained")
_HEADER = "{:<40} {:>9} {:>9} {:>9} {:>10} {:>11} {:>8} {:>10}"


def _line(counts: Counts) -> str:
    numbers = (counts.hard, counts.soft, counts.other, counts.complaints, counts.deliveries)
    rates = (counts.bounce_rate, counts.complaint_rate)
    return _HEADER.format(
        counts.group or "not known",
        *(f"{number:,}" for number in numbers),
        *("" if rate is None else f"{rate:.2%}" for rate in rates),
    )


def _what(pruned: Pruned) -> str:
    return (
        f"{pruned.messages:,} messages and {pruned.events:,} events recorded before "
        f"{pruned.before:%Y-%m-%d}"
    )
