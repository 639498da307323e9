"""Answers questions: may this address be mailed, and why not? Which addresses may not?"""

import sys
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import click

from sesbounce.cli.common import MAY_NOT, as_json, asking, now, print_each, raw, stream, to_json
from sesbounce.cli.group import PARTLY_DONE, exit_codes
from sesbounce.cli.output import encoding_option, output_option
from sesbounce.cli.times import Time
from sesbounce.feedback.kind import Kind
from sesbounce.feedback.reason import Reason
from sesbounce.store.lookup import Answer, EventRow, Filter
from sesbounce.telemetry.visible import visible


@click.command(
    epilog=exit_codes(
        {
            "0": "The address may be mailed; with --file: all addresses were checked.",
            "1": "The address may not be mailed.",
            "3": "With --file: some row can't be read and has no answer; standard error says more.",
        }
    )
)
@click.argument("address", required=False)
@click.option(
    "--file",
    "source",
    type=click.File("rb"),
    help="Check every address of this file: a CSV, or one address a line; `-` reads standard "
    "input.",
)
@click.option(
    "--column",
    metavar="NAME",
    help="Column of the file that holds the addresses.  [default: the first, or the only one that "
    "holds addresses]",
)
@stream
@encoding_option
@output_option
@raw
@as_json
def check(  # noqa: PLR0913, PLR0917  one argument an option
    address: str | None,
    source: BinaryIO | None,
    column: str | None,
    stream: str | None,
    encoding: str | None,
    output: Path,
    raw: bool,
    as_json: bool,
) -> None:
    """Check whether ADDRESS may be mailed, and print the reason.

    You may write the address in any form: `Jane <Jane.Doe@EXAMPLE.com>`.

    With --file, the command copies every row of the file and adds the columns may_mail (yes or
    no), reason and why. A text that is no address has the answer no, and so has a row that can't be
    read. Commas, semicolons or tabs may separate the columns of the file; the output has commas.
    """
    if source is not None and address is None:
        from sesbounce.cli.bulk import check_file  # noqa: PLC0415  what one address does not need

        if not check_file(source, output, as_json, column, encoding, raw=raw, stream=stream):
            sys.exit(PARTLY_DONE)
        return
    if address is None or source is not None:
        raise click.UsageError("Give either one ADDRESS or a --file of addresses.")
    if column or encoding or output != Path("-"):
        raise click.UsageError("--column, --encoding and --output go with --file.")
    with asking() as lookup:
        answer = lookup.check(address, now(), stream)
    click.echo(to_json(answer) if as_json else answer_line(answer))
    if not answer.may_mail:
        sys.exit(MAY_NOT)


@click.command(epilog=exit_codes())
@click.argument("address")
@as_json
def why(address: str, as_json: bool) -> None:
    """Print every event about ADDRESS, the oldest first.

    The events are what SES reported, what people decided with `suppress` and `allow`, and what
    `import` recorded. The first lines are the verdict, and that of each stream in which the
    address is suppressed when it is not in all.
    """
    with asking() as lookup:
        events = lookup.why(address)
        answers = [] if as_json else lookup.verdicts(address, now())
    if answers:
        for answer in answers:
            click.echo(answer_line(answer))
        if not events:
            click.echo("No event is recorded about this address.")
    print_each(events, as_json, _event_line)


@click.command(name="list", epilog=exit_codes())
@click.option(
    "--reason",
    type=click.Choice([r.value for r in Reason]),
    metavar="REASON",
    help="Print only addresses that are suppressed for this reason (docs/reasons.md lists them).",
)
@click.option("--domain", metavar="DOMAIN", help="Print only addresses at this domain.")
@click.option(
    "--since",
    type=Time(),
    metavar="TIME",
    help="Print only addresses suppressed since this time, 2026-11-20 or 2026-11-20T12:30:00 "
    "(UTC).",
)
@click.option(
    "--stream",
    metavar="NAME",
    help="Print only addresses that must not be mailed in this stream: those suppressed in it "
    "alone, and those suppressed in all.",
)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="NUMBER",
    help="Print at most this many addresses.",
)
@click.option(
    "--offset",
    type=click.IntRange(min=0),
    metavar="NUMBER",
    default=0,
    help="Skip this many addresses, the latest ones.",
)
@as_json
def list_(  # noqa: PLR0913, PLR0917  one argument an option
    reason: str | None,
    domain: str | None,
    since: datetime | None,
    stream: str | None,
    limit: int | None,
    offset: int,
    as_json: bool,
) -> None:
    """Print the addresses that must not be mailed now, the latest first.

    An address that is suppressed in some streams, and not in all, has a line for each of them.
    """
    wanted = Filter(
        reason=reason,
        domain=domain,
        since=since,
        stream=stream,
        limit=limit,
        offset=offset,
    )
    with asking() as lookup:
        answers = list(lookup.suppressed(now(), wanted))
    if not answers and not as_json:
        all_wanted = wanted == Filter()
        click.echo("No address is suppressed." if all_wanted else "No suppressed address matches.")
    print_each(answers, as_json, answer_line)


def answer_line(answer: Answer) -> str:
    """An answer for people."""
    may = "yes" if answer.may_mail else "no"
    return f"{visible(answer.address)}: {may} ({visible(answer.why)})"


def _event_line(event: EventRow) -> str:
    what = f"{event.occurred_at:%Y-%m-%d %H:%M:%S}Z  {event.kind}: {event.reason} [{event.basis}]"
    mail = event.mail_id and f"mail {event.mail_id}"
    stream = event.stream and f"stream {event.stream}"
    person = event.kind == Kind.MANUAL and event.source and f"by {event.source}"
    details = [d for d in (event.diagnostic, person, mail, _sent_by(event), stream) if d]
    return "\n    ".join(map(visible, [what, *details]))


def _sent_by(event: EventRow) -> str:
    """By which part of the sender's set-up the mail was sent, as far as it is known."""
    known = [
        ("configuration set", event.configuration_set),
        ("identity", event.identity),
        ("tenant", event.tenant),
        ("region", event.region),
        ("account", event.account_id),
        *(event.tags or {}).items(),
    ]
    return ", ".join(f"{name} {value}" for name, value in known if value)
