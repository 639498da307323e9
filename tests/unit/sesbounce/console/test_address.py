"""The page of an address: what it says, and what a person can do there."""

import re
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from scripts.local.ses_messages import Scenario
from sesbounce.feedback.manual import decide
from sesbounce.feedback.reason import Reason
from sesbounce.store import schema
from sesbounce.store.incidents import IncidentStatus
from sesbounce.store.outbox import Outbox
from sesbounce.store.store import Store
from sesbounce.store.strike_off import StrikeOff
from sesbounce.store.tokens import Scope
from tests.console import Browser, Site
from tests.stored import DAY, IN_MEMBER, RESTORE, STRIKE_OFF, decoded, rows
from tests.support import AT

JANE = "jane@example.com"


def text_of(page: str) -> str:
    """What a reader sees of a page: the texts between its tags."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))


def field(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, name
    return found[1]


@pytest.mark.parametrize(
    ("recordings", "status", "sentence"),
    [
        ([], "May be mailed", "Nothing is recorded about it."),
        ([decoded(Scenario.SUCCESS)], "May be mailed", "Nothing is recorded against it."),
        ([decoded(Scenario.BOUNCE)], "Must not be mailed", "A mail bounced for good on 2026-11-20"),
        ([decoded(Scenario.COMPLAINT)], "Must not be mailed", "The recipient complained on"),
        (
            [decoded(Scenario.MAILBOX_FULL, -1)],
            "May be mailed",
            "Deliveries failed for a time, the last one on 2026-11-19 12:00 UTC . Not often enough "
            "within 75 days",
        ),
        (
            [decoded(Scenario.MAILBOX_FULL, day) for day in (-3, -2, -1)],
            "Must not be mailed",
            "It failed too often. It is on probation since 2026-11-19 12:00 UTC , and may be "
            "mailed from 2026-12-03 12:00 UTC on.",
        ),
        (
            [decoded(Scenario.MAILBOX_FULL, day) for day in (-33, -32, -31)],
            "May be mailed",
            "Its last suppression ended on 2026-11-03",
        ),
        (
            [decoded(Scenario.SUPPRESSIONLIST)],
            "Must not be mailed",
            "SES did not try to deliver a mail",
        ),
        (
            [decide(JANE, Reason.SUPPRESSED_BY_HAND, AT)],
            "Must not be mailed",
            "A person suppressed it on 2026-11-20",
        ),
        (
            [decoded(Scenario.BOUNCE, -1), decide(JANE, Reason.ALLOWED_BY_HAND, AT)],
            "May be mailed",
            "A person allowed it on 2026-11-20",
        ),
    ],
)
def test_the_verdict_is_a_sentence(
    site: Site, admin: Browser, recordings: list[Any], status: str, sentence: str
) -> None:
    if recordings:
        site.record(*recordings)
    page = admin.look_up(JANE)
    assert page.status_code == 200
    assert status in text_of(page.text)
    assert sentence in text_of(page.text)
    japanese = admin.get(page.url.path, headers={"Accept-Language": "ja"})
    assert '<html lang="ja">' in japanese.text
    assert sentence not in japanese.text


def test_strikes_are_counted_and_marked(site: Site, admin: Browser) -> None:
    site.record(
        decoded(Scenario.SUCCESS, -9), *(decoded(Scenario.MAILBOX_FULL, d) for d in (-8, -1))
    )
    text = text_of(admin.look_up(JANE).text)
    assert "2 of 3 strikes" in text
    assert re.findall(r"strike \d", text) == ["strike 2", "strike 1"]
    assert text.index("strike 2") < text.index("delivered")


def test_the_evidence_shows_the_words_of_the_host_and_the_claim_that_decided(
    site: Site, admin: Browser
) -> None:
    site.record(decoded(Scenario.BOUNCE))
    page = admin.look_up("Jane <JANE@Example.com>").text
    text = text_of(page)
    assert "smtp; 550 5.1.1 user unknown" in text
    assert page.count('class="decided"') == 1
    decided = text_of(page.partition('class="decided"')[2].partition("</li>")[0])
    assert "user … unknown" in decided
    assert "no such mailbox" in decided
    for value in ("mail-0", "sender@example.com", "us-east-1"):
        assert value in text


def test_look_up_allow_with_a_note_and_undo(site: Site, admin: Browser) -> None:
    site.record(decoded(Scenario.BOUNCE))
    page = admin.look_up(JANE)
    site.now += timedelta(minutes=1)
    once = field(page.text, "once")
    answers = [
        admin.send(f"{page.url.path}/allow", note="Asked by\r\nphone", once=once) for _ in range(2)
    ]
    allowed = [admin.follow(answer).text for answer in answers][-1]
    # Sent twice, it is recorded once.
    assert allowed.count("allowed by a person") == 1
    events = rows(
        site.engine, "SELECT source, diagnostic FROM feedback_event WHERE kind = 'manual'"
    )
    assert events == [("token admin", "Asked by\nphone")]
    assert "The address may be mailed." in text_of(allowed)
    assert "by token admin" in text_of(allowed)
    site.now += timedelta(minutes=1)
    decision = field(allowed, "decision")
    undone = admin.follow(
        admin.send(f"{page.url.path}/undo", decision=decision, once=field(allowed, "once"))
    ).text
    assert "The decision was undone: it does not count any more." in text_of(undone)
    assert "undoes the decision of 2026-11-20 12:01 UTC" in text_of(undone)
    assert "decision undone by a person" in text_of(undone)
    assert "Must not be mailed" in text_of(undone)
    assert "/undo" not in undone
    # It was undone already.
    again = admin.send(f"{page.url.path}/undo", decision=decision, once="other")
    assert again.status_code == 409
    assert "Somebody else was faster" in again.text


def test_only_the_decision_that_a_person_saw_is_undone(site: Site, admin: Browser) -> None:
    page = admin.look_up(JANE)
    suppressed = admin.follow(admin.send(f"{page.url.path}/suppress", note="asked"))
    decision = field(suppressed.text, "decision")
    site.record(decoded(Scenario.BOUNCE, 1))
    assert admin.send(f"{page.url.path}/undo", decision=decision).status_code == 409
    assert admin.send(f"{page.url.path}/undo").status_code == 409


@pytest.mark.parametrize(
    ("note", "problem"),
    [("", "Write a note"), (" \r\n ", "Write a note"), ("x" * 2001, "too long")],
)
def test_a_decision_needs_a_note(site: Site, admin: Browser, note: str, problem: str) -> None:
    path = admin.path_of(JANE)
    answer = admin.send(f"{path}/suppress", note=note)
    assert answer.status_code == 422
    assert problem in answer.text
    assert 'aria-describedby="problem"' in answer.text
    assert note.strip() in answer.text  # what was typed is not lost
    assert rows(site.engine, "SELECT * FROM feedback_event") == []


def test_without_tokens_a_decision_is_that_of_the_console(site: Site) -> None:
    browser = site.browser()
    for decision in ("suppress", "allow"):
        path = browser.path_of(JANE)
        browser.send(f"{path}/{decision}", note="x", once="not one word")
        site.now += timedelta(minutes=1)
    found = rows(site.engine, "SELECT source, reason FROM feedback_event ORDER BY id")
    assert found == [("console", "suppressed_by_hand"), ("console", "allowed_by_hand")]


def test_what_is_no_address_is_said_and_kept_in_the_form(admin: Browser) -> None:
    for given in ("jane", "", "a@b@c", "jane\u202e"):
        answer = admin.send("/console/look-up", address=given)
        assert answer.status_code == 422
        assert "This is no e-mail address" in answer.text
    assert 'value="jane\\u202e"' in answer.text


def test_a_link_works_for_a_day(site: Site, admin: Browser) -> None:
    path = admin.path_of(JANE)
    site.now += timedelta(hours=1)
    assert admin.get(path).status_code == 200
    site.now += timedelta(hours=23, minutes=1)
    later = site.with_role("viewer")
    for wrong in (path, f"{path[:-3]}AAA", "/console/address/x", f"{later.path_of(JANE)}?older=x"):
        answer = later.get(wrong)
        assert answer.status_code == 404
        assert "This link has expired" in answer.text


def test_events_come_in_pages(site: Site, admin: Browser) -> None:
    site.record(*(decoded(Scenario.SUCCESS, -day) for day in range(120)))
    seen, path = [], admin.path_of(JANE)
    while path:
        page = admin.get(path).text
        seen += re.findall(r'class="when"><time datetime="([^"]*)"', page)
        found = re.search(r'href="([^"]*\?older=[^"]*)"', page)
        path = found[1] if found else ""
    assert len(seen) == len(set(seen)) == 120
    assert seen == sorted(seen, reverse=True)


def test_a_suppression_in_one_stream_is_shown_with_the_stream(site: Site, admin: Browser) -> None:
    site.record(decoded(Scenario.SUCCESS))
    with site.engine.begin() as connection:
        values = {
            "address": JANE,
            "stream": "news<b>",
            "suppressed_since": AT,
            "reason": "complaint_abuse",
            "kind": "complaint",
            "why": "complaint",
        }
        connection.execute(sa.insert(schema.stream), values)
    text = admin.look_up(JANE).text
    assert "Must not be mailed in some streams" in text
    assert "<bdi>news&lt;b&gt;</bdi>" in text


def test_a_bounce_inside_an_incident_is_marked(site: Site, admin: Browser) -> None:
    values = {
        "identity": "x",
        "provider": "example.com",
        "begins_at": AT - DAY,
        "status": IncidentStatus.CONFIRMED,
        "opened_by": "ann",
        "note": "",
        "changed_at": AT,
    }
    with site.engine.begin() as connection:
        connection.execute(sa.insert(schema.incident), values)
    site.record(decoded(Scenario.SUCCESS, -9), decoded(Scenario.BOUNCE))
    text = text_of(admin.look_up(JANE).text)
    assert "May be mailed" in text
    assert "1 of 3 strikes" in text
    assert "in an incident: a strike only" in text


class Target:
    name = "webhook crm"
    longest_seconds = 1.0


def test_it_shows_who_knows_the_verdict(site: Site) -> None:
    site.store = Store(site.engine, site.settings.policy, IN_MEMBER, Outbox([Target.name]))
    site.store.prepare()
    app = site.app([Target()], strike_off_sql=(STRIKE_OFF,))
    tell = site.logged_in(Scope.CHECK, app=app)
    before = text_of(tell.look_up(JANE).text)
    assert "Your own tables not struck off" in before
    assert "webhook crm nothing waits" in before
    site.record(decoded(Scenario.BOUNCE))
    after = text_of(tell.look_up(JANE).text)
    assert "Your own tables struck off on 2026-11-20 12:00 UTC" in after
    assert "webhook crm waits to be struck off since 2026-11-20 12:00 UTC" in after
    with site.engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE feedback_outbox SET attempts = 2, problem = '500 <b>', "
            "due_at = '9999-01-01 00:00:00.000000'"
        )
        connection.exec_driver_sql("UPDATE feedback_address SET struck_off = 0")
    stopped = text_of(tell.look_up(JANE).text)
    assert "stopped 2 attempts failed 500 &lt;b&gt;" in stopped
    assert "will be changed at the next sweep" in stopped


def test_it_says_when_your_own_tables_changed(site: Site) -> None:
    app = site.app(strike_off_sql=(STRIKE_OFF,), restore_sql=(RESTORE,))
    browser = site.logged_in(Scope.CHECK, app=app)

    def shown() -> str:
        return text_of(browser.look_up(JANE).text)

    site.record(decoded(Scenario.BOUNCE))
    assert "Your own tables struck off on 2026-11-20 12:00 UTC" in shown()
    with site.engine.begin() as connection:  # a release without the column struck it off
        connection.exec_driver_sql("UPDATE feedback_address SET struck_off_at = NULL")
    assert "Your own tables struck off, at a time that was not recorded" in shown()
    site.now += timedelta(minutes=1)
    site.record(decide(JANE, Reason.ALLOWED_BY_HAND, site.now))
    assert "Your own tables restored on 2026-11-20 12:01 UTC" in shown()
    site.now += timedelta(minutes=1)
    site.record(decide(JANE, Reason.SUPPRESSED_BY_HAND, site.now))
    assert "Your own tables struck off on 2026-11-20 12:02 UTC" in shown()
    with site.engine.begin() as connection:  # such a release restored it, some time after that
        connection.exec_driver_sql(
            "UPDATE feedback_address SET struck_off = 0, suppressed_since = NULL"
        )
    assert "Your own tables not struck off" in shown()


def test_an_address_that_no_statement_restores_waits_for_no_sweep(site: Site) -> None:
    site.store = Store(site.engine, site.settings.policy, StrikeOff(STRIKE_OFF))
    app = site.app(strike_off_sql=(STRIKE_OFF,))
    browser = site.logged_in(Scope.CHECK, Scope.DECIDE, app=app)
    site.record(decoded(Scenario.BOUNCE))
    path = browser.path_of(JANE)
    site.now += timedelta(minutes=1)
    page = text_of(browser.follow(browser.send(f"{path}/allow", note="x")).text)
    assert "Your own tables struck off" in page


def test_a_statement_that_the_database_rejects_is_said(
    site: Site,
) -> None:
    broken = StrikeOff("UPDATE member SET mailable = 9 WHERE lower(email) = :address")
    site.store = Store(site.engine, site.settings.policy, broken)
    browser = site.with_role("operator")
    page = browser.follow(browser.send(f"{browser.path_of(JANE)}/suppress", note="x"))
    assert "The address is suppressed." in page.text
    assert "rejected a statement" in page.text


def test_an_administrator_forgets_an_address_that_is_typed(engine: sa.Engine) -> None:
    site = Site(engine, hash_key="k" * 40)
    site.record(decoded(Scenario.BOUNCE))
    browser = site.with_role("admin")
    path = browser.path_of(JANE)
    assert "can&#39;t be undone" in browser.get(f"{path}/forget").text
    wrong = browser.send(f"{path}/forget", confirmation="mary@example.com")
    assert wrong.status_code == 422
    assert "Nothing was forgotten" in wrong.text
    done = browser.follow(browser.send(f"{path}/forget", confirmation=" Jane@Example.com"))
    assert "The address was forgotten" in done.text
    assert "Must not be mailed" in done.text
    assert [
        one for (one,) in rows(engine, "SELECT address FROM feedback_event") if "@" in one
    ] == []
    ((act, by, name),) = rows(engine, "SELECT act, done_by, subject FROM feedback_act")
    assert (act, by) == ("forgotten", "token admin")
    assert rows(engine, f"SELECT reason FROM suppressed WHERE address = '{name}'")
    site.close()


def test_a_decision_about_a_forgotten_address_is_undone_in_the_own_tables_too(
    engine: sa.Engine,
) -> None:
    site = Site(engine, hash_key="k" * 40)
    keys = site.settings.hash_keys
    hers = f"SELECT mailable FROM member WHERE lower(email) = '{JANE}'"
    site.store = Store(engine, site.settings.policy, StrikeOff(STRIKE_OFF, RESTORE), hash_keys=keys)
    site.record(decoded(Scenario.BOUNCE))
    browser = site.with_role("admin")
    path = browser.path_of(JANE)
    browser.send(f"{path}/forget", confirmation=JANE)
    site.now += timedelta(minutes=1)
    allowed = browser.follow(browser.send(f"{path}/allow", note="she asked")).text
    assert rows(engine, hers) == [(1,)]
    site.now += timedelta(minutes=1)
    answer = browser.send(f"{path}/undo", decision=field(allowed, "decision"))
    assert "The decision was undone" in browser.follow(answer).text
    assert rows(engine, hers) == [(0,)]
    site.close()


def test_without_a_hash_key_nothing_is_forgotten(site: Site, admin: Browser) -> None:
    site.record(decoded(Scenario.BOUNCE))
    path = admin.path_of(JANE)
    assert "SESBOUNCE_HASH_KEY is not set" in admin.get(f"{path}/forget").text
    assert admin.send(f"{path}/forget", confirmation=JANE).status_code == 422
    assert rows(site.engine, "SELECT address FROM feedback_event") == [(JANE,)]


def test_the_language_that_a_person_chooses_stays(admin: Browser) -> None:
    path = admin.path_of(JANE)
    answer = admin.send("/console/language", language="ja", back=path)
    assert answer.headers["Location"] == path
    assert '<html lang="ja">' in admin.get("/console").text
    for back in ("https://evil.example", "//evil.example/console", "/console/\\evil"):
        answer = admin.send("/console/language", language="xx", back=back)
        assert answer.headers["Location"] == "/console"
        assert "Set-Cookie" not in answer.headers
