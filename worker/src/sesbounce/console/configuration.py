"""The settings in force at the server, to be read; of a secret it shows only whether it is set."""

from typing import Any, NamedTuple

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from starlette.responses import Response

from sesbounce.console.asking import Ask, Console
from sesbounce.settings import PREFIX, Settings


class Shown(NamedTuple):
    """One setting.

    Attributes:
        variable: its environment variable.
        meaning: what it sets; in English.
        value: the value in force; None where it has none, or a secret one.
        is_set: whether it was set, instead of left at its default.
        option: the option of the command that set it, whatever the variable says; None without one.
        is_secret: whether its value is secret.
    """

    variable: str
    meaning: str
    value: str | None
    is_set: bool
    option: str | None
    is_secret: bool


def show(ask: Ask) -> Response:
    """Show all settings."""
    console = ask.console
    shown = [_shown(console, name, field) for name, field in Settings.model_fields.items()]
    return ask.page("settings", settings=shown)


def _shown(console: Console, name: str, field: FieldInfo) -> Shown:
    settings = console.parts.settings
    is_secret = "SecretStr" in str(field.annotation)
    return Shown(
        variable=f"{PREFIX}{name.upper()}",
        meaning=field.description or "",
        value=None if is_secret else _text(getattr(settings, name)),
        is_set=name in settings.model_fields_set,
        option=console.options.get(name),
        is_secret=is_secret,
    )


def _text(value: Any) -> str | None:
    """A value as its variable would hold it; None where there is none."""
    match value:
        case None | []:
            return None
        case bool():
            return str(value).lower()
        case list():
            return ",".join(map(str, value))
        case SecretStr():
            raise TypeError("a secret is not shown")
        case _:
            return str(value)
