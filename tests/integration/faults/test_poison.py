"""Messages that can't be handled do not hinder others, and end in the dead-letter queue."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tests.integration.feedback_queue import feedback_queue
from tests.integration.proxy import Proxy
from tests.integration.worker_process import Worker
from tests.support import in_sns, mail, said

if TYPE_CHECKING:
    from types_boto3_sqs.client import SQSClient

POISON = in_sns('{"notificationType": "Bounce"}')
FINGERPRINT = "59b8a4b84299"


def test_one_in_each_ten_goes_to_the_dlq_and_the_nine_are_committed_at_once(
    client: "SQSClient", quick: Mapping[str, str], proxy: Proxy, tmp_path: Path
) -> None:
    bodies = [in_sns(said(about=mail(f"{n}@example.com", f"mail-{n}"))) for n in range(100)]
    bodies[3::10] = [POISON] * 10
    with feedback_queue(client, max_receives=2) as queue:
        # Messages become visible where the worker returns them, and never by themselves.
        settings = {**quick, "SESBOUNCE_VISIBILITY_SECONDS": "3600"}
        worker = Worker.make(settings, queue.url, tmp_path)
        queue.send(bodies)
        # The proxy holds the calls that return messages, until the test has looked.
        proxy.hold("ChangeMessageVisibilityBatch")
        with worker.running(AWS_ENDPOINT_URL=proxy.url) as running:
            running.until(lambda: (queue.visible, queue.in_flight) == (0, 10))
            assert len(proxy.receipts) == 100
            assert worker.rows("SELECT count(*) FROM feedback_event") == [(90,)]
            assert worker.rows("SELECT count(*) FROM suppressed") == [(90,)]
            assert queue.dead == 0
            proxy.release()
            running.until(lambda: queue.dead == 10)
            assert (queue.visible, queue.in_flight) == (0, 0)
            assert running.stop() == 0, running.log
        assert queue.take_dead() == [POISON] * 10
    logged = re.findall(r'"fingerprint": "(\w+)", "times": (\d)', running.log)
    assert sorted(logged) == [(FINGERPRINT, "1")] * 10 + [(FINGERPRINT, "2")] * 10
    assert "100 messages received" not in running.log  # SQS delivered ten of them twice
    assert "110 messages received, 90 deleted, 20 not understood" in running.log
