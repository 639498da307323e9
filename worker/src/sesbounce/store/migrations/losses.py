"""Refuses a downgrade that would lose data.

A migration that would lose some has a function `refuse_losses(connection)`. `migrate.downgrade`
calls those of all versions that it undoes before it undoes the first: MySQL does not undo a change
of the schema.
"""

from typing import Any

import sqlalchemy as sa

from sesbounce.errors import SchemaError


def refuse_loss(connection: sa.Connection, rows: sa.Select[Any], what: str) -> None:
    """Refuse to downgrade where a query finds a row.

    Args:
        connection: a connection to the database.
        rows: selects the rows whose data the downgrade would lose.
        what: where the data is: `the columns … of feedback_event`, `the table …`.

    Raises:
        SchemaError: there is such a row.
    """
    if connection.execute(rows.limit(1)).first() is not None:
        raise SchemaError(
            f"the downgrade would lose data: empty {what} first, if you can do without it"
        )
