"""The download of the list."""

import csv
import io
import re
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from scripts.local.ses_messages import Scenario
from sesbounce.console.suppressions import View
from sesbounce.feedback.address import parse
from sesbounce.feedback.kind import Kind
from sesbounce.feedback.manual import decide
from sesbounce.feedback.reason import Reason
from sesbounce.lists.files import write_csv
from sesbounce.operations.erasure import forget
from sesbounce.store import schema
from sesbounce.store.engine import write
from sesbounce.store.listing import suppressed_rows
from sesbounce.store.tokens import Scope
from tests.console import Browser, Site
from tests.serving import served
from tests.stored import decoded
from tests.support import AT

LIST = "/console/suppressions"


def sealed(page: str) -> str:
    found = re.search(r'name="view" value="([^"]*)"', page)
    assert found, page
    return found[1]


def download(browser: Browser, **filters: str) -> list[dict[str, str]]:
    page = browser.follow(browser.send(LIST, **filters)).text
    answer = browser.send(f"{LIST}/download", view=sealed(page))
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == (
        'attachment; filename="suppressed-2026-11-20.csv"'
    )
    assert answer.headers["Cache-Control"] == "no-store"
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_it_has_all_rows_of_all_pages_and_says_what_the_export_says(
    site: Site, admin: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sesbounce.console.download._ROWS", 10)
    site.record(*(decoded(Scenario.COMPLAINT, -n / 9, f"u{n:02}@example.org") for n in range(60)))
    rows = download(admin)
    assert [row["address"] for row in rows] == [f"u{n:02}@example.org" for n in range(60)]
    exported = list(suppressed_rows(site.engine, site.now))
    assert [row["why"] for row in rows] == [one.why for one in exported]
    assert {row["reason"] for row in rows} == {"complaint_abuse"}


@pytest.mark.parametrize(
    ("view", "subject"),
    [
        (View(domain="example.com (jane@example.org)"), "domain=example.com (…@example.org)"),
        (View(domain="jane%40example.com"), "domain=…%40example.com"),
        (View(stream="jane@example.com"), "stream=…@example.com"),
    ],
)
def test_the_audit_holds_no_address_that_somebody_typed_as_a_filter(
    view: View, subject: str
) -> None:
    assert view.words == subject


def test_it_follows_the_filters_and_not_the_page(site: Site, admin: Browser) -> None:
    site.record(
        *(decoded(Scenario.BOUNCE, -1 - n / 999, f"b{n:02}@example.com") for n in range(70)),
        decoded(Scenario.COMPLAINT, 0, "mary@example.com"),
        decoded(Scenario.COMPLAINT, 0, "carl@example.org"),
    )
    found = download(admin, domain="example.com", reason="complaint_abuse")
    assert [row["address"] for row in found] == ["mary@example.com"]
    assert len(download(admin, domain="example.com")) == 71
    assert len(download(admin, since="2026-11-20")) == 2
    audit = re.sub(r"<[^>]*>|\s+", " ", admin.get("/console/audit").text)
    assert "token admin" in audit
    for words in ("domain=example.com", "reason=complaint_abuse domain=example.com", "since=2026"):
        assert words in audit
    second = admin.get(LIST).text
    link = re.search(r'href="([^"]*)" rel="next"', second)
    assert link
    answer = admin.send(f"{LIST}/download", view=sealed(admin.get(link[1]).text))
    assert len(answer.text.splitlines()) == 73


def test_suppressions_of_a_stream_follow_the_others(site: Site, admin: Browser) -> None:
    site.record(decoded(Scenario.SUCCESS, 0, "carl@example.org"))
    row = {
        "address": "carl@example.org",
        "suppressed_since": AT,
        "reason": Reason.COMPLAINT_ABUSE,
        "kind": Kind.COMPLAINT,
        "why": "complaint",
    }
    rows = [row | {"stream": stream} for stream in ("news", "offers")]
    with write(site.engine) as connection:
        connection.execute(sa.insert(schema.stream), rows)
    site.record(decoded(Scenario.BOUNCE))
    found = [(row["address"], row["stream"]) for row in download(admin)]
    assert found[0] == ("jane@example.com", "")
    assert found[1:] == [("carl@example.org", "news"), ("carl@example.org", "offers")]


def test_no_cell_is_a_formula_and_no_forgotten_address_is_there(
    site: Site, engine: sa.Engine
) -> None:
    site = Site(engine, hash_key="k" * 40)
    note = "=HYPERLINK(1)"
    site.record(decide("carl@example.org", Reason.SUPPRESSED_BY_HAND, AT, note=note))
    site.record(decoded(Scenario.BOUNCE))
    forget(site.store, site.settings.hash_keys, [parse("jane@example.com")], AT, "ann")
    rows = download(site.with_role("operator"))
    assert [row["address"] for row in rows] == ["carl@example.org"]
    assert not [cell for row in rows for cell in row.values() if cell.startswith("=")]
    site.close()


def test_a_link_of_nobody_is_no_file(admin: Browser) -> None:
    assert admin.send(f"{LIST}/download", view="x").status_code == 404
    assert admin.send(f"{LIST}/download").status_code == 404


def test_a_database_that_is_away_is_a_page(site: Site, admin: Browser) -> None:
    site.record(decoded(Scenario.BOUNCE))
    page = admin.get(LIST).text
    break_database(site)
    answer = admin.send(f"{LIST}/download", view=sealed(page))
    assert answer.status_code == 503
    assert answer.headers["Content-Type"].startswith("text/html")


def test_a_database_that_fails_breaks_the_file_off(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a real server: the browser learns that the file is not whole."""
    monkeypatch.setattr("sesbounce.console.download._ROWS", 1)

    def write_and_break(*arguments: Any, header: bool) -> None:
        write_csv(*arguments, header=header)
        if header:
            break_database(site)

    monkeypatch.setattr("sesbounce.console.download.write_csv", write_and_break)
    site.record(decoded(Scenario.BOUNCE), decoded(Scenario.BOUNCE, 0, "mary@example.com"))
    with served(site.app()) as url, httpx.Client(base_url=url, timeout=60) as client:
        token = {"Authorization": f"Bearer {site.token(Scope.EXPORT)}"}
        view = sealed(client.get(LIST, headers=token).text)
        headers = token | {"Sec-Fetch-Site": "same-origin"}
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
            client.post(f"{LIST}/download", data={"view": view}, headers=headers)


def break_database(site: Site) -> None:
    with write(site.engine) as connection:
        connection.exec_driver_sql("ALTER TABLE feedback_address RENAME TO elsewhere")
