"""A column of events that says which AWS account sent the mail.

An older version can still write to the table: the column is nullable.
"""

import sqlalchemy as sa
from alembic import op

from sesbounce.store.migrations.frozen import Words
from sesbounce.store.migrations.losses import refuse_loss

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_TABLE = "feedback_event"


def upgrade() -> None:
    """To this version."""
    comment = "the AWS account that sent the mail"
    op.add_column(_TABLE, sa.Column("account_id", Words, comment=comment))


def refuse_losses(connection: sa.Connection) -> None:
    """Refuse the downgrade while an event has an account."""
    column = sa.column("account_id", Words)
    known = sa.select(sa.table(_TABLE, column)).where(column.is_not(None))
    refuse_loss(connection, known, f"the column account_id of {_TABLE}")


def downgrade() -> None:
    """Drop the column."""
    op.drop_column(_TABLE, "account_id")
