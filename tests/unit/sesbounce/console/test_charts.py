"""Charts: the scale, gaps, a day alone, and numbers above the scale."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from typing import Any

import pytest

from sesbounce.console.charts import HEIGHT, WIDTH, Limit, bar, line, scale

LIMITS = [Limit(0.05, "AWS reviews", "5 %"), Limit(0.1, "AWS may pause", "10 %")]


def drawn(values: Sequence[float | None], **more: Any) -> ET.Element:
    names = {"title": "Rate", "description": "What it shows", "ends": ("10-28", "11-26"), **more}
    return ET.fromstring(line(values, LIMITS, **names))  # noqa: S314  it is our own


def points(chart: ET.Element, kind: str) -> list[list[tuple[float, float]]]:
    """The points of the shapes of a class."""
    return [
        [(float(x), float(y)) for x, y in re.findall(r"([\d.]+),([\d.]+)", shape.get("points", ""))]
        for shape in chart
        if shape.get("class") == kind
    ]


def heights(chart: ET.Element) -> list[float]:
    """The heights of the limits, from the top."""
    return [float(s.get("y1", "")) for s in chart if "limit " in s.get("class", "")]


def bottom(chart: ET.Element) -> float:
    (axis,) = (float(shape.get("y1", "")) for shape in chart if shape.get("class") == "axis")
    return axis


@pytest.mark.parametrize(
    ("values", "top"),
    [
        ([], 0.12),
        ([None, None], 0.12),
        ([0.0], 0.12),
        ([0.01, 0.05], 0.12),
        ([0.01, 0.15], 0.15),
        ([0.01, 1.0], 0.2),
    ],
)
def test_the_scale_has_room_for_the_limits_and_is_not_flattened_by_one_day(
    values: list[float | None], top: float
) -> None:
    assert scale(values, LIMITS) == pytest.approx(top)


def test_heights_are_in_proportion() -> None:
    chart = drawn([0.0, 0.05, 0.1])
    (run,) = points(chart, "line")
    assert [x for x, _ in run] == [46, 219, 392]
    zero, review, pause = (y for _, y in run)
    assert zero == bottom(chart)
    assert [review, pause] == heights(chart)
    assert zero - pause == pytest.approx(2 * (zero - review), abs=0.2)
    assert points(chart, "above") == []


def test_a_gap_parts_the_line_and_a_day_alone_is_a_dot() -> None:
    chart = drawn([0.01, 0.02, None, 0.03, None, None, 0.01, 0.02, 0.03])
    assert [len(run) for run in points(chart, "line")] == [2, 3]
    assert [len(area) for area in points(chart, "area")] == [4, 5]
    (dot,) = (shape for shape in chart if shape.get("class") == "dot")
    assert float(dot.get("cx", "")) == pytest.approx(46 + 346 * 3 / 8, abs=0.1)


@pytest.mark.parametrize("values", [[], [None], [None] * 30])
def test_without_numbers_there_are_the_limits_alone(values: list[float | None]) -> None:
    chart = drawn(values)
    assert {shape.get("class", "").partition(" ")[0] for shape in chart} == {
        "", "axis", "limit", "end", "start",
    }  # fmt: skip
    assert len(heights(chart)) == 2


def test_one_number_stands_at_the_right() -> None:
    (dot,) = (shape for shape in drawn([0.0]) if shape.get("class") == "dot")
    assert (dot.get("cx"), dot.get("cy")) == ("392", "144")


def test_a_number_above_the_scale_is_at_its_edge_with_an_arrow() -> None:
    chart = drawn([0.01, 1.0, 0.01])
    (run,) = points(chart, "line")
    (arrow,) = points(chart, "above")
    assert run[1][1] == 16
    assert [x for x, _ in arrow] == [run[1][0] - 5, run[1][0] + 5, run[1][0]]
    for x, y in [*run, *arrow]:
        assert 0 <= x <= WIDTH
        assert 0 <= y <= HEIGHT


@pytest.mark.parametrize(("value", "is_above"), [(0.045, True), (0.055, False)])
def test_the_name_of_a_limit_stands_where_the_line_is_not(value: float, is_above: bool) -> None:
    chart = drawn([value] * 30)
    (name,) = (float(text.get("y", "")) for text in chart if text.text == "AWS reviews")
    assert (name < heights(chart)[0]) == is_above


def test_a_chart_is_an_image_with_a_name_and_holds_no_style() -> None:
    chart = drawn([0.01], title="<b>&\u202e", description="</desc><script>")
    assert chart.get("role") == "img"
    title, description = chart[0], chart[1]
    assert (title.tag, title.text) == ("title", "<b>&\u202e")
    assert (description.tag, description.text) == ("desc", "</desc><script>")
    texts = [text.text for text in chart if text.tag == "text"]
    assert texts == ["0 %", "5 %", "AWS reviews", "10 %", "AWS may pause", "10-28", "11-26"]
    assert "style" not in line([0.5], LIMITS, title="", description="", ends=("", ""))


@pytest.mark.parametrize(
    ("share", "width"), [(-1, "0"), (0, "0"), (0.125, "12.5"), (1, "100"), (7, "100")]
)
def test_a_bar_is_as_long_as_its_share(share: float, width: str) -> None:
    drawing = ET.fromstring(bar(share))  # noqa: S314  it is our own
    assert drawing[0].get("width") == width
    # The number stands beside it.
    assert drawing.get("aria-hidden") == "true"
