"""The worker, and what it makes of a message."""

import os
import signal
import sys
from collections.abc import Callable, Iterable
from functools import partial
from typing import BinaryIO

import click

from sesbounce.aws.sns_trust import Trust
from sesbounce.aws.sqs import open_queue
from sesbounce.cli.common import now, open_store, to_json
from sesbounce.cli.group import ERROR
from sesbounce.errors import ConfigurationError, MessageError, SesBounceError
from sesbounce.feedback.decode import Decoded, decode
from sesbounce.outbound.relay import Relay
from sesbounce.settings import Settings, load_settings
from sesbounce.signals import end_at_once, signals
from sesbounce.telemetry.counts import Counts
from sesbounce.telemetry.logs import set_up_logs
from sesbounce.telemetry.observer import observing
from sesbounce.telemetry.reports import Report
from sesbounce.worker.loop import LoopSettings, Worker
from sesbounce.worker.processes import Processes

# What a child may take to end beyond the time in which its worker stops.
_PATIENCE_SECONDS = 2


@click.command()
@click.option("--until-empty", is_flag=True, help="Stop when the queue is empty, for scripts.")
def run(until_empty: bool) -> None:
    """Drain the queue into the database until SIGTERM or SIGINT.

    A message is deleted only after its effect is committed. A database or queue that can't be
    used is waited for. On the first signal what is in hand is finished (a receive that waits is
    waited for, 20 seconds at most); a second one ends the process at once.

    With --until-empty the first failure of database or queue ends it, with exit code 2.
    """
    settings = load_settings()
    if not settings.queue_url:
        raise ConfigurationError(
            "SESBOUNCE_QUEUE_URL is not set: give it the URL of the SQS queue, which Terraform "
            "prints as the output queue_url"
        )
    set_up_logs(settings.log_format, redact=settings.redact)
    with observing(settings) as observer:
        if settings.processes == 1:
            _run_here(settings, until_empty, observer)
        else:
            _run_several(settings, until_empty, observer)
    _print_totals(observer.totals)


def _run_here(settings: Settings, until_empty: bool, report: Callable[[Report], None]) -> None:
    worker = _open_worker(settings, until_empty, report)
    _on_signals(worker.stop, end_at_once, settings)
    worker.run()


def _run_several(
    settings: Settings, until_empty: bool, report: Callable[[Report, int], None]
) -> None:
    # Whatever is wrong is said once, before there are several to say it.
    open_store(settings).engine.dispose()
    work = partial(_run_child, settings, until_empty)
    patience = settings.shutdown_seconds + _PATIENCE_SECONDS
    processes = Processes(settings.processes, work, report, patience)

    def end_all(number: int) -> None:
        processes.kill()
        end_at_once(number)

    _on_signals(processes.stop, end_all, settings)
    processes.run()


def _run_child(settings: Settings, until_empty: bool, report: Callable[[Report], None]) -> int:
    set_up_logs(settings.log_format, redact=settings.redact)
    try:
        worker = _open_worker(settings, until_empty, report, migrate=False)
        # systemd, for one, sends it to all of them, and the parent passes it on.
        signals.act(lambda _: worker.stop(), lambda _: None)
        signals.hear(signal.SIGTERM)
        worker.run()
    except SesBounceError as error:
        click.echo(f"sesbounce: {error}", err=True)
        return ERROR
    return 0


def _open_worker(
    settings: Settings,
    until_empty: bool,
    report: Callable[[Report], None],
    *,
    migrate: bool | None = None,
) -> Worker:
    assert settings.queue_url  # noqa: S101  `run` has looked
    opened = open_store(settings, migrate=migrate)
    loop_settings = LoopSettings(
        batch_size=settings.batch_size,
        batch_wait=settings.batch_wait_ms / 1000,
        pollers=settings.pollers,
        wait_seconds=settings.wait_seconds,
        visibility_seconds=settings.visibility_seconds,
        shutdown_seconds=settings.shutdown_seconds,
        until_empty=until_empty,
    )
    return Worker(
        open_queue(settings.queue_url, settings.wait_seconds, loop_settings.connections),
        opened.store,
        Trust(settings.topic_arns, signatures=settings.verify_signatures),
        Relay(opened.engine, opened.targets, now),
        report,
        loop_settings,
        # Nothing is lost: what is not committed is not deleted, and comes again.
        overdue=lambda: os._exit(ERROR),
    )


@click.command(name="decode")
@click.argument("file", type=click.File("rb"), default="-")
def decode_(file: BinaryIO) -> None:
    """What a queue message means, as JSON lines, one a recipient; no database is needed.

    FILE holds the body of one SQS message, or is `-` for standard input.
    """
    try:
        decoded = decode(file.read())
    except MessageError as error:
        problem = f"{error.problem}; fingerprint {error.fingerprint}"
        raise type(error)(problem, error.place) from None
    for line in _meaning(decoded):
        click.echo(line)


def _meaning(decoded: Decoded) -> Iterable[str]:
    """One line a recipient, or one that says what the message is about if not recipients."""
    if not decoded.events:
        about = {"kind": decoded.kind, "type": decoded.type, "mail_id": decoded.mail_id}
        return [to_json({**about, "feedback": []})]
    return map(to_json, decoded.events)


def _on_signals(stop: Callable[[], None], end: Callable[[int], None], settings: Settings) -> None:
    """Stop on the first SIGTERM or SIGINT, and end at once on the next one."""

    def stop_and_say_so(_number: int) -> None:
        stop()
        if sys.stderr and sys.stderr.isatty():
            click.echo(_stopping(min(settings.wait_seconds, settings.shutdown_seconds)), err=True)

    signals.act(stop_and_say_so, end)
    signals.hear(signal.SIGTERM, signal.SIGINT)


def _stopping(seconds: int) -> str:
    """What a person at a terminal waits for after a signal; the log has it in `stopping`."""
    return (
        f"Waiting up to {seconds} seconds for a receive that is under way, and for the messages "
        "in flight; press Ctrl-C again to end at once (nothing is lost)."
    )


def _print_totals(totals: Counts) -> None:
    click.echo(
        f"{totals.received} messages received, {totals.deleted} deleted, "
        f"{totals.undecodable} not understood, {totals.failed} not recorded; "
        f"{totals.events} events recorded, {totals.duplicates} known already; "
        f"{totals.suppressed} addresses suppressed ({totals.struck_rows} rows struck off), "
        f"{totals.released} released ({totals.restored_rows} rows)."
    )
