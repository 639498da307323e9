"""The options of `sesbounce dlq`: which queue, and which of its letters."""

import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import reduce, wraps
from typing import Any, NamedTuple, TypeVar, get_args

import click

from sesbounce.cli.common import as_json, now, yes
from sesbounce.cli.person import by_option, user
from sesbounce.dead_letters.examining import Wanted
from sesbounce.dead_letters.grouping import Which

_F = TypeVar("_F", bound=Callable[..., Any])
_AGE = re.compile(r"(\d{1,4})([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class _Age(click.ParamType[timedelta]):
    """The age of a letter on the command line."""

    name = "age"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        """Read the age."""
        found = _AGE.fullmatch(value)
        if not found:
            self.fail(f"{value!r} is not an age: write 30m, 12h, 3d or 2w", param, ctx)
        return timedelta(**{_UNITS[found[2]]: int(found[1])})


class Place(NamedTuple):
    """Which dead-letter queue a command is about.

    Attributes:
        which: `main` or `subscription`.
        url: its URL; None where the command has to find it.
    """

    which: Which
    url: str | None


class How(NamedTuple):
    """How a command handles letters.

    Attributes:
        rate: how many in a second at most; None for no limit.
        dry_run: whether to count them only.
        by: the person who decides.
        yes: whether not to ask a person.
        as_json: whether to print JSON.
    """

    rate: int | None
    dry_run: bool
    by: str
    yes: bool
    as_json: bool


_PLACE = [
    click.option(
        "--queue",
        "which",
        type=click.Choice(get_args(Which)),
        default="main",
        help="main: the letters that the worker could not handle; subscription: those that SNS "
        "could not deliver to the queue.  [default: main]",
    ),
    click.option(
        "--queue-url",
        "url",
        metavar="URL",
        help="URL of the dead-letter queue.  [default: the command finds it by the queue "
        "SESBOUNCE_QUEUE_URL]",
    ),
]
_HOW = [
    click.option(
        "--rate",
        type=click.IntRange(min=1),
        metavar="NUMBER",
        help="Handle at most this many letters in a second.",
    ),
    click.option("--dry-run", is_flag=True, help="Count the letters, and change nothing."),
    by_option,
    yes,
    as_json,
]
_FILTERS = [
    click.option(
        "--older",
        type=_Age(),
        help="Only letters that were sent longer ago than this: 30m, 12h, 3d, 2w.",
    ),
    click.option("--newer", type=_Age(), help="Only letters that were sent within this time."),
    click.option(
        "--code",
        "codes",
        multiple=True,
        metavar="CODE",
        help="Only letters with this ErrorCode of SNS; you may repeat the option.",
    ),
    click.option(
        "--fingerprint",
        "fingerprints",
        multiple=True,
        metavar="HEX",
        help="Only letters with this fingerprint, which `list` prints and the worker logs; you "
        "may repeat the option.",
    ),
]
_UNDERSTOOD = click.option(
    "--understood/--not-understood",
    default=None,
    help="Only letters that this version understands, or only the others.",
)


def of_queue(command: _F) -> Callable[..., Any]:
    """Add the options that name the queue; the command gets them as one `Place`, `place`."""

    @wraps(command)
    def run(*, which: Which, url: str | None, **values: Any) -> Any:
        return command(place=Place(which, url), **values)

    return _with(_PLACE, run)


def handling(command: _F) -> Callable[..., Any]:
    """Add the options of a command that changes the queue; it gets them as one `How`, `how`."""

    @wraps(command)
    def run(
        *,
        rate: int | None,
        dry_run: bool,
        by: str | None,
        yes: bool,
        as_json: bool,
        **values: Any,
    ) -> Any:
        return command(how=How(rate, dry_run, by or user(), yes, as_json), **values)

    return _with(_HOW, run)


def filtered(*, understood: bool = True) -> Callable[[_F], Callable[..., Any]]:
    """Add the options that select letters; the command gets them as one `Wanted`, `wanted`.

    Args:
        understood: whether --understood is one of them; without it, letters need not be told apart.
    """
    options = [*_FILTERS, _UNDERSTOOD] if understood else _FILTERS

    def with_options(command: _F) -> Callable[..., Any]:
        @wraps(command)
        def run(
            *,
            older: timedelta | None,
            newer: timedelta | None,
            codes: Sequence[str],
            fingerprints: Sequence[str],
            understood: bool | None = None,
            **values: Any,
        ) -> Any:
            moment = now()
            wanted = Wanted(
                before=None if older is None else moment - older,
                since=None if newer is None else moment - newer,
                codes=codes,
                fingerprints=fingerprints,
                understood=understood,
            )
            return command(wanted=wanted, **values)

        return _with(options, run)

    return with_options


def _with(options: Sequence[Callable[..., Any]], command: _F) -> _F:
    return reduce(lambda made, option: option(made), reversed(options), command)
