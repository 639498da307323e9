"""The table of the tokens of the HTTP API.

It adds to the schema and changes nothing else.
"""

import sqlalchemy as sa
from alembic import op

from sesbounce.store.migrations.frozen import Digest, UtcDateTime, Word, Words
from sesbounce.store.migrations.losses import refuse_loss

revision = "0010_from_0008"
down_revision = "0009_from_0008"
branch_labels = None
depends_on = None

_TABLE = "feedback_token"


def upgrade() -> None:
    """To this version."""
    op.create_table(
        _TABLE,
        sa.Column("name", Word, nullable=False),
        sa.Column("hash", Digest, nullable=False, comment="SHA-256 of the token"),
        sa.Column("scopes", Words, nullable=False, comment="separated by blanks"),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("created_by", Words, nullable=False),
        sa.Column("expires_at", UtcDateTime, comment="null: it has no end"),
        sa.Column("revoked_at", UtcDateTime),
        sa.PrimaryKeyConstraint("name", name="pk_feedback_token"),
        sa.UniqueConstraint("hash", name="uq_feedback_token_hash"),
        comment="One row for each token of the HTTP API.",
    )


def refuse_losses(connection: sa.Connection) -> None:
    """Refuse the downgrade while there are tokens, which their users can't get back."""
    table = sa.table(_TABLE, sa.column("name", sa.String))
    refuse_loss(connection, sa.select(table), f"the table {_TABLE}")


def downgrade() -> None:
    """Drop the table."""
    op.drop_table(_TABLE)
