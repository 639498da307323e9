"""What if: who would be suppressed or released under another policy, before it is applied."""

import re

import pytest
import sqlalchemy as sa

from scripts.local.ses_messages import Scenario
from sesbounce.console import difference
from sesbounce.console.what_if import CHOICE, CHOICES, NUMBERS
from sesbounce.feedback.address import parse
from sesbounce.operations import what_if
from sesbounce.operations.erasure import forget
from sesbounce.operations.rebuild import Rebuild
from sesbounce.settings import Settings
from sesbounce.store.store import Store
from tests import stored
from tests.console import Browser, Site
from tests.stored import decoded
from tests.support import AT

PAGE = "/console/what-if"
PRESENT = {name: str(getattr(Settings(), name)) for name in (*NUMBERS, CHOICE)}


def asked(browser: Browser, **given: str) -> str:
    """The page that follows the form, where all addresses can be counted at once."""
    answer = browser.follow(browser.send(PAGE, **{**PRESENT, **given}))
    assert "refresh" not in answer.headers
    return answer.text


def numbers(page: str) -> list[int]:
    """The addresses to be released, suppressed and changed."""
    return [int(n) for n in re.findall(r'<dd(?: class="\w+")?>([\d,]+)</dd></div>', page)]


def changed(page: str) -> list[str]:
    return re.findall(r"<bdi>(\w+@example.com)</bdi></a>", page)


def soft(site: Site, name: str, days: int) -> None:
    site.record(*(decoded(Scenario.MAILBOX_FULL, -n, f"{name}@example.com") for n in range(days)))


def test_the_form_begins_with_the_settings_and_counts_nothing(engine: sa.Engine) -> None:
    site = Site(engine, strikes=5, probation_growth=1.5)
    page = site.with_role("operator").get(PAGE).text
    assert 'max="16" step="1" value="5"' in page
    assert 'max="10.0" step="any" value="1.5"' in page or 'max="10" step="any" value="1.5"' in page
    assert "now 5" in page
    assert numbers(page) == []
    site.close()


def test_fewer_strikes_suppress_and_more_release(site: Site, admin: Browser) -> None:
    soft(site, "once", 1)
    soft(site, "twice", 2)
    soft(site, "often", 4)
    before = stored.table(site.engine, "feedback_address")
    page = asked(admin, strikes="2")
    assert numbers(page)[:2] == [0, 1]
    assert "twice@example.com" in changed(page)
    assert "2 of 3 strikes" in page
    assert "All 3 addresses were looked at." in page
    assert "export SESBOUNCE_STRIKES=2\nsesbounce rebuild</code>" in page
    assert "environment = {\n  SESBOUNCE_STRIKES = &#34;2&#34;\n}</code>" in page
    page = asked(admin, strikes="9")
    assert (numbers(page), changed(page)) == ([1, 0, 0], ["often@example.com"])
    assert stored.table(site.engine, "feedback_address") == before


def test_it_says_what_a_rebuild_would_do(site: Site, admin: Browser) -> None:
    for number in range(1, 7):
        soft(site, f"u{number}", number)
    site.record(decoded(Scenario.BOUNCE, 0, "hard@example.com"))
    for given in ({"strikes": 1}, {"strikes": 5}, {"strikes": 2, "probation_days": 3}):
        texts = {name: str(value) for name, value in given.items()}
        page = asked(admin, **texts)
        policy = Settings().model_copy(update=given).policy
        rebuild = Rebuild(Store(site.engine, policy, stored.IN_MEMBER), site.now)
        changes = list(rebuild.preview())
        totals = rebuild.totals
        assert numbers(page) == [totals.released, totals.suppressed, totals.changed]
        assert changed(page) == [one.address for one in changes]
        assert changes


def test_the_present_numbers_change_nothing_and_need_no_setting(site: Site, admin: Browser) -> None:
    soft(site, "once", 1)
    page = asked(admin)
    assert numbers(page) == [0, 0, 0]
    assert "1 address was looked at. No address would" in page
    assert "These are the numbers of the settings, and all addresses are judged by them." in page
    assert "How to apply it" not in page


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("strikes", "0"),
        ("strikes", "17"),
        ("strikes", "2.5"),
        ("strikes", ""),
        ("strike_window_days", "many"),
        ("probation_growth", "nan"),
        ("probation_growth", "0.5"),
        ("not_attempted_days", "9" * 40),
        (CHOICE, "nothing"),
    ],
)
def test_a_number_out_of_range_is_named(admin: Browser, name: str, value: str) -> None:
    answer = admin.send(PAGE, **{**PRESENT, name: value})
    assert answer.status_code == 422
    assert "Write a number in the range of the field: " in answer.text
    assert answer.text.count('aria-invalid="true"') == 1
    if name in NUMBERS:
        assert f'value="{value}"' in answer.text


def test_a_long_count_goes_on_where_it_has_ended(
    site: Site, admin: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(what_if, "_BATCH", 2)
    monkeypatch.setattr(difference, "SECONDS", 0.0)
    monkeypatch.setattr(difference, "AT_FIRST_SECONDS", 0.0)
    for number in range(5):
        soft(site, f"u{number}", 2)
    answer = admin.follow(admin.send(PAGE, **{**PRESENT, "strikes": "2"}))
    assert "2 addresses were looked at so far. This page counts on by itself" in answer.text
    assert numbers(answer.text) == [0, 2, 0]
    # The first answer comes at once, and the next one begins with the same addresses.
    by_itself = answer.headers["refresh"].removeprefix("0; url=")
    assert f'href="{by_itself}" rel="next"' in answer.text
    page, found = admin.get(by_itself).text, []
    for looked in (2, 4):
        assert f"{looked} of 5 addresses were looked at so far." in page
        assert numbers(page) == [0, looked, 0]
        found += changed(page)
        further = re.search(r'href="([^"]*)" rel="next"', page)
        assert further
        assert "example" not in further[1]
        answer = admin.get(further[1])
        assert "refresh" not in answer.headers
        page = answer.text
    assert "All 5 addresses were looked at." in page
    assert [*found, *changed(page)] == [f"u{number}@example.com" for number in range(5)]


def test_it_lists_the_first_hundred(
    site: Site, admin: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(difference, "SHOWN", 3)
    for number in range(4):
        soft(site, f"u{number}", 1)
    page = asked(admin, strikes="1")
    assert (numbers(page), len(changed(page))) == ([0, 4, 0], 3)
    assert "The first 3 changes of this part of the count." in page


def test_a_forgotten_address_has_no_name(engine: sa.Engine) -> None:
    site = Site(engine, hash_key="k" * 40)
    site.record(decoded(Scenario.COMPLAINT))
    soft(site, "often", 4)
    keys = site.settings.hash_keys
    forget(site.store, keys, [parse("often@example.com")], AT, "ann")
    page = asked(site.with_role("operator"), strikes="9")
    assert numbers(page) == [1, 0, 0]
    assert "All 2 addresses were looked at." in page
    assert "a forgotten address" in page
    assert "HMAC" not in page
    site.close()


def test_a_link_that_was_made_up_counts_nothing(site: Site, admin: Browser) -> None:
    assert admin.get(f"{PAGE}?view=x").status_code == 404
    listed = admin.send("/console/suppressions", domain="example.org").headers["Location"]
    assert admin.get(f"{PAGE}?{listed.partition('?')[2]}").status_code == 404


def test_the_choices_are_those_of_the_setting(admin: Browser) -> None:
    page = admin.get(PAGE).text
    assert re.findall(r'<option value="(\w+)"', page) == list(CHOICES)
    annotation = Settings.model_fields[CHOICE].annotation
    assert getattr(annotation, "__args__", None) == CHOICES
