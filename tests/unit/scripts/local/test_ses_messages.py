"""The simulator's messages have the field sets that AWS documents."""

import pytest

from scripts.local.ses_messages import SCHEMAS, Scenario, Schema, messages
from tests.support import AT, mail

# https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html#mail-object
NOTIFICATION_MAIL = {
    "timestamp",
    "messageId",
    "source",
    "sourceArn",
    "sourceIp",
    "sendingAccountId",
    "callerIdentity",
    "destination",
    "headersTruncated",
    "headers",
    "commonHeaders",
}
# https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
EVENT_MAIL = NOTIFICATION_MAIL - {"sourceIp", "callerIdentity"} | {"tags"}


@pytest.mark.parametrize("scenario", Scenario)
@pytest.mark.parametrize("schema", SCHEMAS)
def test_the_fields_are_those_of_the_schema(scenario: Scenario, schema: Schema) -> None:
    for message in messages(scenario, mail(), AT, schema):
        key = "notificationType" if schema == "notification" else "eventType"
        assert set(message) == {key, "mail", message[key].lower()}
        fields = NOTIFICATION_MAIL if schema == "notification" else EVENT_MAIL
        assert set(message["mail"]) == fields


def test_a_complaint_comes_after_the_delivery() -> None:
    delivery, complaint = messages(Scenario.COMPLAINT, mail(), AT, "event")
    assert (delivery["eventType"], complaint["eventType"]) == ("Delivery", "Complaint")
    assert delivery["delivery"]["timestamp"] < complaint["complaint"]["timestamp"]


def test_an_out_of_office_reply_is_no_dsn() -> None:
    delivery, reply = messages(Scenario.OOTO, mail(), AT, "notification")
    assert delivery["notificationType"] == "Delivery"
    assert reply["bounce"]["bouncedRecipients"] == [{"emailAddress": "jane@example.com"}]
    assert "reportingMTA" not in reply["bounce"]
