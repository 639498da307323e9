"""The command of the schedule, run on a queue in LocalStack."""

import json
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from scripts.local.ses_messages import Scenario
from scripts.terraform.docs import parsed, plain
from tests.integration.feedback_queue import FeedbackQueue
from tests.integration.worker_process import Worker
from tests.support import in_sns, mail, said

SCHEDULE = Path(__file__).parents[3] / "terraform/modules/worker_service/schedule.tf"
MESSAGES = 25
JANE = "jane@example.com"


def command() -> list[str]:
    """The command as Terraform writes it into the schedule; with its time, which is a variable."""
    (local,) = parsed(SCHEDULE)["locals"]
    *words, seconds = (plain(word) for word in local["run_command"])
    assert seconds == "tostring(local.run_seconds)"
    return [*words, "900"]


class Webhook:
    """A webhook of the sender's, and what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        told = self.told

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                told.append((body["action"], body["address"]))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    made = Webhook()
    threading.Thread(target=made.http.serve_forever, daemon=True).start()
    yield made
    made.http.shutdown()
    made.http.server_close()


@pytest.fixture
def scheduled(worker: Worker, webhook: Webhook) -> Worker:
    """The worker, with the settings of a run and a webhook."""
    settings: Mapping[str, str] = {
        "SESBOUNCE_EMF": "true",
        "SESBOUNCE_EMF_METRICS": "RunsSucceeded,Failed",
        "SESBOUNCE_LOG_FORMAT": "json",
        "SESBOUNCE_WEBHOOK_URL": webhook.url,
        "SESBOUNCE_WEBHOOK_SECRET": "a secret of some length",
        "SESBOUNCE_WEBHOOK_INSECURE": "true",
    }
    return replace(worker, environment={**worker.environment, **settings})


def bounces() -> list[str]:
    return [in_sns(said(about=mail(f"{n}@example.com", f"mail-{n}"))) for n in range(MESSAGES)]


def metrics(log: str) -> dict[str, Any]:
    """The metrics of the last line for CloudWatch."""
    *_, line = (line for line in log.splitlines() if line.startswith('{"_aws"'))
    document = json.loads(line)
    (directive,) = document["_aws"]["CloudWatchMetrics"]
    return {metric["Name"]: document[metric["Name"]] for metric in directive["Metrics"]}


def test_a_run_does_all_that_is_to_be_done_and_ends(
    scheduled: Worker, queue: FeedbackQueue, webhook: Webhook
) -> None:
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    queue.send([in_sns(said(Scenario.SUPPRESSIONLIST, mail(JANE, "first"), at=an_hour_ago))])
    scheduled.run(*command())
    assert scheduled.members() == {JANE: 0}
    scheduled.rows("UPDATE feedback_address SET suppressed_until = suppressed_since")
    queue.send(bounces())

    log = scheduled.run(*command())
    assert f"{MESSAGES} messages received, {MESSAGES} deleted" in log
    assert metrics(log) == {"Failed": 0, "RunsSucceeded": 1}
    assert scheduled.rows("SELECT count(*) FROM suppressed") == [(MESSAGES,)]
    assert scheduled.members() == {JANE: 1}
    queue.is_done()
    # Everything once, before the end.
    assert Counter(webhook.told) == Counter(
        [
            ("strike_off", JANE),
            ("restore", JANE),
            *(("strike_off", f"{n}@example.com") for n in range(MESSAGES)),
        ]
    )
    assert scheduled.rows("SELECT * FROM feedback_outbox") == []


def test_a_run_whose_database_fails_loses_nothing_and_the_next_one_continues(
    scheduled: Worker, queue: FeedbackQueue, webhook: Webhook
) -> None:
    scheduled.run(*command())
    scheduled.rows("ALTER TABLE feedback_event RENAME TO gone")
    queue.send(bounces())
    log = scheduled.run(*command(), code=2)
    assert "no such table" in log
    assert "RunsSucceeded" not in metrics(log)
    assert queue.visible + queue.in_flight == MESSAGES
    scheduled.rows("ALTER TABLE gone RENAME TO feedback_event")
    assert f"{MESSAGES} events recorded" in scheduled.run(*command())
    assert len(webhook.told) == MESSAGES
    queue.is_done()
