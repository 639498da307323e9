"""Serves the HTTP API."""

import click

from sesbounce.cli.group import exit_codes
from sesbounce.extras import needed_by


@click.command(
    epilog=exit_codes(
        {
            "0": "A signal stopped the server, which answered the requests that had begun.",
            "128 + n": "A second signal, number n, ended the server at once.",
            "130": "",
        }
    )
)
def serve() -> None:
    """Serve the HTTP API until SIGTERM or SIGINT. docs/api.md describes it.

    The server answers whether addresses may be mailed, and records decisions. It is a process of
    its own, beside the worker, and needs the extra `sesbounce[server]`.
    """
    with needed_by("the command serve", "server"):
        from sesbounce.server import serving  # noqa: PLC0415  an extra, and slow
        from sesbounce.settings import load_settings  # noqa: PLC0415
        from sesbounce.telemetry.logs import set_up_logs  # noqa: PLC0415

    settings = load_settings()
    set_up_logs(settings.log_format, redact=settings.redact)
    serving.serve(settings)
