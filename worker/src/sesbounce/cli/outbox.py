"""Shows which entries wait in the outbox."""

from collections.abc import Mapping
from typing import Any

import click

from sesbounce.cli.common import as_json, counted, print_each, reading
from sesbounce.cli.group import exit_codes
from sesbounce.store.outbox import waiting
from sesbounce.telemetry.visible import visible


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
    entries = counted(waiting["entries"], "entry waits", "entries wait")
    return (
        f"{waiting['target']}: {entries}, after {counted(waiting['attempts'], 'attempt')} "
        f"at most; the next is due {waiting['due_at']:%Y-%m-%d %H:%M:%S}Z ({visible(problem)})"
    )
