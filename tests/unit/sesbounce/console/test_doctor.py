"""The page of the doctor, with checks that the tests make up."""

import json
import re
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
import structlog
from click.testing import CliRunner

from sesbounce.cli import main
from sesbounce.console.roles import ROLES
from sesbounce.doctor import examination
from sesbounce.doctor.examine import Check, Group
from sesbounce.doctor.finding import Finding, broken, hint, setting
from sesbounce.errors import NotCheckedError
from tests.console import Browser, Site
from tests.support import until
from tests.unit.sesbounce.console.test_address import text_of
from tests.unit.sesbounce.console.test_hostile import HOSTILE, assert_safe

DOCTOR = "/console/doctor"
GROUPS = "sesbounce.doctor.path.groups"
FOUND = {
    "a.fine": [],
    "a.set": [setting("it is on", "so it is", "Switch it off")],
    "b.hint": [hint("news@example.com is an identity", "it overrides <b>", "Tell bob@example.com")],
    "c.broken": [broken("no topic", "events are lost", "Restore it"), hint("d", "e", "Do f")],
}


SKIPPED = ["d.skipped", "d.too"]


def check(name: str, findings: list[Finding], meets: Callable[[], Any] = lambda: None) -> Check:
    def run() -> Iterator[Finding]:
        meets()
        yield from findings

    return Check(name, f"{name} is right", run)


def unknown() -> tuple[()]:
    raise NotCheckedError("no queue of ann@example.com")


def groups(*more: Check) -> Callable[..., tuple[Group, ...]]:
    found = [check(name, findings) for name, findings in FOUND.items()]
    made = (Group([*found, *more], tuple), Group([check(one, []) for one in SKIPPED], unknown))
    return lambda *_: made


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GROUPS, groups())


def examined(browser: Browser) -> str:
    """Examine, and wait until the page shows the result."""
    browser.send(DOCTOR)
    return ended(browser)


def ended(browser: Browser) -> str:
    """Wait until no examination goes on; the page then."""
    pages: list[str] = []

    def is_done() -> bool:
        pages.append(browser.get(DOCTOR).text)
        return "An examination has run" not in pages[-1]

    until(is_done)
    return pages[-1]


def download_of(page: str) -> str:
    path: str
    (path,) = re.findall(r'href="(/console/doctor/results[^"]*)"', page)
    return path


@pytest.mark.usefixtures("made_up")
def test_it_shows_each_check_the_broken_ones_first_and_no_address(admin: Browser) -> None:
    assert "has made no examination yet" in admin.get(DOCTOR).text
    assert admin.get(f"{DOCTOR}/results").status_code == 404
    page = examined(admin)
    assert re.findall(r'<th scope="row">(?:<code>)?(.+?)<', page) == [
        "c.broken",
        "b.hint",
        "a.fine",
        "a.set",
        "2 checks",
    ]
    text = text_of(page)
    assert "Examined on 2026-11-20 12:00 UTC This is the last examination that process " in text
    assert "each shows its own. broken 1 hint 1 ok 2 skipped 2 " in text
    assert "c.broken broken no topic events are lost → Restore it hint d e → Do f b.hint" in text
    assert "…@example.com is an identity it overrides &lt;b&gt; → Tell …@example.com" in text
    # The same reason stands once.
    assert "a.fine ok a.fine is right a.set ok setting it is on so it is → Switch it off" in text
    assert "2 checks skipped no queue of …@example.com d.skipped d.too Download" in text
    overview = text_of(admin.get("/console/overview").text)
    assert "Doctor 1 check is broken. Examined on 2026-11-20 12:00 UTC" in overview


@pytest.mark.usefixtures("made_up")
def test_the_file_holds_what_the_command_prints(site: Site, url: str) -> None:
    admin = site.with_role("admin")
    answer = admin.get(download_of(examined(admin)))
    assert answer.headers["Content-Disposition"] == 'attachment; filename="doctor.jsonl"'
    run = CliRunner(env={"SESBOUNCE_DATABASE_URL": url}).invoke(main, ["doctor", "--json"])
    assert run.exit_code == 1
    printed = re.sub(r"\w+@", "…@", run.output)
    assert answer.text == printed
    assert [json.loads(line)["id"] for line in printed.splitlines()] == [*FOUND, *SKIPPED]


@pytest.mark.usefixtures("made_up")
def test_the_file_is_of_the_results_on_the_page_or_there_is_none(
    site: Site, admin: Browser
) -> None:
    path = download_of(examined(admin))
    site.now += timedelta(minutes=5)
    later = download_of(examined(admin))
    assert admin.get(later).status_code == 200
    for gone in (path, f"{DOCTOR}/results"):
        answer = admin.get(gone)
        assert answer.status_code == 404
        assert "Another process of the server has made this examination, or a later" in answer.text


def test_one_examination_goes_on_at_a_time(admin: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    may_end, begun = threading.Event(), []

    def wait() -> None:
        begun.append(1)
        assert may_end.wait(60)

    monkeypatch.setattr(GROUPS, groups(check("e.slow", [], wait)))
    admin.send(DOCTOR)
    until(lambda: begun)
    page = admin.follow(admin.send(DOCTOR)).text
    said = "An examination has run since 2026-11-20 12:00 UTC . Checks made so far: 4."
    assert said in text_of(page)
    assert "has made no examination" not in page
    assert re.search(r'<a class="button" href="/console/doctor\?begun=\d+">Reload</a>', page)
    assert '<button class="primary"' not in page
    # Other requests are answered meanwhile.
    assert admin.get("/console/overview").status_code == 200
    may_end.set()
    until(lambda: "e.slow is right" in admin.get(DOCTOR).text)
    assert begun == [1]


def test_a_check_that_fails_ends_it_and_the_next_one_begins_afresh(
    admin: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise KeyError("QueueArn of ann@example.com")

    monkeypatch.setattr(GROUPS, groups(check("e.fault", [], fail)))
    with structlog.testing.capture_logs() as logged:
        page = examined(admin)
    assert [one["event"] for one in logged if one["log_level"] == "error"] == ["examination failed"]
    assert "A fault of a check has ended the examination early" in page
    assert "QueueArn" not in page
    assert "c.broken" in page
    assert "d.skipped" not in page
    monkeypatch.setattr(GROUPS, groups())
    assert "A fault" not in examined(admin)
    monkeypatch.setattr(GROUPS, lambda *_: (Group([check("e.fault", [], fail)], tuple),))
    examined(admin)
    assert "A fault has ended the examination early." in admin.get("/console/overview").text


@pytest.mark.usefixtures("made_up")
def test_behind_a_load_balancer_each_process_says_whose_results_it_shows(site: Site) -> None:
    one, other = (
        site.logged_in(*ROLES["operator"], app=site.app(), name=name) for name in ("ann", "bob")
    )
    begun = one.send(DOCTOR).headers["Location"]
    until(lambda: "c.broken" in one.get(begun).text)
    assert "Another process" not in one.get(begun).text
    page = other.get(begun).text
    assert "Another process of the server has begun the examination" in page
    assert "has made no examination yet" not in page
    assert f'<a class="button" href="{begun}">Reload</a>' in page
    assert "has made no examination yet. If the server has several" in other.get(DOCTOR).text
    assert other.get(download_of(one.get(DOCTOR).text)).status_code == 404
    # A process that has ended never answers: the person can examine by this one.
    assert 'action="/console/doctor"' in page
    assert "Another process" not in examined(other)
    site.now += timedelta(minutes=5)
    begun = one.send(DOCTOR).headers["Location"]
    page = other.get(begun).text
    assert "<h2>An earlier examination, of <time" in page
    assert "Examined on" not in page
    assert "Another process" not in other.get(f"{DOCTOR}?begun=x").text
    ended(one)


@pytest.mark.usefixtures("made_up")
def test_no_check_begins_after_the_time(admin: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(examination, "TIMEOUT_SECONDS", 0.0)
    text = text_of(examined(admin))
    assert "broken 0 hint 0 ok 0 skipped 6" in text
    assert text.count("the time was over before this check") == 1


def test_without_a_queue_the_checks_of_the_database_are_made(
    engine: sa.Engine, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SESBOUNCE_QUEUE_URL", raising=False)
    site = Site(engine, database_url=url)
    page = text_of(examined(site.with_role("admin")))
    site.close()
    reason = "SESBOUNCE_QUEUE_URL is not set, so there is no queue to begin with"
    assert f"checks skipped {reason} aws.credentials aws.region " in page
    assert page.count(reason) == 1
    assert "database.connection ok the database answers" in page
    assert "database.schema ok the tables are those that this version needs" in page
    # It judges the rights of the credentials, which are not those of the worker.
    assert "iam.rights" not in page


def test_without_boto3_it_says_so(admin: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    page = admin.follow(admin.send(DOCTOR)).text
    assert "This server has no boto3" in page
    assert "<code>pip install 'sesbounce[worker]'</code>" in page
    assert 'action="/console/doctor"' not in page
    assert "has made no examination yet" in page


@pytest.mark.parametrize(
    ("role", "may"), [("viewer", False), ("support", False), ("operator", True), ("admin", True)]
)
@pytest.mark.usefixtures("made_up")
def test_only_those_who_operate_it_may_examine(site: Site, role: str, may: bool) -> None:
    browser = site.with_role(role)
    assert ('action="/console/doctor"' in browser.get(DOCTOR).text) == may
    answer = browser.send(DOCTOR)
    assert answer.status_code == (303 if may else 403)
    page = examined(browser) if may else browser.get(DOCTOR).text
    assert ("c.broken" in page) == may


def test_what_aws_says_is_text(admin: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    checks = [check("a.one", [broken(text, text, text)]) for text in HOSTILE]
    monkeypatch.setattr(GROUPS, lambda *_: (Group(checks, tuple),))
    page = examined(admin)
    assert_safe(page)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "\x1b" not in admin.get(download_of(page)).text
