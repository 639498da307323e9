"""Incidents: the list, one of them, and decisions whose difference was seen first."""

import re
from collections.abc import Iterator
from datetime import timedelta
from threading import Lock
from types import SimpleNamespace
from typing import Any

import pytest

from scripts.local.ses_messages import Scenario
from sesbounce.console import difference
from sesbounce.operations import incidents as operations
from sesbounce.operations.incident_rows import changed, new
from sesbounce.operations.incidents import Incidents
from sesbounce.operations.survey import Part, Survey
from sesbounce.policy.incident import Incident
from sesbounce.store.incidents import IncidentRow, IncidentStatus
from sesbounce.store.lookup import Lookup
from tests.console import Browser, Site
from tests.stored import decoded, rows
from tests.support import AT

LIST = "/console/incidents"
HOUR = timedelta(hours=1)
OUTAGE = Incident(provider="google", begins=AT - HOUR, ends=AT + HOUR)
FORM = {"provider": "Google", "begins": "2026-11-20T11:30", "ends": "2026-11-20T14:30"}


def bounced(site: Site, known: int = 3, others: int = 1) -> None:
    """Bounces during an outage, of addresses with an earlier delivery and of others."""
    site.record(*(decoded(Scenario.SUCCESS, -5, f"u{n}@gmail.com") for n in range(known)))
    site.record(*(decoded(Scenario.BOUNCE, 0, f"u{n}@gmail.com") for n in range(known + others)))


def saved(site: Site, status: IncidentStatus) -> IncidentRow:
    made = new(OUTAGE, site.now, status, "as found", "ann")
    return Incidents(site.store).save(made, site.now)


def plan_in(page: str) -> str:
    found = re.search(r'name="plan" value="([\w=-]+)"', page)
    assert found, page
    return found[1]


def numbers(page: str) -> list[int]:
    """The addresses to be released, suppressed and changed."""
    return [int(n) for n in re.findall(r'<dd(?: class="\w+")?>([\d,]+)</dd></div>', page)]


def may_mail(site: Site, number: int) -> bool:
    return Lookup(site.engine).check(f"u{number}@gmail.com", site.now).may_mail


@pytest.fixture
def operator(site: Site) -> Browser:
    site.now = AT + 3 * HOUR
    return site.with_role("operator")


def test_without_any_the_list_says_so(operator: Browser) -> None:
    assert "There is no incident." in operator.get(LIST).text


def test_a_person_opens_one_after_the_difference_was_seen(site: Site, operator: Browser) -> None:
    bounced(site)
    answer = operator.send(LIST, **FORM)
    assert "google" not in answer.headers["Location"]
    page = operator.follow(answer).text
    assert numbers(page) == [3, 0, 0]
    assert re.findall(r"<bdi>(u\d@gmail.com)</bdi>", page) == [f"u{n}@gmail.com" for n in range(3)]
    assert "Save: release 3, suppress 0" in page
    assert Incidents(site.store).all() == []
    done = operator.send(f"{LIST}/change", plan=plan_in(page), note="status page says so")
    page = operator.follow(done).text
    assert "The incident is saved." in page
    assert "4 addresses had a hard bounce in it." in page
    assert "The worker judges them at its next sweep." in page
    (row,) = Incidents(site.store).all()
    assert (row.provider, row.begins_at, row.ends_at) == (
        "google",
        AT.replace(hour=11, minute=30),
        AT.replace(hour=14, minute=30),
    )
    assert (row.status, row.note) == (IncidentStatus.CONFIRMED, "status page says so")
    assert row.opened_by == row.decided_by == "token operator"
    assert rows(site.engine, "SELECT act, done_by, subject, note FROM feedback_act") == [
        ("incident_opened", "token operator", "1: google", "status page says so")
    ]
    assert [may_mail(site, n) for n in range(4)] == [False] * 4
    Incidents(site.store).sweep(site.now)
    assert [may_mail(site, n) for n in range(4)] == [True, True, True, False]
    page = operator.get(f"{LIST}/{row.id}").text
    assert "It keeps 3 of them from suppression." in page
    assert "They were judged, and the worker does so once more at" in page
    listed = operator.get(LIST).text
    for text in ("google", "closed", "token operator", "status page says so"):
        assert text in listed


def test_a_form_that_is_sent_twice_opens_one(site: Site, operator: Browser) -> None:
    plan = plan_in(operator.follow(operator.send(LIST, **FORM)).text)
    answers = [operator.send(f"{LIST}/change", plan=plan, note="x") for _ in range(2)]
    assert {one.headers["Location"] for one in answers} == {f"{LIST}/1?saved=1"}
    assert len(Incidents(site.store).all()) == 1


def test_a_difference_that_has_changed_is_shown_and_asked_for_once_more(
    site: Site, operator: Browser
) -> None:
    bounced(site)
    plan = plan_in(operator.follow(operator.send(LIST, **FORM)).text)
    site.record(decoded(Scenario.SUCCESS, -5, "u3@gmail.com"))  # arrives late
    answer = operator.send(f"{LIST}/change", plan=plan, note="my note")
    assert answer.status_code == 409
    assert "has changed since you saw it" in answer.text
    assert numbers(answer.text) == [4, 0, 0]
    assert ">my note</textarea>" in answer.text
    assert Incidents(site.store).all() == []
    answer = operator.send(f"{LIST}/change", plan=plan_in(answer.text), note="my note")
    assert answer.status_code == 303
    assert len(Incidents(site.store).all()) == 1


def test_what_bounces_after_the_page_was_opened_does_not_stop_the_person(
    site: Site, operator: Browser
) -> None:
    bounced(site)
    plan = plan_in(operator.follow(operator.send(LIST, **{**FORM, "ends": ""})).text)
    site.now += HOUR / 2
    site.record(
        decoded(Scenario.SUCCESS, -5, "late@gmail.com"),
        decoded(Scenario.BOUNCE, 3.25 / 24, "late@gmail.com"),
    )
    assert operator.send(f"{LIST}/change", plan=plan, note="x").status_code == 303


def test_close_at_a_time_withdraw_and_open_once_more(site: Site, operator: Browser) -> None:
    bounced(site)
    path = f"{LIST}/{saved(site, IncidentStatus.CONFIRMED).id}"
    incidents = Incidents(site.store)
    incidents.sweep(site.now)
    steps = [
        ({"action": "close", "ends": "2026-11-20T11:30"}, [0, 3, 0], "closed"),
        ({"action": "withdraw"}, [0, 0, 0], "withdrawn"),
        ({"action": "open", "ends": "2026-11-20T15:00"}, [3, 0, 0], "closed"),
    ]
    for form, expected, state in steps:
        page = operator.follow(operator.send(path, **form)).text
        assert numbers(page) == expected
        operator.follow(operator.send(f"{LIST}/change", plan=plan_in(page), note=state))
        row = incidents.get(1)
        assert (row.state_at(site.now), row.note) == (state, state)
        assert row.decided_by == "token operator"
        incidents.sweep(site.now)
        assert may_mail(site, 0) == (expected[0] > 0)


def test_an_open_one_is_closed_now(site: Site, operator: Browser) -> None:
    row = saved(site, IncidentStatus.CONFIRMED)
    row = Incidents(site.store).save(changed(row, site.now, ends_at=None), site.now, row)
    page = operator.get(f"{LIST}/{row.id}").text
    assert "Leave it empty to end it now." in page
    page = operator.follow(operator.send(f"{LIST}/{row.id}", action="close", ends="")).text
    operator.send(f"{LIST}/change", plan=plan_in(page), note="over")
    assert Incidents(site.store).get(row.id).ends_at == site.now


def test_an_incident_that_somebody_else_has_changed_is_asked_for_once_more(
    site: Site, operator: Browser
) -> None:
    bounced(site)
    row = saved(site, IncidentStatus.SUSPECTED)
    path = f"{LIST}/{row.id}"
    page = operator.get(path).text
    assert "If it were open, it would keep 3 of them from suppression." in page
    plan = plan_in(operator.follow(operator.send(path, action="open")).text)
    site.now += HOUR
    row = Incidents(site.store).save(changed(row, site.now, ends_at=AT - HOUR / 2), site.now, row)
    answer = operator.send(f"{LIST}/change", plan=plan, note="x")
    assert answer.status_code == 409
    assert numbers(answer.text) == [0, 0, 0]
    assert Incidents(site.store).get(1).status is IncidentStatus.SUSPECTED
    plan = plan_in(answer.text)
    confirmed = changed(row, site.now, status=IncidentStatus.CONFIRMED, decided_by="ann")
    Incidents(site.store).save(confirmed, site.now + HOUR, row)
    answer = operator.send(f"{LIST}/change", plan=plan, note="x")
    assert answer.status_code == 409
    assert "The incident has changed" in answer.text
    assert Incidents(site.store).get(1).decided_by == "ann"


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"provider": "nobody"}, "This is neither a domain nor the name of a provider."),
        ({"begins": ""}, "Write the times as 2026-11-20T12:30."),
        ({"begins": "yesterday"}, "Write the times as 2026-11-20T12:30."),
        ({"ends": "2026-13-01T00:00"}, "Write the times as 2026-11-20T12:30."),
        ({"ends": FORM["begins"]}, "The incident would end before it begins."),
    ],
)
def test_a_form_that_is_wrong_is_shown_once_more(
    site: Site, operator: Browser, given: dict[str, str], problem: str
) -> None:
    form = {**FORM, **given}
    answer = operator.send(LIST, **form)
    assert answer.status_code == 422
    assert problem in answer.text
    for value in filter(None, form.values()):
        assert f'value="{value}"' in answer.text
    row = saved(site, IncidentStatus.CONFIRMED)
    if "ends" in given:
        answer = operator.send(f"{LIST}/{row.id}", action="close", ends=form["ends"][:10])
        assert (answer.status_code, "Write the times" in answer.text) == (422, True)


@pytest.mark.parametrize("note", ["", "  ", "x" * 2001])
def test_without_a_note_nothing_is_saved(site: Site, operator: Browser, note: str) -> None:
    plan = plan_in(operator.follow(operator.send(LIST, **FORM)).text)
    answer = operator.send(f"{LIST}/change", plan=plan, note=note)
    assert answer.status_code == 422
    assert 'role="alert"' in answer.text
    assert Incidents(site.store).all() == []


def test_a_long_count_goes_on_with_a_button_and_never_saves_unseen(
    site: Site, operator: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "_BATCH", 2)
    monkeypatch.setattr(difference, "SECONDS", 0.0)
    monkeypatch.setattr(difference, "AT_FIRST_SECONDS", 0.0)
    bounced(site, known=3, others=0)
    page, parts = operator.follow(operator.send(LIST, **FORM)).text, []
    while further := re.search(r'href="([^"]*)" rel="next"', page):
        parts.append(numbers(page)[0])
        assert 'name="note"' not in page
        page = operator.get(further[1]).text
    assert (parts, numbers(page)) == ([2], [3, 0, 0])
    answer, seen = operator.send(f"{LIST}/change", plan=plan_in(page), note="kept"), 0
    while answer.status_code == 200:
        assert "Nothing is saved yet." in answer.text
        assert ">kept</textarea>" in answer.text
        assert Incidents(site.store).all() == []
        seen += 1
        answer = operator.send(f"{LIST}/change", plan=plan_in(answer.text), note="kept")
    assert seen == 1
    page = operator.follow(answer).text
    assert Incidents(site.store).get(1).note == "kept"
    assert "2 addresses had a hard bounce in it." in page
    further = re.search(r'href="([^"]*)" rel="next"', page)
    assert further
    assert "3 addresses had a hard bounce in it." in operator.get(further[1]).text


def test_while_somebody_else_counts_nobody_waits() -> None:
    def parts(_: Any) -> Iterator[Part]:
        raise AssertionError("two threads count")

    console: Any = SimpleNamespace(counting=Lock())
    with console.counting:
        found = difference.count_some(console, parts, Survey(addresses=7))
    assert found.survey == Survey(addresses=7)
    assert not found.changes


def test_the_rate_is_shown_beside_that_of_the_days_before(site: Site, operator: Browser) -> None:
    bounced(site, known=3, others=1)
    site.record(decoded(Scenario.SUCCESS, 0, "happy@gmail.com"))
    row = saved(site, IncidentStatus.SUSPECTED)
    cells = re.findall(
        r'<td data-label="[^"]*">([^<]*)</td>', operator.get(f"{LIST}/{row.id}").text
    )
    assert cells == ["4", "3", "1", "80 %", "0", "0", "3", "0 %"]
    site.now += timedelta(days=40)
    assert "14 days before" not in operator.get(f"{LIST}/{row.id}").text


def test_who_may_read_sees_the_numbers_and_no_address(site: Site) -> None:
    bounced(site)
    site.now = AT + 3 * HOUR
    row = saved(site, IncidentStatus.CONFIRMED)
    for role, lists, decides in (
        ("viewer", False, False),
        ("support", False, False),
        ("operator", True, True),
    ):
        browser = site.with_role(role)
        page = browser.get(f"{LIST}/{row.id}").text
        assert "4 addresses had a hard bounce in it." in page
        assert ("u0@gmail.com" in page) == lists
        assert ('name="action"' in page) == decides
        assert ('name="provider"' in browser.get(LIST).text) == decides


@pytest.mark.parametrize("number", ["0", "7", "x", "9" * 30, "-1"])
def test_there_is_no_such_incident(operator: Browser, number: str) -> None:
    assert operator.get(f"{LIST}/{number}").status_code == 404
    assert operator.send(f"{LIST}/{number}", action="open").status_code == 404


def test_an_action_that_does_not_fit_is_refused(site: Site, operator: Browser) -> None:
    path = f"{LIST}/{saved(site, IncidentStatus.CONFIRMED).id}"
    for action in ("open", "delete", ""):
        assert operator.send(path, action=action).status_code == 409
    assert operator.get(f"{LIST}/change?plan=x").status_code == 404
    assert operator.send(f"{LIST}/change", plan="x", note="x").status_code == 404


def test_the_shares_of_the_large_providers_stand_beside_their_own_past(
    site: Site, operator: Browser
) -> None:
    assert "No mail to a large provider was counted" in operator.get(LIST).text
    site.record(
        *(decoded(Scenario.SUCCESS, -10, f"u{n}@gmail.com") for n in range(38)),
        *(decoded(Scenario.BOUNCE, -10, f"u{n}@gmail.com") for n in range(2)),
        # 24 hours before the end of the present hour, and the hour before that.
        *(decoded(Scenario.SUCCESS, 3 / 24 - 23 / 24, f"v{n}@gmail.com") for n in range(6)),
        *(decoded(Scenario.BOUNCE, 3 / 24 - 1, f"v{n}@gmail.com") for n in range(1)),
        *(decoded(Scenario.BOUNCE, 3 / 24, f"w{n}@gmail.com") for n in range(2)),
        *(decoded(Scenario.SUCCESS, 0, f"u{n}@outlook.com") for n in range(3)),
        *(decoded(Scenario.BOUNCE, 0, f"u{n}@example.com") for n in range(9)),
    )
    page = re.sub(r"<[^>]*>", " ", operator.get(LIST).text)
    rows = re.sub(r"\s+", " ", page[page.rindex("14 days before ") :]).split("Open an")[0]
    times = "\N{MULTIPLICATION SIGN}"
    assert rows == (
        # 4 in 141 are expected.
        f"14 days before google 100 % 35.2 {times} 2 of 2 25 % 8.8 {times} 2 of 8 "
        "7.32 % 3 of 41 "
        "microsoft no mail 0 % 0 of 3 no mail "
    )
