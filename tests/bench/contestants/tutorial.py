"""The loop of the tutorials: receive ten, handle one, delete one."""

import boto3

from tests.bench.contestants.durable import MOST_AT_ONCE, QUEUE_URL, WAIT_SECONDS, Durable


def main() -> None:
    durable = Durable()
    sqs = boto3.client("sqs")
    while True:
        answer = sqs.receive_message(
            QueueUrl=QUEUE_URL, MaxNumberOfMessages=MOST_AT_ONCE, WaitTimeSeconds=WAIT_SECONDS
        )
        for message in answer.get("Messages", []):
            durable.handle(message["Body"])
            sqs.delete_message(QueueUrl=QUEUE_URL, ReceiptHandle=message["ReceiptHandle"])


if __name__ == "__main__":
    main()
