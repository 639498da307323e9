"""Shows which entries wait in the outbox, retries them now, and discards them."""

from collections.abc import Mapping
from typing import Any

import click

from sesbounce.cli.common import as_json, counted, now, print_each, reading, to_json, writing, yes
from sesbounce.cli.group import confirm, exit_codes
from sesbounce.cli.person import by_option, user
from sesbounce.store import outbox as table
from sesbounce.telemetry.visible import visible

_CONFIRMING = exit_codes({"4": "You did not confirm."})


@click.group(invoke_without_command=True, epilog=exit_codes())
@as_json
@click.pass_context
def outbox(context: click.Context, as_json: bool) -> None:
    """Show and retry what the worker has not delivered yet to a target.

    A target is another database, SES's account suppression list or a webhook. The worker retries
    an entry until its target accepts it. Without a further command, this one does what `list` does.
    """
    if context.invoked_subcommand is None:
        _list(as_json)
    elif as_json:
        raise click.UsageError(f"write --json behind {context.invoked_subcommand}")


@outbox.command(name="list", epilog=exit_codes())
@as_json
def list_(as_json: bool) -> None:
    """Print how many entries wait for each target, and why they wait."""
    _list(as_json)


@outbox.command(epilog=_CONFIRMING)
@click.option(
    "--target",
    "targets",
    metavar="NAME",
    multiple=True,
    help="Retry only the entries of this target. The option can be repeated.",
)
@click.option("--dry-run", is_flag=True, help="Retry nothing, and print how many entries wait.")
@by_option
@yes
@as_json
def retry(
    targets: tuple[str, ...], dry_run: bool, by: str | None, yes: bool, as_json: bool
) -> None:
    """Make the worker retry postponed entries now, and resume targets that are stopped.

    A webhook is stopped when it has answered with HTTP status 410 (Gone). Without --target, the
    command is for all targets.
    """
    at = now()
    with reading() as engine:
        found = table.count_postponed(engine, targets, at)
    if not dry_run and found:
        if not yes:
            confirm(f"Retry {_entries(found)} now?")
        with writing() as engine:
            found = table.retry(engine, targets, at, by or user())
    if as_json:
        click.echo(to_json({"dry_run": dry_run, "entries": found}))
        return
    due = "would be due" if dry_run else "are due" if found != 1 else "is due"
    click.echo(f"{_entries(found)} {due} now." if found else "No entry is postponed or stopped.")


@outbox.command(epilog=_CONFIRMING)
@click.option(
    "--target", metavar="NAME", required=True, help="Target whose entries are to be deleted."
)
@click.option("--dry-run", is_flag=True, help="Delete nothing, and print how many entries wait.")
@by_option
@yes
@as_json
def discard(target: str, dry_run: bool, by: str | None, yes: bool, as_json: bool) -> None:
    """Delete the entries of a target that you have removed from the settings.

    A target that is still in the settings would never get these verdicts.
    """
    with reading() as engine:
        found = table.count(engine, target)
    if not dry_run and found:
        if not yes:
            confirm(f"Delete {_entries(found)} for {visible(target)}?")
        with writing() as engine:
            found = table.discard(engine, target, now(), by or user())
    verb = "would be deleted" if dry_run else "deleted"
    click.echo(
        to_json({"dry_run": dry_run, "entries": found})
        if as_json
        else f"{_entries(found)} for {visible(target)} {verb}."
    )


def _list(as_json: bool) -> None:
    with reading() as engine:
        entries = table.waiting(engine)
    if not entries and not as_json:
        click.echo("No entry waits in the outbox.")
    print_each(entries, as_json, _line)


def _line(waiting: Mapping[str, Any]) -> str:
    target = visible(waiting["target"])
    problem = waiting["problem"] or "the worker has not tried yet"
    entries = counted(waiting["entries"], "entry waits", "entries wait")
    when = (
        f"the next is due {waiting['due_at']:%Y-%m-%d %H:%M:%S}Z"
        if waiting["due_at"]
        else f"stopped until `sesbounce outbox retry --target {target}`"
    )
    return (
        f"{target}: {entries}, after {counted(waiting['attempts'], 'attempt')} "
        f"at most; {when} ({visible(problem)})"
    )


def _entries(number: int) -> str:
    return counted(number, "entry", "entries")
