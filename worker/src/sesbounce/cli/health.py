"""Asks the worker or the server for its health.

Imports next to nothing: containers ask every few seconds.
"""

import http.client
import os
import sys
from http import HTTPStatus

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


class ServerStatus(msgspec.Struct, frozen=True):
    """The health of `sesbounce serve`.

    Attributes:
        healthy: whether there is no fault.
        faults: one sentence for each fault.
    """

    healthy: bool
    faults: list[str]


class _Asked(msgspec.Struct, frozen=True):
    """What is asked: the `worker` or the `server`, where it listens, and its settings' prefix."""

    what: str
    host: str
    port: int
    prefix: str


@click.command(
    epilog=exit_codes(
        {
            "0": "The worker, or the server, is healthy.",
            "1": "It is not healthy.",
            "2": "Nothing answers, or a setting is wrong; standard error says why.",
        }
    )
)
@click.option(
    "--server",
    "of_server",
    is_flag=True,
    help="Ask `sesbounce serve` instead of the worker. It is healthy while its database answers.",
)
@click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print JSON: the faults, and of the worker the seconds since the last poll and the last "
    "commit.",
)
def health(of_server: bool, as_json: bool) -> None:
    """Ask the worker on this machine for its health, and print its faults.

    The worker is healthy while SQS answers its polls and its commits succeed. It answers at
    SESBOUNCE_METRICS_HOST and SESBOUNCE_METRICS_PORT, and the server at SESBOUNCE_SERVE_HOST and
    SESBOUNCE_SERVE_PORT. Health checks of containers can run this command.
    """
    check_names(os.environ)
    status = _server() if of_server else _worker()
    if as_json:
        click.echo(visible_json(msgspec.json.encode(status).decode()))
    else:
        click.echo("\n".join(map(visible, _lines(status))))
    if not status.healthy:
        sys.exit(_RED)


def _lines(status: Status | ServerStatus) -> list[str]:
    if isinstance(status, ServerStatus):
        return status.faults or ["The server is healthy."]
    return [*(status.faults or ["The worker is healthy."]), *status.busy]


def _worker() -> Status:
    """The status that the worker answers with.

    Raises:
        ConfigurationError: no setting names its port.
        HealthError: nothing answers, or something else than a worker of sesbounce.
    """
    asked = _asked("worker", "METRICS")
    _, body = _answer(asked)
    try:
        return msgspec.json.decode(body, type=Status)
    except msgspec.MsgspecError as error:
        raise _somebody_else(asked) from error


def _server() -> ServerStatus:
    """The status that follows from the answer of the server.

    Raises:
        ConfigurationError: the setting of its port is not a port.
        HealthError: nothing answers, or something else than a server of sesbounce.
    """
    asked = _asked("server", "SERVE", default_port="8080")
    status, _ = _answer(asked)
    if status == HTTPStatus.OK:
        return ServerStatus(healthy=True, faults=[])
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return ServerStatus(
            healthy=False, faults=["The database does not answer the server; its log says why."]
        )
    raise _somebody_else(asked)


def _asked(what: str, prefix: str, default_port: str = "") -> _Asked:
    """The host and the port of the settings, without the other ones, which take long to load."""
    variable = f"SESBOUNCE_{prefix}_PORT"
    try:
        port = int(os.environ.get(variable) or default_port)
    except ValueError:
        port = 0
    if not 0 < port <= _HIGHEST_PORT:
        raise ConfigurationError(
            f"{variable} is not set, or is no port: set it to the same port for the {what} and for "
            "this command"
        )
    host = os.environ.get(f"SESBOUNCE_{prefix}_HOST") or "127.0.0.1"
    return _Asked(what, _ANY.get(host, host), port, prefix)


def _answer(asked: _Asked) -> tuple[int, bytes]:
    """The status code and the body of the answer to `/healthz`.

    Raises:
        HealthError: nothing answers.
    """
    connection = http.client.HTTPConnection(asked.host, asked.port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        return answer.status, answer.read(_MOST_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise HealthError(
            f"nothing answers on {asked.host}, port {asked.port} ({error}): start the {asked.what} "
            f"with the same SESBOUNCE_{asked.prefix}_PORT and SESBOUNCE_{asked.prefix}_HOST"
        ) from error
    finally:
        connection.close()


def _somebody_else(asked: _Asked) -> HealthError:
    return HealthError(
        f"another program answers on {asked.host}, port {asked.port}: give the {asked.what} a "
        f"SESBOUNCE_{asked.prefix}_PORT of its own"
    )
