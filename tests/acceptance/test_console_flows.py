"""What people do in the console, from one page to the next, in a real browser."""

import json
import os
import re
import shlex
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.acceptance.console_browser import (
    UTC_TIME,
    enter,
    examine,
    fits,
    follow,
    look_up,
    open_bulk,
    open_change,
    open_letters,
    open_what_if,
    page_of,
    tab_to,
)
from tests.acceptance.console_process import CARL, EVE, JANE, Console
from tests.stored import DAY


def test_without_javascript_everything_works(browser: Browser, console: Console) -> None:
    with page_of(browser, console, java_script_enabled=False, timezone_id="Asia/Tokyo") as page:
        open_what_if(page)
        assert fits(page)
        assert page.locator(".changes tbody tr").count() == 1
        look_up(page, JANE)
        assert re.fullmatch(UTC_TIME, page.locator(".verdict time").first.inner_text())
        assert page.locator("footer p").inner_text() == "All times are UTC."
        page.locator("summary").first.click()
        expect(page.locator(".decided").first).to_be_visible()
        examine(page)
        assert "an event was recorded lately" in page.locator("main").inner_text()
        page.goto("/console/overview")
        expect(page.locator("svg.chart").first).to_be_visible()
        page.locator(".days summary").first.click()
        expect(page.locator(".days tbody tr").first).to_be_visible()
        follow(page, "text=日本語")
        assert page.locator("html").get_attribute("lang") == "ja"
        assert page.locator(".days tbody tr").count()


def test_filter_allow_all_that_match_with_a_note_and_undo(
    browser: Browser, console: Console
) -> None:
    with page_of(browser, console, java_script_enabled=False) as page:
        page.goto("/console/suppressions")
        page.fill("#domain", "example.org")
        follow(page, "button.primary")
        assert page.locator(".list tbody tr").count() == 50
        follow(page, "a[rel=next]")
        assert page.locator(".list tbody tr").count() == 10
        assert "example" not in page.url
        open_bulk(page)
        page.fill("#note", "their outage")
        follow(page, "text=Allow 60 addresses")
        assert page.locator("[role=status]").inner_text().startswith("60 addresses were allowed.")
        assert page.locator(".empty").count() == 1
        follow(page, "text=Undo")
        follow(page, "a[rel=next]")
        assert page.locator(".list tbody tr").count() == 10


def test_an_incident_is_opened_and_closed(browser: Browser, console: Console) -> None:
    with page_of(browser, console, java_script_enabled=False) as page:
        page.goto("/console/incidents")
        page.fill("#provider", "example.net")
        page.fill("#begins", f"{datetime.now(UTC) - 3 * DAY:%Y-%m-%dT%H:%M}")
        follow(page, "button.primary")
        assert page.locator(".changes tbody th").all_inner_texts() == [EVE]
        page.fill("#note", "mails bounce that came before")
        follow(page, "text=Save: release 1, suppress 0")
        assert "is saved" in page.locator("[role=status]").inner_text()
        assert page.locator(".tag.incident-open").count() == 1
        assert page.locator(".addresses").inner_text() == EVE
        # It ends before the bounce: so it does not keep the address from suppression.
        page.fill("#ends", f"{datetime.now(UTC) - 2.5 * DAY:%Y-%m-%dT%H:%M}")
        follow(page, "button[value=close]")
        page.fill("#note", "it was over sooner")
        follow(page, "text=Save: release 0, suppress 0")
        assert page.locator(".tag.incident-closed").count() == 1
        assert page.locator(".addresses").count() == 0
        # The one that the detection suspects.
        open_change(page)
        assert page.locator(".list tbody tr").count() == 3
        page.fill("#note", "their status page")
        follow(page, "text=Save: release 3, suppress 0")
        assert page.locator(".tag.incident-closed").count() == 1
        page.goto("/console/incidents")
        assert page.locator(".tag.incident-closed").count() == 2


def test_what_if_is_applied_as_the_page_says(
    browser: Browser, console: Console, tmp_path: Path
) -> None:
    copy = tmp_path / console.file.name
    with closing(sqlite3.connect(console.file)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    with page_of(browser, console) as page:
        open_what_if(page)
        predicted = page.locator(".totals dd").all_inner_texts()
        addresses = page.locator(".changes tbody th a").all_inner_texts()
        commands, in_terraform, _ = page.locator(".copyable").all_inner_texts()
    assert CARL in addresses
    *exports, command = commands.splitlines()
    assert command == "sesbounce rebuild"
    settings = dict(shlex.split(line)[1].split("=") for line in exports)
    assert re.findall(r'(\w+) += "(.*)"', in_terraform) == list(settings.items())
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    applied = subprocess.run(
        ["/bin/sh", "-ec", commands],
        env={**console.environment, "SESBOUNCE_DATABASE_URL": f"sqlite:///{copy}", "PATH": path},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    changes = re.findall(r"^(\S+@\S+): (is released|is suppressed|stays)", applied, re.MULTILINE)
    assert [address for address, _ in changes] == addresses
    verbs = [verb for _, verb in changes]
    assert predicted == [str(verbs.count(v)) for v in ("is released", "is suppressed", "stays")]
    restarted = Console(copy, console.token, settings)
    with page_of(browser, restarted) as page:
        look_up(page, CARL)
        assert page.locator(".verdict.suppressed").count() == 1
        page.goto("/console/what-if")
        follow(page, "button.primary")
        assert "all addresses are judged by them" in page.locator(".notice.good").inner_text()
        assert page.locator(".totals dd").all_inner_texts() == ["0", "0", "0"]
        assert page.locator(".apply").count() == 0
    restarted.end()


def test_dead_letters_by_keyboard_alone(browser: Browser, console: Console) -> None:
    with page_of(browser, console) as page:
        page.goto("/console/dead-letters")
        tab_to(page, "Look at the letters of the queue")
        enter(page)
        expect(page.locator(".list")).to_be_visible()
        assert "looked at 5 letters" in page.locator("[role=status]").inner_text()
        tab_to(page, "Open all 5 letters")
        enter(page)
        expect(page.locator("article").first).to_be_visible()
        tab_to(page, "Text of the letter")
        page.keyboard.press("Enter")
        expect(page.locator("article .words").first).to_be_visible()
        tab_to(page, "Record 3 letters")
        enter(page)
        assert "3 letters were recorded" in page.locator(".notice.good").inner_text()
        assert "example" not in page.url


def test_dead_letters_are_deleted_after_their_export_without_javascript(
    browser: Browser, console: Console
) -> None:
    with page_of(browser, console, java_script_enabled=False) as page:
        open_letters(page)
        with page.expect_download() as file:
            page.click("text=Export 2 letters")
        *letters, last = map(json.loads, file.value.path().read_text().splitlines())
        assert [one["body"][:7] for one in letters] == ["no JSON", "no JSON"]
        page.fill("#code", "AAAAAAAA")
        follow(page, "text=Delete 2 letters")
        assert "Nothing was deleted" in page.locator("[role=alert]").inner_text()
        page.fill("#code", last["code"])
        follow(page, "text=Delete 2 letters")
        assert "2 letters were deleted" in page.locator("[role=status]").inner_text()
