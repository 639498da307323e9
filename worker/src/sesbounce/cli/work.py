"""Runs the worker."""

import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import click

from sesbounce.aws.sns_trust import Trust
from sesbounce.aws.sqs import open_queue
from sesbounce.cli.common import counted, now
from sesbounce.cli.group import ERROR, exit_codes
from sesbounce.errors import ConfigurationError, SesBounceError
from sesbounce.opening import open_store
from sesbounce.operations.incidents import Incidents
from sesbounce.outbound.relay import Relay
from sesbounce.settings import Settings, load_settings
from sesbounce.signals import end_at_once, signals
from sesbounce.telemetry.counts import Counts
from sesbounce.telemetry.logs import set_up_logs
from sesbounce.telemetry.observer import observing
from sesbounce.telemetry.reports import Report
from sesbounce.telemetry.visible import visible
from sesbounce.worker.loop import LoopSettings, Worker
from sesbounce.worker.processes import Processes

# A child process may need this much longer to exit than its worker needs to stop.
_PATIENCE_SECONDS = 2


@click.command(
    epilog=exit_codes(
        {
            "0": "The worker stopped on a signal, or the queue is empty (--until-empty).",
            "2": "The worker can't work, or did not stop in time; standard error says why.",
            "128 + n": "A second signal, number n, ended the worker at once.",
            "130": "",
        }
    )
)
@click.option("--until-empty", is_flag=True, help="Stop when the queue is empty, for scripts.")
def run(until_empty: bool) -> None:
    """Run the worker until SIGTERM or SIGINT.

    The worker drains the queue into the database, and deletes a message only after it has
    committed the message's effect. It waits for a database or a queue that can't be used. On the
    first signal it finishes the messages in flight (and those that a waiting receive still
    brings, within 20 seconds); a second signal ends it at once.

    With --until-empty it waits for nothing: the first failure of the database or the queue ends
    it with exit code 2.
    """
    settings = load_settings()
    if not settings.queue_url:
        raise ConfigurationError(
            "SESBOUNCE_QUEUE_URL is not set: set it to the URL of the SQS queue, which Terraform "
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
    with _open_worker(settings, until_empty, report, migrate=settings.migrate) as worker:
        _on_signals(worker.stop, end_at_once, settings)
        worker.run()


def _run_several(
    settings: Settings, until_empty: bool, report: Callable[[Report, int], None]
) -> None:
    # An error is printed once, before several processes would print it.
    with open_store(settings, migrate=settings.migrate):
        pass
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
        with _open_worker(settings, until_empty, report, migrate=False) as worker:
            # systemd, for one, sends it to all of them, and the parent passes it on.
            signals.act(lambda _: worker.stop(), lambda _: None)
            signals.hear(signal.SIGTERM)
            worker.run()
    except SesBounceError as error:
        click.echo(f"sesbounce: {visible(str(error))}", err=True)
        return ERROR
    return 0


@contextmanager
def _open_worker(
    settings: Settings,
    until_empty: bool,
    report: Callable[[Report], None],
    *,
    migrate: bool,
) -> Iterator[Worker]:
    """A worker on the queue and the database; the database's connections are closed at the end."""
    assert settings.queue_url  # noqa: S101  `run` has checked it
    loop = LoopSettings(
        batch_size=settings.batch_size,
        batch_wait=settings.batch_wait_ms / 1000,
        pollers=settings.pollers,
        wait_seconds=settings.wait_seconds,
        visibility_seconds=settings.visibility_seconds,
        shutdown_seconds=settings.shutdown_seconds,
        until_empty=until_empty,
        tags=tuple(settings.tags),
        stream_by=settings.streams,
    )
    with open_store(settings, migrate=migrate) as opened:
        # What is loaded by now stays: the garbage collector need not look through it with each
        # batch.
        gc.freeze()
        yield Worker(
            open_queue(settings.queue_url, settings.wait_seconds, loop.connections),
            opened.store,
            Trust(settings.topic_arns, signatures=settings.verify_signatures),
            Relay(opened.engine, opened.targets, now),
            report,
            loop,
            incidents=Incidents(opened.store, settings.incidents, settings.detection),
            # Nothing is lost: SQS redelivers every message that was not committed.
            overdue=lambda: os._exit(ERROR),
        )


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
    addresses = counted(totals.suppressed, "address", "addresses")
    click.echo(
        f"{counted(totals.received, 'message')} received, {totals.deleted:,} deleted, "
        f"{totals.undecodable:,} not understood, {totals.failed:,} not recorded, "
        f"{totals.unknown:,} of an unknown type; "
        f"{counted(totals.events, 'event')} recorded, {totals.duplicates:,} known already; "
        f"{addresses} suppressed ({counted(totals.struck_rows, 'row')} struck off), "
        f"{totals.released:,} released ({counted(totals.restored_rows, 'row')} restored)."
    )
