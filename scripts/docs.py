"""Writes what the documents take from the code: docs/commands.md, the README's settings.

`python -m scripts.docs` writes it; a test says when it is out of date.
"""

from collections.abc import Iterator
from pathlib import Path

import click
from pydantic import SecretStr

from scripts import ScriptError
from sesbounce.cli import main as command
from sesbounce.cli.output import written
from sesbounce.settings import PREFIX, Settings

ROOT = Path(__file__).resolve().parents[1]
COMMANDS = ROOT / "docs" / "commands.md"
README = ROOT / "README.md"

_WIDTH = 96
_BEGIN = "<!-- BEGIN_SETTINGS -->\n"
_END = "<!-- END_SETTINGS -->\n"
_HEAD = """\
# Commands

<!-- `python -m scripts.docs` writes this page from the commands' own help. -->

`make setup` installs the command as `.venv/bin/sesbounce`; the container image runs it as its \
entry point. Commands print results on standard output, and errors on standard error.

Every command has the same exit codes; its own help says what 1 and 3 mean there:

| code | meaning |
| --- | --- |
| 0 | The command succeeded; `check`: the address may be mailed. |
| 1 | The answer is no: do not mail the address; the worker is not healthy; the schema differs; a \
webhook does not accept a test event. |
| 2 | The command failed, or its output could not be written; standard error says why. |
| 3 | The command did only a part; standard error says what is missing. |
| 4 | A person did not confirm; nothing was changed. |
| 70 | sesbounce has a fault; standard error holds the traceback. |
| 130 | Ctrl-C ended the command; an import or a rebuild says how far it got, and goes on when you \
run it again. `dlq` makes the letters visible first. `run` stops in order instead. |
| 141 | Nobody reads the output any more, as in `sesbounce list \\| head -1`. |
"""


def contexts(context: click.Context | None = None) -> Iterator[click.Context]:
    """The context of `sesbounce` and of every command below it, depth first."""
    if context is None:
        context = click.Context(
            command, info_name="sesbounce", terminal_width=_WIDTH, **command.context_settings
        )
    yield context
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            found = context.command.get_command(context, name)
            if found is not None:
                yield from contexts(click.Context(found, info_name=name, parent=context))


def commands_page() -> str:
    """The page docs/commands.md: the help of every command."""
    sections = [
        f"## `{context.command_path}`\n\n```text\n{context.get_help()}\n```\n"
        for context in contexts()
    ]
    return "\n".join([_HEAD, *sections])


def settings_table() -> str:
    """The README's table of settings."""
    rows = []
    for name, field in Settings.model_fields.items():
        value = field.default
        value = value.get_secret_value() if isinstance(value, SecretStr) else value
        default = f" `{value}`" if value not in (None, []) else ""
        rows.append(f"| `{PREFIX}{name.upper()}` |{default} | {field.description} |\n")
    return "".join(["| Variable | Default | Meaning |\n", "| --- | --- | --- |\n", *rows])


def readme_page(text: str) -> str:
    """The README with its table of settings brought up to date.

    Raises:
        ScriptError: the README lacks the lines around the table.
    """
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ScriptError(f"add the lines {_BEGIN.strip()} and {_END.strip()} to README.md")
    return f"{before}{begin}{settings_table()}{end}{after}"


def main() -> None:
    """Write the documents."""
    for page, text in (
        (COMMANDS, commands_page()),
        (README, readme_page(README.read_text("utf-8"))),
    ):
        with written(page) as output:
            output.write(text)


if __name__ == "__main__":
    main()
