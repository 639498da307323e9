"""What the fuzzer starts from: every documented message, in both schemas and all envelopes."""

import json
from pathlib import Path
from typing import Any

from scripts.local.ses_messages import SCHEMAS, Scenario, messages
from tests.support import AT, TOPIC, in_sns, mail

FIXTURES = Path(__file__).parents[1] / "fixtures"

CONFIRMATION = {
    "Type": "SubscriptionConfirmation",
    "MessageId": "165545c9-2a5c-472c-8df2-7ff2be2b3b1b",
    "Token": "2336412f37f",
    "TopicArn": TOPIC,
    "Message": "You have chosen to subscribe to the topic.",
    "SubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription",
    "Timestamp": "2026-11-20T12:00:00.000Z",
}
VALIDATED = "Successfully validated SNS topic for Amazon SES event publishing."


def documented() -> list[dict[str, Any]]:
    """Each message in both schemas."""
    simulated = [m for s in Scenario for m in messages(s, mail(), AT, "notification")]
    events = [m for s in Scenario for m in messages(s, mail(), AT, "event")]
    fixtures = [json.loads(path.read_text()) for path in sorted(FIXTURES.glob("*.json"))]
    return [*simulated, *events, *(in_schema(m, s) for m in fixtures for s in SCHEMAS)]


def in_schema(message: dict[str, Any], schema: str) -> dict[str, Any]:
    kind = message.get("eventType") or message["notificationType"]
    rest = {k: v for k, v in message.items() if k not in {"eventType", "notificationType"}}
    return {"notificationType" if schema == "notification" else "eventType": kind, **rest}


def in_envelopes(message: Any) -> list[str]:
    """The message as it may come: raw, in SNS, from EventBridge or Lambda, and each as a string."""
    event = {"version": "0", "detail-type": "Email Bounced", "source": "aws.ses", "detail": message}
    plain = [json.dumps(message), in_sns(message), in_sns(json.dumps(json.dumps(message)))]
    sns_object = json.loads(in_sns("")) | {"Message": message}
    records = [{"Sns": sns_object}, {"body": plain[0]}, {"body": plain[1]}]
    wrapper = {"Records": records}
    bodies = [*plain, json.dumps(sns_object), json.dumps(event), json.dumps(wrapper)]
    bodies += ["\ufeff" + plain[0], json.dumps({"requestPayload": wrapper})]
    return [*bodies, *(json.dumps(body) for body in bodies)]


def seeds() -> list[bytes]:
    bodies = [body for message in documented() for body in in_envelopes(message)]
    bodies += [VALIDATED, in_sns(VALIDATED), json.dumps(CONFIRMATION)]
    return [body.encode() for body in bodies]


def write_seeds(folder: Path) -> int:
    """Fill the folder that libFuzzer takes for its corpus."""
    bodies = seeds()
    for number, body in enumerate(bodies):
        (folder / f"{number:04}").write_bytes(body)
    return len(bodies)
