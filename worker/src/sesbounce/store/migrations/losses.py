"""Refuses a downgrade that would lose data."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from sesbounce.errors import SchemaError


def refuse_loss(rows: sa.Select[Any], what: str) -> None:
    """Refuse to downgrade where a query finds a row.

    A downgrade calls it first: MySQL does not undo a change of the schema.

    Args:
        rows: selects the rows whose data the downgrade would lose.
        what: where the data is: `the columns … of feedback_event`, `the table …`.

    Raises:
        SchemaError: there is such a row.
    """
    if op.get_bind().execute(rows.limit(1)).first() is not None:
        raise SchemaError(
            f"the downgrade would lose data: empty {what} first, if you can do without it"
        )
