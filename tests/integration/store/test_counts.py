"""The counts by sender and provider on each kind of database."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from random import Random

import pytest
import sqlalchemy as sa

from scripts.local.ses_messages import SCHEMAS, Scenario
from sesbounce.feedback.address import parse
from sesbounce.feedback.decode import Decoded, decode
from sesbounce.operations.erasure import forget
from sesbounce.operations.rebuild import Rebuild
from sesbounce.operations.recount import recount
from sesbounce.privacy.keyed_hash import HashKeys
from sesbounce.store.engine import open_database, write
from sesbounce.store.strike_off import StrikeOff
from tests.counts import numbers, numbers_of_the_log, senders
from tests.stored import DAY, store
from tests.support import AT, mail, said

KEYS = HashKeys(["k" * 32])
MAILS = 40
BATCH = 10


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = open_database(database_url)
    yield engine
    engine.dispose()


def told() -> list[Decoded]:
    """Each event in both schemas, one of which names no sender and an earlier time."""
    messages = []
    for number in range(MAILS):
        about = mail(f"{number}@{'gmail.com' if number % 3 else 'x.example'}", f"m{number}")
        scenario = list(Scenario)[number % len(Scenario)]
        for schema in SCHEMAS:
            hours = 7 if schema == "event" else 0
            message = said(scenario, about, schema, AT + timedelta(hours=hours))
            if schema == "notification":
                del message["mail"]["sourceArn"]
            messages.append(decode(json.dumps(message)))
    return messages


def test_several_workers_that_get_the_same_events_count_each_once(engine: sa.Engine) -> None:
    recording = store(engine, StrikeOff(), keys=KEYS)

    def work(number: int) -> None:
        messages = told()
        Random(number).shuffle(messages)
        for start in range(0, len(messages), BATCH):
            now = AT - DAY + timedelta(seconds=number)  # no two workers record at one moment
            recording.record(messages[start : start + BATCH], now)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert sum(senders(engine).values()) == MAILS
    assert numbers(engine) == numbers_of_the_log(engine)
    # What is done to the log moves the counts, and what is missing is counted once more.
    list(Rebuild(recording, AT, reclassify=True).apply())
    forget(recording, KEYS, [parse("1@gmail.com"), parse("sender@example.com")], AT)
    assert numbers(engine) == numbers_of_the_log(engine)
    expected = numbers(engine)
    with write(engine) as connection:
        connection.exec_driver_sql("UPDATE feedback_sender_hour SET hard = 0, soft = soft + 1")
    assert sum(day.corrected for day in recount(engine)) > 0
    assert numbers(engine) == expected
