"""Says whether mail may be sent, by the rates of bounces and complaints, and resumes senders."""

import sys
from collections.abc import Iterator

import click

from sesbounce.cli.common import as_json, now, reading, to_json, writing
from sesbounce.cli.group import exit_codes
from sesbounce.cli.person import by_option, user
from sesbounce.policy.gate import CRITICAL, Sender, SendingAnswer
from sesbounce.policy.rates import Metric, Rate, SendingState, percent
from sesbounce.store.gate import may_send
from sesbounce.store.gate import resume as resume_senders
from sesbounce.telemetry.visible import visible

_STOP, _UNKNOWN = 1, 2
_WHAT = {Metric.BOUNCE: "hard bounces", Metric.COMPLAINT: "complaints"}


@click.group(
    invoke_without_command=True,
    epilog=exit_codes(
        {
            "0": "You may go on sending.",
            "1": "Stop: a rate was too high, and nobody has resumed the sender.",
            "2": "The counts can't tell, or the command failed; the output says why.",
        }
    ),
)
@click.option(
    "--identity",
    metavar="NAME",
    help="Address or domain that your mail is from.  [default: all identities]",
)
@click.option(
    "--stream",
    metavar="NAME",
    help=f"Stream of the mail: `{CRITICAL}` passes a stop; no suppression is passed by it.",
)
@as_json
@click.pass_context
def gate(context: click.Context, identity: str | None, stream: str | None, as_json: bool) -> None:
    """Say whether you may go on sending, by your rates of hard bounces and complaints.

    The command looks at each identity of SES and at each account in a region, in the present hour
    and in the last 24 hours, and prints the rates beside their limits and AWS's own. A stop lasts
    until a person resumes the sender (`sesbounce gate resume`), or for 30 days. docs/gate.md
    explains it.
    """
    if context.invoked_subcommand:
        return
    with reading() as engine:
        answer = may_send(engine, now(), identity, stream)
    click.echo(to_json(answer) if as_json else _text(answer))
    if answer.may_send is None:
        sys.exit(_UNKNOWN)
    if not answer.may_send:
        sys.exit(_STOP)


@gate.command(epilog=exit_codes())
@click.argument("sender", metavar="IDENTITY")
@by_option
@click.option("--note", required=True, help="What was done about the cause; the output shows it.")
@as_json
def resume(sender: str, by: str | None, note: str, as_json: bool) -> None:
    """Let a stopped sender go on.

    IDENTITY is a name that `sesbounce gate` prints: an identity, or ACCOUNT/REGION for a whole
    account in a region. What was counted so far can't stop the sender any more; what is counted
    from now on can.
    """
    from sesbounce.store.migrate import ensure  # noqa: PLC0415  slow, and a question needs none

    at = now()
    with writing() as engine:
        ensure(engine, migrate=False)
        resumed = resume_senders(engine, sender, by or user(), note, at)
        answer = may_send(engine, at, resumed[0].identity)
    if as_json:
        click.echo(to_json(answer))
        return
    for one in resumed:
        click.echo(f"{visible(_named(one))} may go on. It was stopped: {visible(one.why)}")
    if not answer.may_send:
        click.echo("\n".join(map(visible, [_summary(answer), *_what_to_do(answer)])))


def _text(answer: SendingAnswer) -> str:
    lines = [_summary(answer), *_what_to_do(answer)]
    for sender in answer.senders:
        lines.append(f"{_named(sender)}: {sender.state}, {sender.why}")
        lines += [f"    {_rate_line(rate)}" for rate in sender.rates]
        if sender.resumed:
            note, by = sender.resumed.note, sender.resumed.by
            lines.append(f"    resumed at {_minute(sender.resumed.at)} by {by}: {note}")
        lines += [f"    {forecast.says}" for forecast in sender.forecasts]
    return "\n".join(map(visible, lines))


def _summary(answer: SendingAnswer) -> str:
    if answer.may_send is None:
        return f"unknown: {answer.why}"
    return f"{'go on' if answer.may_send else 'stop'}: {answer.why}"


def _what_to_do(answer: SendingAnswer) -> Iterator[str]:
    for name in dict.fromkeys(s.name for s in answer.senders if s.state is SendingState.STOP):
        yield f"When the cause is gone: sesbounce gate resume {name} --note 'what was done'"


def _named(sender: Sender) -> str:
    return f"{sender.name} ({sender.region or '?'})" if sender.identity else sender.name


def _rate_line(rate: Rate) -> str:
    span = "this hour" if rate.hours == 1 else f"last {rate.hours} hours"
    what = f"{span}: {rate.events:,} {_WHAT[rate.metric]} in {rate.mails:,} mails"
    if rate.rate is None or rate.of_stop is None:
        return what
    few = "" if rate.enough else ", too few to judge"
    return (
        f"{what}, {percent(rate.rate)}{few}: {100 * rate.of_stop:.0f} % of the limit (warns from "
        f"{percent(rate.warn)}, stops from {percent(rate.stop)}; AWS reviews from "
        f"{percent(rate.aws_review)}, pauses from {percent(rate.aws_pause)})"
    )


def _minute(moment: object) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
