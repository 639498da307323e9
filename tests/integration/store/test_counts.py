"""The counts by sender and provider on each kind of database."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from random import Random

import pytest
import sqlalchemy as sa

from scripts.local.ses_messages import SCHEMAS, Scenario
from sesbounce.errors import SchemaError
from sesbounce.feedback.address import parse
from sesbounce.feedback.decode import Decoded, decode
from sesbounce.operations.erasure import forget
from sesbounce.operations.rebuild import Rebuild
from sesbounce.operations.recount import recount
from sesbounce.policy.gate import SenderName
from sesbounce.policy.hourly import Hours
from sesbounce.policy.rates import NOTHING, Numbers
from sesbounce.policy.sending import READ
from sesbounce.privacy.keyed_hash import HashKeys
from sesbounce.store import migrate
from sesbounce.store.engine import open_database, write
from sesbounce.store.gate import may_send, resume, stopped_senders
from sesbounce.store.gate import senders as senders_of
from sesbounce.store.senders import read_hours
from sesbounce.store.sending import read_senders
from sesbounce.store.strike_off import StrikeOff
from tests import sending
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


def plain_senders(connection: sa.Connection) -> dict[SenderName, Hours]:
    """What is counted by sender and hour, also of the whole accounts."""
    found: dict[SenderName, dict[datetime, Numbers]] = {}
    for cell, counts in read_hours(connection, AT - READ).items():
        own = Numbers(*counts[: len(Numbers.__struct_fields__)])
        for identity in {cell.identity, ""}:
            hours = found.setdefault(SenderName(cell.account_id, cell.region, identity), {})
            hours[cell.hour] = hours.get(cell.hour, NOTHING).plus(own)
    return {name: Hours.of(hours) for name, hours in found.items()}


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
    forget(recording, KEYS, [parse("1@gmail.com"), parse("sender@example.com")], AT, "ann")
    assert numbers(engine) == numbers_of_the_log(engine)
    expected = numbers(engine)
    with write(engine) as connection:
        connection.exec_driver_sql("UPDATE feedback_sender_hour SET hard = 0, soft = soft + 1")
    assert sum(day.corrected for day in recount(engine)) > 0
    assert numbers(engine) == expected


def test_a_stop_and_its_resume_are_the_same_on_each_database(engine: sa.Engine) -> None:
    store(engine, StrikeOff())
    sending.count(engine, AT - DAY, identity="News.example.com", delivered=700, hard=300)
    sending.count(engine, AT, identity="example.org", region="us-east-1", delivered=700)
    sending.count(engine, AT, identity="", delivered=3, hard=1)
    sending.count(engine, AT, identity='"Größe"\\@example.net', delivered=4, complaints=1)
    asked = f"ann@{sending.IDENTITY}"
    stopped = may_send(engine, AT, asked)
    assert (stopped.may_send, stopped.state) == (False, "stop")
    assert [sender.name for sender in stopped.senders] == [
        f"{sending.ACCOUNT}/{sending.REGION}",
        "News.example.com",
    ]
    with engine.connect() as connection:
        assert [sender.name for sender in stopped_senders(connection, AT)] == [
            sender.name for sender in stopped.senders
        ]
        # Of the identities it has read those alone that may be stopped.
        read = read_senders(connection, AT, may_stop=True)
        assert [name.identity for name in read if name.identity] == ["News.example.com"]
        assert read_senders(connection, AT) == plain_senders(connection)
    assert may_send(engine, AT, "example.org").may_send is True
    assert may_send(engine, AT, "x.example").may_send is None
    for sender in stopped.senders:
        resume(engine, sender.name, "ann", "Liste gesäubert", AT)
    assert may_send(engine, AT, asked).may_send is True
    assert {sender.resumed.note for sender in senders_of(engine, AT, asked) if sender.resumed} == {
        "Liste gesäubert"
    }
    sending.count(engine, AT + DAY, identity="News.example.com", delivered=700, hard=300)
    assert may_send(engine, AT + DAY, asked).may_send is False
    with pytest.raises(SchemaError, match="empty the table feedback_sender_resume first"):
        migrate.downgrade(engine, "0010_from_0008")
