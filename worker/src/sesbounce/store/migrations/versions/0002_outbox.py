"""The outbox: what those outside of the transaction are still to be told."""

import sqlalchemy as sa
from alembic import op

from sesbounce.store.migrations.frozen import Key, UtcDateTime, Word, Words

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """To this version."""
    op.create_table(
        "feedback_outbox",
        sa.Column("target", Word, nullable=False),
        sa.Column("address", Key, nullable=False),
        sa.Column("version", sa.String(32), nullable=False, comment="another for each note"),
        sa.Column("note", Words, nullable=False, comment="what to tell, JSON"),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", UtcDateTime, nullable=False),
        sa.Column("problem", Words, comment="of the last attempt"),
        sa.PrimaryKeyConstraint("target", "address", name="pk_feedback_outbox"),
        comment="What those outside of the transaction are still to be told.",
    )
    op.create_index("ix_feedback_outbox_due_at", "feedback_outbox", ["due_at"])


def downgrade() -> None:
    """Back from it; what was not delivered is forgotten."""
    op.drop_table("feedback_outbox")
