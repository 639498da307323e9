"""Indexes for what would read whole tables of millions of rows, and room for rows that change.

It adds to the schema and changes nothing else. On a table of ten million events it takes about
half a minute, and the workers wait for it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009_from_0008"
down_revision = "0008_from_0007"
branch_labels = None
depends_on = None

_INDEXES = (
    ("ix_feedback_event_occurred_at", "feedback_event", ["occurred_at"]),
    ("ix_feedback_event_recorded_at", "feedback_event", ["recorded_at"]),
    ("ix_feedback_message_recorded_at", "feedback_message", ["recorded_at"]),
    ("ix_feedback_outbox_target_due_at", "feedback_outbox", ["target", "due_at"]),
)
# PostgreSQL takes the columns of a verdict for independent of each other. So it expects to find the
# sixth part of all addresses where the sweep finds a few, and reads the table from one end to the
# other. These indexes hold no more than the few, in the order of the sweep.
_PENDING = (
    (
        "ix_feedback_address_to_strike_off",
        "struck_off = false AND suppressed_until IS NULL AND suppressed_since IS NOT NULL",
    ),
    (
        "ix_feedback_address_to_restore",
        "struck_off = true AND suppressed_until IS NULL AND suppressed_since IS NULL",
    ),
)
# Each event changes the row of its address. PostgreSQL writes the new version into the page of the
# old one, and into no index, if there is room: without any it was so for half of them, with some
# for all that keep their verdict.
_FILL = "ALTER TABLE feedback_address SET (fillfactor = 85)"
_FULL = "ALTER TABLE feedback_address RESET (fillfactor)"


def upgrade() -> None:
    """To this version."""
    for name, table, columns in _INDEXES:
        op.create_index(name, table, columns)
    if op.get_bind().dialect.name == "postgresql":
        op.execute(_FILL)
        for name, condition in _PENDING:
            pending = sa.text(condition)
            op.create_index(name, "feedback_address", ["address"], postgresql_where=pending)


def downgrade() -> None:
    """Drop the indexes; new pages have no room."""
    if op.get_bind().dialect.name == "postgresql":
        for name, _ in _PENDING:
            op.drop_index(name, "feedback_address")
        op.execute(_FULL)
    for name, table, _ in _INDEXES:
        op.drop_index(name, table)
