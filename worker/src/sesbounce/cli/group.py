"""The group of the commands: it turns errors into a line and an exit code."""

import traceback
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from sesbounce.errors import SesBounceError
from sesbounce.telemetry.visible import visible

ERROR = 2
FAULT = 70  # EX_SOFTWARE of sysexits.h; Python's own 1 would say "may not be mailed"

_MEANINGS = {
    "0": "The command succeeded.",
    "1": "",
    "2": "The command failed; standard error says why.",
    "70": "sesbounce has a fault; standard error holds the traceback.",
    "128 + n": "",
}


def exit_codes(meanings: Mapping[str, str] | None = None) -> str:
    """The end of a command's help, which explains its exit codes.

    Args:
        meanings: sentences by exit code, for codes that mean something else in this command.
    """
    known = {code: (meanings or {}).get(code, usual) for code, usual in _MEANINGS.items()}
    lines = [f"  {code:<7}  {meaning}" for code, meaning in known.items() if meaning]
    return "\n".join(["\b", "Exit codes:", *lines])


class Commands(click.Group):
    """Turns the errors of sesbounce into one line and an exit code."""

    def invoke(self, context: click.Context) -> Any:
        """Run the command, and turn its errors into exit codes."""
        try:
            return super().invoke(context)
        except SesBounceError as error:
            click.echo(f"sesbounce: {visible(str(error))}", err=True)
            context.exit(ERROR)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception:  # noqa: BLE001  nothing is hidden: the traceback is shown
            traceback.print_exc()
            context.exit(FAULT)


class LazyCommands(Commands):
    """Imports a command only when it runs or prints its help: some import a lot."""

    def __init__(self, *arguments: Any, places: Mapping[str, str], **more: Any) -> None:
        """Take the places of the commands, and import none of them.

        Args:
            arguments: those of `click.Group`.
            places: the place of each command by its name: `module:object`.
            more: those of `click.Group`.
        """
        super().__init__(*arguments, **more)
        self._places = places

    def list_commands(self, _context: click.Context) -> list[str]:
        """The names of all commands, in alphabetical order."""
        return sorted(self._places)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        """Import one command; `None` if no command has that name."""
        if name not in self._places:
            return None
        module, _, attribute = self._places[name].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command
