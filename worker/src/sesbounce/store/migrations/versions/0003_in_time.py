"""Keys in the order of time, and indexes that stay fast when there are millions of rows.

The way back leaves the keys as they are: to an older version they are as good as any. A fact
that is told again under another version than before is logged twice and counts once, for states
know it by its mail.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

from sesbounce.store.migrations.frozen import Digest, Words, in_time

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_CHUNK = 1000
_EVENT = sa.table(
    "feedback_event",
    sa.column("id", sa.BigInteger),
    sa.column("mail_id", Words),
    sa.column("dedupe_key", Digest),
    sa.column("message_digest", Digest),
)
_MESSAGE = sa.table("feedback_message", sa.column("digest", Digest), sa.column("mail_id", Words))


# Of each table: the index as it was, and as it is now.
_INDEXES = {
    "feedback_event": (
        ("ix_feedback_event_address_occurred_at", ["address", "occurred_at"]),
        ("ix_feedback_event_address", ["address"]),
    ),
    "feedback_address": (
        (
            "ix_feedback_address_struck_off_suppressed_until",
            ["struck_off", "suppressed_until"],
        ),
        (
            "ix_feedback_address_unsettled",
            ["struck_off", "suppressed_until", "suppressed_since"],
        ),
    ),
}


def upgrade() -> None:
    """To this version."""
    _put_in_time(_EVENT, "id", ("dedupe_key", "message_digest"))
    _put_in_time(_MESSAGE, "digest", ("digest",))
    for table, ((old, _), (new, columns)) in _INDEXES.items():
        op.create_index(new, table, columns)
        op.drop_index(old, table)


def downgrade() -> None:
    """Back to the indexes as they were."""
    for table, ((old, columns), (new, _)) in _INDEXES.items():
        op.create_index(old, table, columns)
        op.drop_index(new, table)


def _put_in_time(table: sa.TableClause, key: str, names: Sequence[str]) -> None:
    """Give the mail's time to digests of what belongs to it."""
    connection = op.get_bind()
    statement = (
        sa.update(table)
        .where(table.c[key] == sa.bindparam("row"))
        .values({name: sa.bindparam(f"new_{name}") for name in names})
    )
    columns = [table.c[name].label(f"old_{name}") for name in names]
    query = sa.select(table.c[key], table.c.mail_id, *columns)
    for rows in _pages(connection, query, table.c[key]):
        changed = []
        for row in rows:
            old: list[str] = list(row)[2:]
            new = [in_time(digits, row.mail_id) if digits else "" for digits in old]
            if new != old:
                names_of_new = (f"new_{name}" for name in names)
                changed.append({"row": row[0], **dict(zip(names_of_new, new, strict=True))})
        if changed:
            connection.execute(statement, changed)


def _pages(
    connection: sa.Connection, query: sa.Select[Any], key: sa.ColumnClause[Any]
) -> Iterator[Sequence[sa.Row[Any]]]:
    """The rows, some at a time; one whose key becomes a later one comes once more."""
    page = query = query.order_by(key).limit(_CHUNK)
    while rows := connection.execute(page).all():
        yield rows
        page = query.where(key > rows[-1][0])
