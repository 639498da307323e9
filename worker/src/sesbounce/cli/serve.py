"""Serves the HTTP API."""

from functools import partial
from typing import TYPE_CHECKING

import click

from sesbounce.cli.group import exit_codes
from sesbounce.extras import needed_by

if TYPE_CHECKING:
    from sesbounce.server.serving import MoreRoutes


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
    more: MoreRoutes | None = None
    with needed_by("the command serve", "server"):
        from sesbounce.server import serving  # noqa: PLC0415  an extra, and slow
        from sesbounce.settings import load_settings  # noqa: PLC0415
        from sesbounce.telemetry.logs import set_up_logs  # noqa: PLC0415

        overrides = {} if console is None else {"serve_console": console}
        settings = load_settings(**overrides)
        if settings.serve_console:
            from sesbounce.console.app import routes  # noqa: PLC0415

            more = partial(routes, options=dict.fromkeys(overrides, "--console"))
    set_up_logs(settings.log_format, redact=settings.redact)
    serving.serve(settings, more)
