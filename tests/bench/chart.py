"""The chart of the worker's benchmark, as SVG."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from tests.bench.figures import Samples, median

_OURS, _OTHERS = "#0b6e4f", "#9aa5b1"
# The same figures make the same file, and its text stays text.
_SETTINGS = {"svg.hashsalt": "sesbounce", "svg.fonttype": "none", "font.family": "sans-serif"}


def draw(samples: Samples, names: Mapping[str, str], file: Path) -> None:
    """Draw messages per second and CPU per message, a bar a contestant.

    Args:
        samples: the samples by contestant.
        names: the contestants' names by their letters, from top to bottom.
        file: where the SVG goes.
    """
    letters = [letter for letter in names if letter in samples]
    labels = [f"({letter}) {names[letter]}" for letter in letters]
    colours = [_OURS if letter.startswith("h") else _OTHERS for letter in letters]
    rates = [median(samples[letter], lambda s: s.rate) for letter in letters]
    cpu = [median(samples[letter], lambda s: s.cpu) for letter in letters]
    with mpl.rc_context(_SETTINGS):
        figure = Figure(figsize=(10, 0.42 * len(letters) + 1), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        for axes, title, values in (
            (left, "messages per second (longer is better)", rates),
            (right, "CPU microseconds per message (shorter is better)", cpu),
        ):
            bars = axes.barh(labels, values, color=colours)
            axes.bar_label(bars, [f"{value:,.0f}" for value in values], padding=3)
            axes.set_title(title, fontsize="medium")
            axes.margins(x=0.18)
            axes.xaxis.set_visible(False)
            axes.spines[["top", "right", "bottom"]].set_visible(False)
        left.invert_yaxis()
        figure.savefig(file, format="svg", metadata={"Date": None})
