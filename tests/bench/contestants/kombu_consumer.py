"""kombu: a consumer on its SQS transport, which receives tens and deletes one by one."""

import os
from typing import Any
from urllib.parse import urlsplit

from kombu import Connection, Queue

from tests.bench.contestants.durable import QUEUE_URL, WAIT_SECONDS, Durable


def main() -> None:
    durable = Durable()
    endpoint = urlsplit(os.environ["AWS_ENDPOINT_URL"])

    def handle(body: Any, message: Any) -> None:
        durable.handle(body if isinstance(body, str) else body.decode())
        message.ack()

    connection = Connection(
        transport="sqs",
        hostname=endpoint.hostname,
        port=endpoint.port,
        userid=os.environ["AWS_ACCESS_KEY_ID"],
        password=os.environ["AWS_SECRET_ACCESS_KEY"],
        transport_options={
            "region": os.environ["AWS_REGION"],
            "is_secure": endpoint.scheme == "https",
            "wait_time_seconds": WAIT_SECONDS,
            "predefined_queues": {"feedback": {"url": QUEUE_URL}},
        },
    )
    with connection, connection.Consumer([Queue("feedback")], callbacks=[handle]):
        while True:
            connection.drain_events()


if __name__ == "__main__":
    main()
