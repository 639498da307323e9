"""What scripts.website says of a navigation and of errors; tests/acceptance builds the site."""

import pytest

from scripts.website import NavigationError, WebsiteError, check_navigation

NAVIGATION = [{"Start": ["README.md", {"Ask": "docs/ask.md"}]}, {"Costs": "docs/costs.md"}]


def test_each_page_is_in_the_navigation_once() -> None:
    check_navigation(NAVIGATION, ["README.md", "docs/ask.md", "docs/costs.md"])


def test_pages_that_are_missing_unknown_or_twice_are_named() -> None:
    with pytest.raises(NavigationError) as raised:
        check_navigation([NAVIGATION, "README.md"], ["README.md", "docs/ask.md", "docs/api.md"])
    assert str(raised.value).splitlines()[1:] == [
        "README.md: it is there 2 times",
        "docs/api.md: add a line for it",
        "docs/costs.md: there is no such page",
    ]


def test_an_error_that_is_no_broken_link_is_shown_as_it_is() -> None:
    assert str(WebsiteError("\x1b[31mError:\x1b[0m no such folder\n")) == "Error: no such folder"
