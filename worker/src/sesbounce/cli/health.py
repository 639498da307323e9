"""Whether the worker does its work. Imports next to nothing: containers ask every few seconds."""

import http.client
import os
import sys

import click
import msgspec

from sesbounce.errors import ConfigurationError, HealthError
from sesbounce.telemetry.health import Status

_RED = 1
_TIMEOUT_SECONDS = 4.0
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  asked, not listened on
_MOST_BYTES = 1_000_000
_HIGHEST_PORT = 65535


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON: the faults, and the ages.")
def health(as_json: bool) -> None:
    """Ask the worker on this machine whether it does its work.

    It is asked at SESBOUNCE_METRICS_PORT, as health checks of containers do. Exit code 0: SQS
    answers it and its database takes what it records; 1: not, and why is printed; 2: it can't be
    asked.
    """
    judgement = _ask(*_where())
    if as_json:
        click.echo(msgspec.json.encode(judgement))
    else:
        click.echo("\n".join(judgement.faults) or "healthy")
    if not judgement.healthy:
        sys.exit(_RED)


def _where() -> tuple[str, int]:
    """The host and port; read here, since reading all settings takes longer than all the rest."""
    try:
        port = int(os.environ.get("SESBOUNCE_METRICS_PORT", ""))
    except ValueError:
        port = 0
    if not 0 < port <= _HIGHEST_PORT:
        raise ConfigurationError(
            "SESBOUNCE_METRICS_PORT is not set, or is no port: give the worker and this command "
            "the same one"
        )
    host = os.environ.get("SESBOUNCE_METRICS_HOST") or "127.0.0.1"
    return _ANY.get(host, host), port


def _ask(host: str, port: int) -> Status:
    """What the worker says of itself.

    Raises:
        HealthError: it says nothing, or it is not the worker who answers.
    """
    connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/healthz")
        return msgspec.json.decode(connection.getresponse().read(_MOST_BYTES), type=Status)
    except (OSError, http.client.HTTPException) as error:
        raise HealthError(
            f"nothing answers on {host}, port {port} ({error}): is the worker running, with the "
            "same SESBOUNCE_METRICS_PORT and SESBOUNCE_METRICS_HOST?"
        ) from error
    except msgspec.MsgspecError as error:
        raise HealthError(
            f"what answers on {host}, port {port} is no worker of sesbounce: give the worker a "
            "SESBOUNCE_METRICS_PORT of its own"
        ) from error
    finally:
        connection.close()
