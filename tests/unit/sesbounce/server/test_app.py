"""How the application refuses requests, and what it says and logs about all of them."""

import asyncio
import json
import threading
from typing import Any

import anyio
import httpx
import pytest

from sesbounce.server import app as module
from sesbounce.server.messages import Health
from sesbounce.server.rate import RateLimit
from sesbounce.server.routes import OPERATIONS
from sesbounce.store.store import Store
from sesbounce.store.tokens import Scope
from sesbounce.telemetry.logs import set_up_logs
from tests.api import Api, Client

JSON = {"Content-Type": "application/json"}


def problem(answer: httpx.Response) -> tuple[int, str]:
    found = answer.json()
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert found["status"] == answer.status_code
    assert found["type"] == "about:blank"
    return answer.status_code, found["detail"]


def test_what_is_no_route_is_never_an_answer(call: Client) -> None:
    for path in ("/", "/v1", "/v1/check/", "/v2/suppressions/x@example.com", "/v1/suppressionsx"):
        status, detail = problem(call("GET", path))
        assert (status, detail) == (404, "there is no such route: see /openapi.json")


def test_another_method_is_405_with_those_that_there_are(call: Client) -> None:
    answer = call("POST", "/v1/suppressions/x@example.com")
    assert problem(answer)[0] == 405
    allowed = {method.strip() for method in answer.headers["Allow"].split(",")}
    assert allowed == {"GET", "HEAD", "PUT", "DELETE"}


@pytest.mark.parametrize(
    ("content", "status", "pointer"),
    [
        (b"", 400, None),
        (b"{", 400, None),
        (b"\xff", 400, None),
        (b'{"addresses": ["\\ud800"]}', 400, None),
        (b"[" * 100_000, 422, "#"),
        (b"[]", 422, "#"),
        (b"{}", 422, "#"),
        (b'{"addresses": "x@example.com"}', 422, "#/addresses"),
        (b'{"addresses": ["x@example.com", 1]}', 422, "#/addresses/1"),
        (b'{"addresses": [], "strream": "x"}', 422, "#"),
        (b'{"addresses": [], "stream": ""}', 422, "#/stream"),
    ],
)
def test_a_body_that_is_wrong_is_explained(
    call: Client, content: bytes, status: int, pointer: str | None
) -> None:
    answer = call("POST", "/v1/check", content=content, headers=JSON)
    assert problem(answer)[0] == status
    errors = answer.json()["errors"]
    assert [error.get("pointer") for error in errors] == ([pointer] if pointer else [])
    assert all(error["detail"] for error in errors)


def test_a_body_is_declared_as_json(call: Client) -> None:
    body = b'{"addresses": []}'
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""):
        answer = call("POST", "/v1/check", content=body, headers={"Content-Type": kind})
        assert problem(answer)[0] == 415
    kind = "Application/JSON; charset=utf-8"
    assert call("POST", "/v1/check", content=body, headers={"Content-Type": kind}).is_success


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/v1/suppressions/jane@example.com"),
        ("GET", "/v1/suppressions/jane@example.com"),
        ("GET", "/v1/suppressions"),
        ("GET", "/healthz"),
    ],
)
def test_a_body_is_never_ignored(call: Client, method: str, path: str) -> None:
    answer = call(method, path, content=b'{"note": "asked by phone"}', headers=JSON)
    assert problem(answer)[0] == 422
    (error,) = answer.json()["errors"]
    assert error == {
        "detail": "send the values as parameters in the query of the URL",
        "pointer": "#",
    }
    assert call(method, path, content=b"", headers=JSON).is_success


def test_a_body_has_a_limit_declared_or_not(call: Client) -> None:
    large = b'{"addresses": ["' + b"x" * module._MOST_BYTES + b'"]}'

    async def parts() -> Any:
        for start in range(0, len(large), 65536):
            yield large[start : start + 65536]

    for content in (large, parts()):
        assert problem(call("POST", "/v1/check", content=content, headers=JSON))[0] == 413


def test_a_body_that_never_ends_does_not_wait_for_ever(
    call: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_BODY_SECONDS", 0.01)

    async def slow() -> Any:
        yield b"{"
        await anyio.sleep(30)

    assert problem(call("POST", "/v1/check", content=slow(), headers=JSON))[0] == 408


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=-1", "limit"),
        ("limit=", "limit"),
        ("limit=x", "limit"),
        ("limit=9999999999999999999999", "limit"),
        ("limit=1&limit=2", "limit"),
        ("since=2026-11-20", "since"),
        ("since=2026-11-20T12:00:00", "since"),
        ("since=0", "since"),
        ("since=null", "since"),
        ("since=9999-12-31T23:59:59-14:00", "since"),
        ("since=0001-01-01T00:00:00%2B14:00", "since"),
        ("reason=", "reason"),
        ("stream=%00", "stream"),
        ("sence=2026-11-20T12:00:00Z", None),
    ],
)
def test_a_parameter_that_is_wrong_is_named(
    call: Client, query: str, parameter: str | None
) -> None:
    answer = call("GET", f"/v1/suppressions?{query}")
    assert problem(answer)[0] == 422
    (error,) = answer.json()["errors"]
    assert error.get("parameter") == parameter


@pytest.mark.parametrize("key", ["", "x" * 256, "ä"])
def test_a_key_is_one_word_of_ascii(call: Client, key: str) -> None:
    headers = {"Idempotency-Key": key.encode()}
    answer = call("PUT", "/v1/suppressions/x@example.com", headers=headers)
    assert problem(answer)[0] == 422
    assert answer.json()["errors"][0]["parameter"] == "Idempotency-Key"


class TestRate:
    def test_each_token_has_a_limit_of_its_own(self, api: Api) -> None:
        app = api.client(api.token(Scope.READ), rate=0.2)
        other = api.token(Scope.READ, name="other")
        for _ in range(2):
            assert app("GET", "/v1/incidents").is_success
        answer = app("GET", "/v1/incidents")
        status, detail = problem(answer)
        assert (status, "POST /v1/check" in detail) == (429, True)
        assert 1 <= int(answer.headers["Retry-After"]) <= 5
        headers = {"Authorization": f"Bearer {other}"}
        assert app("GET", "/v1/incidents", headers=headers).is_success
        assert app("GET", "/healthz").is_success

    def test_what_is_not_used_is_saved_up_for_ten_seconds(self) -> None:
        now = 100.0
        rate = RateLimit(2.0, lambda: now)
        assert [rate.wait("x") for _ in range(20)] == [0.0] * 20
        assert rate.wait("x") == pytest.approx(0.5)
        now += 0.5
        assert rate.wait("x") == 0.0
        assert rate.wait("x") == pytest.approx(0.5)
        now += 3600
        assert [rate.wait("x") == 0.0 for _ in range(21)] == [True] * 20 + [False]


def logged(capsys: pytest.CaptureFixture[str]) -> list[Any]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


class TestFaults:
    def test_a_fault_is_logged_and_not_shown(
        self, call: Client, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        set_up_logs("json")

        def fail(*_: Any) -> Any:
            raise RuntimeError("jane@example.com has no legs")

        monkeypatch.setattr(Store, "record", fail)
        answer = call("PUT", "/v1/suppressions/jane@example.com")
        assert problem(answer)[0] == 500
        assert "legs" not in answer.text
        fault, line = logged(capsys)
        assert "has no legs" in fault["exception"]
        assert "jane@" not in fault["exception"]
        assert line["status"] == 500

    def test_a_line_for_each_request_names_no_address(
        self, call: Client, capsys: pytest.CaptureFixture[str]
    ) -> None:
        set_up_logs("json")
        call("GET", "/v1/suppressions/jane@example.com?stream=mary")
        call("GET", "/v1/addresses/jane@example.com/events")
        call("GET", "/jane@example.com")
        lines = logged(capsys)
        assert "jane" not in json.dumps(lines)
        assert "mary" not in json.dumps(lines)
        routes = [(line["method"], line["route"], line["status"], line["caller"]) for line in lines]
        assert routes == [
            ("GET", "/v1/suppressions/{address}", 200, "crm"),
            ("GET", "/v1/addresses/{address}/events", 200, "crm"),
            ("GET", None, 404, None),
        ]


def test_every_answer_has_the_headers_of_an_api(call: Client) -> None:
    for path in ("/healthz", "/openapi.json", "/v1/incidents", "/nothing"):
        headers = call("GET", path).headers
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["Content-Security-Policy"].startswith("default-src 'none'")


def test_head_is_answered_without_a_body(call: Client) -> None:
    answer = call("HEAD", "/v1/suppressions/x@example.com")
    assert (answer.status_code, answer.content) == (200, b"")


def test_no_more_requests_than_threads_use_the_database(api: Api) -> None:
    together = threading.Barrier(2)  # the number of threads
    busy: list[int] = []
    most: list[int] = []

    def health(*_: Any) -> Health:
        busy.append(1)
        most.append(len(busy))
        together.wait(30)  # each waits for another one, which shows that two run
        busy.pop()
        return Health()

    operations = [op._replace(handle=health) for op in OPERATIONS if op.path == "/healthz"]
    transport = httpx.ASGITransport(app=api.app(operations=operations))

    async def ask() -> list[httpx.Response]:
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return await asyncio.gather(*(client.get("/healthz") for _ in range(10)))

    assert all(answer.is_success for answer in asyncio.run(ask()))
    assert max(most) == 2
