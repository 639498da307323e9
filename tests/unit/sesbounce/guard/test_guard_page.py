"""docs/guard.md: its code runs, and its table is complete."""

import re
import smtplib
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import boto3
import flask
import flask_mailman
import pytest
import sqlalchemy as sa
from anymail.signals import pre_send
from django.core import mail
from django.core.mail.backends.smtp import EmailBackend
from django.test.utils import override_settings

from sesbounce import client, guard
from sesbounce.errors import ConfigurationError
from sesbounce.feedback.manual import decide
from sesbounce.feedback.reason import Reason
from tests import stored
from tests.support import AT
from tests.unit.sesbounce.guard import in_django

PAGE = (Path(__file__).parents[4] / "docs/guard.md").read_text()
JANE = "jane@example.com"


def code_of(section: str, number: int = 1) -> str:
    """A block of Python under a heading; without one, of the page's beginning."""
    text = PAGE.partition(f"\n## {section}\n")[2] if section else PAGE
    return text.split("```python\n")[number].partition("```")[0]


@pytest.fixture(autouse=True)
def jane_is_suppressed(engine: sa.Engine, url: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    suppress = decide(JANE, Reason.SUPPRESSED_BY_HAND, AT)
    stored.store(engine).record([suppress], AT)
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", url)
    yield
    client.close()


def test_every_option_is_in_the_table() -> None:
    table = PAGE.partition("\n## Options\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)`", table, re.MULTILINE)) == set(
        guard.Options.__annotations__
    )


def test_the_code_for_boto3(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    text = {"Data": "x"}
    content = {"Simple": {"Subject": text, "Body": {"Text": text}}}
    exec(code_of(""), {"to": {"ToAddresses": [JANE]}, "content": content})  # noqa: S102
    assert capsys.readouterr().out.startswith("{'jane@example.com': '")


def test_the_code_for_the_api(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    names: dict[str, Any] = {"boto3": boto3, "guard": guard}
    with pytest.raises(ConfigurationError, match="set SESBOUNCE_API_TOKEN"):
        exec(code_of("By the HTTP API"), names)  # noqa: S102
    monkeypatch.setenv("SESBOUNCE_API_TOKEN", "sesbounce_x")
    exec(code_of("By the HTTP API"), names)  # noqa: S102
    assert names["ses"].meta.service_model.service_name == "sesv2"


def test_the_settings_of_django() -> None:
    found: dict[str, Any] = {}
    exec(code_of("Django", 2 if in_django.HAS_MAILERS else 1), found)  # noqa: S102
    chosen = {name: value for name, value in found.items() if name.isupper()}
    with override_settings(**chosen):
        connection = in_django.connect()
        assert type(connection.backend) is EmailBackend
        with pytest.raises(guard.Suppressed):
            mail.send_mail("x", "x", "me@example.com", [JANE])


def test_the_code_for_anymail() -> None:
    exec(code_of("anymail"), {})  # noqa: S102
    message = mail.EmailMessage("x", "x", "me@example.com", [JANE])
    with pytest.raises(guard.Suppressed):
        pre_send.send(None, message=message, esp_name="x")
    assert pre_send.disconnect(dispatch_uid="sesbounce.guard")


def test_the_settings_of_flask_mailman() -> None:
    app = flask.Flask(__name__)
    exec(code_of("Flask-Mailman"), {"app": app})  # noqa: S102
    extension = flask_mailman.Mail(app)
    with app.app_context(), pytest.raises(guard.Suppressed):
        extension.send_mail("x", "x", "me@example.com", [JANE])


def test_the_code_for_smtplib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtplib.SMTP, "connect", lambda *_: (220, b""))
    message = EmailMessage()
    message["From"], message["To"] = "me@example.com", JANE
    # smtplib greets the server first.
    monkeypatch.setattr(smtplib.SMTP, "ehlo_or_helo_if_needed", lambda _: None)
    with pytest.raises(guard.Suppressed):
        exec(code_of("smtplib"), {"message": message})  # noqa: S102
