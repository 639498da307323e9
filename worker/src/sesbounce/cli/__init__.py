"""The command `sesbounce`.

Exit codes: 0 all is well (for `check`: it may be mailed), 1 it may not, 2 an error, which
standard error explains, 70 a fault in sesbounce itself.
"""

import click

from sesbounce.cli.group import LazyCommands

__all__ = ["main"]

PLACES = {
    "allow": "sesbounce.cli.decide:allow",
    "check": "sesbounce.cli.ask:check",
    "db": "sesbounce.cli.database:db",
    "decode": "sesbounce.cli.work:decode_",
    "export": "sesbounce.cli.transfer:export",
    "forget": "sesbounce.cli.forget:forget_",
    "health": "sesbounce.cli.health:health",
    "import": "sesbounce.cli.transfer:import_",
    "list": "sesbounce.cli.ask:list_",
    "outbox": "sesbounce.cli.outbox:outbox",
    "prune": "sesbounce.cli.tend:prune",
    "rebuild": "sesbounce.cli.rebuild:rebuild",
    "run": "sesbounce.cli.work:run",
    "stats": "sesbounce.cli.tend:stats",
    "suppress": "sesbounce.cli.decide:suppress",
    "why": "sesbounce.cli.ask:why",
}


@click.group(
    cls=LazyCommands, places=PLACES, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(package_name="sesbounce")
def main() -> None:
    """Carries Amazon SES bounces and complaints into your own database.

    Settings are environment variables: SESBOUNCE_QUEUE_URL, SESBOUNCE_DATABASE_URL,
    SESBOUNCE_STRIKE_OFF_SQL, SESBOUNCE_RESTORE_SQL and others (see the README), and boto3's own
    (AWS_REGION, AWS_ENDPOINT_URL, credentials).

    Exit codes: 0 all is well, 1 the address may not be mailed, 2 an error, 70 a fault in
    sesbounce itself.
    """
