"""The command `sesbounce`.

Exit codes: 0 the command succeeded (`check`: the address may be mailed), 1 the answer is no, 2 the
command failed, and standard error says why, 3 it did only a part, 4 a person did not confirm, 70
sesbounce has a fault, 130 Ctrl-C ended it, 141 nobody reads its output any more.
"""

import click

from sesbounce.cli.group import LazyCommands, exit_codes

__all__ = ["main"]

PLACES = {
    "allow": "sesbounce.cli.decide:allow",
    "audit": "sesbounce.cli.audit:audit",
    "check": "sesbounce.cli.ask:check",
    "db": "sesbounce.cli.database:db",
    "decode": "sesbounce.cli.decode:decode_",
    "doctor": "sesbounce.cli.doctor:doctor",
    "dlq": "sesbounce.cli.dlq:dlq",
    "export": "sesbounce.cli.transfer:export",
    "forget": "sesbounce.cli.forget:forget_",
    "gate": "sesbounce.cli.gate:gate",
    "health": "sesbounce.cli.health:health",
    "import": "sesbounce.cli.transfer:import_",
    "incident": "sesbounce.cli.incident:incident",
    "list": "sesbounce.cli.ask:list_",
    "outbox": "sesbounce.cli.outbox:outbox",
    "prune": "sesbounce.cli.tend:prune",
    "rebuild": "sesbounce.cli.rebuild:rebuild",
    "run": "sesbounce.cli.work:run",
    "serve": "sesbounce.cli.serve:serve",
    "stats": "sesbounce.cli.tend:stats",
    "suppress": "sesbounce.cli.decide:suppress",
    "token": "sesbounce.cli.token:token",
    "webhook": "sesbounce.cli.webhook:webhook",
    "why": "sesbounce.cli.ask:why",
}


@click.group(
    cls=LazyCommands,
    places=PLACES,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=exit_codes(
        {
            "1": "The answer is no; the command's own help says more.",
            "3": "The command did only a part; standard error says what is missing.",
            "4": "A person did not confirm; nothing was changed.",
            "141": "Nobody reads the output any more, as in `sesbounce list | head`.",
        }
    ),
)
@click.version_option(package_name="sesbounce", help="Print the version and exit.")
def main() -> None:
    """Carry Amazon SES bounces and complaints into your own database.

    Every command reads its settings from environment variables: SESBOUNCE_QUEUE_URL,
    SESBOUNCE_DATABASE_URL, SESBOUNCE_STRIKE_OFF_SQL, SESBOUNCE_RESTORE_SQL and the others that
    docs/settings.md lists, and those of boto3 (AWS_REGION, AWS_ENDPOINT_URL, credentials).
    """
