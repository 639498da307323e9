"""A simulated outage on each kind of database: no order changes the outcome.

`make bench-outage` does the same with twenty times as many addresses.
"""

from collections.abc import Iterator
from datetime import timedelta
from random import Random

import pytest
import sqlalchemy as sa

from sesbounce.policy.outage import HourCount
from sesbounce.store.engine import open_database
from sesbounce.store.hours import counts_by_provider
from tests import outage
from tests.outage import HOUR, Tables, Traffic
from tests.support import AT, disposed

ADDRESSES = 2_000


@pytest.fixture(scope="module")
def traffic() -> Traffic:
    return outage.outage(ADDRESSES)


@pytest.fixture(scope="module")
def in_order(traffic: Traffic) -> Tables:
    """The tables after the messages in the order of time, on SQLite."""
    with disposed(open_database("sqlite://")) as engine:
        outage.record(engine, traffic.messages, Random(0))
        return outage.tables(engine)


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    with disposed(open_database(database_url)) as engine:
        yield engine


@pytest.mark.parametrize("seed", [1, 2])
def test_an_outage_costs_nobody_in_any_order(
    engine: sa.Engine, traffic: Traffic, in_order: Tables, seed: int
) -> None:
    random = Random(seed)
    outage.record(engine, outage.disordered(traffic.messages, random), random)
    outage.check(engine, traffic)
    found = outage.tables(engine)
    assert found.incidents == [("google", AT - HOUR, AT + timedelta(hours=2))]
    for name in Tables.__struct_fields__:
        assert getattr(found, name) == getattr(in_order, name), name
    with engine.connect() as connection:
        lately = {one.provider: one for one in counts_by_provider(connection, AT)}
    google = lately["google"]
    rows = [row for row in found.hours if row[0].endswith(" google")]
    hour = next(row for row in rows if row[0].startswith(f"{AT:%Y-%m-%dT%H} "))
    assert (google.hour.hard, google.hour.known, google.hour.delivered) == hour[1:]
    both = HourCount()
    for one in (google.day, google.before):
        both.add(one)
    assert (both.hard, both.delivered) == (sum(row[1] for row in rows), sum(row[3] for row in rows))
    assert google.times(google.hour) == 2100, "1 in 2,100 was expected"
