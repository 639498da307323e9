"""The group that the commands are in: errors become a line and an exit code."""

import traceback
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from sesbounce.errors import SesBounceError

ERROR = 2
FAULT = 70  # EX_SOFTWARE of sysexits.h; Python's own 1 would say "may not be mailed"


class Commands(click.Group):
    """Turns the errors of sesbounce into one line and an exit code."""

    def invoke(self, context: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(context)
        except SesBounceError as error:
            click.echo(f"sesbounce: {error}", err=True)
            context.exit(ERROR)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception:  # noqa: BLE001  nothing is hidden: the traceback is shown
            traceback.print_exc()
            context.exit(FAULT)


class LazyCommands(Commands):
    """Imports a command when it is called or its help is asked for: some import a lot."""

    def __init__(self, *arguments: Any, places: Mapping[str, str], **more: Any) -> None:
        """A group of commands that are not imported yet.

        Args:
            arguments: those of `click.Group`.
            places: where each command is, by its name: `module:object`.
            more: those of `click.Group`.
        """
        super().__init__(*arguments, **more)
        self._places = places

    def list_commands(self, _context: click.Context) -> list[str]:
        """The names of all of them, in alphabetical order."""
        return sorted(self._places)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        """Import one of them; `None` if there is none of that name."""
        if name not in self._places:
            return None
        module, _, attribute = self._places[name].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command
