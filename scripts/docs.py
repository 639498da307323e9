"""Writes what the documents take from the code: docs/commands.md, the tables of docs/settings.md.

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
SETTINGS = ROOT / "docs" / "settings.md"

GROUPS = {
    "queue_url": "The queue and the database",
    "strike_off_sql": "Your tables, and targets beyond the database",
    "topic_arns": "Which messages the worker accepts, and what it keeps of them",
    "wait_seconds": "The worker's loop",
    "metrics_port": "Metrics for Prometheus, and health",
    "serve_host": "The HTTP API",
    "emf": "Metrics for CloudWatch",
    "strikes": "Verdicts",
    "incidents": "Incidents",
    "hash_key": "Forgotten addresses",
    "log_format": "The log",
}
"""The heading above a setting, with which a group begins."""

_WIDTH = 96
_TABLE_HEAD = "| Variable | Default | Meaning |\n| --- | --- | --- |\n"
_BEGIN = "<!-- BEGIN_SETTINGS -->\n"
_END = "<!-- END_SETTINGS -->\n"
_HEAD = """\
# Commands

<!-- `python -m scripts.docs` writes this page from the commands' own help. -->

[The command line, by task](command-line.md) shows the commands at work; this page lists every \
option. `make setup` installs the command as `.venv/bin/sesbounce`; the container image runs it as \
its entry point. Commands print results on standard output, and errors on standard error.

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


def settings_tables() -> str:
    """The settings, in their own order, with a table for each group."""
    lines = []
    for name, field in Settings.model_fields.items():
        if name in GROUPS:
            lines.append(f"\n## {GROUPS[name]}\n\n{_TABLE_HEAD}")
        value = field.default
        value = value.get_secret_value() if isinstance(value, SecretStr) else value
        default = f" `{value}`" if value not in (None, []) else ""
        lines.append(f"| `{PREFIX}{name.upper()}` |{default} | {field.description} |\n")
    return "".join([*lines, "\n"])


def settings_page(text: str) -> str:
    """The page docs/settings.md with its tables brought up to date.

    Raises:
        ScriptError: the page lacks the lines around the tables.
    """
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ScriptError(f"add the lines {_BEGIN.strip()} and {_END.strip()} to {SETTINGS.name}")
    return f"{before}{begin}{settings_tables()}{end}{after}"


def main() -> None:
    """Write the documents."""
    for page, text in (
        (COMMANDS, commands_page()),
        (SETTINGS, settings_page(SETTINGS.read_text("utf-8"))),
    ):
        with written(page) as output:
            output.write(text)


if __name__ == "__main__":
    main()
