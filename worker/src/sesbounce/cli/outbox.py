"""What those outside of the transaction are still to be told."""

from collections.abc import Mapping
from typing import Any

import click

from sesbounce.cli.common import as_json, print_each, reading
from sesbounce.store.outbox import waiting


@click.command()
@as_json
def outbox(as_json: bool) -> None:
    """What another database, SES's list or the webhook are still to be told, and why not yet.

    The worker delivers it, again and again until it arrives.
    """
    notes = waiting(reading())
    if not notes and not as_json:
        click.echo("Nothing waits.")
    print_each(notes, as_json, _line)


def _line(note: Mapping[str, Any]) -> str:
    problem = note["problem"] or "not tried yet"
    return (
        f"{note['target']}: {note['notes']} notes, {note['attempts']} attempts at most, "
        f"next {note['due_at']:%Y-%m-%d %H:%M:%S}Z ({problem})"
    )
