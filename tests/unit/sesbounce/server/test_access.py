"""Which token may do what: each route with each scope, and without a token."""

import re
import time
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
import structlog

from sesbounce.errors import StoreError
from sesbounce.hosts import is_loopback
from sesbounce.server.access import Access
from sesbounce.server.routes import OPERATIONS, Operation
from sesbounce.store import tokens
from sesbounce.store.engine import write
from sesbounce.store.tokens import Scope, Token
from tests.api import Api
from tests.support import AT

# The scopes that may use each route; docs/api.md shows the same table.
ALLOWED = {
    ("POST", "/v1/check"): {Scope.CHECK},
    ("GET", "/v1/suppressions/{address}"): {Scope.CHECK},
    ("PUT", "/v1/suppressions/{address}"): {Scope.DECIDE},
    ("DELETE", "/v1/suppressions/{address}"): {Scope.DECIDE},
    ("GET", "/v1/suppressions"): {Scope.EXPORT},
    ("GET", "/v1/addresses/{address}/events"): {Scope.READ},
    ("GET", "/v1/events"): {Scope.EXPORT},
    ("GET", "/v1/stats"): {Scope.READ},
    ("GET", "/v1/incidents"): {Scope.READ},
    ("GET", "/v1/sending"): {Scope.CHECK},
    ("GET", "/healthz"): set(Scope),
}
# The page names them once, with the event log.
ATTRIBUTION = {"configuration_set", "identity", "region", "account_id", "tenant", "sender", "tag"}
# How long a writer waits for SQLite's write lock, in seconds.
LOCK_TIMEOUT = 30
GUARDED = [operation for operation in OPERATIONS if operation.scope]


def request(operation: Operation) -> tuple[str, str, dict[str, Any]]:
    body = {"addresses": ["jane@example.com"]} if operation.body_required else None
    path = operation.path.replace("{address}", "jane@example.com")
    return operation.method, path, {"json": body} if body else {}


def test_the_table_holds_every_route() -> None:
    assert set(ALLOWED) == {(operation.method, operation.path) for operation in OPERATIONS}


def test_the_page_shows_the_same_table() -> None:
    page = (Path(__file__).parents[4] / "docs/api.md").read_text()
    shown = re.findall(r"^\| `([A-Z]+) (/\S+)` \| (\S+) \|", page, re.MULTILINE)
    expected = {(o.method, o.path, f"`{o.scope}`" if o.scope else "none") for o in OPERATIONS}
    assert set(shown) == expected | {("GET", "/openapi.json", "none")}
    assert {scope for scope in Scope if f"| `{scope}` |" in page} == set(Scope)
    for operation in OPERATIONS:
        (row,) = [
            line
            for line in page.splitlines()
            if f"`{operation.method} {operation.path}`" in line[:60] and line.startswith("|")
        ]
        named = set(re.findall(r"`\??(\w+)=?`", row))
        assert named >= set(operation.query.__struct_fields__) - ATTRIBUTION, row


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: f"{one.method} {one.path}")
def test_each_route_takes_its_scope_and_admin_alone(api: Api, operation: Operation) -> None:
    method, path, more = request(operation)
    for scope in Scope:
        call = api.client(api.token(scope, name=scope), only_loopback=False)
        allowed = {*ALLOWED[operation.method, operation.path], Scope.ADMIN}
        answer = call(method, path, **more)
        assert answer.status_code == (200 if scope in allowed else 403), scope
        if scope not in allowed:
            assert answer.headers["Content-Type"] == "application/problem+json"
            challenge = answer.headers["WWW-Authenticate"]
            assert f'error="insufficient_scope", scope="{operation.scope}"' in challenge
    every_other = [scope for scope in Scope if scope not in allowed]
    if every_other:
        call = api.client(api.token(*every_other, name="others"), only_loopback=False)
        assert call(method, path, **more).status_code == 403


@pytest.mark.parametrize("operation", GUARDED, ids=lambda one: f"{one.method} {one.path}")
def test_without_a_valid_token_no_route_answers(
    api: Api, engine: sa.Engine, operation: Operation
) -> None:
    method, path, more = request(operation)
    nobody = api.client(only_loopback=False)
    assert nobody(method, path, **more).status_code == 401
    base = Token(name="x", scopes=(Scope.ADMIN,), created_at=AT, created_by="jane")
    expired = tokens.create(engine, msgspec.structs.replace(base, expires_at=AT))
    revoked = tokens.create(engine, msgspec.structs.replace(base, name="y"))
    tokens.revoke(engine, ["y"], AT, "ann")
    for header in (
        f"Bearer {expired}",
        f"Bearer {revoked}",
        "Bearer sesbounce_" + "x" * 43,
        "Bearer x",
        "Bearer",
        "",
        "Basic amFuZTpzZWNyZXQ=",
    ):
        answer = nobody(method, path, headers={"Authorization": header}, **more)
        assert answer.status_code == 401
        challenge = 'Bearer realm="sesbounce", error="invalid_token"'
        assert answer.headers["WWW-Authenticate"] == challenge
        assert answer.json()["status"] == 401


def test_a_revoked_token_ends_at_once(api: Api, engine: sa.Engine) -> None:
    call = api.client(api.token(Scope.READ))
    assert call("GET", "/v1/incidents").status_code == 200
    tokens.revoke(engine, ["crm"], AT, "ann")
    assert call("GET", "/v1/incidents").status_code == 401


def test_a_token_ends_at_its_time(api: Api, engine: sa.Engine) -> None:
    made = Token(
        name="short",
        scopes=(Scope.READ,),
        created_at=AT,
        created_by="jane",
        expires_at=AT + timedelta(seconds=1),
    )
    call = api.client(tokens.create(engine, made))
    assert call("GET", "/v1/incidents").status_code == 200
    api.now += timedelta(seconds=1)
    assert call("GET", "/v1/incidents").status_code == 401


def access(api: Api) -> Access:
    """What another process of the server has."""
    return Access(api.engine, lambda: api.now, only_loopback=False)


def test_the_first_use_of_a_token_in_a_day_is_recorded(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret, one, other = api.token(Scope.READ), access(api), access(api)
    noted: list[date] = []
    note_use = tokens.note_use

    def count(engine: sa.Engine, name: str, day: date) -> bool:
        noted.append(day)
        return note_use(engine, name, day)

    monkeypatch.setattr(tokens, "note_use", count)
    for _ in range(2):
        assert one.with_token(secret)
        assert other.with_token(secret)
        assert one.with_token(secret[:-1]) is None
    assert noted == [AT.date()]
    api.now += timedelta(days=1)
    assert other.with_token(secret)
    assert [token.last_used_on for token in tokens.all_tokens(api.engine)] == [api.now.date()]


def test_a_request_does_not_wait_for_the_transaction_of_a_worker(api: Api) -> None:
    secret, one = api.token(Scope.READ), access(api)
    began = time.monotonic()
    with structlog.testing.capture_logs() as logged, write(api.engine):
        assert one.with_token(secret)
        assert one.with_token(secret)
    assert time.monotonic() - began < LOCK_TIMEOUT
    assert logged == []
    assert [token.last_used_on for token in tokens.all_tokens(api.engine)] == [None]
    assert one.with_token(secret)  # the first one after it is recorded
    assert [token.last_used_on for token in tokens.all_tokens(api.engine)] == [AT.date()]
    with write(api.engine) as connection:  # other transactions wait as before
        timeout = connection.exec_driver_sql("PRAGMA busy_timeout").scalar()
    assert timeout == LOCK_TIMEOUT * 1000


def test_a_database_that_records_no_use_answers_all_the_same(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret, one = api.token(Scope.READ), access(api)

    def refuse(*_: object) -> None:
        raise StoreError("the database is read-only")

    monkeypatch.setattr(tokens, "note_use", refuse)
    with structlog.testing.capture_logs() as logged:
        assert one.with_token(secret)
        assert one.with_token(secret)
    assert logged == [
        {
            "event": "use of a token not recorded",
            "log_level": "warning",
            "token": "crm",
            "problem": "the database is read-only",
        }
    ]


def test_on_loopback_all_may_ask_until_a_token_is_made(api: Api, engine: sa.Engine) -> None:
    call = api.client()
    for operation in GUARDED:
        method, path, more = request(operation)
        assert call(method, path, **more).status_code == 200
    api.token(Scope.CHECK)
    assert call("GET", "/v1/incidents").status_code == 401
    tokens.revoke(engine, ["crm"], AT, "ann")  # which must not open what was closed
    assert call("GET", "/v1/incidents").status_code == 401


def test_a_page_in_a_browser_on_this_machine_is_nobody(api: Api) -> None:
    call = api.client()
    # Of a Host that is not valid, Starlette takes the server's own address instead.
    for host in (
        "evil.example",
        "evil.example:8080",
        "127.0.0.1.evil.example",
        "evil_.example",
        "[",
        "x]:y",
        "",
    ):
        assert call("GET", "/v1/incidents", headers={"Host": host}).status_code == 401
    for host in ("127.0.0.1:8080", "[::1]:8080", "localhost", "LOCALHOST:8080"):
        assert call("GET", "/v1/incidents", headers={"Host": host}).status_code == 200
    # A page may send no other kind of body to another origin unless that one allows it.
    body = {"content": b'{"addresses": []}', "headers": {"Content-Type": "text/plain"}}
    assert call("POST", "/v1/check", **body).status_code == 415
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "PUT"}
    answer = call("OPTIONS", "/v1/suppressions/jane@example.com", headers=asked)
    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True)]
    + [(host, False) for host in ("0.0.0.0", "::", "10.0.0.1", "example.com", "", "2130706433")],  # noqa: S104
)
def test_loopback_is_told_from_other_hosts(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected
