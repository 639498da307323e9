"""Sixteen threads that share a boto3 client: receive ten, commit ten, delete ten."""

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config

from tests.bench.contestants.durable import MOST_AT_ONCE, QUEUE_URL, WAIT_SECONDS, Durable

if TYPE_CHECKING:
    from types_boto3_sqs.client import SQSClient

THREADS = 16


def consume(sqs: "SQSClient", durable: Durable) -> None:
    while True:
        answer = sqs.receive_message(
            QueueUrl=QUEUE_URL, MaxNumberOfMessages=MOST_AT_ONCE, WaitTimeSeconds=WAIT_SECONDS
        )
        messages = answer.get("Messages", [])
        if messages:
            durable.handle(*(message["Body"] for message in messages))
            sqs.delete_message_batch(
                QueueUrl=QUEUE_URL,
                Entries=[
                    {"Id": message["MessageId"], "ReceiptHandle": message["ReceiptHandle"]}
                    for message in messages
                ],
            )


def main() -> None:
    durable = Durable()
    sqs = boto3.client("sqs", config=Config(max_pool_connections=THREADS))
    with ThreadPoolExecutor(THREADS) as threads:
        running = [threads.submit(consume, sqs, durable) for _ in range(THREADS)]
        for consumer in running:
            consumer.result()


if __name__ == "__main__":
    main()
