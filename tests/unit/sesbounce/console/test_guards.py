"""What the console refuses, what its answers say to browsers, and what its log says."""

import json
from functools import partial
from typing import Any

import anyio
import pytest
import sqlalchemy as sa

from scripts.local.ses_messages import Scenario
from sesbounce.console import address, app, requests
from sesbounce.console.what_if import CHOICE, NUMBERS
from sesbounce.errors import StoreError
from sesbounce.operations.incident_rows import new
from sesbounce.policy.incident import Incident
from sesbounce.server.rate import RateLimit
from sesbounce.store import tokens
from sesbounce.store.incidents import IncidentStatus, insert_incident
from sesbounce.store.tokens import Scope
from sesbounce.telemetry.logs import set_up_logs
from tests.console import FORM, Browser, Site
from tests.stored import decoded
from tests.support import AT

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)


@pytest.mark.parametrize(
    ("headers", "accepted"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost:8080"}, False),
        ({"Sec-Fetch-Site": ""}, False),
        ({"Origin": "http://localhost:8080"}, True),
        ({"Origin": "http://localhost:8081"}, False),
        ({"Origin": "http://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({}, False),
    ],
)
def test_a_form_of_another_site_does_nothing(
    site: Site, headers: dict[str, str], *, accepted: bool
) -> None:
    browser = site.browser()  # no token is needed, so there is no cookie that would protect
    path = browser.path_of("jane@example.com")
    answer = browser.ask("POST", f"{path}/suppress", data={"note": "x"}, headers=headers)
    assert answer.status_code == (303 if accepted else 403)
    assert ("suppressed by a person" in browser.get(path).text.lower()) == accepted
    if not accepted:
        assert "The form was not sent by this console" in answer.text


def test_every_answer_has_the_headers(site: Site, admin: Browser) -> None:
    site.record(decoded(Scenario.BOUNCE))
    page = admin.look_up("jane@example.com")
    paths = [
        "/console",
        "/console/overview",
        page.url.path,
        f"{page.url.path}/forget",
        "/console/suppressions",
        "/console/login",
        "/console/nothing",
        "/console/address/x",
        "/console/static/x/nothing",
    ]
    answers = [admin.get(path) for path in paths]
    answers += [site.browser().get("/console"), admin.send("/console/look-up", address="x")]
    assert {answer.status_code for answer in answers} == {200, 303, 401, 404, 422}
    for answer in answers:
        headers = answer.headers
        assert headers["Content-Security-Policy"] == POLICY
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["X-Frame-Options"] == "DENY"
        assert "Strict-Transport-Security" not in headers  # the proxy's business
    # The API keeps its own.
    policy = admin.get("/healthz").headers["Content-Security-Policy"]
    assert policy == "default-src 'none'; frame-ancestors 'none'"


def test_static_files_are_kept_by_browsers_and_need_no_session(site: Site) -> None:
    site.token(Scope.ADMIN)
    browser = site.browser()
    page = browser.get("/console").text
    for name, kind in (("console.css", "text/css"), ("console.js", "text/javascript")):
        (path,) = {part for part in page.split('"') if part.endswith(name)}
        answer = browser.get(path)
        assert answer.headers["Content-Type"] == f"{kind}; charset=utf-8"
        assert "immutable" in answer.headers["Cache-Control"]
        assert answer.headers["Content-Security-Policy"] == POLICY
        assert answer.content


def test_logins_are_limited_for_each_client(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "RateLimit", partial(RateLimit, clock=lambda: 0.0))
    site.token(Scope.ADMIN)
    browser = site.browser()
    statuses = [browser.send("/console/login", token="x").status_code for _ in range(12)]
    assert statuses == [401] * 10 + [429] * 2
    answer = browser.send("/console/login", token="x")
    assert 0 < int(answer.headers["Retry-After"]) <= 5
    assert "Too many requests" in answer.text


def test_the_requests_of_a_person_are_limited_as_those_of_the_api(site: Site) -> None:
    browser = site.logged_in(Scope.ADMIN, app=site.app(rate=0.2))
    statuses = [browser.get("/console").status_code for _ in range(4)]
    assert statuses == [200, 200, 429, 429]


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"address=" + b"x" * 70_000, FORM, 413),
        (b"&".join(b"a=b" for _ in range(30)), FORM, 400),
        ("address=ä".encode(), FORM, 400),
        (b"{}", "application/json", 415),
        (b"", "multipart/form-data; boundary=x", 415),
    ],
)
def test_a_body_that_is_no_form_is_refused(
    admin: Browser, content: bytes, kind: str, status: int
) -> None:
    headers = {"Sec-Fetch-Site": "same-origin", "Content-Type": kind}
    answer = admin.ask("POST", "/console/look-up", content=content, headers=headers)
    assert answer.status_code == status
    assert "The form can&#39;t be read" in answer.text


def test_a_form_that_never_ends_does_not_wait_for_ever(
    admin: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "_FORM_SECONDS", 0.01)

    async def slow() -> Any:
        yield b"a"
        await anyio.sleep(30)

    headers = {"Sec-Fetch-Site": "same-origin", "Content-Type": FORM}
    answer = admin.ask("POST", "/console/look-up", content=slow(), headers=headers)
    assert answer.status_code == 408


@pytest.mark.parametrize(
    ("path", "kind"), [("/console/look-up", FORM), ("/v1/check", "application/json")]
)
def test_a_client_that_leaves_before_its_body_has_come_is_no_fault(
    path: str, kind: str, site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    headers = {"host": "localhost", "sec-fetch-site": "same-origin", "content-type": kind}
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    anyio.run(site.app(), scope, receive, send)
    assert sent[0]["status"] == 400
    assert "Traceback" not in capsys.readouterr().out


def test_another_method_or_path_is_no_page(admin: Browser) -> None:
    for path in ("/console/", "/console/nothing", "/console/address", "/console/static/x"):
        answer = admin.get(path)
        assert (answer.status_code, "There is no such page" in answer.text) == (404, True)
    answer = admin.get("/console/look-up")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
    assert admin.ask("DELETE", "/console").status_code == 405
    assert admin.ask("HEAD", "/console").status_code == 200
    assert admin.get("/").headers["Location"] == "/console"


def test_a_database_that_is_away_is_503_and_no_answer(
    site: Site, admin: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = admin.path_of("jane@example.com")
    with site.engine.begin() as connection:
        outage = Incident(provider="google", begins=AT)
        insert_incident(connection, new(outage, AT, IncidentStatus.CONFIRMED, "", "ann"))
    answer = admin.send("/console/incidents/1", action="withdraw")
    plan = answer.headers["Location"].partition("plan=")[2]
    values = {name: str(getattr(site.settings, name)) for name in (*NUMBERS, CHOICE)}
    what_if = admin.send("/console/what-if", **values).headers["Location"]
    table = sa.text("ALTER TABLE feedback_address RENAME TO elsewhere")
    with site.engine.begin() as connection:
        connection.execute(table)
    for answer in (
        admin.get(path),
        admin.send("/console/look-up", address="jane@example.com"),
        admin.send(f"{path}/allow", note="x"),
        admin.get("/console/suppressions"),
        admin.get("/console/incidents/1"),
        admin.get(what_if),
        admin.send("/console/incidents/change", plan=plan, note="x"),
    ):
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "5"
        assert "The database can&#39;t answer" in answer.text
        assert "May be mailed" not in answer.text

    def away(*_: object) -> None:
        raise StoreError("no database")

    # Not even the token can be looked up.
    monkeypatch.setattr(tokens, "find", away)
    answer = admin.get("/console")
    assert answer.status_code == 503
    assert "<nav" not in answer.text


def test_a_fault_is_a_page_and_a_line_in_the_log(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logs("json", redact=True)
    monkeypatch.setattr(address, "gather", lambda *_, **__: 1 / 0)
    answer = site.with_role("admin").look_up("jane@example.com")
    assert answer.status_code == 500
    assert "The server made a mistake" in answer.text
    assert "ZeroDivisionError" not in answer.text
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_no_url_and_no_line_in_the_log_shows_an_address(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logs("json", redact=True)
    site.record(decoded(Scenario.BOUNCE))
    browser = site.with_role("admin")
    page = browser.look_up("jane@example.com")
    browser.send(f"{page.url.path}/allow", note="jane called")
    answer = browser.send("/console/suppressions", domain="example.com")
    listed = browser.follow(answer)
    urls = [str(page.url), str(listed.url)]
    assert [url for url in urls if "example.com" in url or "jane" in url] == []
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    routes = [line["route"] for line in lines if line["event"] == "request answered"]
    assert "/console/address/{handle}/allow" in routes
    assert "jane" not in json.dumps(lines)
    assert {line["caller"] for line in lines if line["route"] == "/console/look-up"} == {"admin"}
