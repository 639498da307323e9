"""A table of millions of addresses for the benchmark of questions, and addresses to ask about.

The store records some bounces as the worker does, and the database multiplies their rows: all
their columns are as in life, only the addresses differ. One row in three is suppressed.
"""

import itertools
import json
import random
from collections.abc import Iterator

import sqlalchemy as sa

from scripts.local.ses_messages import Scenario
from sesbounce.feedback.decode import decode
from sesbounce.policy.verdict import Policy
from sesbounce.store.engine import write
from sesbounce.store.schema import address as table
from sesbounce.store.store import Store
from sesbounce.store.strike_off import StrikeOff
from tests.support import AT, mail, said

_MODELS = 300
_LOT = 100_000
_COLUMNS = ", ".join(column.name for column in table.columns if column.name != "address")
_MODEL = (
    "CREATE TEMPORARY TABLE model AS SELECT row_number() OVER () - 1 AS number, m.*"
    f" FROM {table.name} AS m WHERE address LIKE '%@model.example'"
)
# In no order of addresses, as in life, so that the index is as scattered as it would be.
_MULTIPLY = (
    "WITH RECURSIVE n(i) AS"
    " (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {last}),"
    " someone(i, k) AS (SELECT i, CAST(i AS BIGINT) * 1000003 % {count} FROM n)"
    f" INSERT INTO {table.name} (address, {_COLUMNS})"
    f" SELECT 'member.' || k || '@d' || (k % 97) || '.example.com', {_COLUMNS}"
    f" FROM someone JOIN model ON model.number = i % {_MODELS}"
)


def member(number: int) -> str:
    """The address with this number, from 0; the table holds it if there are so many."""
    return f"member.{number}@d{number % 97}.example.com"


def fill(engine: sa.Engine, count: int) -> None:
    """Make the tables of an empty database, and that many addresses in them.

    Args:
        engine: SQLite or PostgreSQL.
        count: how many; not a multiple of 1,000,003.
    """
    store = Store(engine, Policy(), StrikeOff())
    store.prepare()
    kinds = itertools.cycle([Scenario.BOUNCE, Scenario.MAILBOX_FULL, Scenario.MAILBOX_FULL])
    models = [mail(f"{n}@model.example", f"mail-{n}") for n in range(_MODELS)]
    messages = [
        decode(json.dumps(said(kind, one))) for kind, one in zip(kinds, models, strict=False)
    ]
    store.record(messages, AT)
    with write(engine) as connection:
        connection.execute(sa.text(_MODEL))
        for first in range(0, count, _LOT):
            last = min(first + _LOT, count)
            multiply = _MULTIPLY.format(first=first, last=last, count=count)
            connection.execute(sa.text(multiply))
        connection.exec_driver_sql("DROP TABLE model")
        connection.execute(sa.delete(table).where(table.c.address.like("%@model.example")))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        # As autovacuum does sooner or later; without it, each row read would be written.
        connection.exec_driver_sql(
            "ANALYZE" if engine.dialect.name == "sqlite" else f"VACUUM ANALYZE {table.name}"
        )


def asked(count: int, known: int, seed: int = 0) -> Iterator[str]:
    """Different addresses in no order, half of which are among the first `known` numbers."""
    chosen = random.Random(seed)
    half = count // 2
    numbers = [
        *chosen.sample(range(known), half),
        *chosen.sample(range(known, 3 * known), count - half),
    ]
    chosen.shuffle(numbers)
    return map(member, numbers)
