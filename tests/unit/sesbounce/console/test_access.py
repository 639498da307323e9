"""Each role may open its pages, and do on them what its scopes permit."""

import re
from collections.abc import Iterable
from pathlib import Path

import httpx
import pytest

from scripts.local.ses_messages import Scenario
from sesbounce.console.examiner import Examiner
from sesbounce.console.pages import PAGES
from sesbounce.console.roles import OTHER, ROLES, role_of
from sesbounce.server.access import Caller
from sesbounce.store import tokens
from sesbounce.store.tokens import Scope
from tests.console import Browser, Site
from tests.stored import decoded
from tests.support import AT

EVERYBODY = ["viewer", "support", "operator", "admin"]
# Each page and what it does, and the roles for whom it does so.
TABLE = {
    ("GET", "/console/overview"): EVERYBODY,
    ("GET", "/console"): EVERYBODY,
    ("POST", "/console/look-up"): EVERYBODY,
    ("GET", "/console/address/{handle}"): EVERYBODY,
    ("POST", "/console/address/{handle}/allow"): ["support", "operator", "admin"],
    ("POST", "/console/address/{handle}/suppress"): ["support", "operator", "admin"],
    ("POST", "/console/address/{handle}/undo"): ["support", "operator", "admin"],
    ("GET", "/console/suppressions"): ["operator", "admin"],
    ("POST", "/console/suppressions"): ["operator", "admin"],
    ("POST", "/console/suppressions/download"): ["operator", "admin"],
    ("GET", "/console/suppressions/allow"): ["operator", "admin"],
    ("POST", "/console/suppressions/allow"): ["operator", "admin"],
    ("POST", "/console/suppressions/undo"): ["operator", "admin"],
    ("GET", "/console/incidents"): EVERYBODY,
    ("GET", "/console/incidents/{number}"): EVERYBODY,
    # It decides about many addresses, and shows them.
    ("POST", "/console/incidents"): ["operator", "admin"],
    ("POST", "/console/incidents/{number}"): ["operator", "admin"],
    ("GET", "/console/incidents/change"): ["operator", "admin"],
    ("POST", "/console/incidents/change"): ["operator", "admin"],
    ("GET", "/console/what-if"): ["operator", "admin"],
    ("POST", "/console/what-if"): ["operator", "admin"],
    ("GET", "/console/dead-letters"): EVERYBODY,
    ("POST", "/console/dead-letters/{which}/look"): EVERYBODY,
    # These show what letters say, and decide about many addresses.
    ("POST", "/console/dead-letters/{which}/letters"): ["operator", "admin"],
    ("POST", "/console/dead-letters/{which}/export"): ["operator", "admin"],
    ("POST", "/console/dead-letters/{which}/replay"): ["operator", "admin"],
    ("POST", "/console/dead-letters/{which}/redrive"): ["operator", "admin"],
    ("POST", "/console/dead-letters/{which}/delete"): ["admin"],
    ("GET", "/console/deliveries"): EVERYBODY,
    ("GET", "/console/doctor"): EVERYBODY,
    ("POST", "/console/doctor"): ["operator", "admin"],  # it calls AWS
    ("GET", "/console/doctor/results"): EVERYBODY,
    ("GET", "/console/audit"): ["operator", "admin"],
    ("POST", "/console/audit"): ["operator", "admin"],
    ("GET", "/console/settings"): ["admin"],
    ("GET", "/console/address/{handle}/forget"): ["admin"],
    ("POST", "/console/address/{handle}/forget"): ["admin"],
}
OPEN = {
    ("GET", "/console/login"),
    ("POST", "/console/login"),
    ("POST", "/console/logout"),
    ("POST", "/console/language"),
}


def test_the_table_names_every_page() -> None:
    assert {(page.method, page.path) for page in PAGES if page.scope} == set(TABLE)
    assert {(page.method, page.path) for page in PAGES if not page.scope} == OPEN


@pytest.fixture(autouse=True)
def no_examination(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Examiner, "begin", lambda _: AT)


def ask(browser: Browser, method: str, path: str) -> httpx.Response:
    return browser.get(path) if method == "GET" else browser.send(path, address="x@example.com")


@pytest.mark.parametrize("role", EVERYBODY)
def test_each_role_may_open_its_pages_and_no_other(site: Site, role: str) -> None:
    assert list(ROLES) == EVERYBODY
    browser = site.with_role(role)
    handle = browser.path_of("jane@example.com").rpartition("/")[2]
    permitted = []
    for (method, path), roles in TABLE.items():
        answer = ask(browser, method, path.format(handle=handle, number=1, which="main"))
        assert answer.status_code != 401
        assert (answer.status_code == 403) == (role not in roles), (path, answer.text)
        permitted += [path] if role in roles else []
        if role not in roles:
            assert "lacks the scope" in answer.text
    assert permitted
    # Nothing was recorded without a note, or typed for confirmation.
    assert browser.get(f"/console/address/{handle}").text.count('class="event') == 0


@pytest.mark.parametrize("role", EVERYBODY)
def test_each_role_sees_only_what_it_may_do(site: Site, role: str) -> None:
    site.record(decoded(Scenario.BOUNCE))
    page = site.with_role(role).look_up("jane@example.com").text
    assert f'<span class="tag">{role}</span>' in page
    assert ('/allow"' in page) == (role != "viewer")
    assert ('/forget"' in page) == (role == "admin")
    assert ('href="/console/suppressions"' in page) == (role in {"operator", "admin"})


def test_nobody_opens_a_page_without_a_session(site: Site) -> None:
    browser, known = site.browser(), site.with_role("admin")
    handle = known.path_of("jane@example.com").rpartition("/")[2]
    for method, path in TABLE:
        answer = ask(browser, method, path.format(handle=handle, number=1, which="main"))
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
        assert 'name="token"' in answer.text
        assert "<nav" not in answer.text


def test_a_token_with_one_scope_opens_the_pages_of_that_scope(site: Site) -> None:
    site.record(decoded(Scenario.BOUNCE))
    page = site.logged_in(Scope.CHECK).look_up("jane@example.com")
    assert page.status_code == 200
    assert "/console/overview" not in page.text
    assert "Must not be mailed" in page.text
    assert "smtp; 550" not in page.text  # what the host said needs `read`
    lister = site.logged_in(Scope.EXPORT, name="lister")
    assert lister.get("/console").status_code == 403
    found = lister.follow(lister.send("/console/suppressions", domain="example.com"))
    assert "jane@example.com" in found.text
    assert "/console/suppressions/allow" not in found.text
    assert lister.get("/console/suppressions/allow").status_code == 403


def test_a_role_is_the_last_one_whose_scopes_all_are_there() -> None:
    def role(scopes: Iterable[Scope]) -> str:
        return role_of(Caller(id="x", name="x", scopes=frozenset(scopes)))

    assert {name: role(scopes) for name, scopes in ROLES.items()} == {name: name for name in ROLES}
    assert role([Scope.CHECK]) == OTHER
    assert role([Scope.CHECK, Scope.READ, Scope.EXPORT]) == "viewer"


def test_the_document_names_the_scopes_of_each_role() -> None:
    page = (Path(__file__).parents[4] / "docs/console.md").read_text()
    found = dict(re.findall(r"^\| ([a-z]+) \| ((?:`\w+`(?:, )?)+) \|", page, re.MULTILINE))
    assert {role: set(re.findall(r"\w+", scopes)) for role, scopes in found.items()} == {
        role: set(scopes) for role, scopes in ROLES.items()
    }


def test_without_any_token_this_machine_may_do_all(site: Site) -> None:
    browser = site.browser()
    page = browser.get("/console")
    assert page.status_code == 200
    assert "No token was made yet" in page.text
    assert browser.look_up("jane@example.com").status_code == 200
    # A page elsewhere whose name leads to 127.0.0.1 may not.
    assert browser.get("/console", headers={"Host": "evil.example"}).status_code == 401
    # Nor may anybody once there was a token, valid or not.
    site.token(Scope.CHECK)
    tokens.revoke(site.engine, ["mary"], site.now, "ann")
    assert browser.get("/console").status_code == 401
