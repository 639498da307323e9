"""A statement of the sender that takes long: no event waits for it, and no message is lost."""

import http.client
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from sesbounce.store import migrate
from sesbounce.store.engine import open_database
from sesbounce.telemetry.health import Status
from tests.integration.faults.probe import HURRIED, green
from tests.integration.feedback_queue import feedback_queue
from tests.integration.worker_process import Worker
from tests.ports import free_port
from tests.support import disposed, in_sns, mail, said

if TYPE_CHECKING:
    from types_boto3_sqs.client import SQSClient

MEMBERS = [f"{number}@example.com" for number in range(20)]


def health(port: int) -> Status:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/healthz")
        return msgspec.json.decode(connection.getresponse().read(), type=Status)
    finally:
        connection.close()


def test_slow_statements_leave_health_green_and_the_dead_letter_queue_empty(
    client: "SQSClient", quick: Mapping[str, str], postgresql_url: str, tmp_path: Path
) -> None:
    with feedback_queue(client, 2) as queue:
        port = free_port()
        settings = {
            **quick,
            "SESBOUNCE_METRICS_PORT": str(port),
            "SESBOUNCE_STRIKE_OFF_SECONDS": "2",
        }
        worker = Worker.make(settings, queue.url, tmp_path, *MEMBERS, database_url=postgresql_url)
        with disposed(open_database(postgresql_url)) as engine:
            migrate.upgrade(engine)
        slow = (
            "UPDATE member SET mailable = CASE WHEN pg_sleep(1) IS NULL THEN 1 ELSE 0 END "
            "WHERE email = :address"
        )
        queue.send([in_sns(said(about=mail(member, member))) for member in MEMBERS])
        with worker.running(*HURRIED, SESBOUNCE_STRIKE_OFF_SQL=slow) as running:
            count = "SELECT count(*) FROM feedback_event"
            running.until(green(port))
            running.until(lambda: worker.rows(count) == [(len(MEMBERS),)])
            queue.is_done()
            # The events are recorded long before all addresses are struck off.
            assert list(worker.members().values()).count(1) > len(MEMBERS) / 2
            busy: list[str] = []

            def done() -> bool:
                status = health(port)
                assert status.faults == []
                busy.extend(status.busy)
                return 1 not in worker.members().values()

            running.until(done)
            assert busy
            assert busy[0].startswith("Busy striking off, ")
            assert running.stop() == 0, running.log
