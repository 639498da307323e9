"""Decodes single messages, and explains the reasons of their events."""

from collections.abc import Iterable
from typing import BinaryIO

import click

from sesbounce.cli.common import as_json, to_json
from sesbounce.cli.group import exit_codes
from sesbounce.errors import MessageError
from sesbounce.feedback.decode import Decoded, decode_all
from sesbounce.feedback.explain import Claimed, Explanation, explain
from sesbounce.settings import load_settings
from sesbounce.telemetry.visible import visible


@click.command(
    name="decode",
    epilog=exit_codes({"2": "The message can't be decoded; standard error says why."}),
)
@click.argument("file", type=click.File("rb"), default="-")
@click.option(
    "--explain",
    "explained",
    is_flag=True,
    help="Print each claim about a recipient, the closest to the truth first, and mark the claim "
    "that decided.",
)
@as_json
def decode_(file: BinaryIO, explained: bool, as_json: bool) -> None:
    """Decode a queue message into JSON, one line a recipient.

    FILE holds the body of one SQS message; `-`, the default, reads standard input. The command
    needs no database. Events keep the tags of the mail that SESBOUNCE_TAGS names.

    With --explain, the command prints, as text or with --json as JSON, how sesbounce has found the
    reason of each event.
    """
    settings = load_settings()
    for decoded in decode_all(file.read(), tags=tuple(settings.tags), stream_by=settings.streams):
        if isinstance(decoded, MessageError):
            problem = f"{decoded.problem}; fingerprint {decoded.fingerprint}"
            raise type(decoded)(problem, decoded.place)
        for problem in decoded.unread:
            click.echo(f"sesbounce: a recipient can't be read: {problem}", err=True)
        explaining = explained and decoded.events
        for line in _explained(decoded, as_json) if explaining else _meaning(decoded):
            click.echo(line)


def _meaning(decoded: Decoded) -> Iterable[str]:
    """One line a recipient; for a message about no recipient, one line about the message."""
    if not decoded.events:
        about = {"kind": decoded.kind, "type": decoded.type, "mail_id": decoded.mail_id}
        return [to_json({**about, "events": []})]
    return map(to_json, decoded.events)


def _explained(decoded: Decoded, as_json: bool) -> Iterable[str]:
    explanations = map(explain, decoded.events)
    return map(to_json if as_json else _explanation_text, explanations)


def _explanation_text(explanation: Explanation) -> str:
    """An explanation for people: what sesbounce decided, and one line a claim."""
    found = f"{explanation.address}: {explanation.reason} ({explanation.effect})"
    lines = [found, f"    because of {explanation.basis}"]
    lines += map(_claim_line, explanation.claims)
    return "\n".join(map(visible, lines))


def _claim_line(claim: Claimed) -> str:
    mark = "*" if claim.decided else " "
    return f"  {mark} {claim.text}: {claim.reason} ({claim.level}; {claim.host}, {claim.source})"
