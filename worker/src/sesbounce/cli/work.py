"""Runs the worker."""

import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import click
import sqlalchemy as sa

from sesbounce.aws.sns_trust import Trust
from sesbounce.aws.sqs import Queue, open_queue
from sesbounce.cli.common import counted, counted_addresses, now
from sesbounce.cli.group import ERROR, exit_codes
from sesbounce.errors import SesBounceError
from sesbounce.opening import open_store
from sesbounce.operations.incidents import Incidents
from sesbounce.outbound.relay import Relay
from sesbounce.settings import Settings, load_settings
from sesbounce.signals import end_at_once, signals
from sesbounce.store.workers import Mode
from sesbounce.telemetry.counts import Counts
from sesbounce.telemetry.health import Health
from sesbounce.telemetry.logs import set_up_logs
from sesbounce.telemetry.observer import observing
from sesbounce.telemetry.reports import Report, RunDone
from sesbounce.telemetry.visible import visible
from sesbounce.worker.gauge import DEAD_LETTERS_PERIOD_SECONDS, Gauge
from sesbounce.worker.loop import LoopSettings, Worker
from sesbounce.worker.presence import Presence, introduce
from sesbounce.worker.processes import Processes

# A child process may need this much longer to exit than its worker needs to stop.
_PATIENCE_SECONDS = 2
# Python's own 700 would begin a collection for every twentieth message.
_OBJECTS_UNTIL_GC = 10_000


@click.command(
    epilog=exit_codes(
        {
            "0": "The worker stopped on a signal or after --at-most, or the queue is empty "
            "(--until-empty).",
            "2": "The worker can't work, or did not stop in time; standard error says why.",
            "128 + n": "A second signal, number n, ended the worker at once.",
            "130": "",
        }
    )
)
@click.option(
    "--until-empty", is_flag=True, help="Stop when the queue is empty, for schedules and scripts."
)
@click.option(
    "--at-most",
    type=click.IntRange(min=1),
    metavar="SECONDS",
    help="Stop after this many seconds, as on a signal.",
)
def run(until_empty: bool, at_most: int | None) -> None:
    """Run the worker until SIGTERM or SIGINT.

    The worker drains the queue into the database, and deletes a message only after it has
    committed the message's effect. It waits for a database or a queue that can't be used. On the
    first signal it finishes the messages in flight (and those that a waiting receive still
    brings, within 20 seconds); a second signal ends it at once.

    With --until-empty it ends when the queue is empty. Before that it releases the addresses
    whose suppression has expired, retries statements that the database has rejected, and tries
    once to deliver each entry of the outbox that is due. It waits for nothing: the first failure
    of the database or the queue ends it with exit code 2.

    A schedule should also limit the time, with --at-most: a queue that is never empty would keep
    each run from its end, and the next run continues anyway.
    """
    settings = load_settings()
    _ = settings.queue  # where it is not set, nothing starts
    set_up_logs(settings.log_format, redact=settings.redact)
    with observing(settings) as observer:
        run_ = _run_here if settings.processes == 1 else _run_several
        interrupted = run_(settings, until_empty, at_most, observer)
        if until_empty and not interrupted:
            observer(RunDone())
    _print_totals(observer.totals)


def _run_here(
    settings: Settings,
    until_empty: bool,
    at_most: int | None,
    report: Callable[[Report], None],
) -> bool:
    """Run the worker in this process; returns whether a signal has ended it."""
    with _open_worker(settings, until_empty, report, migrate=settings.migrate) as worker:
        with _stopping(worker.stop, end_at_once, settings, at_most) as interrupted:
            worker.run()
        return interrupted.is_set()


def _run_several(
    settings: Settings,
    until_empty: bool,
    at_most: int | None,
    report: Callable[[Report, int], None],
) -> bool:
    """Run several worker processes; returns whether a signal has ended them."""
    # An error is printed once, before several processes would print it.
    with open_store(settings, migrate=settings.migrate):
        pass
    work = partial(_run_child, settings, until_empty)
    patience = settings.shutdown_seconds + _PATIENCE_SECONDS
    processes = Processes(settings.processes, work, report, patience)

    def end_all(number: int) -> None:
        processes.kill()
        end_at_once(number)

    with _stopping(processes.stop, end_all, settings, at_most) as interrupted:
        processes.run()
    return interrupted.is_set()


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
    loop = LoopSettings(
        batch_size=settings.largest_batch,
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
        # batch. A batch makes many objects, which live until its end, and hardly a cycle.
        gc.freeze()
        gc.set_threshold(_OBJECTS_UNTIL_GC)
        queue = open_queue(
            settings.queue, settings.wait_seconds, loop.connections, direct=settings.sqs_direct
        )
        presence = _presence(settings, until_empty, opened.engine)
        yield Worker(
            queue,
            opened.store,
            Trust(settings.topic_arns, signatures=settings.verify_signatures),
            Relay(opened.engine, opened.targets, now, patient=not until_empty),
            report,
            loop,
            incidents=Incidents(opened.store, settings.incidents, settings.detection),
            presence=presence,
            dead_letters=_dead_letters(settings, queue, presence),
            # Nothing is lost: SQS redelivers every message that was not committed.
            overdue=lambda: os._exit(ERROR),
        )


def _presence(settings: Settings, until_empty: bool, engine: sa.Engine) -> Presence:
    mode = Mode.UNTIL_EMPTY if until_empty else Mode.RUN
    health = Health(time.monotonic(), settings.wait_seconds)
    return Presence(engine, introduce(mode, settings.queue_url, now()), health, now)


def _dead_letters(settings: Settings, queue: Queue, presence: Presence) -> Gauge | None:
    if not settings.dead_letter_queue_url:
        return None
    return Gauge(
        queue.beside(settings.dead_letter_queue_url),
        presence.count_dead_letters,
        lambda _: False,
        DEAD_LETTERS_PERIOD_SECONDS,
        "dead-letter queue",
    )


@contextmanager
def _stopping(
    stop: Callable[[], None],
    end: Callable[[int], None],
    settings: Settings,
    at_most: int | None,
) -> Iterator[threading.Event]:
    """Stop on the first SIGTERM or SIGINT and when the time is over; end on the next signal.

    Yields:
        An event that the first signal sets.
    """
    interrupted = threading.Event()

    def stop_and_say_so(_number: int) -> None:
        interrupted.set()
        stop()
        if sys.stderr and sys.stderr.isatty():
            seconds = min(settings.wait_seconds, settings.shutdown_seconds)
            click.echo(_what_it_waits_for(seconds), err=True)

    signals.act(stop_and_say_so, end)
    signals.hear(signal.SIGTERM, signal.SIGINT)
    timer = threading.Timer(at_most or 0, stop)
    timer.daemon = True
    if at_most:
        timer.start()
    try:
        yield interrupted
    finally:
        timer.cancel()


def _what_it_waits_for(seconds: int) -> str:
    """What a person at a terminal waits for after a signal; the log has it in `stopping`."""
    return (
        f"Waiting up to {seconds} seconds for a receive that is under way, and for the messages "
        "in flight; press Ctrl-C again to end at once (nothing is lost)."
    )


def _print_totals(totals: Counts) -> None:
    addresses = counted_addresses(totals.suppressed)
    click.echo(
        f"{counted(totals.received, 'message')} received, {totals.deleted:,} deleted, "
        f"{totals.undecodable:,} not understood, {totals.failed:,} not recorded, "
        f"{totals.unknown:,} of an unknown type; "
        f"{counted(totals.events, 'event')} recorded, {totals.duplicates:,} known already; "
        f"{addresses} suppressed ({counted(totals.struck_rows, 'row')} struck off), "
        f"{totals.released:,} released ({counted(totals.restored_rows, 'row')} restored)."
    )
    if totals.rejected:
        click.echo(
            "Your database rejected a strike-off or restore statement: the log lines `statement "
            "rejected` say why. Your own tables lack this verdict until a retry succeeds."
        )
