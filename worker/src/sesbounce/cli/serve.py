"""Serves the HTTP API."""

from typing import TYPE_CHECKING

import click

from sesbounce.cli.group import exit_codes
from sesbounce.errors import ConfigurationError
from sesbounce.settings import load_settings
from sesbounce.telemetry.logs import set_up_logs

if TYPE_CHECKING:
    from sesbounce.server.serving import MoreRoutes

_EXTRA = ("anyio", "jinja2", "markupsafe", "starlette", "uvicorn")


@click.command(
    epilog=exit_codes(
        {
            "0": "A signal stopped the server, which answered the requests that had begun.",
            "128 + n": "A second signal, number n, ended the server at once.",
            "130": "",
        }
    )
)
@click.option(
    "--console/--no-console",
    default=None,
    help="Serve the console for people in browsers as well (docs/console.md).  [default: what "
    "SESBOUNCE_SERVE_CONSOLE says, or not]",
)
def serve(console: bool | None) -> None:
    """Serve the HTTP API until SIGTERM or SIGINT. docs/api.md describes it.

    The server answers whether addresses may be mailed, and records decisions. It is a process of
    its own, beside the worker, and needs the extra `sesbounce[server]`.
    """
    settings = load_settings()
    more: MoreRoutes | None = None
    try:
        from sesbounce.server import serving  # noqa: PLC0415  an extra, and slow

        if settings.serve_console if console is None else console:
            from sesbounce.console.app import routes  # noqa: PLC0415

            more = routes
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in _EXTRA:
            raise
        raise ConfigurationError(
            "sesbounce serve needs its extra: pip install 'sesbounce[server]'"
        ) from error
    set_up_logs(settings.log_format, redact=settings.redact)
    serving.serve(settings, more)
