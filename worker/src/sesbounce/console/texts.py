"""The texts of the console: one file for each language."""

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from markupsafe import Markup, escape

from sesbounce.telemetry.visible import visible

# The first one is for people whose browsers ask for none of them.
LANGUAGES: Mapping[str, str] = {"en": "English", "ja": "日本語"}
_DEFAULT = next(iter(LANGUAGES))
_CODE = re.compile("`([^`]+)`")


class Texts:
    """The texts of one language.

    Attributes:
        language: its tag (BCP 47).
    """

    def __init__(self, language: str, texts: Mapping[str, str]) -> None:
        self.language = language
        self._texts = texts

    def __call__(self, key: str, **values: object) -> Markup:
        """A text for a page.

        Args:
            key: its key; an unknown one is a KeyError.
            values: what stands for the names in braces. Texts in it are escaped, and their unsafe
                characters shown; markup stays what it is; whole numbers get commas.
        """
        shown = {name: _shown(value) for name, value in values.items()}
        return with_code(self._texts[key]).format(**shown)

    def counted(self, key: str, number: int, **values: object) -> Markup:
        """A text with a number: that with `.one` for 1, and that with `.more` for others."""
        return self(f"{key}.{'one' if number == 1 else 'more'}", number=number, **values)


def with_code(text: str) -> Markup:
    """A text of ours as markup: what stands between backticks is code."""
    escaped = str(escape(text))
    return Markup(_CODE.sub(r"<code>\1</code>", escaped))  # noqa: S704  it is escaped


@cache
def texts_of(language: str) -> Texts:
    """The texts of a language."""
    file = resources.files(__package__) / "texts" / f"{language}.toml"
    return Texts(language, dict(_flat("", tomllib.loads(file.read_text("utf-8")))))


def language_of(chosen: str | None, accepted: str) -> str:
    """The language for a person.

    Args:
        chosen: the one that the person has chosen, if any.
        accepted: the header Accept-Language (RFC 9110, 12.5.4).
    """
    if chosen is not None and chosen in LANGUAGES:
        return chosen
    ranges = (part.partition(";") for part in accepted.lower().split(","))
    by_quality = sorted(
        ((_quality(parameter), tag.strip().partition("-")[0]) for tag, _, parameter in ranges),
        key=lambda one: -one[0],
    )
    return next((tag for quality, tag in by_quality if quality and tag in LANGUAGES), _DEFAULT)


def _shown(value: object) -> object:
    if type(value) is int:
        return f"{value:,}"
    return visible(value) if type(value) is str else value


def _quality(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if name != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


def _flat(prefix: str, table: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The texts of a table and the tables in it, by keys with dots."""
    found: list[tuple[str, str]] = []
    for name, value in table.items():
        key = f"{prefix}{name}"
        found += _flat(f"{key}.", value) if isinstance(value, dict) else [(key, value)]
    return found
