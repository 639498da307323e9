"""Tends the event log: counts its events, and deletes old ones."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import click
from msgspec import structs

from sesbounce.cli.common import as_json, counted, now, reading, to_json, writing, yes
from sesbounce.cli.days import Days
from sesbounce.cli.filters import event_filter
from sesbounce.cli.group import confirm, exit_codes
from sesbounce.cli.times import Time
from sesbounce.operations.retention import Pruned, prunable
from sesbounce.operations.retention import prune as prune_log
from sesbounce.operations.statistics import By, ByTag, Counts, Grouping, count, grouping
from sesbounce.store.deciding import ANY_EVENT, EventFilter
from sesbounce.telemetry.visible import visible


class _Grouping(click.ParamType[Grouping]):
    """What the events of a group have in common, on the command line."""

    name = "grouping"

    def convert(
        self, value: str | Grouping, param: click.Parameter | None, ctx: click.Context | None
    ) -> Grouping:
        """Read the name of a grouping, or `tag:NAME`."""
        if isinstance(value, By | ByTag):
            return value
        try:
            return grouping(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


@click.command(epilog=exit_codes())
@click.option(
    "--by",
    type=_Grouping(),
    metavar="GROUP",
    default=By.DAY,
    help="Group the counts by day (UTC), reason, domain (of the recipients), sender, "
    "configuration-set, identity, region, account, tenant, or the value of a tag (tag:NAME).  "
    "[default: day]",
)
@click.option(
    "--since",
    type=Time(),
    metavar="TIME",
    help="Count only events since this time, 2026-11-20 or 2026-11-20T12:30:00 (UTC).",
)
@click.option(
    "--until",
    type=Time(),
    metavar="TIME",
    help="Count only events before this time (UTC).",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="NUMBER",
    help="Print at most this many lines.",
)
@event_filter("Count only events of")
@as_json
def stats(
    by: Grouping,
    since: datetime | None,
    until: datetime | None,
    limit: int | None,
    wanted: EventFilter,
    as_json: bool,
) -> None:
    """Count bounces, complaints and deliveries.

    A hard bounce is permanent, a soft bounce may pass. The column `sender` counts the bounces that
    you or your mail caused (reputation, DMARC, rate, size, content), which need your attention; it
    is printed only where there is such a bounce. Other bounces say nothing new about the mailbox.
    The rates are shares of the mails that were delivered or bounced, and are printed
    only where SES reports deliveries. Rates leave out mail to SES's mailbox simulator and
    imported events.
    """
    if since and until and since >= until:
        raise click.UsageError("--since must be before --until.")
    with reading() as engine:
        counts = count(engine, by, since, until, limit, wanted)
    if as_json:
        for one in counts:
            click.echo(to_json(one))
        return
    every = wanted == ANY_EVENT and since is None and until is None
    none = "No event is recorded." if every else "No event matches."
    for line in _table(by, counts) if counts else [none]:
        click.echo(line)


@click.command(epilog=exit_codes({"4": "You did not confirm."}))
@click.option(
    "--older-than",
    type=Days(),
    required=True,
    help="Delete what sesbounce recorded longer ago than this: 90d is 90 days, 12w is 12 weeks.",
)
@click.option(
    "--dry-run", is_flag=True, help="Delete nothing, and print how much would be deleted."
)
@yes
@as_json
def prune(older_than: timedelta, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Delete old messages and events; no verdict changes.

    The command deletes messages of SES, and the events that `why` and `stats` show. Verdicts rest
    on what sesbounce keeps about each address apart from the events, so they stay; but `why`,
    `stats` and `rebuild` no longer see the deleted events.
    """
    before = now() - older_than
    with reading() as engine:
        found = prunable(engine, before)
    if not dry_run:
        if not yes:
            confirm(f"Delete {_what(found)}?")
        with writing() as engine:
            found = prune_log(engine, before)
    verb = "would be deleted" if dry_run else "were deleted"
    done = {"dry_run": dry_run, **structs.asdict(found)}
    click.echo(to_json(done) if as_json else f"{_what(found)} {verb}.")


_HEADS = ("hard", "soft", "sender", "other", "complaints", "deliveries", "bounced", "complained")


def _table(by: Grouping, counts: Sequence[Counts]) -> Iterator[str]:
    """Lines whose columns are as narrow as they can be; the names, of any length, come last."""
    rows = [[*_HEADS, by.value], *map(_row, counts)]
    columns = list(zip(*rows, strict=True))
    # Without deliveries there are no rates.
    shown = [n for n, cells in enumerate(columns[:-1]) if any(cells[1:])]
    widths = {n: max(map(len, columns[n])) for n in shown}
    for row in rows:
        cells = [row[n].rjust(widths[n]) for n in shown]
        yield " ".join([*cells, row[-1]])


def _row(counts: Counts) -> list[str]:
    numbers = (counts.hard, counts.soft, counts.other, counts.complaints, counts.deliveries)
    rates = (counts.bounce_rate, counts.complaint_rate)
    hard, soft, *others = (f"{number:,}" for number in numbers)
    # Most senders have no such bounce, and the line has to fit a terminal.
    sender = f"{counts.sender:,}" if counts.sender else ""
    return [
        *(hard, soft, sender, *others),
        *("" if rate is None else f"{rate:.2%}" for rate in rates),
        visible(counts.group or "not known"),
    ]


def _what(pruned: Pruned) -> str:
    return (
        f"{counted(pruned.messages, 'message')} and {counted(pruned.events, 'event')} recorded "
        f"before {pruned.before:%Y-%m-%d}"
    )
