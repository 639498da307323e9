"""The command `sesbounce`.

Exit codes: 0 all is well (for `check`: it may be mailed), 1 it may not, 2 an error, which
standard error explains, 70 a fault in sesbounce itself.
"""

import signal
import sys
import traceback
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from types import FrameType
from typing import Any, BinaryIO, TypeVar

import click
import msgspec
import sqlalchemy as sa

from sesbounce import migrate
from sesbounce.database import open_database
from sesbounce.decode import Decoded, decode
from sesbounce.errors import ConfigurationError, MessageError, SesBounceError
from sesbounce.log import set_up_logs
from sesbounce.lookup import Answer, Event, Lookup
from sesbounce.queue import open_queue
from sesbounce.settings import load_settings
from sesbounce.store import Store
from sesbounce.strike_off import StrikeOff
from sesbounce.trust import Trust
from sesbounce.worker import Totals, Worker

MAY_NOT = DIFFERS = 1
ERROR = 2
FAULT = 70  # EX_SOFTWARE of sysexits.h; Python's own 1 would say "may not be mailed"

_T = TypeVar("_T")


class _Commands(click.Group):
    """Turns the errors of sesbounce into one line and an exit code."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except SesBounceError as error:
            click.echo(f"sesbounce: {error}", err=True)
            context.exit(ERROR)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception:  # noqa: BLE001  nothing is hidden: the traceback is shown
            traceback.print_exc()
            context.exit(FAULT)


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, one object a line.")


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="sesbounce")
def main() -> None:
    """Carries Amazon SES bounces and complaints into your own database.

    Settings are environment variables: SESBOUNCE_QUEUE_URL, SESBOUNCE_DATABASE_URL,
    SESBOUNCE_STRIKE_OFF_SQL, SESBOUNCE_RESTORE_SQL and others (see the README), and boto3's own
    (AWS_REGION, AWS_ENDPOINT_URL, credentials).

    Exit codes: 0 all is well, 1 the address may not be mailed, 2 an error, 70 a fault in
    sesbounce itself.
    """


@main.command()
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
    strike_off = StrikeOff(settings.strike_off_sql, settings.restore_sql)
    store = Store(open_database(settings.database_url), settings.policy, strike_off)
    store.prepare(migrate=settings.migrate)
    trust = Trust(settings.topic_arns, signatures=settings.verify_signatures)
    worker = Worker(open_queue(settings.queue_url), store, trust, settings.wait_seconds)
    _stop_on_signals(worker)
    _print_totals(worker.run(until_empty=until_empty))


@main.command()
@click.argument("address")
@as_json
def check(address: str, as_json: bool) -> None:
    """May this ADDRESS be mailed? Exit code 0: yes, 1: no; the output says why.

    The address may be written in any way: `Jane <Jane.Doe@EXAMPLE.com>`.
    """
    answer = _lookup().check(address, datetime.now(UTC))
    click.echo(_json(answer) if as_json else _answer_line(answer))
    if not answer.may_mail:
        sys.exit(MAY_NOT)


@main.command()
@click.argument("address")
@as_json
def why(address: str, as_json: bool) -> None:
    """All that SES told about an ADDRESS, the oldest first."""
    lookup = _lookup()
    events = lookup.why(address)
    if not as_json:
        click.echo(_answer_line(lookup.check(address, datetime.now(UTC))))
        if not events:
            click.echo("No feedback is recorded for it.")
    _print_each(events, as_json, _event_line)


@main.command(name="list")
@click.option("--limit", type=click.IntRange(min=1), help="At most so many, the latest first.")
@as_json
def list_(limit: int | None, as_json: bool) -> None:
    """The addresses that must not be mailed, the latest first."""
    answers = list(_lookup().suppressed(datetime.now(UTC), limit))
    if not answers and not as_json:
        click.echo("No address is suppressed.")
    _print_each(answers, as_json, _answer_line)


@main.command(name="decode")
@click.argument("file", type=click.File("rb"), default="-")
def decode_(file: BinaryIO) -> None:
    """What a queue message means, as JSON lines, one a recipient; no database is needed.

    FILE holds the body of one SQS message, or is `-` for standard input.
    """
    try:
        decoded = decode(file.read())
    except MessageError as error:
        raise type(error)(
            f"{error.problem}; fingerprint {error.fingerprint}", error.place
        ) from None
    for line in _meaning(decoded):
        click.echo(line)


@main.group()
def db() -> None:
    """The database's schema: its version, and how to bring it up to date."""


@db.command()
def upgrade() -> None:
    """Bring the schema up to date, or make it; several may do so at once."""
    engine = open_database(load_settings().database_url)
    migrate.upgrade(engine)
    click.echo(f"The database is at version {migrate.current(engine)}.")


@db.command()
def current() -> None:
    """Print the version of the schema, and the one that is needed. Exit code 1: not the same."""
    found = migrate.current(_reading())
    click.echo(f"The database is at version {found or 'none'}; {migrate.newest()} is needed.")
    if found != migrate.newest():
        sys.exit(DIFFERS)


@db.command(name="check")
def check_() -> None:
    """Compare the schema with what is needed, column by column. Exit code 1: it differs."""
    differences = migrate.drift(_reading())
    for difference in differences:
        click.echo(str(difference))
    click.echo(f"{len(differences) or 'No'} differences.")
    if differences:
        sys.exit(DIFFERS)


def _reading() -> sa.Engine:
    return open_database(load_settings().database_url, read_only=True)


def _meaning(decoded: Decoded) -> Iterable[str]:
    """One line a recipient, or one that says what the message is about if not recipients."""
    if not decoded.feedback:
        about = {"kind": decoded.kind, "type": decoded.type, "mail_id": decoded.mail_id}
        return [_json({**about, "feedback": []})]
    return map(_json, decoded.feedback)


def _lookup() -> Lookup:
    return Lookup(_reading())


def _stop_on_signals(worker: Worker) -> None:
    numbers = (signal.SIGTERM, signal.SIGINT)

    def stop(_number: int, _frame: FrameType | None) -> None:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)
        worker.stop()

    for number in numbers:
        signal.signal(number, stop)


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _print_each(items: Iterable[_T], as_json: bool, line: Callable[[_T], str]) -> None:
    for item in items:
        click.echo(_json(item) if as_json else line(item))


def _answer_line(answer: Answer) -> str:
    return f"{answer.address}: {'yes' if answer.may_mail else 'no'} ({answer.why})"


def _event_line(event: Event) -> str:
    what = f"{event.occurred_at:%Y-%m-%d %H:%M:%S}Z  {event.kind}: {event.reason} [{event.basis}]"
    details = [d for d in (event.diagnostic, event.mail_id and f"mail {event.mail_id}") if d]
    return "\n    ".join([what, *details])


def _print_totals(totals: Totals) -> None:
    recorded = totals.recorded
    click.echo(
        f"{totals.received} messages received, {totals.deleted} deleted, "
        f"{totals.undecodable} not understood, {totals.failed} not recorded; "
        f"{recorded.events} facts recorded, {recorded.duplicates} known already; "
        f"{recorded.suppressed} addresses suppressed ({recorded.struck_rows} rows struck off), "
        f"{recorded.restored} restored ({recorded.restored_rows} rows)."
    )
