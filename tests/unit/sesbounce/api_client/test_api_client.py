"""The client of the HTTP API: against the real server, and against whatever else may answer."""

import json
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from sesbounce import client
from sesbounce.api_client import (
    ApiAccessError,
    ApiClient,
    ApiError,
    ApiUnavailableError,
    transport,
)
from sesbounce.api_client.client import _chunks
from sesbounce.api_client.place import read_url
from sesbounce.errors import AddressError, ConfigurationError
from sesbounce.feedback.manual import decide
from sesbounce.feedback.reason import Reason
from sesbounce.store.tokens import Scope
from tests import stored
from tests.api import Api
from tests.certificates import self_signed
from tests.serving import served
from tests.support import AT, until
from tests.unit.sesbounce.api_client.scripted import Scripted, reply, scripted

JANE, MARY = "jane@example.com", "mary@example.com"
TOKEN = "sesbounce_x"


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SESBOUNCE_API_URL", "SESBOUNCE_API_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def real(engine: sa.Engine) -> Api:
    made = Api(engine)
    made.store.record([decide(JANE, Reason.SUPPRESSED_BY_HAND, AT)], AT)
    return made


@pytest.fixture
def api(real: Api) -> Iterator[ApiClient]:
    """A client of the real server, with a token for its questions and decisions."""
    token = real.token(Scope.CHECK, Scope.DECIDE)
    with served(real.app(only_loopback=False)) as url, ApiClient(url, token) as api:
        yield api


def answer(given: str = MARY, **more: Any) -> dict[str, Any]:
    known = {"reason": None, "since": None, "until": None, "why": "nothing is recorded about it"}
    return {"given": given, "address": given, "may_mail": True, **known, **more}


def answers(*found: Any) -> bytes:
    return reply(json.dumps({"answers": list(found)}).encode())


def asking(server: Scripted, **more: Any) -> ApiClient:
    return ApiClient(server.url, TOKEN, **{"timeout": 60.0, "patience": 0.0, **more})


class TestOfTheRealServer:
    def test_it_answers_as_the_client_of_the_database(
        self, api: ApiClient, engine: sa.Engine
    ) -> None:
        asked = [
            JANE,
            "Jane <JANE@example.com>",
            MARY,
            "no address",
            "",
            "x\0@y",
            "\ud800@example.com",
            "x" * 1000,
            f"{'ä' * 900}@example.com",
            MARY,
        ]
        assert api.answers(asked) == client.answers(asked, engine)
        assert api.may_mail(asked) == client.may_mail(asked, engine)
        assert list(api.may_mail(asked)) == list(dict.fromkeys(asked))
        assert api.may_mail([]) == {}

    def test_it_decides(self, api: ApiClient, real: Api) -> None:
        first = api.suppress("Mary/x <MARY@example.com>", note="asked by phone", by="ann", key="1")
        assert (first.recorded, first.answer.may_mail) == (True, False)
        assert not api.suppress(MARY, key="1").recorded
        assert api.may_mail([MARY]) == {MARY: False}
        real.now += timedelta(seconds=1)
        assert api.allow(MARY, note="a & b", by="jö").answer.may_mail
        found = stored.rows(
            real.engine, "SELECT source, diagnostic FROM feedback_event ORDER BY recorded_at"
        )
        assert found[-2:] == [("ann (token crm)", "asked by phone"), ("jö (token crm)", "a & b")]
        for wrong in ("no address", "\ud800@example.com"):
            with pytest.raises(AddressError, match="is no address"):
                api.suppress(wrong)
        with pytest.raises(ApiError, match="422: a parameter is not") as told:
            api.suppress(MARY, key="x" * 256)
        assert told.value.status == 422
        with pytest.raises(ValueError, match="header"):
            api.suppress(MARY, key="x\r\nHost: y")

    def test_the_code_of_the_page_runs(
        self, real: Api, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        page = (Path(__file__).parents[4] / "docs/api.md").read_text()
        code = page.partition("\n## From Python\n")[2].split("```python\n")[1].partition("```")[0]
        monkeypatch.setenv("SESBOUNCE_API_TOKEN", real.token(Scope.CHECK, Scope.DECIDE))
        with served(real.app(only_loopback=False)) as url:
            exec(code.replace("https://sesbounce.example.com", url))  # noqa: S102
        said = "{'jane@example.com': False, 'Mary <mary@example.com>': True}\n"
        assert said in capsys.readouterr().out
        assert client.may_mail([MARY], real.engine) == {MARY: False}

    def test_a_token_that_may_not_is_a_wrong_setting(self, real: Api) -> None:
        with served(real.app(only_loopback=False)) as url:
            for token, status in ((real.token(Scope.READ, name="reader"), 403), (TOKEN, 401)):
                with pytest.raises(ApiAccessError, match=r"SESBOUNCE_API_TOKEN\): the token") as it:
                    ApiClient(url, token).may_mail([MARY])
                assert it.value.status == status
                assert isinstance(it.value, ConfigurationError)
                assert token not in str(it.value)

    def test_it_asks_about_ten_thousand_at_once_on_one_connection(self, api: ApiClient) -> None:
        found = api.may_mail([*(f"{n}@example.com" for n in range(10_001)), JANE])
        assert (len(found), sum(found.values())) == (10_002, 10_001)
        assert len(api._transport._kept) == 1


@pytest.mark.parametrize(
    "said",
    [
        reply(b"<html>", "200 OK", "text/html"),
        reply(b"<html>", "404 Not Found", "text/html"),
        reply(b'{"answers": []}', "404 Not Found"),
        answers(answer()).replace(b"200 OK", b"500 Internal Server Error"),
        answers(answer()).replace(b"200 OK", b"201 Created"),
        answers(answer()).replace(b"200 OK", b"204 No Content"),
        answers(answer()).replace(b"application/json", b"text/plain"),
        reply(b""),
        reply(b"null"),
        reply(b"true"),
        reply(b"{}"),
        reply(b"\xff"),
        reply(b"[" * 100_000),
        reply(b'{"answers": [{"may_mail": true}]}'),
        answers(),
        answers(answer(), answer()),
        answers(answer(JANE)),
        answers(answer(may_mail="true")),
        answers(answer(may_mail=1)),
        answers(answer(may_mail=None)),
        answers(answer())[:-1] + b" ",
        answers(answer()).replace(b"Length: ", b"Length: 1"),
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 999999 \r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 1000 + b"\r\n",
        b"",
        reply(b"", "429 Too Many Requests"),
        reply(b"", "502 Bad Gateway", more="Retry-After: x\r\n"),
        reply(b"", "503 Service Unavailable", more="Retry-After: 3600\r\n"),
    ],
)
def test_what_is_no_answer_is_an_error(said: bytes) -> None:
    with scripted(said) as server, asking(server, timeout=0.3) as api:
        with pytest.raises(ApiError) as told:
            api.may_mail([MARY])
        assert not isinstance(told.value, ConfigurationError)
        assert all(one.line == "POST /v1/check HTTP/1.1" for one in server.asked)


@pytest.mark.parametrize(
    "said",
    [
        reply(b"{}"),
        reply(b'{"state": "ok", "why": "x"}'),
        reply(b'{"may_send": "true", "state": "ok", "why": "x"}'),
        reply(b'{"may_send": true, "state": "ok", "why": "x"}', "404 Not Found"),
    ],
)
def test_what_says_nothing_about_senders_is_an_error(said: bytes) -> None:
    with scripted(said) as server, asking(server) as api:
        with pytest.raises(ApiError):
            api.may_send("news.example.com")
        assert server.asked[0].line == "GET /v1/sending?identity=news.example.com HTTP/1.1"


@given(st.binary(max_size=200))
def test_garbage_is_an_error(body: bytes) -> None:
    GARBAGE.replies = [reply(body)]
    with pytest.raises(ApiError):
        GARBAGE_CLIENT.may_mail([MARY])


@pytest.fixture(scope="module", autouse=True)
def garbage() -> Iterator[None]:
    global GARBAGE, GARBAGE_CLIENT
    with scripted(reply()) as GARBAGE, asking(GARBAGE) as GARBAGE_CLIENT:
        yield


GARBAGE: Scripted
GARBAGE_CLIENT: ApiClient


def test_a_redirect_is_followed_nowhere() -> None:
    with scripted(answers(answer())) as other:
        to = f"Location: {other.url}/v1/check\r\n"
        for status in ("301 Moved Permanently", "307 Temporary Redirect", "308 Permanent Redirect"):
            with scripted(reply(b"", status, more=to)) as server, asking(server) as api:
                with pytest.raises(ApiError, match="follows no redirect"):
                    api.may_mail([MARY])
                assert server.asked[0].headers["authorization"] == f"Bearer {TOKEN}"
        assert other.asked == []


def test_a_server_that_asks_for_time_gets_it_within_bounds() -> None:
    busy = reply(b"", "503 Service Unavailable", more="Retry-After: 0\r\n")
    # It waits for all of the time, whatever the requests take.
    with scripted(busy, answers(answer())) as server, asking(server, patience=1.0) as api:
        began = time.monotonic()
        assert api.may_mail([MARY]) == {MARY: True}
        assert time.monotonic() - began > 0.9
        assert [one.connection for one in server.asked] == [1, 1]
    later = busy.replace(b"After: 0", b"After: 6")
    with scripted(later) as server, asking(server, patience=5.0) as api:
        with pytest.raises(ApiUnavailableError) as told:
            api.may_mail([MARY])
        assert (told.value.status, told.value.retry_after) == (503, 6.0)
        assert len(server.asked) == 1


def test_a_decision_keeps_its_key_when_it_is_repeated() -> None:
    decided = {"answer": answer(), "recorded": True, "statements_rejected": False}
    busy = reply(b"", "429 Too Many Requests", more="Retry-After: 1\r\n")
    with (
        scripted(busy, reply(json.dumps(decided).encode())) as server,
        asking(server, patience=5.0) as api,
    ):
        assert api.allow(MARY).recorded
        first, second = (one.headers["idempotency-key"] for one in server.asked)
        assert first == second
        api.allow(MARY)
        assert server.asked[-1].headers["idempotency-key"] != first


def test_a_connection_that_the_server_has_closed_is_replaced() -> None:
    said = answers(answer())
    closing = said.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    with scripted(closing, said, said, b"", said) as server, asking(server) as api:
        for _ in range(4):
            assert api.may_mail([MARY]) == {MARY: True}
        assert [one.connection for one in server.asked] == [1, 2, 2, 2, 3]


def test_an_idle_connection_that_has_something_to_read_is_not_used() -> None:
    with scripted(answers(answer())) as server, asking(server) as api:
        assert api.may_mail([MARY]) == {MARY: True}
        server.sockets[0].sendall(reply(b"", "408 Request Timeout"))
        until(lambda: not transport._is_silent(api._transport._kept[0][1]))
        assert api.may_mail([MARY]) == {MARY: True}
        assert [one.connection for one in server.asked] == [1, 2]


def test_another_process_has_connections_of_its_own() -> None:
    with scripted(answers(answer())) as server:
        code = (
            "import os; from sesbounce.api_client import ApiClient\n"
            f"api = ApiClient({server.url!r})\n"
            f"api.may_mail([{MARY!r}])\n"
            f"if child := os.fork(): os.waitpid(child, 0)\n"
            f"api.may_mail([{MARY!r}])\n"
        )
        subprocess.run([sys.executable, "-c", code], check=True)
        assert [one.connection for one in server.asked] == [1, 2, 1]


def test_an_old_connection_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted(answers(answer())) as server, asking(server) as api:
        api.may_mail([MARY])
        monkeypatch.setattr(transport, "_IDLE_SECONDS", 0.0)
        api.may_mail([MARY])
        assert [one.connection for one in server.asked] == [1, 2]


def test_an_answer_has_a_limit_of_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "_MOST_BYTES", 100)
    with (
        scripted(answers(answer())) as server,
        asking(server) as api,
        pytest.raises(ApiError, match="longer"),
    ):
        api.may_mail([MARY])


def test_a_reply_has_a_limit_of_seconds_however_it_comes() -> None:
    with scripted(answers(*[answer()] * 10)) as server, asking(server, timeout=1.0) as api:
        server.pause = 0.1  # each wait for bytes is much shorter than the limit
        with pytest.raises(ApiUnavailableError, match="takes longer than 1 seconds"):
            api.may_mail([MARY])
        assert not api._transport._kept


def test_a_server_that_is_away_is_named() -> None:
    with scripted(b"") as server:
        pass
    with pytest.raises(
        ApiUnavailableError, match=rf"localhost:{server.port} can't be reached"
    ) as it:
        asking(server).may_mail([MARY])
    assert (it.value.status, it.value.retry_after) == (None, None)


def test_tls_is_verified(tmp_path: Path) -> None:
    certificate, key = self_signed("localhost", tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with scripted(answers(answer()), context=context) as server:
        with pytest.raises(ApiUnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
            asking(server).may_mail([MARY])
        assert server.asked == []
        trusting = ssl.create_default_context(cafile=str(certificate))
        trusting.verify_flags &= ~ssl.VERIFY_X509_STRICT  # from Python 3.13 on; of real authorities
        with asking(server, context=trusting) as api:
            assert api.may_mail([MARY]) == {MARY: True}
            assert api.may_mail([MARY]) == {MARY: True}
        assert {one.connection for one in server.asked} == {1}
        other = server.url.replace("localhost", "127.0.0.1")
        with pytest.raises(ApiUnavailableError, match="CERTIFICATE_VERIFY_FAILED"):
            ApiClient(other, TOKEN, context=trusting).may_mail([MARY])


def test_a_blank_stream_is_none() -> None:
    with scripted(answers(answer())) as server, asking(server) as api:
        for stream in (None, "", " ", "news"):
            api.may_mail([MARY], stream)
        sent = [json.loads(one.body)["stream"] for one in server.asked]
        assert sent == [None, None, None, "news"]


def test_chunks_have_a_number_and_a_size() -> None:
    assert [len(chunk) for chunk in _chunks(f"{n}" for n in range(20_001))] == [10_000, 10_000, 1]
    long = ["\x01" * 990 + str(n) for n in range(1500)]  # six bytes of JSON for each
    assert [len(chunk) for chunk in _chunks(long)] == [529, 529, 442]


@pytest.mark.parametrize(
    ("url", "origin", "path"),
    [
        ("https://api.example.com", "https://api.example.com", ""),
        ("https://api.example.com:8443/sesbounce/", "https://api.example.com:8443", "/sesbounce"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080", ""),
        ("http://[::1]:8080/", "http://[::1]:8080", ""),
        ("http://LOCALHOST", "http://localhost", ""),
    ],
)
def test_a_url_has_a_place(url: str, origin: str, path: str) -> None:
    place = read_url(url)
    assert (place.origin, place.path) == (origin, path)


@pytest.mark.parametrize(
    "url",
    [
        "api.example.com",
        "http://api.example.com",
        "http://10.0.0.1",
        "http://127.0.0.1.example.com",
        "ftp://localhost",
        "https://",
        "https://user:secret@api.example.com",
        "https://api.example.com?x=y",
        "https://api.example.com#x",
        "https://api.example.com/a b",
        "https://api.example.com:port",
        "https://[::1",
        f"https://{'x' * 64}.example.com",
    ],
)
def test_a_url_that_would_not_do_is_a_wrong_setting(url: str) -> None:
    with pytest.raises(ConfigurationError, match="SESBOUNCE_API_URL") as told:
        ApiClient(url, TOKEN)
    assert "secret" not in str(told.value)


def test_the_environment_names_the_api(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="set SESBOUNCE_API_URL"):
        ApiClient()
    with scripted(answers(answer())) as server:
        # TLS is spoken where the URL says so.
        with ApiClient(server.url, context=ssl.create_default_context()) as plain:
            plain.may_mail([MARY])
        server.asked.clear()
        monkeypatch.setenv("SESBOUNCE_API_URL", f"{server.url}/below/\r\n")
        ApiClient().may_mail([MARY])
        monkeypatch.setenv("SESBOUNCE_API_TOKEN", f" {TOKEN}\n")
        ApiClient().may_mail([MARY])
        without, with_token = server.asked
        assert without.line == "POST /below/v1/check HTTP/1.1"
        assert "authorization" not in without.headers
        assert with_token.headers["authorization"] == f"Bearer {TOKEN}"
    with pytest.raises(ConfigurationError, match="SESBOUNCE_API_TOKEN"):
        ApiClient("https://api.example.com", "x\r\nHost: y")
    monkeypatch.delenv("SESBOUNCE_API_TOKEN")
    with pytest.raises(ConfigurationError, match="set SESBOUNCE_API_TOKEN"):
        ApiClient("https://api.example.com")
    monkeypatch.setenv("SESBOUNCE_API_TOKKEN", TOKEN)
    with pytest.raises(ConfigurationError, match="SESBOUNCE_API_TOKKEN is no setting"):
        ApiClient("https://api.example.com", TOKEN)


def test_one_address_is_no_list() -> None:
    for wrong in (MARY, {MARY: 1}, [MARY, 1]):
        with pytest.raises(TypeError, match="pass a list of addresses"):
            ApiClient("http://localhost").may_mail(wrong)  # type: ignore[arg-type]


def test_it_loads_no_database_and_no_boto3() -> None:
    code = (
        "import sys; from sesbounce.api_client import ApiClient; from sesbounce import guard\n"
        "guard.Guard(on_error='send', api=ApiClient('http://localhost:1')).refused(['x@y.z'])\n"
        "print(*{name.partition('.')[0] for name in sys.modules} - set(sys.stdlib_module_names))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"msgspec", "sesbounce"} <= (found := set(run.stdout.split()))
    assert found <= {"msgspec", "sesbounce", "typing_extensions", "__main__", "_virtualenv"}
