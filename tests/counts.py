"""What tests of the counts share: reads of the two tables, and the same counted from the log."""

from typing import Any

import sqlalchemy as sa

from sesbounce.operations.recount import recount
from sesbounce.policy.tally import OUTCOMES
from sesbounce.store.engine import write
from tests.stored import rows

TABLES = ("feedback_sender_hour", "feedback_provider_day")


def numbers(engine: sa.Engine) -> tuple[list[Any], list[Any]]:
    """The counts that are not 0."""
    senders = f"SELECT * FROM {TABLES[0]} WHERE {' OR '.join(f'{n} <> 0' for n in OUTCOMES)}"
    providers = f"SELECT * FROM {TABLES[1]} WHERE events <> 0"
    return sorted(rows(engine, senders)), sorted(rows(engine, providers))


def numbers_of_the_log(engine: sa.Engine) -> tuple[list[Any], list[Any]]:
    """The counts that the log alone gives; they replace those in the tables."""
    with write(engine) as connection:
        for table in TABLES:
            connection.exec_driver_sql(f"DELETE FROM {table}")
    list(recount(engine))
    return numbers(engine)


def senders(engine: sa.Engine) -> dict[str, int]:
    """The sums of the counts of all senders, without those that are 0."""
    sums = ", ".join(f"SUM({name})" for name in OUTCOMES)
    ((*found,),) = rows(engine, f"SELECT {sums} FROM {TABLES[0]}")
    return {name: number for name, number in zip(OUTCOMES, found, strict=True) if number}
