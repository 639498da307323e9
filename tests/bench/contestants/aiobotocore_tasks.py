"""Sixteen asyncio tasks that share an aiobotocore client: receive ten, commit ten, delete ten."""

import asyncio
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session

from tests.bench.contestants.durable import MOST_AT_ONCE, QUEUE_URL, WAIT_SECONDS, Durable

TASKS = 16


async def consume(sqs: Any, durable: Durable) -> None:
    while True:
        answer = await sqs.receive_message(
            QueueUrl=QUEUE_URL, MaxNumberOfMessages=MOST_AT_ONCE, WaitTimeSeconds=WAIT_SECONDS
        )
        messages = answer.get("Messages", [])
        if messages:
            await asyncio.to_thread(durable.handle, *(message["Body"] for message in messages))
            await sqs.delete_message_batch(
                QueueUrl=QUEUE_URL,
                Entries=[
                    {"Id": message["MessageId"], "ReceiptHandle": message["ReceiptHandle"]}
                    for message in messages
                ],
            )


async def main() -> None:
    durable = Durable()
    config = AioConfig(max_pool_connections=TASKS)
    async with (
        get_session().create_client("sqs", config=config) as sqs,
        asyncio.TaskGroup() as all_,
    ):
        for _ in range(TASKS):
            all_.create_task(consume(sqs, durable))


if __name__ == "__main__":
    asyncio.run(main())
