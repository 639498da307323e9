"""One word for one thing: what SES did not attempt, and the entries of the outbox.

Nothing is added or lost; the way back gives the old words.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from sesbounce.store.migrations.frozen import Words

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_EVENT = sa.table("feedback_event", sa.column("effect", sa.String))
_ADDRESS = sa.table("feedback_address", sa.column("state", sa.Text))
_INDEXED = ["struck_off", "suppressed_until", "suppressed_since"]
# The comment of each table: as it was, and as it is now.
_TABLES = {
    "feedback_event": (
        "Append-only: one row for each fact about each recipient.",
        "Append-only: one row for each event about each recipient.",
    ),
    "feedback_outbox": (
        "What those outside of the transaction are still to be told.",
        "What targets outside of the transaction are still to be told.",
    ),
}
# The same of columns, with their types.
_COLUMNS: dict[tuple[str, str], tuple[Any, str, str]] = {
    ("feedback_outbox", "entry"): (
        Words,
        "what to tell, JSON",
        "the verdict to tell the target, JSON",
    ),
    ("feedback_outbox", "version"): (
        sa.String(32),
        "another for each note",
        "another for each entry",
    ),
    ("feedback_address", "struck_off"): (
        sa.Boolean(),
        "whether the sender's own tables have been told",
        "whether the sender's own tables reflect a suppression",
    ),
}


def upgrade() -> None:
    """To this version."""
    op.execute("ALTER TABLE feedback_outbox RENAME COLUMN note TO entry")
    _reword("refused", "not_attempted")
    op.create_index("ix_feedback_address_pending", "feedback_address", _INDEXED)
    op.drop_index("ix_feedback_address_unsettled", "feedback_address")
    _comment(before=0, after=1)


def downgrade() -> None:
    """Back to the words as they were."""
    _comment(before=1, after=0)
    op.create_index("ix_feedback_address_unsettled", "feedback_address", _INDEXED)
    op.drop_index("ix_feedback_address_pending", "feedback_address")
    _reword("not_attempted", "refused")
    op.execute("ALTER TABLE feedback_outbox RENAME COLUMN entry TO note")


def _reword(before: str, after: str) -> None:
    """The effect in the log, and the key in the states of addresses."""
    effect, state = _EVENT.c.effect, _ADDRESS.c.state
    op.execute(sa.update(_EVENT).where(effect == before).values(effect=after))
    # Within a text JSON writes a quote as `\\"`: this stands nowhere but at a key.
    key, new = f'"{before}":', f'"{after}":'
    has_key = state.contains(key, autoescape=True)
    op.execute(sa.update(_ADDRESS).where(has_key).values(state=sa.func.replace(state, key, new)))


def _comment(before: int, after: int) -> None:
    if op.get_bind().dialect.name == "sqlite":  # which keeps none
        return
    for table, comments in _TABLES.items():
        op.create_table_comment(table, comments[after], existing_comment=comments[before])
    for (table, column), (kind, *texts) in _COLUMNS.items():
        op.alter_column(
            table,
            column,
            comment=texts[after],
            existing_comment=texts[before],
            existing_type=kind,
            existing_nullable=False,
        )
