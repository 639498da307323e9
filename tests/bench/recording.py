"""What the measurements of recording share: messages, databases, and the worker's own way."""

import dataclasses
import json
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import sqlalchemy as sa

from scripts.local.ses_messages import Scenario
from sesbounce.feedback.decode import Decoded, decode
from sesbounce.policy.verdict import Policy
from sesbounce.store.engine import open_database, write
from sesbounce.store.store import Store
from sesbounce.store.strike_off import StrikeOff
from tests.databases.products import POSTGRESQL
from tests.databases.servers import running
from tests.support import AT, mail, said

STRIKE_OFF = "UPDATE member SET mailable = 0 WHERE email = :address"
MEMBERS = 10_000


class Speed(NamedTuple):
    """How fast something went.

    Attributes:
        rate: messages a second.
        cpu: microseconds of this process's CPU time a message.
    """

    rate: float
    cpu: float


def message(recipient: str, number: int, at: datetime) -> Decoded:
    """A bounce of a mail of its own; one in five hard, the rest of full mailboxes."""
    scenario = Scenario.BOUNCE if number % 5 == 0 else Scenario.MAILBOX_FULL
    # SES's ids begin with the time.
    mail_id = f"0100{int(at.timestamp() * 1000):012x}-{random.getrandbits(128):032x}-000000"
    return decode(json.dumps(said(scenario, mail(recipient, mail_id), at=at)))


def batches(told: Sequence[Decoded], size: int) -> Iterator[Sequence[Decoded]]:
    """The messages in batches."""
    return (told[start : start + size] for start in range(0, len(told), size))


def record(engine: sa.Engine, told: Sequence[Decoded], size: int) -> None:
    """The worker's way."""
    store = Store(engine, Policy(), StrikeOff(STRIKE_OFF))
    for batch in batches(told, size):
        store.record(batch, AT)


def timed(work: Callable[[], None], count: int) -> Speed:
    """Measure work on that many messages."""
    began, cpu = time.perf_counter(), time.process_time()
    work()
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    return Speed(count / seconds, cpu / count * 1e6)


def median(values: Iterable[float]) -> float:
    """Of the rounds."""
    return statistics.median(values)


def prepare(url: str) -> sa.Engine:
    """A database with our tables and the sender's."""
    engine = open_database(url)
    with write(engine) as connection:
        connection.exec_driver_sql(
            "CREATE TABLE member (email VARCHAR(320) PRIMARY KEY, mailable INTEGER)"
        )
        connection.execute(
            sa.text("INSERT INTO member VALUES (:email, 1)"),
            [{"email": f"{n}@example.com"} for n in range(MEMBERS)],
        )
    Store(engine, Policy(), StrikeOff(STRIKE_OFF)).prepare()
    return engine


@contextmanager
def postgresql_url(*options: str) -> Iterator[str]:
    """A server of its own that waits for the disk at each commit, as users run it."""
    durable = dataclasses.replace(POSTGRESQL, options=("--timezone=UTC", *options))
    with tempfile.TemporaryDirectory() as folder:
        # The server runs as a user of its own where root runs this.
        Path(folder).chmod(0o755)
        with running(durable, Path(folder)) as url:
            yield url
