"""To allow all that match the filters of the list, and to undo it."""

import re
from datetime import timedelta

import httpx
import pytest
import sqlalchemy as sa

from scripts.local.ses_messages import Scenario
from sesbounce.console import bulk, suppressions
from sesbounce.feedback.manual import decide
from sesbounce.feedback.reason import Reason
from sesbounce.store import pages, schema
from sesbounce.store.engine import write
from tests.console import Browser, Site
from tests.stored import DAY, decoded, rows
from tests.support import AT

LIST = "/console/suppressions"
FILTERS = "reason=no_such_mailbox domain=example.com"
UNDONE = "undoes the decision of 2026-11-20 12:01 UTC"


@pytest.fixture
def suppressed(site: Site) -> Site:
    site.record(
        *(decoded(Scenario.BOUNCE, -n, f"u{n}@example.com") for n in range(12)),
        decoded(Scenario.BOUNCE, 0, "jane@example.org"),
    )
    return site


def field(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found, name
    return found[1]


def confirmation(browser: Browser, **filters: str) -> httpx.Response:
    """The page on which a person confirms the number."""
    page = browser.follow(browser.send(LIST, **filters)).text
    found = re.search(rf'href="({LIST}/allow[^"]*)"', page)
    assert found
    return browser.get(found[1])


def continued(browser: Browser, page: httpx.Response) -> httpx.Response:
    """The page to which this one leads by itself, with those between."""
    while "refresh" in page.headers:
        page = browser.get(page.headers["refresh"].removeprefix("0; url="))
    return page


def allow(browser: Browser, page: httpx.Response, note: str = "outage") -> httpx.Response:
    return browser.send(f"{LIST}/allow", note=note, count=field(page.text, "count"))


def may_be_mailed(site: Site) -> list[str]:
    query = "SELECT address FROM feedback_address WHERE suppressed_since IS NULL ORDER BY address"
    return [address for (address,) in rows(site.engine, query)]


def test_filter_confirm_the_number_allow_and_undo(suppressed: Site, admin: Browser) -> None:
    page = confirmation(admin, domain="example.com", reason="no_such_mailbox")
    assert "12 addresses match" in page.text
    assert "Allow 12 addresses" in page.text
    assert "and 2 more" in page.text
    assert "example" not in str(page.url)
    suppressed.now += timedelta(minutes=1)
    answer = allow(admin, page)
    done = admin.follow(answer).text
    assert "12 addresses were allowed." in done
    assert 'value="example.com"' in done  # the filters stay
    assert len(may_be_mailed(suppressed)) == 12
    # Sent once more, it finds another list.
    assert allow(admin, page).status_code == 409
    events = rows(
        suppressed.engine, "SELECT source, diagnostic FROM feedback_event WHERE kind = 'manual'"
    )
    assert events == [("token admin", "outage")] * 12

    # Somebody decides about one of them, and another one bounces; then the others are undone.
    suppressed.now += timedelta(minutes=1)
    suppressed.record(
        decide("u1@example.com", Reason.ALLOWED_BY_HAND, suppressed.now, by="ann"),
    )
    batch = field(done, "batch")
    undone = admin.follow(admin.send(f"{LIST}/undo", batch=batch)).text
    assert "The decisions about 11 addresses were undone: they do not count any more." in undone
    assert may_be_mailed(suppressed) == ["u1@example.com"]
    assert UNDONE in admin.look_up("u2@example.com").text
    acts = "SELECT act, done_by, subject, note, number FROM feedback_act ORDER BY id"
    assert rows(suppressed.engine, acts) == [
        ("bulk_allowed", "token admin", FILTERS, "outage", 12),
        ("bulk_undone", "token admin", FILTERS, UNDONE, 11),
    ]
    # An undo is not undone here, and nothing is undone twice.
    assert f"{LIST}/undo" not in undone
    assert admin.send(f"{LIST}/undo", batch=batch).status_code == 409


def test_a_list_that_has_changed_is_shown_and_nothing_is_allowed(
    suppressed: Site, admin: Browser
) -> None:
    page = confirmation(admin, domain="example.com")
    suppressed.record(decoded(Scenario.BOUNCE, 0, "new@example.com"))
    answer = allow(admin, page, "the note")
    assert answer.status_code == 409
    assert "The list has changed since you saw it" in answer.text
    assert "13 addresses match" in answer.text
    assert ">the note</textarea>" in answer.text
    assert may_be_mailed(suppressed) == []
    # The number alone does not do: another address in the place of one.
    page = confirmation(admin, domain="example.com")
    suppressed.record(
        decide("new@example.com", Reason.ALLOWED_BY_HAND, AT + DAY),
        decoded(Scenario.BOUNCE, 0, "newer@example.com"),
    )
    assert allow(admin, page).status_code == 409
    assert may_be_mailed(suppressed) == ["new@example.com"]


def test_all_are_allowed_or_none(suppressed: Site, admin: Browser) -> None:
    page = confirmation(admin, domain="example.com")
    with suppressed.engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER no BEFORE UPDATE ON feedback_address"
            " WHEN NEW.address = 'u9@example.com' BEGIN SELECT RAISE(ABORT, 'no'); END"
        )
    assert allow(admin, page).status_code == 503
    assert may_be_mailed(suppressed) == []
    assert rows(suppressed.engine, "SELECT * FROM feedback_event WHERE kind = 'manual'") == []
    assert rows(suppressed.engine, "SELECT * FROM feedback_act") == []


def test_it_needs_a_note_and_a_filter(suppressed: Site, admin: Browser) -> None:
    page = confirmation(admin, domain="example.com")
    for note, problem in (("", "Write a note"), ("x" * 2001, "too long")):
        answer = allow(admin, page, note)
        assert answer.status_code == 422
        assert problem in answer.text
    assert "Allow all that match" not in admin.get(LIST).text
    assert admin.get(f"{LIST}/allow").status_code == 404
    of_filters, of_count = page.url.params["view"], field(page.text, "count")
    for wrong in ("x", of_filters):
        assert admin.get(f"{LIST}/allow?count={wrong}").status_code == 404
        assert admin.send(f"{LIST}/allow", count=wrong, note="x").status_code == 404
        assert admin.send(f"{LIST}/undo", batch=wrong).status_code == 404
        assert admin.get(f"{LIST}?batch={wrong}").status_code == 404
    assert admin.get(f"{LIST}/allow?view={of_count}").status_code == 404
    assert may_be_mailed(suppressed) == []


@pytest.fixture
def in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page looks at four suppressions."""
    monkeypatch.setattr(pages, "_LOOKED_AT", 4)
    monkeypatch.setattr(suppressions, "_SECONDS", 0.0)


@pytest.mark.usefixtures("in_parts")
def test_a_long_count_continues_by_itself_and_allows_nothing_before_its_end(
    suppressed: Site, admin: Browser
) -> None:
    suppressed.record(decoded(Scenario.BOUNCE, -30, "old@example.org"))
    page = confirmation(admin, domain="example.org")
    so_far = ["The server has found 1 address so far, among the suppressions since <time"]
    so_far += ["The server has found 1 address so far"] * 2
    for text in so_far:
        assert text in page.text
        assert "<textarea" not in page.text
        further = re.search(r'href="([^"]*)" rel="next"', page.text)
        assert further
        assert page.headers["refresh"] == f"0; url={further[1]}"
        assert "example" not in further[1]
        page = admin.get(further[1])
    assert "2 addresses match" in page.text
    assert re.findall(r"<li><bdi>([^<]*)", page.text) == ["jane@example.org", "old@example.org"]
    assert "refresh" not in page.headers
    # A reload continues at the same place, so it counts nothing twice.
    assert "2 addresses match" in admin.get(str(page.url)).text
    assert allow(admin, page, "").status_code == 422
    assert "2 addresses were allowed." in admin.follow(allow(admin, page)).text
    assert may_be_mailed(suppressed) == ["jane@example.org", "old@example.org"]


@pytest.mark.usefixtures("in_parts")
def test_what_has_come_since_a_part_was_counted_is_not_allowed(
    suppressed: Site, admin: Browser
) -> None:
    page = confirmation(admin, domain="example.com")
    suppressed.record(decoded(Scenario.BOUNCE, 1, "new@example.com"))
    page = continued(admin, page)
    assert "12 addresses match" in page.text
    answer = allow(admin, page)
    assert answer.status_code == 409
    assert "13 addresses match" in answer.text
    assert may_be_mailed(suppressed) == []
    assert "13 addresses were allowed." in admin.follow(allow(admin, answer)).text


@pytest.mark.usefixtures("in_parts")
def test_nothing_is_allowed_where_the_addresses_cannot_be_counted_in_time(
    suppressed: Site, admin: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = continued(admin, confirmation(admin, domain="example.com"))
    monkeypatch.setattr(bulk, "_LONGEST_SECONDS", 0.0)
    answer = allow(admin, page, "the note")
    assert answer.status_code == 503
    assert "could not count these addresses once more in ten seconds" in answer.text
    assert "refresh" not in answer.headers
    assert may_be_mailed(suppressed) == []
    monkeypatch.setattr(bulk, "_LONGEST_SECONDS", 60.0)
    assert ">the note</textarea>" in answer.text
    assert "12 addresses were allowed." in admin.follow(allow(admin, answer)).text


def test_an_address_that_is_suppressed_in_several_streams_counts_once(
    site: Site, admin: Browser
) -> None:
    site.record(decoded(Scenario.SUCCESS), decoded(Scenario.BOUNCE, 0, "mary@example.com"))
    of_jane = {
        "address": "jane@example.com",
        "suppressed_since": AT,
        "reason": Reason.COMPLAINT_ABUSE,
        "kind": "complaint",
        "why": "",
    }
    with write(site.engine) as connection:
        of_streams = [{**of_jane, "stream": name} for name in ("news", "offers", "orders")]
        connection.execute(sa.insert(schema.stream), of_streams)
    page = confirmation(admin, domain="example.com")
    assert "2 addresses match" in page.text
    assert page.text.count("jane@example.com") == 1
    assert "2 addresses were allowed." in admin.follow(allow(admin, page)).text


def test_too_many_are_not_allowed_at_once(
    suppressed: Site, admin: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "MOST", 11)
    page = confirmation(admin, domain="example.com")
    assert "More than 11 addresses match" in page.text
    assert "<textarea" not in page.text
    monkeypatch.undo()
    known = confirmation(admin, domain="example.com")
    monkeypatch.setattr(bulk, "MOST", 11)
    assert allow(admin, known).status_code == 409
    assert may_be_mailed(suppressed) == []


def test_a_link_to_an_empty_selection_says_so(suppressed: Site, admin: Browser) -> None:
    page = confirmation(admin, domain="example.org")
    assert "1 address matches" in page.text
    assert "1 address was allowed." in admin.follow(allow(admin, page)).text
    assert "No suppressed address matches" in admin.get(str(page.url)).text
