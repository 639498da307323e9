"""Renders pages: every text is escaped, and shows characters that would act on a reader."""

import hashlib
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import Any

import jinja2
from markupsafe import Markup

from sesbounce.console.charts import bar
from sesbounce.console.texts import with_code
from sesbounce.policy.rates import percent
from sesbounce.telemetry.visible import visible_lines

STATIC = {
    "console.css": "text/css; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
_TEMPLATES = resources.files(__package__) / "templates"


@cache
def static(name: str) -> bytes:
    """The content of a static file, which `STATIC` lists."""
    return (resources.files(__package__) / "static" / name).read_bytes()


def render(template: str, **context: Any) -> str:
    """Render a page."""
    return _environment().get_template(f"{template}.html").render(context)


def time(moment: datetime) -> Markup:
    """A time for people: UTC, and by the script also that of the reader's zone."""
    utc = moment.astimezone(UTC)
    element = Markup('<time datetime="{}">{}</time>')
    return element.format(f"{utc:%Y-%m-%dT%H:%M:%SZ}", f"{utc:%Y-%m-%d %H:%M} UTC")


def prose(text: str) -> Markup:
    """A sentence of a check or of an error: what stands between backticks is code."""
    return with_code(visible_lines(text))


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_source),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_finalized,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {
        "time": time,
        "percent": percent,
        "bar": bar,
        "asset": _asset,
        "with_code": with_code,
        "prose": prose,
    }
    return environment


def _source(name: str) -> str:
    return (_TEMPLATES / name).read_text("utf-8")


def _finalized(value: Any) -> Any:
    """What a template prints; a text of ours is markup already."""
    return visible_lines(value) if type(value) is str else value


def _asset(name: str) -> str:
    """The path of a static file; it changes with its content, so that browsers may keep it."""
    return f"/console/static/{hashlib.sha256(static(name)).hexdigest()[:16]}/{name}"
