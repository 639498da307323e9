"""The page that says what another policy would change. It changes nothing."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated, Any, NamedTuple

import msgspec
from pydantic import TypeAdapter, ValidationError
from starlette.responses import Response

from sesbounce.console.asking import WHAT_IF, Ask, PageError, onward
from sesbounce.console.difference import count_some
from sesbounce.operations.survey import Survey
from sesbounce.operations.what_if import WhatIf
from sesbounce.settings import PREFIX, Settings

NUMBERS = (
    "strikes",
    "strike_window_days",
    "probation_days",
    "probation_growth",
    "probation_longest_days",
    "not_attempted_days",
)
CHOICE = "possible_complaint"
CHOICES = ("strike", "suppress", "ignore")


class View(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a person has asked, and how far the count has got.

    Attributes:
        values: the values of the policy, by the names of their settings.
        survey: how far the count has got.
        total: how many addresses there were when it began; None before that.
        at_once: whether the answer must come at once. The next one counts from the beginning.
    """

    values: dict[str, int | float | str]
    survey: Survey = Survey()
    total: int | None = None
    at_once: bool = True


class Field(NamedTuple):
    """A number of the policy in the form.

    Attributes:
        name: the name of its setting.
        present: the number in the settings.
        given: what the person has typed.
        least: the least number that is possible.
        most: the greatest number that is possible.
        whole: whether it has no fraction.
        wrong: whether what the person has typed is none of these.
    """

    name: str
    present: Any
    given: Any
    least: Any
    most: Any
    whole: bool
    wrong: bool


def show(ask: Ask) -> Response:
    """Show the form, and what the numbers in the URL would change."""
    sealed = ask.query.get("view")
    if not sealed:
        return _page(ask, _present(ask))
    opened = ask.console.views.open(sealed, View)
    if opened is None or set(opened[0].values) != {*NUMBERS, CHOICE}:
        raise PageError(HTTPStatus.NOT_FOUND, "link")
    return _counted(ask, opened[0])


def choose(ask: Ask) -> Response:
    """Lead to what the numbers of the form would change."""
    given = {name: ask.form.get(name, "").strip() for name in (*NUMBERS, CHOICE)}
    values: dict[str, int | float | str] = {}
    wrong = set()
    for name, text in given.items():
        try:
            values[name] = _adapter(name).validate_python(text)
        except ValidationError:
            wrong.add(name)
    if wrong:
        return _page(ask, given, wrong=wrong)
    return ask.go(_path(ask, View(values=values)))


def _counted(ask: Ask, view: View) -> Response:
    """Continue the count, and show the difference."""
    console = ask.console
    policy = console.parts.settings.model_copy(update=view.values).policy
    what_if = WhatIf(console.engine, policy, console.now())
    if view.total is None and not view.at_once:
        view = msgspec.structs.replace(view, total=what_if.addresses())
    found = count_some(console, what_if.compare, view.survey, asked=not view.at_once)
    begins = view.at_once and not found.survey.ended
    survey = Survey() if begins else found.survey
    further = _path(ask, msgspec.structs.replace(view, survey=survey, at_once=False))
    present = _present(ask)
    settings = {
        f"{PREFIX}{name.upper()}": _text(value)
        for name, value in view.values.items()
        if present[name] != value
    }
    return _page(
        ask,
        view.values,
        found=found,
        headers=onward(further) if begins else None,
        begins=begins,
        total=max(view.total or 0, found.survey.addresses),
        further=further,
        in_shell=_in_shell(settings),
        in_terraform=_in_terraform(settings),
    )


def _page(
    ask: Ask, values: Mapping[str, Any], *, wrong: set[str] | None = None, **shown: Any
) -> Response:
    present = _present(ask)
    wrong = wrong or set()
    return ask.page(
        "what_if",
        HTTPStatus.UNPROCESSABLE_ENTITY if wrong else HTTPStatus.OK,
        fields=[_field(name, present[name], values[name], wrong) for name in NUMBERS],
        choice=values[CHOICE],
        present_choice=present[CHOICE],
        choices=CHOICES,
        choice_wrong=CHOICE in wrong,
        wrong=bool(wrong),
        is_present=all(values[name] == present[name] for name in present),
        **{"found": None, **shown},
    )


def _field(name: str, present: Any, given: Any, wrong: set[str]) -> Field:
    field = Settings.model_fields[name]
    least, most = (
        next(getattr(bound, side) for bound in field.metadata if hasattr(bound, side))
        for side in ("ge", "le")
    )
    whole = field.annotation is int
    return Field(name, _text(present), _text(given), least, most, whole, name in wrong)


def _present(ask: Ask) -> dict[str, Any]:
    return {name: getattr(ask.console.parts.settings, name) for name in (*NUMBERS, CHOICE)}


def _adapter(name: str) -> TypeAdapter[Any]:
    """Reads a value by the rules of its setting."""
    field = Settings.model_fields[name]
    kind: Any = Annotated[field.annotation, field]
    return TypeAdapter(kind)


def _text(value: Any) -> str:
    """A value as people write it: 2, and not 2.0."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _in_shell(settings: Mapping[str, str]) -> str:
    """The commands of a shell that apply settings; empty where there are none."""
    lines = [f"export {name}={value}" for name, value in settings.items()]
    return "\n".join([*lines, "sesbounce rebuild"]) if lines else ""


def _in_terraform(settings: Mapping[str, str]) -> str:
    """The same settings for Terraform, as it formats them."""
    width = max(map(len, settings), default=0)
    lines = [f'  {name:<{width}} = "{value}"' for name, value in settings.items()]
    return "\n".join(["environment = {", *lines, "}"])


def _path(ask: Ask, view: View) -> str:
    return f"{WHAT_IF}?view={ask.console.views.seal(view)}"
