"""Shows which entries wait in the outbox."""

from collections.abc import Mapping
from typing import Any

import click

from sesbounce.cli.common import as_json, print_each, reading
from sesbounce.cli.group import exit_codes
from sesbounce.store.outbox import waiting


@click.command(epilog=exit_codes())
@as_json
def outbox(as_json: bool) -> None:
    """Print how many outbox entries wait for each target, and why they wait.

    A target is another database, SES's account suppression list or the webhook. The worker
    retries an entry until its target accepts it.
    """
    with reading() as engine:
        entries = waiting(engine)
    if not entries and not as_json:
        click.echo("No entry waits in the outbox.")
    print_each(entries, as_json, _line)


def _line(waiting: Mapping[str, Any]) -> str:
    problem = waiting["problem"] or "the worker has not tried yet"
    return (
        f"{waiting['target']}: {waiting['entries']} entries wait, after {waiting['attempts']} "
        f"attempts at most; the next is due {waiting['due_at']:%Y-%m-%d %H:%M:%S}Z ({problem})"
    )
