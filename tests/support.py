"""What several tests need: messages as SES writes them, and envelopes around them."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from scripts.local.ses_messages import Mail, Scenario, Schema, messages
from sesbounce.opening import disposed as disposed  # noqa: PLC0414  tests take it from here

AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
TOPIC = "arn:aws:sns:us-east-1:000000000000:sesbounce-feedback"


def mail(recipient: str = "jane@example.com", message_id: str = "mail-1", **more: Any) -> Mail:
    return Mail(message_id, "sender@example.com", recipient, AT, **more)


def said(
    scenario: Scenario = Scenario.BOUNCE,
    about: Mail | None = None,
    schema: Schema = "notification",
    at: datetime = AT,
) -> dict[str, Any]:
    """The last thing that SES says in a scenario."""
    return messages(scenario, about or mail(), at, schema)[-1]


def in_sns(message: Any, **more: Any) -> str:
    """The SNS envelope as SQS gets it."""
    envelope = {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": TOPIC,
        "Subject": "Amazon SES Email Event Notification",
        "Message": message if isinstance(message, str) else json.dumps(message),
        "Timestamp": "2026-11-20T12:00:01.000Z",
        "SignatureVersion": "1",
        "Signature": "none",
        "SigningCertURL": "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0.pem",
        "UnsubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe",
    }
    return json.dumps(envelope | more)


def bounce(bounce_type: str, sub_type: str, **recipient: str) -> dict[str, Any]:
    """A bounce notification of one recipient."""
    message = said()
    message["bounce"] |= {"bounceType": bounce_type, "bounceSubType": sub_type}
    message["bounce"]["bouncedRecipients"] = [{"emailAddress": "jane@example.com"} | recipient]
    return message


def until(true: Callable[[], object]) -> None:
    """Wait until a condition is true; the timeout of the test ends the wait."""
    while not true():
        time.sleep(0.001)
