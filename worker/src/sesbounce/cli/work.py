"""The worker, and what it makes of a message."""

import signal
from collections.abc import Iterable
from types import FrameType
from typing import BinaryIO

import click

from sesbounce.cli.common import now, open_store, to_json
from sesbounce.courier import Courier
from sesbounce.decode import Decoded, decode
from sesbounce.errors import ConfigurationError, MessageError
from sesbounce.log import set_up_logs
from sesbounce.queue import open_queue
from sesbounce.settings import load_settings
from sesbounce.trust import Trust
from sesbounce.worker import Totals, Worker


@click.command()
@click.option("--until-empty", is_flag=True, help="Stop when the queue is empty, for scripts.")
def run(until_empty: bool) -> None:
    """Drain the queue into the database until SIGTERM or SIGINT.

    A message is deleted only after its effect is committed. On the first signal what is in hand
    is finished (a receive that waits is waited for, 20 seconds at most); a second one ends the
    process at once.
    """
    settings = load_settings()
    if not settings.queue_url:
        raise ConfigurationError(
            "SESBOUNCE_QUEUE_URL is not set: give it the URL of the SQS queue, which Terraform "
            "prints as the output queue_url"
        )
    set_up_logs(settings.log_format)
    engine, store, outbox = open_store(settings)
    trust = Trust(settings.topic_arns, signatures=settings.verify_signatures)
    courier = Courier(outbox, engine, now)
    worker = Worker(open_queue(settings.queue_url), store, trust, courier, settings.wait_seconds)
    _stop_on_signals(worker)
    with courier.running():
        totals = worker.run(until_empty=until_empty)
    _print_totals(totals)


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
    if not decoded.feedback:
        about = {"kind": decoded.kind, "type": decoded.type, "mail_id": decoded.mail_id}
        return [to_json({**about, "feedback": []})]
    return map(to_json, decoded.feedback)


def _stop_on_signals(worker: Worker) -> None:
    numbers = (signal.SIGTERM, signal.SIGINT)

    def stop(_number: int, _frame: FrameType | None) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)
        worker.stop()

    for number in numbers:
        signal.signal(number, stop)


def _print_totals(totals: Totals) -> None:
    recorded = totals.recorded
    click.echo(
        f"{totals.received} messages received, {totals.deleted} deleted, "
        f"{totals.undecodable} not understood, {totals.failed} not recorded; "
        f"{recorded.events} facts recorded, {recorded.duplicates} known already; "
        f"{recorded.suppressed} addresses suppressed ({recorded.struck_rows} rows struck off), "
        f"{recorded.restored} restored ({recorded.restored_rows} rows)."
    )
