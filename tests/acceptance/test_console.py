"""The console in a real browser, and as a real process: pages, flows, and what they look like."""

import json
import os
import re
import shlex
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from axe_playwright_python.sync_playwright import Axe
from moto.server import ThreadedMotoServer
from playwright.sync_api import Browser, Page, Route, ViewportSize, expect, sync_playwright

from scripts.local import localstack
from scripts.local.ses_messages import Scenario
from sesbounce.feedback.decode import Decoded, decode
from sesbounce.opening import disposed
from sesbounce.operations.incident_rows import new
from sesbounce.operations.incidents import Incidents
from sesbounce.policy.incident import Incident
from sesbounce.store import tokens
from sesbounce.store.engine import open_database
from sesbounce.store.incidents import IncidentStatus
from sesbounce.store.store import Store
from sesbounce.store.tokens import Scope, Token
from tests import chromium, sending, stored
from tests.ports import LOOPBACK, free_port
from tests.stored import DAY, decoded
from tests.support import AT, in_sns, mail, said, until

UTC_TIME = r"\d{4}-\d\d-\d\d \d\d:\d\d UTC"
COMMAND = [sys.executable, "-c", "from sesbounce.__main__ import main; main()", "serve"]
JANE, CARL, EVE = "jane@example.com", "carl@example.com", "eve@example.net"
# Above the longest address that SMTP takes (RFC 5321, 4.5.3.1): 64 letters before the @.
LONG = f"{'a' * 64}@{'.'.join(['b' * 60] * 4)}.example"
# A small phone, which is what 400 % leave of a screen of 1280 (WCAG 2.2, 1.4.10).
PHONE = ViewportSize(width=320, height=640)
PAPER = ViewportSize(width=718, height=1000)
SCREEN = ViewportSize(width=1200, height=900)
# How long a page may take on a busy machine, in milliseconds.
PATIENCE = 60_000
expect.set_options(timeout=PATIENCE)


class Console:
    """A server process.

    Attributes:
        url: where it listens.
        token: a token of an administrator.
        file: the SQLite file with the addresses.
        environment: the variables of the process.
    """

    def __init__(self, file: Path, token: str, settings: Mapping[str, str] = {}) -> None:
        port = free_port()
        self.url = f"http://{LOOPBACK}:{port}"
        self.token = token
        self.file = file
        self.log = file.parent / "log"
        self.environment = {
            **os.environ,
            "SESBOUNCE_DATABASE_URL": f"sqlite:///{file}",
            "SESBOUNCE_SERVE_PORT": str(port),
            "SESBOUNCE_STRIKE_OFF_SQL": stored.STRIKE_OFF,
            "SESBOUNCE_RESTORE_SQL": stored.RESTORE,
            **settings,
        }
        with self.log.open("wb") as log:
            command = [*COMMAND, "--console"]
            self.process = subprocess.Popen(command, env=self.environment, stderr=log)
        until(lambda: self.process.poll() is not None or b"serving" in self.log.read_bytes())
        assert self.process.poll() is None, self.log.read_text()

    def end(self) -> None:
        self.process.terminate()
        assert self.process.wait(timeout=60) == 0
        assert JANE not in self.log.read_text()


def make_data(file: Path) -> str:
    """Record some addresses; returns a token of an administrator."""
    engine = open_database(f"sqlite:///{file}")
    with disposed(engine):
        stored.make_members(engine)
        store = stored.store(engine)
        # AT is past or to come: what the pages show has to be recent.
        ago = (datetime.now(UTC) - AT) / DAY - 1
        fall = (datetime(2024, 11, 3, 5, 30, tzinfo=UTC) - AT) / DAY
        store.record(
            [
                decoded(Scenario.SUCCESS, ago - 40),
                decoded(Scenario.MAILBOX_FULL, ago - 9),
                decoded(Scenario.BOUNCE, ago - 1),
                decoded(Scenario.MAILBOX_FULL, ago - 2, CARL),
                decoded(Scenario.SUCCESS, ago - 5, EVE),
                decoded(Scenario.BOUNCE, ago - 1, EVE),
                # In New York, the clock shows 01:30 twice on this day.
                *(decoded(Scenario.SUCCESS, fall + n / 24, "dora@example.com") for n in range(2)),
                long_bounce(ago - 1),
                *(decoded(Scenario.COMPLAINT, ago - n / 9, f"u{n}@example.org") for n in range(60)),
            ],
            datetime.now(UTC),
        )
        for day in range(25):
            past = datetime.now(UTC) - day * DAY
            sending.count(engine, past, sent=1000, hard=9 * (day % 9), complaints=day % 2)
        outage(store, ago)
        made = Token(name="mary", scopes=(Scope.ADMIN,), created_at=AT, created_by="ann")
        return tokens.create(engine, made)


def long_bounce(day: float) -> Decoded:
    """A bounce of a long address, with as long words of the host, none of which has a break."""
    message = said(Scenario.BOUNCE, mail(LONG, "mail-long"), at=AT + day * DAY)
    (recipient,) = message["bounce"]["bouncedRecipients"]
    recipient["diagnosticCode"] = f"smtp; 550 5.1.1 <{LONG}> user unknown {'w' * 900}"
    return decode(json.dumps(message))


def dead_letters(aws: str) -> str:
    """Make a queue with dead letters: three that are understood, and two others; its URL."""
    environment = localstack.environment(aws)
    sqs = boto3.client(
        "sqs",
        endpoint_url=aws,
        region_name=environment["AWS_REGION"],
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    dead = sqs.create_queue(QueueName="dlq")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])
    policy = {"deadLetterTargetArn": arn["Attributes"]["QueueArn"], "maxReceiveCount": 5}
    made = sqs.create_queue(QueueName="feedback", Attributes={"RedrivePolicy": json.dumps(policy)})
    for number in range(3):
        about = mail(f"dead{number}@example.com", f"dead {number}")
        sqs.send_message(QueueUrl=dead, MessageBody=in_sns(said(about=about)))
    for text in ("no JSON: jane@example.com", "no JSON either"):
        sqs.send_message(QueueUrl=dead, MessageBody=text)
    return made["QueueUrl"]


def outage(store: Store, ago: float) -> None:
    """An hour of bounces at a provider, of addresses with an earlier delivery, as suspected."""
    people = [f"v{n}@gmail.com" for n in range(3)]
    store.record(
        [decoded(Scenario.SUCCESS, ago - 5, one) for one in people]
        + [decoded(Scenario.BOUNCE, ago - 1, one) for one in people],
        datetime.now(UTC),
    )
    begins = datetime.now(UTC) - 3 * DAY
    one = Incident(provider="google", begins=begins, ends=begins + 2 * DAY)
    note = "3 hard bounces among 3 mails"
    suspected = new(one, datetime.now(UTC), IncidentStatus.SUSPECTED, note)
    Incidents(store).save(suspected, datetime.now(UTC))


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    moto = ThreadedMotoServer(LOOPBACK, 0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    aws = f"http://{host}:{port}"
    settings = {**localstack.environment(aws), "SESBOUNCE_QUEUE_URL": dead_letters(aws)}
    file = tmp_path_factory.mktemp("console") / "sesbounce.sqlite3"
    started = Console(file, make_data(file), settings)
    yield started
    started.end()
    moto.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        path = chromium.executable()
        # Chromium's own sandbox does not work for root, as whom tests run in containers.
        with playwright.chromium.launch(executable_path=path, args=["--no-sandbox"]) as launched:
            yield launched


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
