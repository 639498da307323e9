"""The console's pages in a real browser: what they look like, and for whom."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.console_browser import (
    PAPER,
    PATIENCE,
    PHONE,
    SCREEN,
    UTC_TIME,
    enter,
    examine,
    fits,
    follow,
    late,
    look_up,
    open_bulk,
    open_causes,
    open_change,
    open_letters,
    open_what_if,
    page_of,
    tab_to,
    type_into,
    violations,
)
from tests.acceptance.console_process import CARL, JANE, LONG, Console


def test_look_up_why_allow_with_a_note_and_undo_by_keyboard_alone(
    browser: Browser, console: Console
) -> None:
    with page_of(browser, console, timezone_id="Asia/Tokyo") as page:
        type_into(page, "#address", "Jane <JANE@example.com>")
        expect(page.locator(".verdict.suppressed")).to_be_visible()
        assert JANE not in page.url
        # The times of the reader's zone, with UTC beside them.
        since = page.locator(".verdict time").first.inner_text()
        assert re.fullmatch(rf".*GMT\+9 \({UTC_TIME}\)", since)
        tab_to(page, "Skip to the content", 1)
        tab_to(page, "Bounce 5.1.1 Why this reason")
        page.keyboard.press("Enter")
        expect(page.locator(".decided").first).to_be_visible()
        tab_to(page, "Note")
        page.keyboard.type("asked by phone")
        tab_to(page, "Allow", 1)
        enter(page)
        expect(page.locator(".verdict.free")).to_be_visible()
        assert page.locator("[role=status]").inner_text().startswith("The address may be mailed.")
        assert page.locator(".event .note").first.inner_text() == "asked by phone"
        assert "token mary" in page.locator(".event .by").first.inner_text()
        page.reload()
        tab_to(page, "Undo")
        enter(page)
        expect(page.locator(".verdict.suppressed")).to_be_visible()
        assert "was undone" in page.locator("[role=status]").inner_text()
        page.go_back()
        expect(page.locator(".verdict")).to_be_visible()
        tab_to(page, "Log out")
        enter(page)
        assert page.url.endswith("/console/login")


PAGES: dict[str, Callable[[Page], object]] = {
    "overview": lambda page: page.goto("/console/overview"),
    "look up": lambda page: page.goto("/console"),
    "an error": lambda page: page.goto("/console/nothing"),
    "list": lambda page: page.goto("/console/suppressions"),
    "all that match": open_bulk,
    "incidents": lambda page: page.goto("/console/incidents"),
    "an incident": lambda page: page.goto("/console/incidents/1"),
    "its difference": open_change,
    "what if": open_what_if,
    "dead letters": lambda page: page.goto("/console/dead-letters"),
    "their causes": open_causes,
    "dead letters of a cause": open_letters,
    "deliveries": lambda page: page.goto("/console/deliveries"),
    "doctor": examine,
    "audit": lambda page: page.goto("/console/audit"),
    "settings": lambda page: page.goto("/console/settings"),
    "suppressed": lambda page: look_up(page, JANE),
    "unknown": lambda page: look_up(page, "nobody@example.com"),
    "strikes": lambda page: look_up(page, CARL),
    "long": lambda page: look_up(page, LONG),
    "forget": lambda page: follow(page, "a.danger-link"),
}


@pytest.mark.parametrize(
    ("context", "rules"),
    [
        pytest.param({"viewport": PHONE, "locale": "ja-JP"}, (), id="phone"),
        pytest.param({"color_scheme": "dark"}, ("color-contrast",), id="dark"),
    ],
)
def test_each_page_is_for_everybody(
    browser: Browser, console: Console, context: dict[str, Any], rules: tuple[str, ...]
) -> None:
    # A colour that is about to change is none that a person reads.
    with page_of(browser, console, reduced_motion="reduce", **context) as page:
        for name, open_page in PAGES.items():
            open_page(page)
            for closed in page.locator("summary").all():
                closed.click()
            assert fits(page), name
            assert violations(page, *rules) == [], name
            page.set_viewport_size(PAPER)
            page.emulate_media(media="print")
            assert fits(page), f"{name} in print"
            page.emulate_media(media="screen")
            page.set_viewport_size(context.get("viewport", SCREEN))


def test_times_are_those_of_the_reader_with_utc_beside(browser: Browser, console: Console) -> None:
    with page_of(browser, console, timezone_id="America/New_York") as page:
        look_up(page, "dora@example.com")
        times = page.locator(".event .when time")
        assert [" ".join(text.split()) for text in times.all_inner_texts()] == [
            "Nov 3, 2024, 01:30 EST (2024-11-03 06:30 UTC)",
            "Nov 3, 2024, 01:30 EDT (2024-11-03 05:30 UTC)",
        ]
        # A screen reader reads it once.
        assert times.first.aria_snapshot() == "- time: Nov 3, 2024, 01:30 EST"
        assert "Times are those of America/New_York" in page.locator("footer p").inner_text()
        page.goto("/console/incidents")
        page.fill("#begins", "2024-11-03T06:30")
        assert page.locator("#begins-local").inner_text() == "= Nov 3, 2024, 01:30 EST"
        # However late the script comes, its times do not push what a person reads already.
        page.route("**/console.js", late)
        page.goto("/console/suppressions")
        shifts = """() => new Promise(done => {
            new PerformanceObserver(list => done(list.getEntries().map(e => e.value)))
                .observe({type: "layout-shift", buffered: true});
            setTimeout(() => done([]), 500);
        })"""
        assert page.evaluate(shifts) == []


def test_the_keyboard_follows_what_a_phone_shows(browser: Browser, console: Console) -> None:
    with page_of(browser, console, viewport=PHONE) as page:
        look_up(page, JANE)
        tab_to(page, "Log out", 3)
        tab_to(page, "Overview", 1)
        # Past the other nine pages.
        tab_to(page, "Note", 10)
        tab_to(page, "Bounce 5.1.1 Why this reason", 3)


def test_what_is_folded_is_open_in_print(browser: Browser, console: Console) -> None:
    with page_of(browser, console, color_scheme="dark") as page:
        page.goto("/console/overview")
        rows = page.locator(".days tbody tr")
        expect(rows.first).to_be_hidden()
        page.emulate_media(media="print")
        expect(rows.first).to_be_visible()
        expect(rows.last).to_be_visible()
        expect(page.locator("nav").first).to_be_hidden()
        expect(page.locator("body")).to_have_css("color", "rgb(0, 0, 0)")


def computed(page: Page, selector: str, *properties: str) -> list[dict[str, str]]:
    """The computed values of properties of the elements that a page shows."""
    script = """(elements, properties) => elements.filter(e => e.checkVisibility()).map(e => {
        const style = getComputedStyle(e);
        return Object.fromEntries(properties.map(name => [name, style.getPropertyValue(name)]));
    })"""
    found: list[dict[str, str]] = page.locator(selector).evaluate_all(script, [*properties])
    return found


def test_in_high_contrast_nothing_is_said_by_a_background_alone(
    browser: Browser, console: Console
) -> None:
    """A browser replaces all colours then, and leaves borders, texts and the kinds of lines."""
    with page_of(browser, console, forced_colors="active") as page:
        tab_to(page, "Look up", 1)
        ring = computed(page, ":focus", "outline-style", "outline-width", "outline-color")
        (text,) = computed(page, "body", "color", "background-color")
        assert ring[0]["outline-width"] == "3px"
        assert ring[0]["outline-color"] != text["background-color"]
        for name in ("overview", "suppressed", "strikes", "doctor", "settings", "list"):
            PAGES[name](page)
            tags = computed(page, ".tag, .words, .share", "border-style", "border-width")
            assert tags, name
            borders = {tuple(tag.values()) for tag in tags}
            assert borders == {("solid", "1px")}, name
            # Each badge has words, and is no mere colour.
            assert all(page.locator(".tag:visible").all_inner_texts()), name
            for here in computed(page, ".bar nav a[aria-current]", "outline-style"):
                assert here["outline-style"] == "solid", name
        PAGES["overview"](page)
        kinds = [
            computed(page, f".chart {each}", "stroke", "stroke-dasharray")[0]
            for each in (".line", ".limit-1", ".limit-2")
        ]
        assert {kind["stroke"] for kind in kinds} == {text["color"]}
        assert len({kind["stroke-dasharray"] for kind in kinds}) == len(kinds)
        assert computed(page, ".chart .area", "fill")[0]["fill"] == "none"
        PAGES["strikes"](page)
        (on,) = computed(page, ".pips .on", "background-color")
        off = computed(page, ".pips i:not(.on)", "background-color")
        assert off
        assert on["background-color"] == text["color"] != off[0]["background-color"]


def test_without_motion_nothing_moves(browser: Browser, console: Console) -> None:
    moving = """() => [...document.querySelectorAll("*")].filter(e => {
        const style = getComputedStyle(e);
        return style.animationName !== "none" || style.transitionDuration !== "0s"
            || style.scrollBehavior !== "auto";
    }).length + document.getAnimations().length"""
    ended = """() => Promise.allSettled(document.getAnimations().map(each => each.finished))
        .then(() => null)"""
    with page_of(browser, console) as page:
        for name in ("overview", "strikes", "list", "doctor", "dead letters"):
            PAGES[name](page)
            page.emulate_media(reduced_motion="no-preference")
            assert page.evaluate(moving), name
            # What moves already would go on.
            page.evaluate(ended)
            page.emulate_media(reduced_motion="reduce")
            page.hover("main a, main button")
            assert not page.evaluate(moving), name


def test_the_login_page_is_for_everybody(browser: Browser, console: Console) -> None:
    with browser.new_context(base_url=console.url, viewport=PHONE) as context:
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.goto("/console")
        page.fill("#token", "wrong")
        enter(page)
        expect(page.locator("[role=alert]")).to_be_visible()
        assert fits(page)
        assert violations(page) == []
