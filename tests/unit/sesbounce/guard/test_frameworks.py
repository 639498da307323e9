"""The guards of Django, anymail and Flask-Mailman, with their own backends for tests."""

from collections.abc import Callable, Iterator
from typing import Any

import anymail.signals
import flask
import flask_mailman
import pytest
from django.core import mail
from django.test.utils import override_settings

from sesbounce import guard
from sesbounce.errors import ConfigurationError, StoreError
from sesbounce.guard import anymail as guarded_anymail
from tests.unit.sesbounce.guard import in_django as of_django
from tests.unit.sesbounce.guard.asked import Suppressing

JANE, MARY, ANN = "jane@example.com", "mary@example.com", "ann@example.com"
LOCMEM = "django.core.mail.backends.locmem.EmailBackend"


@pytest.fixture
def suppressing() -> Suppressing:
    return Suppressing(JANE)


@pytest.fixture
def in_django(suppressing: Suppressing) -> Iterator[None]:
    mail.outbox = []
    guarded = {"BACKEND": LOCMEM, "ON_ERROR": "refuse", "ANSWERS": suppressing}
    with override_settings(**of_django.by_guard(guarded)):
        yield


@pytest.fixture
def in_flask(suppressing: Suppressing) -> Iterator[flask_mailman.Mail]:
    app = flask.Flask(__name__)
    app.config["MAIL_BACKEND"] = "sesbounce.guard.flask_mailman"
    app.config["MAIL_GUARD"] = {"BACKEND": "locmem", "ON_ERROR": "refuse", "ANSWERS": suppressing}
    extension = flask_mailman.Mail(app)
    with app.app_context():
        yield extension


@pytest.fixture(params=["django", "flask"])
def flow(request: pytest.FixtureRequest) -> tuple[Any, Any, Callable[[], list[Any]]]:
    """How mail is made, over which connection, and what is sent, in each of the frameworks."""
    if request.param == "django":
        request.getfixturevalue("in_django")
        return mail.EmailMessage, of_django.connect, lambda: list(mail.outbox)
    extension = request.getfixturevalue("in_flask")
    return (
        flask_mailman.EmailMessage,
        extension.get_connection,
        lambda: list(getattr(extension.state, "outbox", [])),
    )


def fields(messages: list[Any]) -> list[tuple[list[str], list[str], list[str]]]:
    return [(message.to, message.cc, message.bcc) for message in messages]


def test_one_blocked_mail_does_not_stop_the_next_ones(flow: Any) -> None:
    make, connect, outbox = flow
    messages = [
        make("x", "x", "me@example.com", [to], cc=cc, bcc=bcc)
        for to, cc, bcc in (
            (JANE, [], []),
            (MARY, [JANE], [ANN]),
            (JANE, [JANE], []),
            (ANN, [], []),
        )
    ]
    with pytest.raises(guard.Suppressed, match=JANE) as told:
        connect().send_messages(messages)
    assert fields(outbox()) == [([MARY], [], [ANN]), ([ANN], [], [])]
    assert told.value.sent == 2
    assert told.value.refused == {JANE: "hard bounce"}


def test_an_empty_recipient_is_none_as_in_the_frameworks(flow: Any) -> None:
    make, connect, outbox = flow
    message = make("x", "x", "me@example.com", [MARY])
    message.to, message.cc, message.bcc = [None, MARY, ""], ("", ANN), None
    assert connect().send_messages([message]) == 1
    assert fields(outbox()) == [([MARY], [ANN], [])]
    blocked = make("x", "x", "me@example.com", [JANE])
    blocked.cc = [""]
    with pytest.raises(guard.Suppressed):
        connect().send_messages([blocked])


def test_silently_the_number_is_that_of_the_mails_sent(
    flow: Any, caplog: pytest.LogCaptureFixture
) -> None:
    make, connect, outbox = flow
    messages = [make("x", "x", "me@example.com", [to]) for to in (JANE, MARY, JANE)]
    assert connect(fail_silently=True).send_messages(messages) == 1
    assert fields(outbox()) == [([MARY], [], [])]
    assert caplog.messages[-1] == "Of 2 mails nobody is left; 1 others were sent."


def test_without_an_answer_nothing_is_sent(
    flow: Any, suppressing: Suppressing, caplog: pytest.LogCaptureFixture
) -> None:
    make, connect, outbox = flow
    suppressing.fails = True
    with pytest.raises(StoreError):
        connect().send_messages([make("x", "x", "me@example.com", [MARY])])
    silent = connect(fail_silently=True)
    assert silent.send_messages([make("x", "x", "me@example.com", [MARY])]) == 0
    assert outbox() == []
    assert "sends none of 1 mails: the database can't answer" in caplog.text


def test_several_mails_are_one_question(flow: Any, suppressing: Suppressing) -> None:
    make, connect, _ = flow
    messages = [make("x", "x", "me@example.com", [MARY, ANN]) for _ in range(3)]
    with connect() as connection:
        assert connection.send_messages(messages) == 3
    assert connect().send_messages(messages) == 3
    assert suppressing.asked == [MARY, ANN], "connections share the cache"


@pytest.mark.usefixtures("in_django")
def test_django_s_own_functions_send_by_the_guard() -> None:
    assert mail.send_mail("x", "x", "me@example.com", [MARY, JANE]) == 1
    assert [message.to for message in mail.outbox] == [[MARY]]
    with pytest.raises(guard.Suppressed):
        mail.send_mail("x", "x", "me@example.com", [JANE])
    assert len(mail.outbox) == 1


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        (None, "EMAIL_GUARD names no backend"),
        ({"ON_ERROR": "send"}, "EMAIL_GUARD names no backend"),
        ({"BACKEND": LOCMEM}, "EMAIL_GUARD: .*on_error"),
        ({"BACKEND": LOCMEM, "ON_ERROR": "send", "STREEM": "x"}, "EMAIL_GUARD: .*streem"),
    ],
)
def test_a_wrong_setting_says_what_is_missing(setting: Any, problem: str) -> None:
    with (
        override_settings(**of_django.by_guard(setting)),
        pytest.raises(ConfigurationError, match=problem),
    ):
        of_django.connect()


@pytest.fixture
def in_anymail() -> Iterator[None]:
    with override_settings(**of_django.by_backend("anymail.backends.test.EmailBackend")):
        mail.outbox = []
        guarded_anymail.protect(on_error="refuse", answers=Suppressing(JANE))
        yield
        assert anymail.signals.pre_send.disconnect(dispatch_uid="sesbounce.guard")


@pytest.mark.usefixtures("in_anymail")
def test_anymail_asks_before_it_sends() -> None:
    message = mail.EmailMessage("x", "x", "me@example.com", [MARY, f"J <{JANE}>"], bcc=[JANE])
    assert message.send() == 1
    (sent,) = mail.outbox
    assert [address.addr_spec for address in sent.anymail_test_params["to"]] == [MARY]
    assert not sent.anymail_test_params.get("bcc")
    with pytest.raises(guard.Suppressed):
        mail.send_mail("x", "x", "me@example.com", [JANE])
    assert len(mail.outbox) == 1


@pytest.mark.usefixtures("in_anymail")
def test_of_two_guards_of_anymail_the_last_one_counts() -> None:
    guarded_anymail.protect(on_error="refuse", answers=Suppressing(MARY))
    assert mail.send_mail("x", "x", "me@example.com", [JANE]) == 1
    with pytest.raises(guard.Suppressed):
        mail.send_mail("x", "x", "me@example.com", [MARY])


def test_the_backend_guards_anymail_s_too() -> None:
    mail.outbox = []
    guarded = {"BACKEND": "anymail.backends.test.EmailBackend", "ON_ERROR": "refuse"}
    with override_settings(**of_django.by_guard({**guarded, "ANSWERS": Suppressing(JANE)})):
        messages = [mail.EmailMessage("x", "x", "me@example.com", [to]) for to in (JANE, MARY)]
        with pytest.raises(guard.Suppressed):
            of_django.connect().send_messages(messages)
    assert messages[1].anymail_status.status == {"sent"}
