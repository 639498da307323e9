import re
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from scripts.local import console, console_data
from tests.support import AT

SCHEMES = ("light", "dark")


def test_the_same_seed_gives_the_same_life() -> None:
    first, second = console_data.live(AT).days, console_data.live(AT).days
    assert first == second
    happened = [one for day in first.values() for one in day]
    assert len(happened) > 5000
    begins = AT - timedelta(days=console_data.DAYS)
    assert all(begins <= at < AT for at, _ in happened)
    assert console_data.live(AT, seed=2).days != first


@pytest.mark.parametrize(
    ("environment", "has_screen"),
    [
        ({}, sys.platform == "darwin"),
        ({"DISPLAY": ":0"}, True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, True),
        ({"DISPLAY": ":0", "CI": "true"}, False),
    ],
)
def test_a_browser_opens_only_where_a_person_sees_it(
    environment: dict[str, str], has_screen: bool
) -> None:
    assert console.has_screen(environment) == has_screen


def test_the_document_shows_small_pictures_and_says_what_is_on_them() -> None:
    docs = Path(console.__file__).parents[2] / "docs"
    page = (docs / "console.md").read_text()
    pictures = {file.name: file.stat().st_size for file in docs.glob("console-*.png")}
    taken = ("address", "suppressions", "overview", "dead-letters", "doctor")
    assert {f"console-{of}-{c}.png" for of in taken for c in SCHEMES} == set(pictures)
    assert max(pictures.values()) <= 100_000
    shown = dict(re.findall(r"\[([^\]]+)\]\((console-[a-z-]+\.png)\)", page))
    assert set(shown.values()) == set(pictures)
    assert len([text for text in re.findall(r"!\[(.*?)\]", page) if len(text) > 50]) == len(taken)


def test_the_quick_start_names_the_addresses_worth_seeing() -> None:
    page = (Path(console.__file__).parents[2] / "docs" / "quick-start.md").read_text()
    found = dict(re.findall(r"^\| `(.+@.+)` \| (.+) \|$", page, re.MULTILINE))
    assert found == console_data.LOOK_UP
