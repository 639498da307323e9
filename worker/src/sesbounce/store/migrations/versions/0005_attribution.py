"""Columns of events that say by which part of the sender's set-up a mail was sent.

An older version can still write to the table: the columns are nullable.
"""

import sqlalchemy as sa
from alembic import op

from sesbounce.store.migrations.frozen import Words
from sesbounce.store.migrations.losses import refuse_loss

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_TABLE = "feedback_event"
_COMMENTS = {
    "configuration_set": "the configuration set of the mail",
    "identity": "the sender's verified domain or address",
    "region": "the AWS region of SES",
    "tenant": "the sender's tenant",
    "tags": "the chosen tags of the mail, JSON",
}


def upgrade() -> None:
    """To this version."""
    for name, comment in _COMMENTS.items():
        op.add_column(_TABLE, sa.Column(name, Words, comment=comment))


def refuse_losses(connection: sa.Connection) -> None:
    """Refuse the downgrade while an event has a value in one of the columns."""
    columns = [sa.column(name, Words) for name in _COMMENTS]
    table = sa.table(_TABLE, *columns)
    known = sa.select(table).where(sa.or_(*(column.is_not(None) for column in columns)))
    refuse_loss(connection, known, f"the columns {', '.join(_COMMENTS)} of {_TABLE}")


def downgrade() -> None:
    """Drop the columns."""
    for name in reversed(_COMMENTS):
        op.drop_column(_TABLE, name)
