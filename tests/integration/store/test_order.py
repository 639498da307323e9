"""Events in any order, in any batches, from several processes: they end in the same tables."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from scripts.local.ses_messages import SCHEMAS, Scenario
from sesbounce.feedback.decode import decode
from sesbounce.feedback.recording import Recording
from sesbounce.store.engine import write
from sesbounce.store.schema import metadata
from sesbounce.store.store import Store
from sesbounce.store.strike_off import StrikeOff
from tests.integration.store.tables import tables
from tests.stored import RESTORE, STRIKE_OFF, store
from tests.support import AT, mail, said


def random_messages(count: int, seed: int) -> list[Recording]:
    """Events about few addresses, so that they meet; some told twice, in both schemas."""
    chance = random.Random(seed)
    told: list[Recording] = []
    for _ in range(count):
        recipient = f"{chance.choice('Aa')}{chance.randrange(200)}@example.com"
        about = mail(recipient, f"m{chance.randrange(count)}")
        at = AT + timedelta(minutes=chance.randrange(60 * 24 * 60))
        scenario = chance.choice([*Scenario, *[Scenario.MAILBOX_FULL] * 4])
        told.append(decode(json.dumps(said(scenario, about, chance.choice(SCHEMAS), at))))
    return told


def emptied(engine: sa.Engine) -> None:
    with write(engine) as connection:
        for table in metadata.sorted_tables:
            connection.execute(sa.delete(table))


def record_in_batches(recording: Store, messages: Sequence[Recording], size: int) -> None:
    for start in range(0, len(messages), size):
        recording.record(messages[start : start + size], AT)


# A long run says more: REPLAY_EVENTS=10000 REPLAY_ORDERS=20 make test-local takes half an hour.
EVENTS = int(os.environ.get("REPLAY_EVENTS", "2000"))
ORDERS = int(os.environ.get("REPLAY_ORDERS", "3"))


@pytest.mark.timeout(600 if EVENTS * ORDERS < 10_000 else 3600)
def test_any_order_and_any_batches_end_in_the_same_tables(engine: sa.Engine) -> None:
    chance = random.Random(20261120)
    messages = random_messages(EVENTS, 1)
    recording = store(engine, StrikeOff())
    record_in_batches(recording, messages, 500)
    expected = tables(engine)
    assert len(expected["addresses"]) > 100
    for _ in range(ORDERS):
        emptied(engine)
        shuffled = messages + chance.sample(messages, EVENTS // 10)
        chance.shuffle(shuffled)
        record_in_batches(recording, shuffled, chance.choice([37, 200, 1000]))
        assert tables(engine) == expected


# Without a restore statement, who was ever struck off stays so, and that depends on the order.
BOTH = StrikeOff(STRIKE_OFF, RESTORE)
WORKER = """
import sys, random
from sesbounce.store.engine import open_database
from sesbounce.policy.verdict import Policy
from sesbounce.store.store import Store
from tests.integration.store.test_order import BOTH, random_messages, record_in_batches
url, seed = sys.argv[1], int(sys.argv[2])
messages = random_messages(1000, 2)
random.Random(seed).shuffle(messages)
engine = open_database(url)
recording = Store(engine, Policy(), BOTH)
recording.prepare()
record_in_batches(recording, messages, 20)
engine.dispose()
"""


def test_processes_that_write_at_once_lose_nothing(engine: sa.Engine, database_url: str) -> None:
    """Four processes record the same events, each in an order of its own."""
    root = Path(__file__).parents[3]
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, database_url, str(seed)],
            cwd=root,
            env=None,
            stderr=subprocess.PIPE,
            text=True,
        )
        for seed in range(4)
    ]
    for worker in workers:
        _, errors = worker.communicate(timeout=300)
        assert worker.returncode == 0, errors
    together = tables(engine)
    emptied(engine)
    record_in_batches(store(engine, BOTH), random_messages(1000, 2), 500)
    assert tables(engine) == together
