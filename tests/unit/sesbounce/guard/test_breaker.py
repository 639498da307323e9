"""Mail of a stopped sender is not sent."""

import json
import pickle
import smtplib
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any, NamedTuple

import boto3
import pytest
import sqlalchemy as sa

from sesbounce import guard
from sesbounce.client import may_send
from sesbounce.errors import ConfigurationError, SesBounceError, StoreError
from sesbounce.guard.messages import send_messages
from tests import sending
from tests.unit.sesbounce.guard.asked import Suppressing

SIMPLE = {"Simple": {"Subject": {"Data": "x"}, "Body": {"Text": {"Data": "x"}}}}
TO = {"ToAddresses": ["jane@example.com"]}
ARN = "arn:aws:ses:eu-west-1:111122223333:identity/news.example.com"


class Sent(NamedTuple):
    may_send: bool | None
    why: str


class Stopping:
    """Answers that stop one identity, and write down what was asked."""

    def __init__(self, stopped: str = "news.example.com", *, fails: bool = False) -> None:
        self.stopped = stopped
        self.asked: list[str | None] = []
        self.fails = fails
        self.unknown = False

    def __call__(self, identity: str | None, /) -> Sent:
        self.asked.append(identity)
        if self.fails:
            raise StoreError("the database can't answer")
        if self.unknown:
            return Sent(None, "nothing is counted")
        return Sent(self.stopped not in (identity or self.stopped), "too many bounces")


def made(sending: Stopping, **more: Any) -> guard.Guard:
    options = {"on_error": "refuse", "answers": Suppressing(), "breaker": True, **more}
    return guard.Guard(sending=sending, **options)


class NotSentError(Exception):
    """The test has caught what the client would send."""


def protected(service: Any, asked: Stopping, **more: Any) -> tuple[Any, list[str]]:
    """A client of boto3 that answers nothing, and the operations that it has begun to send."""
    client = boto3.client(
        service, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    sent: list[str] = []

    def stop(model: Any, **_: Any) -> None:
        sent.append(model.name)
        raise NotSentError

    client.meta.events.register("before-call", stop)
    options = {"on_error": "refuse", "answers": Suppressing(), "breaker": True, **more}
    guard.protect(client, sending=asked, **options)
    return client, sent


V2 = {"Destination": TO, "Content": SIMPLE}
RAW = b"From: News <hi@news.example.com>\nTo: jane@example.com\n\nHello"


@pytest.mark.parametrize(
    ("service", "method", "parameters", "asked"),
    [
        (
            "sesv2",
            "send_email",
            V2 | {"FromEmailAddress": "a@news.example.com"},
            "a@news.example.com",
        ),
        ("sesv2", "send_email", V2 | {"FromEmailAddressIdentityArn": ARN}, "news.example.com"),
        ("sesv2", "send_email", {"Content": {"Raw": {"Data": RAW}}}, "hi@news.example.com"),
        ("ses", "send_raw_email", {"RawMessage": {"Data": RAW}}, "hi@news.example.com"),
        (
            "ses",
            "send_email",
            {"Source": "b@news.example.com", "Destination": TO, "Message": SIMPLE["Simple"]},
            "b@news.example.com",
        ),
        (
            "sesv2",
            "send_bulk_email",
            {
                "FromEmailAddress": "c@news.example.com",
                "BulkEmailEntries": [{"Destination": TO}],
                "DefaultContent": {"Template": {"TemplateName": "t"}},
            },
            "c@news.example.com",
        ),
    ],
)
def test_a_call_from_a_stopped_identity_sends_nothing(
    service: str, method: str, parameters: dict[str, Any], asked: str
) -> None:
    stopping = Stopping()
    client, sent = protected(service, stopping)
    with pytest.raises(guard.SendingStopped, match="is stopped: too many bounces") as stopped:
        getattr(client, method)(**parameters)
    assert (stopped.value.sender, stopping.asked, sent) == (asked, [asked], [])
    copied = pickle.loads(pickle.dumps(stopped.value))  # noqa: S301  our own
    assert (copied.sender, copied.why) == (asked, "too many bounces")
    assert isinstance(stopped.value, SesBounceError)


def test_other_calls_and_other_identities_pass() -> None:
    stopping = Stopping()
    client, sent = protected("sesv2", stopping)
    with pytest.raises(NotSentError):
        client.get_account()
    for _ in range(2):
        with pytest.raises(NotSentError):
            client.send_email(FromEmailAddress="a@example.org", **V2)
    assert sent == ["GetAccount", "SendEmail", "SendEmail"]
    assert stopping.asked == ["a@example.org"], "the second time from the cache"


def test_mail_without_a_sender_counts_for_the_account() -> None:
    stopping = Stopping()
    with pytest.raises(guard.SendingStopped, match="the account is stopped"):
        made(stopping).demand_sending("")
    assert stopping.asked == [None]


def test_without_the_option_nobody_asks() -> None:
    stopping = Stopping()
    made(stopping, breaker=False).demand_sending("a@news.example.com")
    assert stopping.asked == []


def test_critical_mail_passes_a_stop_and_no_suppression(engine: sa.Engine) -> None:
    stopping = Stopping()
    critical = guard.Guard(
        on_error="refuse", stream="critical", database=engine, breaker=True, sending=stopping
    )
    critical.demand_sending("a@news.example.com")
    assert stopping.asked == []
    assert critical.refused(["no address"])


def test_without_an_answer_the_option_on_error_decides(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(StoreError):
        made(Stopping(fails=True)).demand_sending("a@example.com")
    made(Stopping(fails=True), on_error="send").demand_sending("a@example.com")
    assert "can't tell whether the sender is stopped: the database can't answer" in caplog.text


def test_what_the_counts_can_not_tell_passes_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stopping = Stopping()
    stopping.unknown = True
    made(stopping).demand_sending("a@news.example.com")
    assert "can't tell whether the sender is stopped: nothing is counted" in caplog.text


def test_answers_about_addresses_say_nothing_about_senders() -> None:
    with pytest.raises(ConfigurationError, match="pass sending as well"):
        guard.Guard(on_error="refuse", answers=Suppressing(), breaker=True)


def test_the_database_answers(engine: sa.Engine) -> None:
    now = datetime.now(UTC)
    sending.count(engine, now, delivered=700, hard=300)
    sending.count(engine, now, identity="example.org", region="us-east-1", delivered=700)
    asking = guard.Guard(on_error="refuse", database=engine, breaker=True)
    asking.demand_sending("ann@example.org")
    with pytest.raises(guard.SendingStopped, match="300 hard bounces in 1,000 mails"):
        asking.demand_sending("Ann <ann@news.example.com>")
    assert may_send("news.example.com", engine).may_send is False
    assert may_send("news.example.com", engine, "critical").may_send is True


class Mail:
    """A message as Django has them."""

    def __init__(self, from_email: str, to: str = "jane@example.com") -> None:
        self.from_email = from_email
        self.to, self.cc, self.bcc = [to], list[str](), list[str]()


def test_a_stopped_mail_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    mails = [Mail("a@news.example.com"), Mail("a@example.org"), Mail("b@news.example.com")]
    sent: list[Any] = []

    def send(messages: list[Any]) -> int:
        sent.extend(messages)
        return len(messages)

    with pytest.raises(guard.SendingStopped, match=r"a@news\.example\.com is stopped"):
        send_messages(made(Stopping()), send, mails, fail_silently=False)
    assert sent == [mails[1]]
    assert send_messages(made(Stopping()), send, mails, fail_silently=True) == 1
    assert "Of 2 mails the sender is stopped." in caplog.text


class Connection(smtplib.SMTP):
    """A connection that keeps what it would send."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    def sendmail(self, from_addr: str, *_: Any, **__: Any) -> dict[str, Any]:
        self.sent.append(from_addr)
        return {}


@pytest.mark.parametrize("header", ["News <hi@news.example.com>", None])
def test_smtp_asks_about_the_header_from_or_else_the_envelope(header: str | None) -> None:
    stopping = Stopping()
    connection = guard.smtp(
        Connection(), on_error="refuse", answers=Suppressing(), breaker=True, sending=stopping
    )
    message = EmailMessage()
    if header:
        message["From"] = header
    envelope = "bounces@example.org" if header else "hi@news.example.com"
    with pytest.raises(guard.SendingStopped):
        connection.sendmail(envelope, "jane@example.com", message.as_string())
    assert (stopping.asked, connection.sent) == (["hi@news.example.com"], [])
    assert json.dumps(connection.sendmail("x@example.org", "jane@example.com", b"Hi")) == "{}"
    assert connection.sent == ["x@example.org"]
