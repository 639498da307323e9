"""Writes lists of suppressed addresses to files, and records those of a file."""

import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO, TextIO

import click

from sesbounce.cli.common import as_json, counted, now, open_store, raw, reading, to_json
from sesbounce.cli.group import PARTLY_DONE, InterruptedCommandError, exit_codes
from sesbounce.cli.output import database_files, encoding_option, output_option, written
from sesbounce.cli.progress import progress
from sesbounce.lists.decoding import lines_of
from sesbounce.lists.files import read_list, write_csv, write_json_lines, write_ses
from sesbounce.lists.formats import FORMATS, ListKind
from sesbounce.lists.importing import DryRun, Imported, Importer, ListEvents
from sesbounce.policy.suppressed import Suppressed
from sesbounce.settings import load_settings
from sesbounce.store.listing import suppressed_rows
from sesbounce.telemetry.visible import visible

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
@output_option
@raw
@as_json
def export(format_name: str, output: Path, raw: bool, as_json: bool) -> None:
    """Write a list of every address that must not be mailed now.

    `sesbounce import` reads the formats csv and jsonl, and suppresses the same addresses. The
    format ses leaves out people's decisions, opt-outs, suppressions that end and those of one
    stream, because SES has no reason for them; standard error says how many. SES imports at most
    100,000 lines a file.
    """
    write = _WRITERS["jsonl" if as_json else format_name]
    if write is write_csv:
        write = partial(write_csv, raw=raw)
    with (
        reading() as engine,
        written(output, *database_files(engine)) as text,
        # Where the output fails, the query ends before its connection does.
        closing(suppressed_rows(engine, now())) as rows,
    ):
        left_out = write(rows, text)
    if left_out:
        addresses = counted(left_out, "address", "addresses")
        click.echo(f"{addresses} left out: SES has no reason for them.", err=True)


@click.command(
    name="import",
    epilog=exit_codes(
        {"3": "A row, or a statement of yours, was rejected; the command did everything else."}
    ),
)
@click.argument("file", type=click.File("rb"))
@click.option(
    "--format",
    "format_name",
    type=click.Choice(["auto", *FORMATS]),
    default="auto",
    help="Provider that wrote the list; auto recognises it by its columns.  [default: auto]",
)
@click.option(
    "--list",
    "listing",
    type=click.Choice([one.value for one in ListKind]),
    help="Kind of list, where neither the columns nor the file's name show it.",
)
@click.option(
    "--at",
    type=click.DateTime(),
    metavar="TIME",
    help="Time of rows that hold none, 2026-11-20 or 2026-11-20T12:30:00 (UTC).  [default: when "
    "the file was last changed]",
)
@encoding_option
@click.option("--note", help="Reason for the import; `why` shows it with every event.")
@click.option("--dry-run", is_flag=True, help="Change nothing, and print what would be recorded.")
@as_json
def import_(  # noqa: PLR0913, PLR0917  one argument an option
    file: BinaryIO,
    format_name: str,
    listing: str | None,
    at: datetime | None,
    encoding: str | None,
    note: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Record the suppressed addresses of a list.

    FILE is CSV, JSON lines or a JSON document, as sesbounce, Amazon SES, SendGrid, Mailgun and
    Mailchimp write them; `-` reads standard input. sesbounce records every row as an event,
    classifies it by its status and text, and runs your strike-off statement for each address
    that becomes suppressed. A full mailbox is one strike, and suppresses nothing alone.

    The command prints each row that it can't understand on standard error, and records all
    others. You may repeat an import that was stopped: it changes nothing about rows that are
    already recorded.
    """
    this_moment = now()
    undated = at.replace(tzinfo=UTC) if at else _changed_at(file, this_moment)
    chosen = None if format_name == "auto" else format_name
    with lines_of(file, encoding) as lines, progress(file, "importing") as advance:
        which = ListKind(listing) if listing else None
        read = read_list(lines, chosen, which, Path(str(getattr(file, "name", ""))).name)
        read_events = ListEvents(read, this_moment, undated, note, _complain)
        rows = 0
        try:
            with _dry_run() if dry_run else _importer(this_moment) as record:
                for batch in read_events.batches():
                    record(batch)
                    rows = read_events.rows
                    advance(len(batch))
        except KeyboardInterrupt:
            raise InterruptedCommandError(_how_far(rows, dry_run)) from None
    done = Imported(
        format=read.format,
        list=read.kind,
        dry_run=dry_run,
        rows=read_events.rows,
        rejected=read_events.rejected + record.rejected,
        by_reason=dict(read_events.by_reason),
        recorded=record.recorded,
    )
    click.echo(to_json(done) if as_json else _in_words(done))
    if done.rejected or done.recorded.rejected:
        sys.exit(PARTLY_DONE)


def _how_far(rows: int, dry_run: bool) -> str:
    if dry_run:
        return f"interrupted after {rows:,} rows; nothing was changed"
    return (
        f"interrupted after {rows:,} rows, which are recorded. Run the same command to go on: it "
        "changes nothing about them"
    )


def _complain(place: str, problem: str) -> None:
    click.echo(f"{place}: {visible(problem)}", err=True)


@contextmanager
def _importer(at: datetime) -> Iterator[Importer]:
    with open_store(load_settings()) as opened:
        yield Importer(opened.engine, opened.store, at, _complain)


@contextmanager
def _dry_run() -> Iterator[DryRun]:
    with reading() as engine:
        yield DryRun(engine)


def _changed_at(file: BinaryIO, otherwise: datetime) -> datetime:
    """When a file was last changed; `otherwise` for a pipe, which has no such time."""
    try:
        status = os.fstat(file.fileno())
    except (OSError, ValueError):
        return otherwise
    if not stat.S_ISREG(status.st_mode):
        return otherwise
    return min(datetime.fromtimestamp(status.st_mtime, UTC), otherwise)


def _in_words(done: Imported) -> str:
    recorded = done.recorded
    what = f"{done.format}'s {done.list}" if done.list else f"a list of {done.format}"
    rows = f"Read {what}: {counted(done.rows, 'row')}, {done.rejected:,} rejected."
    reasons = ", ".join(f"{number:,} {reason}" for reason, number in sorted(done.by_reason.items()))
    events = f"Events by reason: {reasons or 'none'}."
    if done.dry_run:
        would = f"{recorded.events:,} would be recorded, {recorded.duplicates:,} known already."
        return f"{rows}\n{events}\n{would}"
    did = (
        f"{recorded.events:,} recorded, {recorded.duplicates:,} known already; "
        f"{_addresses(recorded.suppressed)} suppressed "
        f"({counted(recorded.struck_rows, 'row')} struck off), "
        f"{recorded.released:,} released ({counted(recorded.restored_rows, 'row')} restored)."
    )
    rejected = [
        f"Your database rejected a statement for {_addresses(addresses)}: {visible(problem)}"
        for problem, addresses in recorded.rejected.items()
    ]
    if recorded.pending:
        rejected.append(f"The worker will run your statements for {recorded.pending:,} addresses.")
    return "\n".join([rows, events, did, *rejected])


def _addresses(number: int) -> str:
    return counted(number, "address", "addresses")
