"""The audit lists the decisions of people, with their notes."""

import re
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from scripts.local.ses_messages import Scenario
from sesbounce.feedback.address import parse
from sesbounce.feedback.manual import decide
from sesbounce.feedback.reason import Reason
from sesbounce.operations.erasure import forget
from sesbounce.operations.incident_rows import new
from sesbounce.operations.incidents import Incidents
from sesbounce.policy.gate import SenderName
from sesbounce.policy.incident import Incident
from sesbounce.policy.sending import Resume
from sesbounce.store import audit, tokens
from sesbounce.store.acts import Act, Done, record_alone
from sesbounce.store.audit import AuditFilter, audit_page
from sesbounce.store.incidents import IncidentStatus
from sesbounce.store.sending import insert_resume
from sesbounce.store.tokens import Scope
from tests.console import Browser, Site
from tests.stored import DAY, decoded
from tests.support import AT
from tests.unit.sesbounce.console.test_address import text_of

AUDIT = "/console/audit"
ALLOW, SUPPRESS = Reason.ALLOWED_BY_HAND, Reason.SUPPRESSED_BY_HAND


def decided(site: Site, address: str, reason: Reason = SUPPRESS, **more: Any) -> None:
    """Let somebody decide a minute later."""
    site.now += timedelta(minutes=1)
    site.record(decide(address, reason, site.now, **more))


def notes(page: str) -> list[str]:
    return re.findall(r"<bdi>(note \d+)</bdi>", page)


def test_an_empty_audit_holds_the_token_alone(admin: Browser) -> None:
    page = text_of(admin.get(AUDIT).text)
    assert "token made admin ann admin 2026-11-20 12:00 UTC" in page
    assert "This is the end of the audit." in page
    nobody = text_of(admin.follow(admin.send(AUDIT, by="carl")).text)
    assert "Nothing is recorded by this person or program." in nobody


def test_it_shows_who_did_what_with_which_note_the_latest_first(site: Site) -> None:
    site.record(decoded(Scenario.BOUNCE))
    decided(site, "jane@example.com", ALLOW, by="mary", note="asked by phone")
    decided(site, "carl@example.com", by="token crm", note="closed the account")
    site.now += timedelta(minutes=1)
    with site.engine.begin() as connection:
        resume = Resume(site.now, "ann", "the list is removed")
        insert_resume(connection, SenderName("1", "eu-west-1", "news.example.com"), resume)
    browser = site.logged_in(Scope.CHECK, Scope.EXPORT)
    site.token(Scope.CHECK, name="old")
    site.now += timedelta(minutes=1)
    tokens.revoke(site.engine, ["old"], site.now, "bob")
    html = browser.get(AUDIT).text
    lines = re.findall(r"<tr>(.*?)</tr>", html, re.DOTALL)[1:]
    assert [text_of(line).strip() for line in lines][:4] == [
        "token revoked old bob none 2026-11-20 12:04 UTC",
        "sender resumed news.example.com ann the list is removed 2026-11-20 12:03 UTC",
        "suppressed carl@example.com token crm closed the account 2026-11-20 12:02 UTC",
        "allowed jane@example.com mary asked by phone 2026-11-20 12:01 UTC",
    ]
    assert len(lines) == 6
    links = re.findall(r'href="(/console/address/[^"]*)"', html)
    assert len(links) == 2
    assert "carl" not in links[0]
    by_crm = browser.send(AUDIT, by="token crm")
    assert "crm" not in by_crm.headers["Location"]
    found = browser.follow(by_crm).text
    assert 'value="token crm"' in found
    assert re.findall(r"<bdi>(\w+@[\w.]+)</bdi>", found) == ["carl@example.com"]


def test_a_person_chooses_what_was_done(site: Site) -> None:
    incident = Incident(provider="google", begins=AT, ends=None)
    made = new(incident, AT, IncidentStatus.CONFIRMED, "status page", "ann")
    Incidents(site.store).save(made, AT)
    decided(site, "jane@example.com", by="ann")
    done = Done(act=Act.LETTERS_DELETED, at=AT, by="ann", subject="x-dlq code=A", number=1234)
    record_alone(site.engine, done)
    with site.engine.begin() as connection:  # as a newer version might
        connection.exec_driver_sql("UPDATE feedback_act SET act = 'mended' WHERE number = 1234")
    operator, lister = site.with_role("operator"), site.logged_in(Scope.EXPORT)
    chosen = operator.follow(operator.send(AUDIT, by="ann", act="incident_opened")).text
    assert '<option value="incident_opened" selected>' in chosen
    assert re.findall(r'<a href="([^"]*)"><bdi>', chosen) == ["/console/incidents/1"]
    assert "incident opened 1: google ann status page" in text_of(chosen)
    assert "mended: 1,234 x-dlq code=A ann none" in text_of(operator.get(AUDIT).text)
    nothing = operator.follow(operator.send(AUDIT, act="exported")).text
    assert "Nothing of this kind is recorded." in nothing
    assert operator.send(AUDIT, act="x").headers["Location"] == AUDIT
    # Nobody gets a link to a page that they may not see.
    assert re.findall(r'<a href="[^"]*"><bdi>', lister.get(AUDIT).text) == []


def test_it_comes_in_pages_that_lose_nothing(site: Site) -> None:
    for number in range(70):
        decided(site, f"u{number}@example.com", by="mary", note=f"note {number}")
        if number % 10 == 0:
            site.token(Scope.CHECK, name=f"t{number}")
    admin = site.with_role("admin")
    page, found = admin.follow(admin.send(AUDIT, by="mary")).text, []
    while True:
        found += notes(page)
        further = re.search(r'href="([^"]*)" rel="next"', page)
        if not further:
            break
        assert 'value="mary"' in page
        decided(site, f"new{len(found)}@example.com", by="mary", note="later")
        page = admin.get(further[1]).text
        assert "First page" in page
    assert found == [f"note {number}" for number in reversed(range(70))]


def test_all_that_was_done_is_on_one_of_the_pages(site: Site) -> None:
    for number in range(7):
        decided(site, f"u{number}@example.com", by="mary")
        tokens.create(site.engine, token_at(site, f"t{number}"))
    found, place = audit_page(site.engine, AuditFilter(), 2, None)
    while place:
        more, place = audit_page(site.engine, AuditFilter(), 2, place)
        found += more
    assert len(found) == len({(one.act, one.subject) for one in found}) == 14
    assert found == sorted(found, key=lambda one: one.at, reverse=True)


def token_at(site: Site, name: str) -> tokens.Token:
    return tokens.Token(name=name, scopes=(Scope.CHECK,), created_at=site.now, created_by="ann")


def test_a_page_that_runs_out_of_time_says_that_the_next_one_reads_on(
    site: Site, admin: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    decided(site, "jane@example.com", by="mary", note="note 1")
    for number in range(1, 30):
        decided(site, f"u{number}@example.com", by="ann")
    monkeypatch.setattr(audit, "_DECISIONS_AT_ONCE", 5)
    monkeypatch.setattr(audit, "_SECONDS", 0)
    page, pages = admin.follow(admin.send(AUDIT, by="mary")).text, 1
    while not notes(page):
        assert "The next page reads on." in page
        further = re.search(r'href="([^"]*)" rel="next"', page)
        assert further
        page, pages = admin.get(further[1]).text, pages + 1
    assert pages == 6
    assert "The next page reads on." not in page


def test_a_forgotten_address_has_no_name(engine: sa.Engine) -> None:
    site = Site(engine, hash_key="k" * 40)
    decided(site, "jane@example.com", by="mary", note="asked by phone")
    forget(site.store, site.settings.hash_keys, [parse("jane@example.com")], AT + DAY, "ann")
    page = site.with_role("operator").get(AUDIT).text
    assert "a forgotten address" in page
    assert "jane" not in page
    assert "HMAC" not in page
    site.close()


def test_a_link_that_was_made_up_is_no_page(admin: Browser) -> None:
    assert admin.get(f"{AUDIT}?view=x").status_code == 404
