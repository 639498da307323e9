"""Draws charts as SVG: numbers in, markup out.

The style sheet of the console gives colours, strokes and sizes of letters, so that a chart follows
light, dark, a phone and paper. No chart depends on colour: lines differ by their dashes as well,
and the numbers stand in a table beside it.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from markupsafe import Markup

# In units of the drawing; the style sheet scales it to its place.
WIDTH, HEIGHT = 400, 170
_LEFT, _RIGHT, _TOP, _BOTTOM = 46, 392, 16, 144
# For the name of a limit, at the right end of its line.
_NAME = 100
# Above the highest limit, so that its name has a place.
_ROOM = 1.2
# A rate of few mails may be a hundred times its limit; it must not flatten all others.
_MOST = 2.0


class Limit(NamedTuple):
    """A line across the chart.

    Attributes:
        value: its height.
        name: what it means.
        label: its height for people.
    """

    value: float
    name: str
    label: str


class Spot(NamedTuple):
    """A place in the drawing.

    Attributes:
        x: from the left.
        y: from the top.
        above: whether the number is above the scale, and the place at its edge.
    """

    x: float
    y: float
    above: bool = False


def line(
    values: Sequence[float | None],
    limits: Sequence[Limit],
    *,
    title: str,
    description: str,
    ends: tuple[str, str],
) -> Markup:
    """Draw a number that changes from day to day.

    Args:
        values: the numbers in their order, none below 0; None leaves a gap.
        limits: lines to compare with, the lowest first; at least one.
        title: the name of the chart.
        description: what it shows, for people who do not see it.
        ends: the names of the first and the last number.
    """
    top = scale(values, limits)
    spots = [_spot(number, value, len(values), top) for number, value in enumerate(values)]
    runs = [
        [spot for spot in run if spot is not None]
        for missing, run in groupby(spots, lambda spot: spot is None)
        if not missing
    ]
    inside = Markup().join(
        [
            _text("0 %", _LEFT - 6, _BOTTOM, "end"),
            Markup('<line class="axis" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(
                _LEFT, _RIGHT, _BOTTOM, _BOTTOM
            ),
            *(_area(run) for run in runs if len(run) > 1),
            *(_limit(number, limit, top) for number, limit in enumerate(limits)),
            *(_run(run) for run in runs),
            *(_mark(spot) for run in runs for spot in run if spot.above),
            *(_names(limit, top, [spot for run in runs for spot in run]) for limit in limits),
            _text(ends[0], _LEFT, HEIGHT - 8, "start"),
            _text(ends[1], _RIGHT, HEIGHT - 8, "end"),
        ]
    )
    return Markup(
        '<svg class="chart" viewBox="0 0 {} {}" role="img"><title>{}</title><desc>{}</desc>{}</svg>'
    ).format(WIDTH, HEIGHT, title, description, inside)


def bar(share: float) -> Markup:
    """Draw a bar of a table, in whose row the number stands.

    Args:
        share: its length, from 0 to 1.
    """
    length = _number(100 * min(max(share, 0.0), 1.0))
    return Markup(
        '<svg class="share" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" '
        'focusable="false"><rect width="{}" height="8"/></svg>'
    ).format(length)


def scale(values: Sequence[float | None], limits: Sequence[Limit]) -> float:
    """The number at the upper edge of a chart."""
    highest = limits[-1].value
    largest = max((value for value in values if value is not None), default=0.0)
    return max(highest * _ROOM, min(largest, highest * _MOST))


def _spot(number: int, value: float | None, count: int, top: float) -> Spot | None:
    if value is None:
        return None
    step = (_RIGHT - _LEFT) / max(count - 1, 1)
    # One number alone stands at the right, where the latest one always is.
    x = _LEFT + step * number if count > 1 else float(_RIGHT)
    return Spot(x, _height(min(value, top), top), above=value > top)


def _height(value: float, top: float) -> float:
    return _BOTTOM - (_BOTTOM - _TOP) * value / top


def _limit(number: int, limit: Limit, top: float) -> Markup:
    return Markup('<line class="limit limit-{}" x1="{}" x2="{}" y1="{y}" y2="{y}"/>').format(
        number + 1, _LEFT, _RIGHT, y=_number(_height(limit.value, top))
    )


def _names(limit: Limit, top: float, spots: Sequence[Spot]) -> Markup:
    """What a limit means, above or below its line where it hides less; its height at the left."""
    y = _height(limit.value, top)
    near = [spot.y for spot in spots if spot.x > _RIGHT - _NAME]

    def room(place: float) -> float:
        return min((abs(place - one) for one in near), default=_TOP)

    above, below = y - 8, y + 10
    place = below if room(below) > room(above) else above
    return _text(limit.label, _LEFT - 6, y, "end") + _text(limit.name, _RIGHT, place, "end")


def _run(run: Sequence[Spot]) -> Markup:
    """Days that follow each other: a line; a day alone: a dot."""
    if len(run) == 1:
        (spot,) = run
        return Markup('<circle class="dot" cx="{}" cy="{}" r="3"/>').format(
            _number(spot.x), _number(spot.y)
        )
    return Markup('<polyline class="line" points="{}"/>').format(_points(run))


def _area(run: Sequence[Spot]) -> Markup:
    edges = [Spot(run[0].x, _BOTTOM), *run, Spot(run[-1].x, _BOTTOM)]
    return Markup('<polygon class="area" points="{}"/>').format(_points(edges))


def _mark(spot: Spot) -> Markup:
    """An arrow upwards: the number is above the scale."""
    corners = [Spot(spot.x - 5, spot.y), Spot(spot.x + 5, spot.y), Spot(spot.x, spot.y - 8)]
    return Markup('<polygon class="above" points="{}"/>').format(_points(corners))


def _points(spots: Sequence[Spot]) -> str:
    return " ".join(_pairs(spots))


def _pairs(spots: Sequence[Spot]) -> Iterator[str]:
    for spot in spots:
        yield f"{_number(spot.x)},{_number(spot.y)}"


def _text(text: str, x: float, y: float, anchor: str) -> Markup:
    return Markup('<text class="{}" x="{}" y="{}">{}</text>').format(
        anchor, _number(x), _number(y), text
    )


def _number(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
