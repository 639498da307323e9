"""Shows the webhooks that are configured, and sends them a test event."""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click
import msgspec

from sesbounce.cli.common import as_json, counted, print_each, reading
from sesbounce.cli.group import exit_codes
from sesbounce.errors import ConfigurationError
from sesbounce.settings import load_settings
from sesbounce.store.outbox import waiting
from sesbounce.telemetry.visible import visible
from sesbounce.webhook_settings import ONLY, TYPES, Endpoint

if TYPE_CHECKING:
    from sesbounce.outbound.webhook import Probe

_NOT_ACCEPTED = 1
_VERIFY = (
    "The receiver verifies that v1 is the base64 of the HMAC-SHA-256, by the secret, of "
    "webhook-id.webhook-timestamp.body"
)


class _Shown(msgspec.Struct, frozen=True):
    """A webhook, as `webhook list` shows it.

    Attributes:
        name: the name that the settings give it.
        target: the name by which the outbox knows it.
        host: the host of its URL; None if the settings no longer name it.
        types: the types of events that it gets.
        reasons: the reasons that limit the suppressions that it gets; empty if all come.
        secrets: the number of secrets that sign what it gets.
        entries: how many outbox entries wait for it.
        state: `ok`, `waiting`, `stopped`, or `removed` if the settings no longer name it.
        problem: why the latest of them has not been delivered.
    """

    name: str
    target: str
    host: str | None
    types: list[str]
    reasons: list[str]
    secrets: int
    entries: int
    state: str
    problem: str | None


@click.group()
def webhook() -> None:
    """Show the webhooks, or send them a test event. docs/webhooks.md explains them."""


@webhook.command(name="list", epilog=exit_codes())
@as_json
def list_(as_json: bool) -> None:
    """Print each webhook with its host, its filters, and what waits for it.

    The command also prints webhooks that the settings no longer name, while entries wait for them.
    """
    endpoints = load_settings().endpoints
    with reading() as engine:
        rows = waiting(engine)
    known = {endpoint.target: endpoint for endpoint in endpoints}
    waits = {row["target"] for row in rows if row["target"].partition(":")[0] == ONLY}
    shown = [
        _shown(target, known.get(target), [row for row in rows if row["target"] == target])
        for target in [*known, *sorted(waits - known.keys())]
    ]
    if not shown and not as_json:
        click.echo("The settings name no webhook.")
    print_each(shown, as_json, _line)


@webhook.command(epilog=exit_codes({"1": "A webhook has not accepted the test event."}))
@click.argument("name", required=False)
@as_json
def test(name: str | None, as_json: bool) -> None:
    """Send a signed test event to the webhook NAME, or to each.

    The event has the type `sesbounce.test` and is about no address. The command prints the answer,
    and the headers and the body that the receiver verifies; filters do not matter, and neither does
    whether the webhook is stopped.
    """
    endpoints = load_settings().endpoints
    chosen = [endpoint for endpoint in endpoints if name in (None, endpoint.name)]
    if not endpoints:
        raise ConfigurationError(
            "the settings name no webhook: set SESBOUNCE_WEBHOOK_URL or SESBOUNCE_WEBHOOKS "
            "(docs/webhooks.md)"
        )
    if not chosen:
        names = ", ".join(endpoint.name for endpoint in endpoints)
        raise ConfigurationError(f"the settings name no webhook {name}; they name: {names}")
    from sesbounce.outbound.webhook import Webhook  # noqa: PLC0415  it imports boto3

    probes = [Webhook(endpoint).probe() for endpoint in chosen]
    print_each(probes, as_json, _result)
    if any(probe.problem for probe in probes):
        sys.exit(_NOT_ACCEPTED)


def _shown(target: str, endpoint: Endpoint | None, rows: Sequence[Mapping[str, Any]]) -> _Shown:
    stopped = any(row["due_at"] is None for row in rows)
    state = "stopped" if stopped else "waiting" if rows else "ok"
    return _Shown(
        name=endpoint.name if endpoint else target.removeprefix(f"{ONLY}:"),
        target=target,
        host=endpoint.host if endpoint else None,
        types=sorted(endpoint.types or TYPES) if endpoint else [],
        reasons=sorted(endpoint.reasons) if endpoint else [],
        secrets=len(endpoint.keys) if endpoint else 0,
        entries=sum(row["entries"] for row in rows),
        state=state if endpoint else "removed",
        problem=next((row["problem"] for row in rows if row["problem"]), None),
    )


def _line(shown: _Shown) -> str:
    entries = counted(shown.entries, "entry waits", "entries wait")
    if shown.host is None:
        return (
            f"{visible(shown.name)}: not in the settings, {entries}; "
            f"`sesbounce outbox discard --target {visible(shown.target)}` deletes them"
        )
    limits = f", suppressions by {', '.join(shown.reasons)}" if shown.reasons else ""
    problem = f" ({visible(shown.problem)})" if shown.problem else ""
    return (
        f"{shown.name}: {visible(shown.host)} gets {', '.join(shown.types)}{limits}, signed with "
        f"{counted(shown.secrets, 'secret')}; {shown.state}, {entries}{problem}"
    )


def _result(probe: "Probe") -> str:
    answer = probe.problem or f"it accepts the test event with HTTP status {probe.status}"
    head = f"{probe.name} ({visible(probe.host)}): {answer}, after {probe.seconds:.3f} seconds"
    signed = [f"    {name}: {value}" for name, value in probe.headers.items()]
    return "\n".join([head, *signed, f"    {probe.body}", f"    {_VERIFY}"])
