"""Kills of two workers on PostgreSQL leave the tables as one worker without kills fills them.

    SOAK_MESSAGES=50000 .venv/bin/pytest tests/integration/faults/test_soak.py --log-cli-level=INFO

SOAK_SEED determines the messages, and which worker is killed when.
"""

import copy
import json
import logging
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from scripts.local.ses_messages import SCHEMAS, Scenario
from sesbounce.feedback.decode import decode
from sesbounce.store.engine import open_database
from sesbounce.store.strike_off import StrikeOff
from tests import stored
from tests.databases.products import Kind
from tests.databases.servers import empty_database
from tests.integration.feedback_queue import FeedbackQueue
from tests.integration.worker_process import Running, Worker
from tests.support import AT, in_sns, mail, said

MESSAGES = int(os.environ.get("SOAK_MESSAGES", "2000"))
SEED = int(os.environ.get("SOAK_SEED", "1"))
ADDRESSES = MESSAGES // 4
KILLS = MESSAGES // 250
SETTINGS = {
    "SESBOUNCE_BATCH_SIZE": "50",
    "SESBOUNCE_POLLERS": "4",
    # So long the messages of a worker that was killed stay away.
    "SESBOUNCE_VISIBILITY_SECONDS": "10",
}

TABLES = {
    "messages": "SELECT digest, kind, mail_id, payload FROM feedback_message ORDER BY digest",
    # Chance decides which of several messages about one event comes first, and when.
    "events": (
        "SELECT dedupe_key, kind, reason, effect, address, original, parsed, shared, occurred_at, "
        "mail_id, source, type, sub_type, status, action, diagnostic, feedback_id, basis "
        "FROM feedback_event ORDER BY dedupe_key"
    ),
    "addresses": f"SELECT {stored.OF_ADDRESSES} FROM feedback_address ORDER BY address",
    "members": "SELECT email, mailable FROM member ORDER BY email",
}

log = logging.getLogger(__name__)


def name(number: int) -> str:
    return f"u{number}@example.com"


def messages_of(random: Random, number: int) -> list[dict[str, Any]]:
    """SES's messages about a mail to one recipient or several: in one schema, or in both."""
    first, *others = random.sample(range(ADDRESSES), random.choice([1, 1, 1, 2, 3]))
    scenario = random.choice([*Scenario])
    at = AT - timedelta(minutes=random.randrange(60 * 24 * 3))
    messages = []
    for schema in random.choice([SCHEMAS[:1], SCHEMAS[1:], SCHEMAS]):
        message = copy.deepcopy(said(scenario, mail(name(first), f"mail-{number}"), schema, at))
        (detail,) = (message[key] for key in ("bounce", "complaint", "delivery") if key in message)
        for recipients in (value for key, value in detail.items() if "ecipients" in key):
            one = recipients[0]
            recipients += [
                name(n) if isinstance(one, str) else {**one, "emailAddress": name(n)}
                for n in others
            ]
        messages.append(message)
    return messages


def all_messages() -> list[str]:
    """Messages as SES publishes them; every tenth repeats an earlier one."""
    random = Random(SEED)
    messages: list[str] = []
    while len(messages) < MESSAGES:
        messages += map(json.dumps, messages_of(random, len(messages)))
        if not len(messages) % 10:
            messages.append(random.choice(messages))
    random.shuffle(messages)
    return messages[:MESSAGES]


def on(database_url: str, quick: Mapping[str, str], queue: FeedbackQueue, folder: Path) -> Worker:
    worker = Worker.make({**quick, **SETTINGS}, queue.url, folder, database_url=database_url)
    numbers = f"generate_series(0, {ADDRESSES - 1}) AS n"
    worker.rows(f"INSERT INTO member SELECT 'u'||n||'@example.com', 1, 0 FROM {numbers}")
    worker.rows("CREATE INDEX by_email ON member (lower(email))")
    return worker


def record_undisturbed(worker: Worker, messages: list[str]) -> None:
    """Record all messages in one process, in the order in which they were made."""
    engine = open_database(worker.environment["SESBOUNCE_DATABASE_URL"])
    strike_off = StrikeOff(
        worker.environment["SESBOUNCE_STRIKE_OFF_SQL"], worker.environment["SESBOUNCE_RESTORE_SQL"]
    )
    store = stored.store(engine, strike_off)
    for start in range(0, len(messages), 200):
        store.record([decode(m) for m in messages[start : start + 200]], datetime.now(UTC))
    engine.dispose()


def recorded(worker: Worker) -> int:
    count: int = worker.rows("SELECT count(*) FROM feedback_event")[0][0]
    return count


def disturb(worker: Worker, running: Callable[[], Running], events: int) -> list[Running]:
    """Kill one of two workers at random moments and start another; return the last two."""
    random = Random(SEED)
    pair = [running(), running()]
    for moment in sorted(random.sample(range(events), KILLS)):
        while recorded(worker) < moment:
            assert all(one.process.poll() is None for one in pair), [one.log for one in pair]
            time.sleep(random.uniform(0, 0.1))
        victim = random.randrange(2)
        pair[victim].kill()
        pair[victim] = running()
    return pair


@pytest.fixture
def database_urls(server_urls: Callable[[Kind], str]) -> Iterator[list[str]]:
    server = server_urls("postgresql")
    with empty_database(server) as disturbed, empty_database(server) as undisturbed:
        yield [disturbed, undisturbed]


@pytest.mark.timeout(0)
def test_workers_that_are_killed_leave_the_tables_as_if_undisturbed(
    database_urls: list[str], quick: Mapping[str, str], queue: FeedbackQueue, tmp_path: Path
) -> None:
    messages = all_messages()
    worker, undisturbed = (on(url, quick, queue, tmp_path) for url in database_urls)
    worker.run("db", "upgrade")
    record_undisturbed(undisturbed, messages)
    events = recorded(undisturbed)
    began = time.monotonic()
    started: list[Running] = []
    with ThreadPoolExecutor() as beside, ExitStack() as stack:

        def running() -> Running:
            started.append(stack.enter_context(worker.running()))
            return started[-1]

        sent = beside.submit(queue.send, [in_sns(message) for message in messages])
        pair = disturb(worker, running, events)
        sent.result()
        queue.is_done()
        for one in pair:  # the last to be started may be at its imports still
            one.until(lambda one=one: one.heeds(signal.SIGTERM))  # type: ignore[misc]
        codes = [one.stop() for one in pair]
        # The last to be started may not have begun to work: the signal ends it at once.
        began_work = [bool(one.log) for one in pair]
        assert codes == [0 if begun else 143 for begun in began_work], [one.log for one in pair]
    batches = [line for one in started for line in one.log.splitlines() if '"batch"' in line]
    handled = sum(json.loads(line)["messages"] for line in batches)
    log.info(
        "%d messages, %d events, %d kills, %d batches of %d messages, %.0f s",
        len(messages),
        events,
        len(started) - 2,
        len(batches),
        handled,
        time.monotonic() - began,
    )
    assert len(started) - 2 == KILLS
    for table, sql in TABLES.items():
        assert worker.rows(sql) == undisturbed.rows(sql), table
