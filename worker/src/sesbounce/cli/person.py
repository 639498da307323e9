"""The person who decides: the option that names one, and the default."""

import getpass
import os

import click

by_option = click.option(
    "--by", metavar="NAME", help="Person who decides.  [default: the user who runs the command]"
)


def user() -> str:
    """The user's name, or the number of a user without a name, as containers have."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
