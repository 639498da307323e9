"""Questions: may this address be mailed, and why not? Who may not?"""

import sys
from datetime import UTC, datetime
from typing import BinaryIO, TextIO

import click

from sesbounce.cli.bulk import check_file
from sesbounce.cli.common import MAY_NOT, as_json, asking, now, print_each, to_json
from sesbounce.feedback.reason import Reason
from sesbounce.store.lookup import Answer, EventRow, Filter


@click.command()
@click.argument("address", required=False)
@click.option(
    "--file",
    "source",
    type=click.File("rb"),
    help="Check every address of a CSV, or of a list with one a line; `-`: standard input.",
)
@click.option("--column", help="The column of the file that holds them; by default the first.")
@click.option(
    "--output",
    type=click.File("w", encoding="utf-8"),
    default="-",
    help="Where answers on a file go.",
)
@as_json
def check(
    address: str | None, source: BinaryIO | None, column: str | None, output: TextIO, as_json: bool
) -> None:
    """May this ADDRESS be mailed? Exit code 0: yes, 1: no; the output says why.

    The address may be written in any way: `Jane <Jane.Doe@EXAMPLE.com>`.

    With --file, the rows come out as they are, with the columns may_mail (yes or no), reason and
    why behind them; the exit code is 0 whatever the answers.
    """
    if source is not None and address is None:
        check_file(source, output, as_json, column)
        return
    if address is None or source is not None:
        raise click.UsageError("name one ADDRESS, or a --file of them")
    answer = asking().check(address, now())
    click.echo(to_json(answer) if as_json else answer_line(answer))
    if not answer.may_mail:
        sys.exit(MAY_NOT)


@click.command()
@click.argument("address")
@as_json
def why(address: str, as_json: bool) -> None:
    """All that SES told about an ADDRESS, and what people decided; the oldest first."""
    lookup = asking()
    events = lookup.why(address)
    if not as_json:
        click.echo(answer_line(lookup.check(address, now())))
        if not events:
            click.echo("No feedback is recorded for it.")
    print_each(events, as_json, _event_line)


@click.command(name="list")
@click.option(
    "--reason", type=click.Choice([r.value for r in Reason]), help="Only for this reason."
)
@click.option("--domain", help="Only addresses at this domain.")
@click.option(
    "--since", type=click.DateTime(), help="Only those suppressed since this moment (UTC)."
)
@click.option("--limit", type=click.IntRange(min=1), help="At most so many, the latest first.")
@click.option("--offset", type=click.IntRange(min=0), default=0, help="Leave out so many of them.")
@as_json
def list_(
    reason: str | None,
    domain: str | None,
    since: datetime | None,
    limit: int | None,
    offset: int,
    as_json: bool,
) -> None:
    """The addresses that must not be mailed, the latest first."""
    wanted = Filter(
        reason=reason,
        domain=domain,
        since=since and since.replace(tzinfo=UTC),
        limit=limit,
        offset=offset,
    )
    answers = list(asking().suppressed(now(), wanted))
    if not answers and not as_json:
        click.echo("No address is suppressed." if wanted == Filter() else "None.")
    print_each(answers, as_json, answer_line)


def answer_line(answer: Answer) -> str:
    """An answer for people."""
    return f"{answer.address}: {'yes' if answer.may_mail else 'no'} ({answer.why})"


def _event_line(event: EventRow) -> str:
    what = f"{event.occurred_at:%Y-%m-%d %H:%M:%S}Z  {event.kind}: {event.reason} [{event.basis}]"
    details = [d for d in (event.diagnostic, event.mail_id and f"mail {event.mail_id}") if d]
    return "\n    ".join([what, *details])
