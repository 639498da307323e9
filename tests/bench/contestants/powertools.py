"""Powertools for AWS Lambda: its BatchProcessor in a receive loop.

It handles one record at a time and names those that failed; the others are deleted in a batch.
"""

from typing import Any

import boto3
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from tests.bench.contestants.durable import MOST_AT_ONCE, QUEUE_URL, WAIT_SECONDS, Durable


def as_record(message: Any) -> dict[str, Any]:
    """The message as a Lambda function would get it."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:feedback",
        "awsRegion": "us-east-1",
    }


def main() -> None:
    durable = Durable()
    processor = BatchProcessor(event_type=EventType.SQS)
    sqs = boto3.client("sqs")

    def handle(record: SQSRecord) -> None:
        durable.handle(record.body)

    while True:
        answer = sqs.receive_message(
            QueueUrl=QUEUE_URL, MaxNumberOfMessages=MOST_AT_ONCE, WaitTimeSeconds=WAIT_SECONDS
        )
        records = [as_record(message) for message in answer.get("Messages", [])]
        if not records:
            continue
        response = process_partial_response(
            event={"Records": records}, record_handler=handle, processor=processor
        )
        failed = {failure["itemIdentifier"] for failure in response["batchItemFailures"]}
        sqs.delete_message_batch(
            QueueUrl=QUEUE_URL,
            Entries=[
                {"Id": record["messageId"], "ReceiptHandle": record["receiptHandle"]}
                for record in records
                if record["messageId"] not in failed
            ],
        )


if __name__ == "__main__":
    main()
