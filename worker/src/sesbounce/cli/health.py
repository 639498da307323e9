"""Asks the worker for its health. Imports next to nothing: containers ask every few seconds."""

import http.client
import os
import sys

import click
import msgspec

from sesbounce.cli.group import exit_codes
from sesbounce.errors import ConfigurationError, HealthError
from sesbounce.telemetry.health import Status
from sesbounce.telemetry.visible import visible, visible_json
from sesbounce.variables import check_names

_RED = 1
_TIMEOUT_SECONDS = 4.0
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  asked, not listened on
_MOST_BYTES = 1_000_000
_HIGHEST_PORT = 65535


@click.command(
    epilog=exit_codes(
        {
            "0": "The worker is healthy.",
            "1": "The worker is not healthy.",
            "2": "No worker answers, or a setting is wrong; standard error says why.",
        }
    )
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print JSON: the faults, and the seconds since the last poll and the last commit.",
)
def health(as_json: bool) -> None:
    """Ask the worker on this machine for its health, and print its faults.

    The worker is healthy while SQS answers its polls and its commits succeed. It answers at
    SESBOUNCE_METRICS_HOST and SESBOUNCE_METRICS_PORT. Health checks of containers can run this
    command.
    """
    status = _ask(*_endpoint())
    if as_json:
        click.echo(visible_json(msgspec.json.encode(status).decode()))
    else:
        lines = [*(status.faults or ["The worker is healthy."]), *status.busy]
        click.echo("\n".join(map(visible, lines)))
    if not status.healthy:
        sys.exit(_RED)


def _endpoint() -> tuple[str, int]:
    """The worker's host and port, without the other settings, which take long to load."""
    check_names(os.environ)
    try:
        port = int(os.environ.get("SESBOUNCE_METRICS_PORT", ""))
    except ValueError:
        port = 0
    if not 0 < port <= _HIGHEST_PORT:
        raise ConfigurationError(
            "SESBOUNCE_METRICS_PORT is not set, or is no port: set it to the same port for the "
            "worker and for this command"
        )
    host = os.environ.get("SESBOUNCE_METRICS_HOST") or "127.0.0.1"
    return _ANY.get(host, host), port


def _ask(host: str, port: int) -> Status:
    """The status that the worker answers with.

    Raises:
        HealthError: nothing answers, or something else than a worker of sesbounce.
    """
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/healthz")
        return msgspec.json.decode(connection.getresponse().read(_MOST_BYTES), type=Status)
    except (OSError, http.client.HTTPException) as error:
        raise HealthError(
            f"nothing answers on {host}, port {port} ({error}): start the worker with the same "
            "SESBOUNCE_METRICS_PORT and SESBOUNCE_METRICS_HOST"
        ) from error
    except msgspec.MsgspecError as error:
        raise HealthError(
            f"another program answers on {host}, port {port}: give the worker a "
            "SESBOUNCE_METRICS_PORT of its own"
        ) from error
    finally:
        connection.close()
