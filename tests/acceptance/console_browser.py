"""The pages of the console in a real browser."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route, ViewportSize, expect

from tests.acceptance.console_process import Console
from tests.support import until

UTC_TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d UTC"
# A small phone, which is what 400 % leave of a screen of 1280 (WCAG 2.2, 1.4.10).
PHONE = ViewportSize(width=320, height=640)
PAPER = ViewportSize(width=718, height=1000)
SCREEN = ViewportSize(width=1200, height=900)
# How long a page may take on a busy machine, in milliseconds.
PATIENCE = 60_000
expect.set_options(timeout=PATIENCE)


@contextmanager
def page_of(browser: Browser, console: Console, **context: Any) -> Iterator[Page]:
    """A page in a browser of its own, which is logged in; no answer may break the CSP."""
    with browser.new_context(base_url=console.url, **{"viewport": SCREEN, **context}) as opened:
        page = opened.new_page()
        page.set_default_timeout(PATIENCE)
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto("/console/login")
        type_into(page, "#token", console.token)
        # A page gives its field the focus a moment after it has loaded; a Tab before that goes
        # elsewhere.
        expect(page.locator("#address")).to_be_focused()
        yield page
        assert [text for text in complaints if "Content Security Policy" in text] == []
        assert [text for text in complaints if "Error" in text] == []


def fits(page: Page) -> bool:
    """Whether a page needs no horizontal scrolling."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def follow(page: Page, selector: str) -> None:
    """Click a link or a button, and wait until the page that it leads to has loaded."""
    with page.expect_navigation():
        page.click(selector)


def enter(page: Page) -> None:
    """Press Enter, and wait until the page that it leads to has loaded."""
    with page.expect_navigation():
        page.keyboard.press("Enter")


def type_into(page: Page, field: str, text: str) -> None:
    """Type into the field that has the focus when a page opens, and send its form."""
    expect(page.locator(field)).to_be_focused()
    page.keyboard.type(text)
    enter(page)


def late(route: Route) -> None:
    """Let a file come after a browser would show the page without it."""
    time.sleep(0.5)
    route.continue_()


def violations(page: Page, *rules: str) -> list[tuple[str, list[str]]]:
    """What axe-core finds against WCAG and good practice, or rules of it: with the elements."""
    options = {"runOnly": list(rules)} if rules else None
    found = Axe().run(page, options=options).response["violations"]
    return [(one["id"], [node["html"] for node in one["nodes"]]) for one in found]


def look_up(page: Page, address: str) -> None:
    page.goto("/console")
    type_into(page, "#address", address)
    expect(page.locator(".verdict")).to_be_visible()


def tab_to(page: Page, name: str, most: int = 40) -> None:
    """Press Tab until an element with this text, or this label, has the focus."""
    script = """() => {
        const e = document.activeElement;
        const label = e.labels && e.labels[0] ? e.labels[0].textContent : "";
        return (label || e.textContent).trim().replace(/\\s+/g, " ");
    }"""
    for _ in range(most):
        page.keyboard.press("Tab")
        if page.evaluate(script) == name:
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline == "solid", f"nobody sees that {name} has the focus"
            return
    raise AssertionError(f"Tab does not reach {name}")


def open_bulk(page: Page) -> None:
    """Filter the list, and ask to allow all that match."""
    page.goto("/console/suppressions")
    page.fill("#domain", "example.org")
    follow(page, ".filters button")
    follow(page, ".pager .last")


def open_change(page: Page) -> None:
    """Ask what opening the suspected incident would change."""
    page.goto("/console/incidents/1")
    follow(page, "button[value=open]")
    expect(page.locator("#note")).to_be_visible()


def open_what_if(page: Page) -> None:
    """Ask what fewer strikes would change."""
    page.goto("/console/what-if")
    page.fill("#strikes", "1")
    follow(page, "button.primary")
    expect(page.locator(".apply")).to_be_visible()


def examine(page: Page) -> None:
    """Make the checks of the doctor, and wait for their results."""
    button = "main button.primary"

    def nobody_examines() -> bool:
        page.goto("/console/doctor")
        return page.locator(button).count() == 1

    # The examination of another test may still go on.
    until(nobody_examines)
    follow(page, button)
    until(nobody_examines)
    expect(page.locator(".totals")).to_be_visible()


def open_causes(page: Page) -> None:
    """Look at the dead letters."""
    page.goto("/console/dead-letters")
    follow(page, "button.primary")
    expect(page.locator(".list")).to_be_visible()


def open_letters(page: Page, cause: str = "not JSON") -> None:
    """Open the dead letters with a cause."""
    open_causes(page)
    with page.expect_navigation():
        page.locator("tr", has_text=cause).locator("button").click()
    expect(page.locator("article").first).to_be_visible()
