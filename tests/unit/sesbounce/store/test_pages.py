"""Pages of the suppressed addresses: also those that end when their time is over."""

import itertools
from collections.abc import Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa

from sesbounce.errors import AddressError
from sesbounce.feedback.reason import Reason
from sesbounce.store import pages, schema
from sesbounce.store.engine import write
from sesbounce.store.lookup import Answer, Filter, Lookup
from sesbounce.store.pages import suppressed_page
from tests.support import AT

DOMAINS = ("example.com", "sub.example.com", "example.org")
REASONS = (Reason.NO_SUCH_MAILBOX, Reason.MAILBOX_FULL, Reason.SUPPRESSED_BY_HAND)
FILTERS = {
    "all": Filter(),
    "domain": Filter(domain="Example.com"),
    "reason": Filter(reason=Reason.MAILBOX_FULL),
    "both": Filter(domain="@example.org", reason=Reason.NO_SUCH_MAILBOX),
    "since": Filter(since=AT - timedelta(hours=6), domain="example.com"),
    "stream": Filter(stream="news", reason=Reason.SUPPRESSED_BY_HAND),
    "none": Filter(domain="nobody.example"),
}


@pytest.fixture
def filled(engine: sa.Engine) -> sa.Engine:
    """Suppressions of which several began together, and of which some have ended."""
    names = itertools.product(range(8), DOMAINS, REASONS)
    rows = [
        {
            "address": f"u{number}-{reason}@{domain}",
            "suppressed_since": AT - timedelta(hours=number // 2 * 2),
            "suppressed_until": AT + timedelta(hours=number % 3 - 1) if number % 2 else None,
            "reason": reason,
            "kind": "bounce",
            "why": "",
        }
        for number, domain, reason in names
    ]
    of_streams = [{**row, "stream": name} for row in rows[::7] for name in ("news", "orders")]
    more = {"state": "{}", "original": "", "struck_off": True}
    with write(engine) as connection:
        # The index of a domain takes the text behind the last @.
        rows.append({**rows[0], "address": '"a@example.com"@example.org'})
        connection.execute(sa.insert(schema.address), [{**row, **more} for row in rows])
        connection.execute(sa.insert(schema.stream), of_streams)
    return engine


def read(engine: sa.Engine, wanted: Filter, seconds: float | None) -> Iterator[list[Answer]]:
    """The answers of each page."""
    place = None
    while True:
        answers, place = suppressed_page(engine, AT, wanted, 3, place, seconds=seconds)
        yield answers
        if place is None:
            return


@pytest.mark.parametrize("name", FILTERS)
def test_pages_that_end_with_their_time_lose_and_repeat_nothing(
    filled: sa.Engine, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "_LOOKED_AT", 4)
    wanted = FILTERS[name]
    plain = list(itertools.chain(*read(filled, wanted, None)))
    assert bool(plain) == (name != "none")
    assert sorted(plain, key=repr) == sorted(Lookup(filled).suppressed(AT, wanted), key=repr)
    for seconds in (0.0, 60.0):
        found = list(read(filled, wanted, seconds))
        assert list(itertools.chain(*found)) == plain
        assert all(len(page) <= 3 for page in found)
    # The whole time is enough for a full page.
    assert all(len(page) == 3 for page in found[:-1])


def test_a_page_whose_time_is_over_may_be_empty_and_says_where_the_next_one_begins(
    filled: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "_LOOKED_AT", 1)
    wanted = Filter(stream="no such stream", since=AT)
    answers, place = suppressed_page(filled, AT, wanted, 3, None, seconds=0.0)
    assert len(answers) <= 1
    assert place
    assert place.since == AT


def test_a_domain_is_what_stands_behind_the_last_at(filled: sa.Engine) -> None:
    everybody, found = (
        {answer.address for page in read(filled, wanted, 60.0) for answer in page}
        for wanted in (Filter(), Filter(domain="Example.org"))
    )
    assert '"a@example.com"@example.org' in found
    assert found == {address for address in everybody if address.endswith("@example.org")}


def test_a_domain_is_no_address(filled: sa.Engine) -> None:
    with pytest.raises(AddressError):
        suppressed_page(filled, AT, Filter(domain="a@example.com"), 3, None)
