"""sqs-workers: a raw queue with a processor of single messages; it deletes by tens."""

from typing import Any

from sqs_workers import RawQueue, SQSEnv

from tests.bench.contestants.durable import QUEUE_URL, WAIT_SECONDS, Durable


def main() -> None:
    durable = Durable()
    queue = SQSEnv().queue("feedback", RawQueue, queue_url=QUEUE_URL)

    def handle(message: Any) -> None:
        durable.handle(message.body)

    queue.connect_raw_processor(handle)
    queue.process_queue(wait_second=WAIT_SECONDS)


if __name__ == "__main__":
    main()
