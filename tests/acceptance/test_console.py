"""The console in a real browser, and as a real process: pages, flows, and what they look like."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from axe_playwright_python.sync_playwright import Axe
from moto.server import ThreadedMotoServer
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from scripts.local import localstack
from scripts.local.ses_messages import Scenario
from sesbounce.operations.incidents import Incidents, new
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

COMMAND = [sys.executable, "-c", "from sesbounce.__main__ import main; main()", "serve"]
JANE = "jane@example.com"
PHONE = ViewportSize(width=360, height=740)
SCREEN = ViewportSize(width=1200, height=900)


class Console:
    """A server process with some addresses.

    Attributes:
        url: where it listens.
        token: a token of an administrator.
    """

    def __init__(self, folder: Path, aws: str) -> None:
        database = f"sqlite:///{folder}/sesbounce.sqlite3"
        engine = open_database(database)
        stored.make_members(engine)
        store = stored.store(engine)
        # AT is past or to come: what the pages show has to be recent.
        ago = (datetime.now(UTC) - AT) / DAY - 1
        store.record(
            [
                decoded(Scenario.SUCCESS, ago - 40),
                decoded(Scenario.MAILBOX_FULL, ago - 9),
                decoded(Scenario.BOUNCE, ago - 1),
                decoded(Scenario.MAILBOX_FULL, ago - 2, "carl@example.com"),
                *(decoded(Scenario.COMPLAINT, ago - n / 9, f"u{n}@example.org") for n in range(60)),
            ],
            datetime.now(UTC),
        )
        for day in range(25):
            past = datetime.now(UTC) - day * DAY
            sending.count(engine, past, sent=1000, hard=9 * (day % 9), complaints=day % 2)
        outage(store, ago)
        made = Token(name="mary", scopes=(Scope.ADMIN,), created_at=AT, created_by="ann")
        self.token = tokens.create(engine, made)
        engine.dispose()
        port = free_port()
        self.url = f"http://{LOOPBACK}:{port}"
        self.log = folder / "log"
        environment = {
            **localstack.environment(aws),
            "SESBOUNCE_QUEUE_URL": dead_letters(aws),
            "SESBOUNCE_DATABASE_URL": database,
            "SESBOUNCE_SERVE_PORT": str(port),
            "SESBOUNCE_STRIKE_OFF_SQL": stored.STRIKE_OFF,
            "SESBOUNCE_RESTORE_SQL": stored.RESTORE,
        }
        with self.log.open("wb") as log:
            command = [*COMMAND, "--console"]
            self.process = subprocess.Popen(command, env=environment, stderr=log)
        until(lambda: self.process.poll() is not None or b"serving" in self.log.read_bytes())
        assert self.process.poll() is None, self.log.read_text()


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
    started = Console(tmp_path_factory.mktemp("console"), f"http://{host}:{port}")
    yield started
    started.process.terminate()
    assert started.process.wait(timeout=60) == 0
    moto.stop()
    assert JANE not in started.log.read_text()


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
        page.set_default_timeout(20_000)
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto("/console/login")
        type_into(page, "#token", console.token)
        page.wait_for_url("**/console")
        yield page
        assert [text for text in complaints if "Content Security Policy" in text] == []
        assert [text for text in complaints if "Error" in text] == []


def fits(page: Page) -> bool:
    """Whether a page needs no horizontal scrolling."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= innerWidth"))


def type_into(page: Page, field: str, text: str) -> None:
    """Type into the field that has the focus when a page opens, and send its form."""
    page.wait_for_selector(f"{field}:focus")
    page.keyboard.type(text)
    page.keyboard.press("Enter")


def violations(page: Page, *rules: str) -> list[tuple[str, list[str]]]:
    """What axe-core finds against WCAG and good practice, or rules of it: with the elements."""
    options = {"runOnly": list(rules)} if rules else None
    found = Axe().run(page, options=options).response["violations"]
    return [(one["id"], [node["html"] for node in one["nodes"]]) for one in found]


def look_up(page: Page, address: str) -> None:
    page.goto("/console")
    type_into(page, "#address", address)
    page.wait_for_selector(".verdict")


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
        page.wait_for_selector(".verdict.suppressed")
        assert JANE not in page.url
        # The times of the reader's zone, with UTC beside them.
        time = page.locator(".verdict time").first.inner_text()
        assert re.fullmatch(r".*GMT\+9 \(\d{4}-\d\d-\d\d \d\d:\d\d UTC\)", time)
        tab_to(page, "Skip to the content", 1)
        tab_to(page, "Bounce 5.1.1 Why this reason")
        page.keyboard.press("Enter")
        assert page.locator(".decided").first.is_visible()
        tab_to(page, "Note")
        page.keyboard.type("asked by phone")
        tab_to(page, "Allow", 1)
        page.keyboard.press("Enter")
        page.wait_for_selector(".verdict.free")
        assert page.locator("[role=status]").inner_text().startswith("The address may be mailed.")
        assert page.locator(".event .note").first.inner_text() == "asked by phone"
        assert "token mary" in page.locator(".event .by").first.inner_text()
        page.reload()
        tab_to(page, "Undo")
        page.keyboard.press("Enter")
        page.wait_for_selector(".verdict.suppressed")
        assert "was undone" in page.locator("[role=status]").inner_text()
        page.go_back()
        page.wait_for_selector(".verdict")
        tab_to(page, "Log out")
        page.keyboard.press("Enter")
        page.wait_for_url("**/console/login")


def open_bulk(page: Page) -> None:
    """Filter the list, and ask to allow all that match."""
    page.goto("/console/suppressions")
    page.fill("#domain", "example.org")
    page.click(".filters button")
    page.click(".pager .last")


def open_change(page: Page) -> None:
    """Ask what opening the suspected incident would change."""
    page.goto("/console/incidents/1")
    page.click("button[value=open]")
    page.wait_for_selector("#note")


def open_what_if(page: Page) -> None:
    """Ask what fewer strikes would change."""
    page.goto("/console/what-if")
    page.fill("#strikes", "1")
    page.click("button.primary")
    page.wait_for_selector(".apply")


def open_causes(page: Page) -> None:
    """Look at the dead letters."""
    page.goto("/console/dead-letters")
    page.click("button.primary")
    page.wait_for_selector(".list")


def open_letters(page: Page, cause: str = "not JSON") -> None:
    """Open the dead letters with a cause."""
    open_causes(page)
    page.locator("tr", has_text=cause).locator("button").click()
    page.wait_for_selector("article")


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
    "audit": lambda page: page.goto("/console/audit"),
    "settings": lambda page: page.goto("/console/settings"),
    "suppressed": lambda page: look_up(page, JANE),
    "unknown": lambda page: look_up(page, "nobody@example.com"),
    "strikes": lambda page: look_up(page, "carl@example.com"),
    "forget": lambda page: page.click("a.danger-link"),
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
    with page_of(browser, console, **context) as page:
        for name, open_page in PAGES.items():
            open_page(page)
            for closed in page.locator("summary").all():
                closed.click()
            assert fits(page), name
            assert violations(page, *rules) == [], name


def test_without_javascript_everything_works(browser: Browser, console: Console) -> None:
    with page_of(browser, console, java_script_enabled=False) as page:
        open_what_if(page)
        assert fits(page)
        assert page.locator(".changes tbody tr").count() == 1
        open_change(page)
        assert page.locator(".list tbody tr").count() == 3
        page.fill("#note", "their status page")
        page.click("text=Save: release 3, suppress 0")
        assert "is saved" in page.locator("[role=status]").inner_text()
        assert page.locator(".tag.incident-closed").count() == 1
        look_up(page, JANE)
        assert page.locator(".verdict time").first.inner_text().endswith(" UTC")
        page.locator("summary").first.click()
        assert page.locator(".decided").first.is_visible()
        page.goto("/console/overview")
        assert page.locator("svg.chart").first.is_visible()
        page.locator(".days summary").first.click()
        assert page.locator(".days tbody tr").first.is_visible()
        page.goto("/console/suppressions")
        page.fill("#domain", "example.org")
        page.click("button.primary")
        assert page.locator(".list tbody tr").count() == 50
        page.click("a[rel=next]")
        assert page.locator(".list tbody tr").count() == 10
        assert "example" not in page.url
        open_bulk(page)
        page.fill("#note", "their outage")
        page.click("text=Allow 60 addresses")
        assert page.locator("[role=status]").inner_text().startswith("60 addresses were allowed.")
        assert page.locator(".empty").count() == 1
        page.click("text=Undo")
        page.click("a[rel=next]")
        assert page.locator(".list tbody tr").count() == 10
        page.click("text=日本語")
        assert page.locator("html").get_attribute("lang") == "ja"
        assert page.locator(".list tbody tr").count() == 10


def test_dead_letters_by_keyboard_alone(browser: Browser, console: Console) -> None:
    with page_of(browser, console) as page:
        page.goto("/console/dead-letters")
        tab_to(page, "Look at the letters of the queue")
        page.keyboard.press("Enter")
        page.wait_for_selector(".list")
        assert "looked at 5 letters" in page.locator("[role=status]").inner_text()
        tab_to(page, "Open all 5 letters")
        page.keyboard.press("Enter")
        page.wait_for_selector("article")
        tab_to(page, "Text of the letter")
        page.keyboard.press("Enter")
        assert page.locator("article .words").first.is_visible()
        tab_to(page, "Record 3 letters")
        page.keyboard.press("Enter")
        page.wait_for_selector(".notice.good")
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
        page.click("text=Delete 2 letters")
        assert "Nothing was deleted" in page.locator("[role=alert]").inner_text()
        page.fill("#code", last["code"])
        page.click("text=Delete 2 letters")
        assert "2 letters were deleted" in page.locator("[role=status]").inner_text()


def test_the_login_page_is_for_everybody(browser: Browser, console: Console) -> None:
    with browser.new_context(base_url=console.url, viewport=PHONE) as context:
        page = context.new_page()
        page.goto("/console")
        page.fill("#token", "wrong")
        page.keyboard.press("Enter")
        page.wait_for_selector("[role=alert]")
        assert fits(page)
        assert violations(page) == []
