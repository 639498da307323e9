"""The guard before LocalStack's SES, which keeps what was really sent."""

import json
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from scripts.local.localstack import LocalStack
from sesbounce import guard
from sesbounce.feedback.decode import decode
from sesbounce.store.engine import open_database
from tests import stored
from tests.support import AT, said

if TYPE_CHECKING:
    from pathlib import Path

    from types_boto3_ses.client import SESClient

SENDER = "guarded@example.com"
JANE, MARY, ANN = "jane@example.com", "mary@example.com", "ann@example.com"
RAW = f"From: {SENDER}\r\nTo: Jane <{JANE}>, {MARY}\r\nBcc: {ANN}\r\nSubject: x\r\n\r\nHello\r\n"


@pytest.fixture
def ses(session: Any, tmp_path: "Path") -> "SESClient":
    """A guarded client; Jane's mailbox has bounced."""
    url = f"sqlite:///{tmp_path}/app.sqlite3"
    engine = open_database(url)
    stored.make_members(engine)
    stored.store(engine).record([decode(json.dumps(said()))], AT)
    engine.dispose()
    client: SESClient = session.boto3.client("ses")
    client.verify_email_identity(EmailAddress=SENDER)
    return guard.protect(client, on_error="refuse", database=url)


def sent(aws: LocalStack) -> list[Any]:
    with urllib.request.urlopen(f"{aws.endpoint}/_aws/ses?email={SENDER}") as answer:  # noqa: S310
        messages: list[Any] = json.load(answer)["messages"]
    return messages


def test_what_was_really_sent_holds_nobody_who_is_suppressed(
    aws: LocalStack, ses: "SESClient"
) -> None:
    ses.send_email(
        Source=SENDER,
        Destination={"ToAddresses": [JANE, MARY], "CcAddresses": [f"Jane <{JANE}>"]},
        Message={"Subject": {"Data": "x"}, "Body": {"Text": {"Data": "x"}}},
    )
    with pytest.raises(guard.Suppressed, match="hard bounce: no such mailbox"):
        ses.send_raw_email(RawMessage={"Data": f"From: {SENDER}\r\nTo: {JANE}\r\n\r\nHello"})
    ses.send_raw_email(RawMessage={"Data": RAW})
    ses.create_template(Template={"TemplateName": "guard", "SubjectPart": "x", "TextPart": "x"})
    answer = ses.send_bulk_templated_email(
        Source=SENDER,
        Template="guard",
        DefaultTemplateData="{}",
        Destinations=[{"Destination": {"ToAddresses": [to]}} for to in (JANE, MARY)],
    )
    ses.delete_template(TemplateName="guard")
    # LocalStack gives no status to those that it has sent.
    refused, taken = answer["Status"]
    assert (refused["Status"], taken["MessageId"] != "") == ("MessageRejected", True)
    assert JANE in refused["Error"]
    simple, raw = sent(aws)  # LocalStack keeps no mail of a bulk
    assert simple["Destination"]["ToAddresses"] == [MARY]
    assert not simple["Destination"].get("CcAddresses")
    assert raw["RawData"] == RAW.replace(f"Bcc: {ANN}\r\n", "")
