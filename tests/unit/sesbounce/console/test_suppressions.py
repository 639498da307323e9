"""The list of the suppressed addresses."""

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa

from scripts.local.ses_messages import Scenario
from sesbounce.console import suppressions
from sesbounce.feedback.address import parse
from sesbounce.feedback.manual import decide
from sesbounce.feedback.reason import Reason
from sesbounce.operations.erasure import forget
from sesbounce.store import pages
from tests.console import Browser, Site
from tests.stored import DAY, decoded
from tests.support import AT

LIST = "/console/suppressions"


def listed(page: str) -> list[str]:
    return re.findall(r"<bdi>([^<]*@[^<]*)</bdi></a>", page)


def test_an_empty_list_says_so(site: Site, admin: Browser) -> None:
    assert "No address is suppressed." in admin.get(LIST).text
    page = admin.follow(admin.send(LIST, domain="example.org")).text
    assert "No suppressed address matches these filters." in page
    assert 'value="example.org"' in page
    assert "Show all" in page


def test_it_has_a_row_for_each_with_a_link_that_does_not_show_it(
    site: Site, admin: Browser
) -> None:
    site.record(
        decoded(Scenario.BOUNCE, -1), decoded(Scenario.SUPPRESSIONLIST, 0, "mary@example.com")
    )
    page = admin.get(LIST).text
    assert listed(page) == ["mary@example.com", "jane@example.com"]
    assert "no such mailbox" in page
    assert page.count("no end") == 1
    links = re.findall(r'href="(/console/address/[^"]*)"', page)
    assert not [link for link in links if "mary" in link]
    assert "<bdi>mary@example.com</bdi>" in admin.get(links[0]).text


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"domain": "Example.com"}, ["mary@example.com", "jane@example.com"]),
        ({"domain": "@example.org"}, ["carl@example.org"]),
        ({"domain": "xample.com"}, []),
        ({"reason": "suppressed_by_hand"}, ["carl@example.org"]),
        ({"since": "2026-11-20"}, ["carl@example.org", "mary@example.com"]),
        ({"since": "2026-11-20", "domain": "example.com"}, ["mary@example.com"]),
        ({"stream": "news"}, ["carl@example.org", "mary@example.com", "jane@example.com"]),
        ({}, ["carl@example.org", "mary@example.com", "jane@example.com"]),
    ],
)
def test_filters(site: Site, admin: Browser, fields: dict[str, str], found: list[str]) -> None:
    site.record(
        decoded(Scenario.BOUNCE, -1),
        decoded(Scenario.BOUNCE, 0, "mary@example.com"),
        decide("carl@example.org", Reason.SUPPRESSED_BY_HAND, AT + timedelta(hours=1)),
    )
    answer = admin.send(LIST, **fields)
    assert not [value for value in fields.values() if value in answer.headers["Location"]]
    page = admin.follow(answer).text
    assert listed(page) == found
    for value in fields.values():
        assert f'value="{value}"' in page


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("domain", "no domain", "This is no domain."),
        ("domain", "<script>", "This is no domain."),
        ("reason", "delivered", "There is no such reason."),
        ("reason", "nothing", "There is no such reason."),
        ("since", "yesterday", "Write the day as 2026-11-20."),
        ("since", "2026-13-01", "Write the day as 2026-11-20."),
        ("stream", "x" * 400, "This can&#39;t be the name of a stream."),
        ("stream", "a\0b", "This can&#39;t be the name of a stream."),
    ],
)
def test_a_filter_that_is_wrong_shows_no_list(
    site: Site, admin: Browser, name: str, value: str, problem: str
) -> None:
    site.record(decoded(Scenario.BOUNCE))
    answer = admin.send(LIST, **{name: value})
    assert answer.status_code == 422
    assert problem in answer.text
    assert listed(answer.text) == []


def test_an_address_in_the_filter_leads_to_its_page(admin: Browser) -> None:
    page = admin.follow(admin.send(LIST, domain="Jane <jane@example.com>"))
    assert page.url.path.startswith("/console/address/")
    assert "<bdi>jane@example.com</bdi>" in page.text


def test_it_comes_in_pages_that_keep_the_filters(site: Site, admin: Browser) -> None:
    site.record(*(decoded(Scenario.BOUNCE, -n / 100, f"u{n}@example.com") for n in range(120)))
    site.record(decoded(Scenario.BOUNCE, -0.5, "jane@example.org"))
    page, found = admin.follow(admin.send(LIST, domain="example.com")).text, []
    while True:
        found += listed(page)
        further = re.search(r'href="([^"]*)" rel="next"', page)
        if not further:
            break
        assert "example" not in further[1]
        # What is added meanwhile moves nothing.
        site.record(decoded(Scenario.BOUNCE, 1 + len(found), f"new{len(found)}@example.com"))
        page = admin.get(further[1]).text
        assert 'value="example.com"' in page
        assert "First page" in page
    assert found == [f"u{n}@example.com" for n in range(120)]
    assert "This is the end of the list." in page


def test_a_page_that_has_looked_for_long_says_so_and_continues_by_itself(
    site: Site, admin: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "_LOOKED_AT", 2)
    monkeypatch.setattr(suppressions, "_SECONDS", 0.0)
    site.record(*(decoded(Scenario.BOUNCE, -n, f"u{n}@example.com") for n in range(2)))
    site.record(decide("jane@example.org", Reason.SUPPRESSED_BY_HAND, AT - 5 * DAY))
    answer = admin.follow(admin.send(LIST, domain="example.org"))
    page = answer.text
    assert listed(page) == []
    assert re.search(r"This page looked back to <time [^>]*>2026-11-19 12:00 UTC</time>", page)
    assert "No suppressed address matches these filters." not in page
    further = re.search(r'href="([^"]*)" rel="next"', page)
    assert further
    assert answer.headers["refresh"] == f"0; url={further[1]}"  # it continues by itself
    answer = admin.get(further[1])
    page = answer.text
    assert listed(page) == ["jane@example.org"]
    assert "refresh" not in answer.headers
    assert "This is the end of the list." in page


def test_a_link_that_was_made_up_is_no_list(site: Site, admin: Browser) -> None:
    handle = admin.path_of("jane@example.com").rpartition("/")[2]
    for sealed in ("x", handle):
        assert admin.get(f"{LIST}?view={sealed}").status_code == 404


def test_a_forgotten_address_has_no_name_and_no_link(engine: sa.Engine) -> None:
    site = Site(engine, hash_key="k" * 40)
    site.record(decoded(Scenario.BOUNCE))
    forget(site.store, site.settings.hash_keys, [parse("jane@example.com")], AT + DAY, "ann")
    page = site.with_role("operator").get(LIST).text
    assert "a forgotten address" in page
    assert "HMAC" not in page
    site.close()
