"""The table of the last answers of each target: when it accepted an entry, and when it did not.

The outbox forgets an entry that was delivered. People want to see that a target is alive.
"""

from collections.abc import Mapping
from datetime import datetime

import msgspec
import sqlalchemy as sa

from sesbounce.store import schema
from sesbounce.store.bulk import Insert
from sesbounce.store.engine import translated, write

_table = schema.target
_save_delivered = Insert(
    _table, "name", greatest=["delivered_at"], without=["failed_at", "problem"]
)
_save_failed = Insert(_table, "name", replace=["failed_at", "problem"], without=["delivered_at"])


class LastAnswers(msgspec.Struct, frozen=True):
    """The last answers of a target.

    Attributes:
        delivered_at: when it last accepted an entry, UTC; None if it never did.
        failed_at: when it last did not, UTC; None if it always did.
        problem: why it did not.
    """

    delivered_at: datetime | None = None
    failed_at: datetime | None = None
    problem: str | None = None


def save_answers(engine: sa.Engine, target: str, answers: LastAnswers) -> None:
    """Save the last answers of a target; what is None in them stays as it is.

    Raises:
        StoreError: the database can't be used.
    """
    with translated("the answers were not saved"), write(engine) as connection:
        if answers.delivered_at:
            _save_delivered(connection, [(target, answers.delivered_at)])
        if answers.failed_at:
            _save_failed(connection, [(target, answers.failed_at, answers.problem)])


def read_answers(engine: sa.Engine) -> Mapping[str, LastAnswers]:
    """The last answers of all targets, by their names.

    Raises:
        StoreError: the database can't answer.
    """
    with translated("the answers can't be read"), engine.connect() as connection:
        rows = connection.execute(sa.select(_table)).all()
    return {row.name: LastAnswers(row.delivered_at, row.failed_at, row.problem) for row in rows}
