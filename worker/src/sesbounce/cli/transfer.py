"""Writes lists of suppressed addresses to files, and records those of a file."""

import os
import stat
import sys
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO, TextIO

import click
from click.core import ParameterSource

from sesbounce.cli.common import as_json, counted_addresses, now, raw, reading
from sesbounce.cli.filters import event_filter
from sesbounce.cli.group import PARTLY_DONE, InterruptedCommandError, exit_codes
from sesbounce.cli.output import database_files, encoding_option, output_option, written
from sesbounce.cli.progress import Advance, progress
from sesbounce.cli.recording import complain, recording, report
from sesbounce.cli.times import Time
from sesbounce.lists.decoding import lines_of
from sesbounce.lists.files import ReadList, read_list, write_csv, write_json_lines, write_ses
from sesbounce.lists.formats import FORMATS, SES_LISTS, ListKind
from sesbounce.lists.importing import Imported, ListEvents
from sesbounce.policy.suppressed import Suppressed
from sesbounce.store.deciding import EventFilter
from sesbounce.store.listing import suppressed_rows

# The options of `import` that are for a file alone, and for SES's list alone.
_OF_FILES = {"format_name", "at", "encoding"}
_OF_SES = {"regions", "since", "until", "resume"}

_WRITERS: dict[str, Callable[[Iterable[Suppressed], TextIO], int]] = {
    "csv": write_csv,
    "jsonl": write_json_lines,
    "ses": write_ses,
}


@click.command(epilog=exit_codes())
@click.option(
    "--format",
    "format_name",
    type=click.Choice(list(_WRITERS)),
    default="csv",
    help="csv writes all that sesbounce knows; jsonl writes the same as JSON lines; ses writes "
    "what Amazon SES imports into an account suppression list.  [default: csv]",
)
@event_filter("Write only addresses suppressed by an event of")
@output_option
@raw
@as_json
def export(format_name: str, wanted: EventFilter, output: Path, raw: bool, as_json: bool) -> None:
    """Write a list of every address that must not be mailed now.

    `sesbounce import` reads the formats csv and jsonl, and suppresses the same addresses. The
    format ses leaves out people's decisions, opt-outs, suppressions that end and those of one
    stream, because SES has no reason for them; standard error says how many. SES imports at most
    100,000 lines a file.

    The options that select mails look at the event on which the suppression rests (of strikes,
    the last one). They find no event that `prune` has deleted, and select no suppression of one
    stream alone.
    """
    write = _WRITERS["jsonl" if as_json else format_name]
    if write is write_csv:
        write = partial(write_csv, raw=raw)
    with (
        reading() as engine,
        written(output, *database_files(engine)) as text,
        # Where the output fails, the query ends before its connection does.
        closing(suppressed_rows(engine, now(), wanted)) as rows,
    ):
        left_out = write(rows, text)
    if left_out:
        addresses = counted_addresses(left_out)
        click.echo(f"{addresses} left out: SES has no reason for them.", err=True)


@click.command(
    name="import",
    epilog=exit_codes(
        {"3": "A row, or a statement of yours, was rejected; the command did everything else."}
    ),
)
@click.argument("file", type=click.File("rb"), required=False)
@click.option(
    "--from-ses",
    is_flag=True,
    help="Read SES's suppression list of the account, in place of a FILE.",
)
@click.option(
    "--region",
    "regions",
    multiple=True,
    metavar="REGION",
    help="AWS region whose list to read with --from-ses; repeat it for several regions.  "
    "[default: AWS_REGION]",
)
@click.option(
    "--since",
    type=Time(),
    metavar="TIME",
    help="Read only what SES has put on its list since this time, 2026-11-20 or "
    "2026-11-20T12:30:00 (UTC).",
)
@click.option(
    "--until",
    type=Time(),
    metavar="TIME",
    help="Read only what SES has put on its list before this time (UTC).",
)
@click.option(
    "--resume",
    metavar="TOKEN",
    help="Continue a stopped import of SES's list, which has printed this token, in the first "
    "region.",
)
@click.option(
    "--format",
    "format_name",
    type=click.Choice(["auto", *FORMATS]),
    default="auto",
    help="Provider that wrote the FILE; auto recognises it by its columns.  [default: auto]",
)
@click.option(
    "--list",
    "listing",
    type=click.Choice([one.value for one in ListKind]),
    help="Kind of list, where neither the columns nor the file's name show it. With --from-ses: "
    "read only the bounces, or only the complaints.",
)
@click.option(
    "--at",
    type=Time(),
    metavar="TIME",
    help="Time of rows that hold none, 2026-11-20 or 2026-11-20T12:30:00 (UTC).  [default: when "
    "the file was last changed]",
)
@encoding_option
@click.option("--note", help="Reason for the import; `why` shows it with every event.")
@click.option(
    "--by", metavar="NAME", help="Person who imports.  [default: the user who runs the command]"
)
@click.option("--dry-run", is_flag=True, help="Change nothing, and print what would be recorded.")
@as_json
@click.pass_context
def import_(  # noqa: PLR0913, PLR0917  one argument an option
    context: click.Context,
    file: BinaryIO | None,
    from_ses: bool,
    regions: tuple[str, ...],
    since: datetime | None,
    until: datetime | None,
    resume: str | None,
    format_name: str,
    listing: str | None,
    at: datetime | None,
    encoding: str | None,
    note: str | None,
    by: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Record the suppressed addresses of a list.

    FILE is CSV, JSON lines or a JSON document, as sesbounce, Amazon SES, SendGrid, Mailgun and
    Mailchimp write them; `-` reads standard input. sesbounce records every row as an event,
    classifies it by its status and text, and runs your strike-off statement for each address
    that becomes suppressed. A full mailbox is one strike, and suppresses nothing alone.

    With --from-ses, the command asks SES for the suppression list of the account; each region
    has a list of its own. Your AWS user or role needs ses:ListSuppressedDestinations. The
    command reads 1,000 addresses a second at most, because SES takes one call a second. If it is
    stopped, it prints the command that continues.

    The command prints each row that it can't understand on standard error, and records all
    others. You may repeat an import that was stopped: it changes nothing about rows that are
    already recorded.
    """
    _check_options(context)
    kind = ListKind(listing) if listing else None
    if from_ses:
        from sesbounce.cli.from_ses import SesImport, import_from_ses  # noqa: PLC0415  slow

        asked = SesImport(
            regions=regions,
            kind=kind,
            since=since,
            until=until,
            token=resume or None,
            note=note,
            by=by,
            dry_run=dry_run,
            as_json=as_json,
        )
        done = import_from_ses(asked)
    else:
        assert file  # noqa: S101  `_check_options` has checked it
        chosen = None if format_name == "auto" else format_name
        with lines_of(file, encoding) as lines, progress(file, "importing") as advance:
            read = read_list(lines, chosen, kind, Path(str(getattr(file, "name", ""))).name)
            undated = at or _changed_at(file, now())
            done = _import_file(read, undated, note, by, dry_run, advance)
    if not report(done, as_json):
        sys.exit(PARTLY_DONE)


def _check_options(context: click.Context) -> None:
    """Demand a FILE or --from-ses, and no option of the other one.

    Raises:
        click.UsageError: both are given, or none, or an option does not fit.
    """
    given = context.params
    from_ses = given["from_ses"]
    if (given["file"] is not None) == from_ses:
        raise click.UsageError("give either a FILE or --from-ses", context)
    for option in context.command.params:
        name = option.name or ""
        is_given = context.get_parameter_source(name) is not ParameterSource.DEFAULT
        if is_given and name in (_OF_FILES if from_ses else _OF_SES):
            wanted = "a FILE" if from_ses else "--from-ses"
            raise click.UsageError(f"{option.opts[0]} needs {wanted}", context)
    if from_ses and given["listing"] not in {None, *SES_LISTS.values()}:
        raise click.UsageError(
            f"SES's list has bounces and complaints, and no {given['listing']}", context
        )


def _import_file(
    read: ReadList,
    undated: datetime,
    note: str | None,
    by: str | None,
    dry_run: bool,
    advance: Advance,
) -> Imported:
    """Record the list in a file.

    Raises:
        InterruptedCommandError: Ctrl-C; the message says how far the import has come.
    """
    this_moment = now()
    events = ListEvents(read.format, this_moment, undated, note, complain)
    rows = 0
    try:
        with recording(this_moment, read.format, by, note, dry_run=dry_run) as record:
            for batch in events.batches(read.rows):
                record(batch)
                rows = events.rows
                advance(len(batch))
    except KeyboardInterrupt:
        raise InterruptedCommandError(_how_far(rows, dry_run)) from None
    return Imported(
        format=read.format,
        list=read.kind,
        dry_run=dry_run,
        rows=events.rows,
        rejected=events.rejected + record.rejected,
        by_reason=dict(events.by_reason),
        recorded=record.recorded,
    )


def _how_far(rows: int, dry_run: bool) -> str:
    if dry_run:
        return f"interrupted after {rows:,} rows; nothing was changed"
    return (
        f"interrupted after {rows:,} rows, which are recorded. Run the same command to go on: it "
        "changes nothing about them"
    )


def _changed_at(file: BinaryIO, otherwise: datetime) -> datetime:
    """When a file was last changed; `otherwise` for a pipe, which has no such time."""
    try:
        status = os.fstat(file.fileno())
    except (OSError, ValueError):
        return otherwise
    if not stat.S_ISREG(status.st_mode):
        return otherwise
    return min(datetime.fromtimestamp(status.st_mtime, UTC), otherwise)
