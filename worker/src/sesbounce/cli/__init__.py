"""The command `sesbounce`.

Exit codes: 0 all is well (for `check`: it may be mailed), 1 it may not, 2 an error, which
standard error explains, 70 a fault in sesbounce itself.
"""

import click

from sesbounce.cli import (
    ask,
    database,
    decide,
    forget,
    outbox,
    rebuild,
    tend,
    transfer,
    work,
)
from sesbounce.cli.common import Commands

__all__ = ["main"]


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="sesbounce")
def main() -> None:
    """Carries Amazon SES bounces and complaints into your own database.

    Settings are environment variables: SESBOUNCE_QUEUE_URL, SESBOUNCE_DATABASE_URL,
    SESBOUNCE_STRIKE_OFF_SQL, SESBOUNCE_RESTORE_SQL and others (see the README), and boto3's own
    (AWS_REGION, AWS_ENDPOINT_URL, credentials).

    Exit codes: 0 all is well, 1 the address may not be mailed, 2 an error, 70 a fault in
    sesbounce itself.
    """


for command in (
    work.run,
    work.decode_,
    ask.check,
    ask.why,
    ask.list_,
    decide.suppress,
    decide.allow,
    transfer.export,
    transfer.import_,
    tend.stats,
    tend.prune,
    rebuild.rebuild,
    forget.forget_,
    outbox.outbox,
    database.db,
):
    main.add_command(command)
