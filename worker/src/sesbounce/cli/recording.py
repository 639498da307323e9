"""What the imports of a file and of SES's list have in common: they record and report."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import click
import msgspec
import sqlalchemy as sa

from sesbounce.cli.common import counted, counted_addresses, reading, rejections, to_json
from sesbounce.cli.person import user
from sesbounce.errors import SesBounceError, StoreError
from sesbounce.lists.importing import DryRun, Imported, Importer
from sesbounce.opening import open_store
from sesbounce.settings import load_settings
from sesbounce.store.acts import Act, Done, record_alone
from sesbounce.telemetry.visible import visible


def complain(place: str, problem: str) -> None:
    """Print the place of a row and the problem with it on standard error."""
    click.echo(f"{place}: {visible(problem)}", err=True)


@contextmanager
def recording(
    at: datetime, source: str, by: str | None, note: str | None, *, dry_run: bool
) -> Iterator[Importer | DryRun]:
    """What records the events of a list, or only counts them; the audit then holds the import.

    Args:
        at: the current time, UTC.
        source: the format of the list, and where it is from.
        by: the person who imports it; None for the user who runs the command.
        note: the person's note.
        dry_run: whether to change nothing.
    """
    if dry_run:
        with reading() as engine:
            yield DryRun(engine)
        return
    done = Done(act=Act.IMPORTED, at=at, by=by or user(), subject=source, note=note)
    with open_store(load_settings()) as opened:
        importer = Importer(opened.engine, opened.store, at, complain)
        try:
            yield importer
        except StoreError:
            raise  # nor could the audit be written
        except (KeyboardInterrupt, SesBounceError):
            _audit(opened.engine, importer, done)
            raise
        _audit(opened.engine, importer, done)


def _audit(engine: sa.Engine, importer: Importer, done: Done) -> None:
    if number := importer.recorded.events:
        record_alone(engine, msgspec.structs.replace(done, number=number))


def report(done: Imported, as_json: bool) -> bool:
    """Print what an import did; returns whether no row and no statement was rejected."""
    click.echo(to_json(done) if as_json else _in_words(done))
    return not done.rejected and not done.recorded.rejected


def _in_words(done: Imported) -> str:
    recorded = done.recorded
    rows = f"Read {_list_of(done)}: {counted(done.rows, 'row')}, {done.rejected:,} rejected."
    reasons = ", ".join(f"{number:,} {reason}" for reason, number in sorted(done.by_reason.items()))
    events = f"Events by reason: {reasons or 'none'}."
    if done.dry_run:
        would = f"{recorded.events:,} would be recorded, {recorded.duplicates:,} known already."
        return f"{rows}\n{events}\n{would}"
    did = (
        f"{recorded.events:,} recorded, {recorded.duplicates:,} known already; "
        f"{counted_addresses(recorded.suppressed)} suppressed "
        f"({counted(recorded.struck_rows, 'row')} struck off), "
        f"{recorded.released:,} released ({counted(recorded.restored_rows, 'row')} restored)."
    )
    lines = [rows, events, did, *rejections(recorded.rejected)]
    if recorded.pending:
        lines.append(f"The worker will run your statements for {recorded.pending:,} addresses.")
    return "\n".join(lines)


def _list_of(done: Imported) -> str:
    if done.by_region is msgspec.UNSET:
        return f"{done.format}'s {done.list}" if done.list else f"a list of {done.format}"
    part = f"the {done.list} of " if done.list else ""
    regions = ", ".join(
        f"{region} ({counted(rows, 'row')})" for region, rows in done.by_region.items()
    )
    return f"{part}SES's suppression list in {regions}"
