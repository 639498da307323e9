"""The settings of the server, to be read; of a secret it shows only whether it is set."""

from typing import Any, NamedTuple

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from starlette.responses import Response

from sesbounce.console.asking import Ask
from sesbounce.settings import PREFIX, Settings


class Shown(NamedTuple):
    """One setting.

    Attributes:
        variable: its environment variable.
        meaning: what it sets; in English.
        value: its value; None where it has none, or a secret one.
        is_set: whether it was set, instead of left at its default.
        is_secret: whether its value is secret.
    """

    variable: str
    meaning: str
    value: str | None
    is_set: bool
    is_secret: bool


def show(ask: Ask) -> Response:
    """Show all settings."""
    settings = ask.console.parts.settings
    shown = [_shown(settings, name, field) for name, field in Settings.model_fields.items()]
    return ask.page("settings", settings=shown)


def _shown(settings: Settings, name: str, field: FieldInfo) -> Shown:
    is_secret = "SecretStr" in str(field.annotation)
    return Shown(
        variable=f"{PREFIX}{name.upper()}",
        meaning=field.description or "",
        value=None if is_secret else _text(getattr(settings, name)),
        is_set=name in settings.model_fields_set,
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
