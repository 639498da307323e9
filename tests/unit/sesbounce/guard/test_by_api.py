"""The guard asks the HTTP API: each way to send, with the real server behind a socket."""

import contextlib
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from typing import Any, NamedTuple

import anymail.signals
import flask
import flask_mailman
import pytest
from django.core import mail
from django.test.utils import override_settings

from sesbounce import guard
from sesbounce.api_client import ApiAccessError, ApiClient, ApiUnavailableError
from sesbounce.errors import ConfigurationError
from sesbounce.feedback.manual import decide
from sesbounce.feedback.reason import Reason
from sesbounce.guard import anymail as guarded_anymail
from sesbounce.guard.asking import OnError
from sesbounce.store.engine import open_database
from sesbounce.store.tokens import Scope
from tests import sending, stored
from tests.api import Api
from tests.ports import LOOPBACK, silent_port
from tests.serving import served
from tests.support import AT
from tests.unit.sesbounce.guard import in_django
from tests.unit.sesbounce.guard.test_over_smtp import RECIPIENTS, smtp_server
from tests.unit.sesbounce.guard.test_ses import CALLS, FROM_V1, MESSAGE, Wire, make

JANE, MARY = "jane@example.com", "mary@example.com"
SIMULATOR = "bounce@simulator.amazonses.com"
LOCMEM = "django.core.mail.backends.locmem.EmailBackend"


class Served(NamedTuple):
    """A server that knows Jane as suppressed, and a token for it."""

    url: str
    token: str

    @property
    def options(self) -> Any:
        return {"on_error": "refuse", "api": self.url, "token": self.token}


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    engine = open_database(f"sqlite:///{tmp_path_factory.mktemp('api')}/sesbounce.sqlite3")
    stored.make_members(engine)
    made = Api(engine)
    made.store.record([decide(JANE, Reason.SUPPRESSED_BY_HAND, AT, note="no")], AT)
    sending.count(engine, AT, delivered=700, hard=300)
    sending.count(engine, AT, identity="example.org", region="us-east-1", delivered=700)
    with served(made.app(only_loopback=False)) as url:
        yield Served(url, made.token(Scope.CHECK))
    engine.dispose()


@pytest.mark.parametrize("call", CALLS)
def test_each_call_of_boto3(api: Served, call: Callable[[Any, Any, Any], object]) -> None:
    v1, v2 = (guard.protect(make(name), **api.options) for name in ("ses", "sesv2"))
    wires = Wire(v1), Wire(v2)
    with pytest.raises(guard.Suppressed) as told:
        call(v1, v2, {"ToAddresses": [JANE]})
    assert told.value.refused == {JANE: "suppressed by hand (no), 2026-11-20"}
    assert [wire.bodies for wire in wires] == [[], []]


def test_the_others_get_their_mail_and_the_simulator_is_not_asked_about(api: Served) -> None:
    v1 = guard.protect(make("ses"), **api.options)
    wire = Wire(v1)
    to = {"ToAddresses": [f"J <{JANE}>", f"M <{MARY}>", SIMULATOR]}
    v1.send_email(Destination=to, Message=MESSAGE, **FROM_V1)
    assert wire.recipients() == [f"M <{MARY}>", SIMULATOR]


@contextlib.contextmanager
def django(api: Served) -> Iterator[Any]:
    mail.outbox = []
    named = {"BACKEND": LOCMEM, "ON_ERROR": "refuse", "API": api.url, "TOKEN": api.token}
    with override_settings(**in_django.by_guard(named)):
        yield mail.send_mail, lambda: [one.to for one in mail.outbox]


@contextlib.contextmanager
def flask_app(api: Served) -> Iterator[Any]:
    app = flask.Flask(__name__)
    app.config["MAIL_BACKEND"] = "sesbounce.guard.flask_mailman"
    app.config["MAIL_GUARD"] = {
        "BACKEND": "locmem",
        "ON_ERROR": "refuse",
        "API": api.url,
        "TOKEN": api.token,
    }
    extension = flask_mailman.Mail(app)
    with app.app_context():
        yield (
            extension.send_mail,
            lambda: [one.to for one in getattr(extension.state, "outbox", [])],
        )


@contextlib.contextmanager
def in_anymail(api: Served) -> Iterator[Any]:
    with override_settings(**in_django.by_backend("anymail.backends.test.EmailBackend")):
        mail.outbox = []
        guarded_anymail.protect(**api.options)
        yield (
            mail.send_mail,
            lambda: [[to.addr_spec for to in one.anymail_test_params["to"]] for one in mail.outbox],
        )
        assert anymail.signals.pre_send.disconnect(dispatch_uid="sesbounce.guard")


@contextlib.contextmanager
def by_smtp(api: Served) -> Iterator[Any]:
    def send(subject: str, body: str, sender: str, recipients: list[str]) -> None:
        message = EmailMessage()
        message["Subject"], message["From"], message["To"] = subject, sender, ", ".join(recipients)
        message.set_content(body)
        connection.send_message(message)

    with smtp_server() as plain:
        connection = guard.smtp(plain, **api.options)
        yield send, lambda: [RECIPIENTS] if RECIPIENTS else []


@pytest.mark.parametrize("way", [django, flask_app, in_anymail, by_smtp])
def test_each_way_to_send(api: Served, way: Any) -> None:
    with way(api) as (send, sent):
        send("x", "x", "me@example.com", [MARY, JANE])
        with pytest.raises(guard.Suppressed, match=r"by hand \(no\)"):
            send("x", "x", "me@example.com", [JANE])
        assert sent() == [[MARY]]


@pytest.fixture
def away() -> Iterator[str]:
    """The URL of a server that does not run."""
    with silent_port() as port:
        yield f"http://{LOOPBACK}:{port}"


def test_when_the_server_is_away_the_caller_has_chosen(
    away: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ApiUnavailableError, match="can't be reached"):
        guard.Guard(on_error="refuse", api=away).refused([MARY])
    assert guard.Guard(on_error="send", api=away).refused([MARY, "no address"]) == {}
    assert "could not check: the HTTP API at" in caplog.text


@pytest.mark.parametrize("on_error", ["refuse", "send"])
def test_a_wrong_token_is_always_an_error(api: Served, on_error: OnError) -> None:
    with pytest.raises(ApiAccessError, match="rejects the token"):
        guard.Guard(on_error=on_error, api=api.url, token="sesbounce_x").refused([MARY])
    with pytest.raises(ConfigurationError, match="https://"):
        guard.Guard(on_error=on_error, api="http://api.example.com", token=api.token)


def test_answers_are_kept_and_the_stream_is_passed(api: Served) -> None:
    asked: list[Any] = []

    class Counting(ApiClient):
        def answers(self, addresses: Any, stream: str | None = None) -> Any:
            asked.append((list(addresses), stream))
            return super().answers(addresses, stream)

    with Counting(api.url, api.token) as client:
        asking = guard.Guard(on_error="refuse", api=client, stream="news")
        for spelling in (JANE, f"J <{JANE.upper()}>"):
            assert asking.refused([spelling]).keys() == {spelling}
    assert asked == [([JANE], "news")]


def test_mail_of_a_stopped_sender_is_not_sent(api: Served) -> None:
    breaking = guard.Guard(**api.options, breaker=True)
    breaking.demand_sending("hello@example.org")
    with pytest.raises(guard.SendingStopped, match=r"a@news\.example\.com is stopped: "):
        breaking.demand_sending("a@news.example.com")
    with pytest.raises(guard.SendingStopped, match="the account is stopped: "):
        breaking.demand_sending(None)
    critical = guard.Guard(**api.options, breaker=True, stream="critical")
    critical.demand_sending("a@news.example.com")
    with ApiClient(api.url, api.token) as client:
        answer = client.may_send("news.example.com")
        assert (answer.may_send, answer.state) == (False, "stop")
        assert client.may_send("news.example.com", "critical").may_send is True


def test_without_an_answer_about_the_sender_the_caller_has_chosen(away: str) -> None:
    with pytest.raises(ApiUnavailableError, match="can't be reached"):
        guard.Guard(on_error="refuse", api=away, breaker=True).demand_sending(MARY)
    guard.Guard(on_error="send", api=away, breaker=True).demand_sending(MARY)


def test_the_environment_may_name_the_api(api: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SESBOUNCE_API_URL", api.url)
    monkeypatch.setenv("SESBOUNCE_API_TOKEN", api.token)
    assert guard.Guard(on_error="refuse").refused([JANE, MARY]).keys() == {JANE}


def test_a_guard_has_one_source(api: Served) -> None:
    several: list[dict[str, Any]] = [
        {"database": "sqlite://"},
        {"answers": lambda _: {}},
        {"api": ApiClient(api.url, api.token)},
    ]
    for wrong in several:
        with pytest.raises(ConfigurationError, match="pass "):
            guard.Guard(**{**api.options, **wrong})
