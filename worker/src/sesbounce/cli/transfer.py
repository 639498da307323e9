"""Lists of suppressed addresses: out to a file, in from one."""

import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, TextIO

import click

from sesbounce.cli.bulk import lines_of, progress
from sesbounce.cli.common import as_json, now, open_store, reading, to_json
from sesbounce.errors import ListError, StoreError
from sesbounce.lists.files import read_list, write_csv, write_json_lines, write_ses
from sesbounce.lists.formats import FORMATS, ListKind
from sesbounce.lists.importing import DryRun, Imported, Importer, ListEvents
from sesbounce.settings import load_settings
from sesbounce.store.listing import suppressed_rows

REFUSED = 1
_WRITERS = {"csv": write_csv, "jsonl": write_json_lines, "ses": write_ses}


@click.command()
@click.option(
    "--format",
    "format_name",
    type=click.Choice(list(_WRITERS)),
    default="csv",
    help="csv: all there is to know; jsonl: the same as JSON lines; ses: what the import of "
    "Amazon SES's account suppression list takes, without what it has no word for.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    default="-",
    help="Write to this file, which is there only when it is complete.",
)
@as_json
def export(format_name: str, output: Path, as_json: bool) -> None:
    """Write all addresses that must not be mailed now, to a file or to standard output.

    `sesbounce import` reads the formats csv and jsonl again, and ends in the same list. In the
    format ses, people's decisions, opt-outs and what is suppressed for a time are left out, and
    counted on standard error; SES takes 100,000 lines a file.
    """
    write = _WRITERS["jsonl" if as_json else format_name]
    rows = suppressed_rows(reading(), now())
    with _written(output) as text:
        left_out = write(rows, text)
    if left_out:
        click.echo(f"{left_out:,} addresses left out: SES has no word for why.", err=True)


@click.command(name="import")
@click.argument("file", type=click.File("rb"))
@click.option(
    "--format",
    "format_name",
    type=click.Choice(["auto", *FORMATS]),
    default="auto",
    help="Whose list it is; auto: by its columns.",
)
@click.option(
    "--list",
    "listing",
    type=click.Choice([one.value for one in ListKind]),
    help="Which of a provider's lists it is, where neither its columns nor its name tell.",
)
@click.option(
    "--at",
    type=click.DateTime(),
    help="When rows without a time happened (UTC); by default when the file was last changed.",
)
@click.option("--note", help="Why; it is kept with every event, and `why` shows it.")
@click.option("--dry-run", is_flag=True, help="Change nothing, and say what would be recorded.")
@as_json
def import_(  # noqa: PLR0913, PLR0917  one argument an option
    file: BinaryIO,
    format_name: str,
    listing: str | None,
    at: datetime | None,
    note: str | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Record the suppressed addresses of a list: sesbounce's own, or another provider's.

    FILE is CSV, JSON lines or a JSON document, as sesbounce, Amazon SES, SendGrid, Mailgun and
    Mailchimp write them, or `-` for standard input. Every row is recorded like feedback of SES:
    judged by its status and text, and told to your own tables. A mailbox that was only full is a
    strike, not a suppression.

    Rows that can't be understood are named on standard error; all others are recorded. Whatever
    stopped an import, run it again: what is recorded already changes nothing. Exit code 1: some
    row was rejected.
    """
    this_moment = now()
    undated = at.replace(tzinfo=UTC) if at else _changed_at(file, this_moment)
    chosen = None if format_name == "auto" else format_name
    with lines_of(file) as lines, progress(file, "importing") as advance:
        which = ListKind(listing) if listing else None
        read = read_list(lines, chosen, which, Path(str(getattr(file, "name", ""))).name)
        read_events = ListEvents(read, this_moment, undated, note, _complain)
        record = _dry_run() if dry_run else _importer(this_moment)
        for batch in read_events.batches():
            record(batch)
            advance()
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
    if done.rejected:
        sys.exit(REFUSED)


def _complain(place: str, problem: str) -> None:
    click.echo(f"{place}: {problem}", err=True)


def _importer(at: datetime) -> Importer:
    opened = open_store(load_settings())
    return Importer(opened.engine, opened.store, at, _complain)


def _dry_run() -> DryRun:
    """Where there is no database yet, the import would make it."""
    try:
        return DryRun(reading())
    except StoreError:
        return DryRun(None)


@contextmanager
def _written(path: Path) -> Iterator[TextIO]:
    """A text that takes the file's place when it is complete, and leaves nothing when it fails."""
    if str(path) == "-":
        yield sys.stdout
        return
    # What is no file (a pipe, a device) can't be replaced.
    part = path if path.exists() and not path.is_file() else path.with_name(f"{path.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as text:
            yield text
        if part != path:
            part.replace(path)
    except BaseException as error:
        if part != path:
            part.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise ListError(f"{path} was not written: {error.strerror}") from error
        raise


def _changed_at(file: BinaryIO, otherwise: datetime) -> datetime:
    """When a file was last changed; a pipe has no such time."""
    try:
        status = os.fstat(file.fileno())
    except (OSError, ValueError):
        return otherwise
    if not stat.S_ISREG(status.st_mode):
        return otherwise
    return min(datetime.fromtimestamp(status.st_mtime, UTC), otherwise)


def _in_words(done: Imported) -> str:
    recorded = done.recorded
    whose = f"{done.format}'s {done.list}" if done.list else f"a list of {done.format}"
    rows = f"Read {whose}: {done.rows:,} rows, {done.rejected:,} rejected."
    reasons = ", ".join(f"{number:,} {reason}" for reason, number in sorted(done.by_reason.items()))
    events = f"Events by reason: {reasons or 'none'}."
    if done.dry_run:
        would = f"{recorded.events:,} would be recorded, {recorded.duplicates:,} are known already."
        return f"{rows}\n{events}\n{would}"
    did = (
        f"{recorded.events:,} recorded, {recorded.duplicates:,} known already; "
        f"{recorded.suppressed:,} addresses suppressed ({recorded.struck_rows:,} rows struck off), "
        f"{recorded.released:,} released ({recorded.restored_rows:,} rows)."
    )
    told = [f"A statement was rejected {n:,} times: {why}" for why, n in recorded.rejected.items()]
    return "\n".join([rows, events, did, *told])
