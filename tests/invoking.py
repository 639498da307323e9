"""What tests of the function in AWS Lambda share: events as AWS documents them, and contexts."""

from typing import Any

from scripts.local.ses_messages import Scenario
from tests.support import AT, in_sns, mail, said

QUEUE_ARN = "arn:aws:sqs:us-east-1:000000000000:sesbounce-feedback"
SWEEP = {"sesbounce": "sweep"}


class Remaining:
    """A context of Lambda, with that much time left."""

    def __init__(self, seconds: float = 60.0) -> None:
        self._seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        return int(self._seconds * 1000)


def record(number: int, body: str, times: int = 1) -> dict[str, Any]:
    """A message, as https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html shows it."""
    sent = int(AT.timestamp() * 1000)
    return {
        "messageId": f"059f36b4-87a3-44ab-83d2-66197{number:07}",
        "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a...",
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": str(times),
            "SentTimestamp": str(sent),
            "SenderId": "AIDAIENQZJOLO23YVJ4VO",
            "ApproximateFirstReceiveTimestamp": str(sent + 4),
        },
        "messageAttributes": {
            "myAttribute": {
                "stringValue": "myValue",
                "stringListValues": [],
                "binaryListValues": [],
                "dataType": "String",
            }
        },
        "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
        "eventSource": "aws:sqs",
        "eventSourceARN": QUEUE_ARN,
        "awsRegion": "us-east-1",
    }


def messages(*bodies: str) -> dict[str, Any]:
    """An event with these messages, numbered from 0."""
    return {"Records": [record(number, body) for number, body in enumerate(bodies)]}


def bounced(recipient: str = "jane@example.com", mail_id: str = "mail-1") -> str:
    """The body of a message: a bounce, in SNS's envelope."""
    return in_sns(said(Scenario.BOUNCE, mail(recipient, mail_id)))


def failures(*numbers: int) -> dict[str, Any]:
    """The answer that keeps these messages in the queue."""
    ids = [record(number, "")["messageId"] for number in numbers]
    return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in ids]}
