"""Renames: events that SES did not attempt, entries of the outbox, and comments of the schema.

It adds and deletes no data; the way back restores the old names.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from sesbounce.store.migrations.frozen import Digest, UtcDateTime, Words

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_EVENT = sa.table("feedback_event", sa.column("effect", sa.String))
_ADDRESS = sa.table("feedback_address", sa.column("state", sa.Text))
_INDEXED = ["struck_off", "suppressed_until", "suppressed_since"]

# The comments of tables before and after this migration.
_TABLES = {
    "feedback_message": (
        "Every message of SES as it came, once.",
        "One row for each message that SES published.",
    ),
    "feedback_event": (
        "Append-only: one row for each fact about each recipient.",
        "Append-only: one row for each event about each recipient.",
    ),
    "feedback_address": (
        "One row an address: what is known of it and the verdict.",
        "One row for each address: its state and its verdict.",
    ),
    "feedback_outbox": (
        "What those outside of the transaction are still to be told.",
        "One row for each verdict that a target has not got yet.",
    ),
}
# The same of columns, with the type, which MySQL needs to change a comment.
_COLUMNS: dict[tuple[str, str], tuple[Any, tuple[str, str]]] = {
    ("feedback_message", "digest"): (
        Digest,
        ("SHA-256 of the payload", "SHA-256 of the payload; the mail's time comes first"),
    ),
    ("feedback_message", "mail_id"): (
        Words,
        ("SES message id", "the SES message id of the mail"),
    ),
    ("feedback_address", "state"): (
        Words,
        ("all that is known, JSON", "the evidence for the verdict, JSON"),
    ),
    ("feedback_address", "original"): (
        Words,
        ("as SES wrote it last", "the address as SES wrote it last"),
    ),
    ("feedback_address", "suppressed_until"): (
        UtcDateTime,
        ("null: for good", "null: the suppression has no end"),
    ),
    ("feedback_address", "struck_off"): (
        sa.Boolean(),
        (
            "whether the sender's own tables have been told",
            "whether the sender's own tables reflect a suppression",
        ),
    ),
    ("feedback_outbox", "version"): (
        sa.String(32),
        ("another for each note", "random; a newer entry has another"),
    ),
    ("feedback_outbox", "entry"): (
        Words,
        ("what to tell, JSON", "the verdict to deliver, JSON"),
    ),
    ("feedback_outbox", "problem"): (
        Words,
        ("of the last attempt", "why the last attempt failed"),
    ),
}
_NULLABLE = {"mail_id", "suppressed_until", "problem"}


def upgrade() -> None:
    """To this version."""
    op.execute("ALTER TABLE feedback_outbox RENAME COLUMN note TO entry")
    _rename_effect("refused", "not_attempted")
    op.create_index("ix_feedback_address_pending", "feedback_address", _INDEXED)
    op.drop_index("ix_feedback_address_unsettled", "feedback_address")
    _comment(upgrading=True)


def downgrade() -> None:
    """Back to the names as they were."""
    _comment(upgrading=False)
    op.create_index("ix_feedback_address_unsettled", "feedback_address", _INDEXED)
    op.drop_index("ix_feedback_address_pending", "feedback_address")
    _rename_effect("not_attempted", "refused")
    op.execute("ALTER TABLE feedback_outbox RENAME COLUMN entry TO note")


def _rename_effect(before: str, after: str) -> None:
    """Rename the effect in the log, and the key of its evidence in the states of addresses."""
    effect, state = _EVENT.c.effect, _ADDRESS.c.state
    op.execute(sa.update(_EVENT).where(effect == before).values(effect=after))
    # Within a text JSON writes a quote as `\\"`: only a key looks like this.
    key, new = f'"{before}":', f'"{after}":'
    has_key = state.contains(key, autoescape=True)
    op.execute(sa.update(_ADDRESS).where(has_key).values(state=sa.func.replace(state, key, new)))


def _comment(*, upgrading: bool) -> None:
    if op.get_bind().dialect.name == "sqlite":  # it has no comments
        return
    for table, comments in _TABLES.items():
        before, after = comments if upgrading else comments[::-1]
        op.create_table_comment(table, after, existing_comment=before)
    for (table, column), (kind, comments) in _COLUMNS.items():
        before, after = comments if upgrading else comments[::-1]
        op.alter_column(
            table,
            column,
            comment=after,
            existing_comment=before,
            existing_type=kind,
            existing_nullable=column in _NULLABLE,
        )
