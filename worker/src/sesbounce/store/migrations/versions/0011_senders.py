"""The tables of numbers by sender and by receiving provider, and of resumed senders.

It adds to the schema and changes nothing else. The numbers begin with what is recorded from then
on: `sesbounce rebuild --counts` adds what the log holds from before.
"""

import sqlalchemy as sa
from alembic import op

from sesbounce.store.migrations.frozen import AutoId, Key, UtcDateTime, Word, Words
from sesbounce.store.migrations.losses import refuse_loss

revision = "0011_from_0010"
down_revision = "0010_from_0008"
branch_labels = None
depends_on = None

_HOURS, _DAYS, _RESUMES = "feedback_sender_hour", "feedback_provider_day", "feedback_sender_resume"
_ACCOUNT = sa.String(16)
_NOT_KNOWN = "empty: not known"
_NUMBERS = {
    "sent": "recipients of mails that SES took",
    "delivered": "deliveries",
    "hard": "hard bounces, as AWS counts them",
    "soft": "all other bounces",
    "complaints": "complaints; one about several recipients counts once",
    "not_attempted": "recipients to whom SES did not try to send",
    "rejected": "mails that SES rejected, or could not render",
    "delays": "delays",
}


def upgrade() -> None:
    """To this version."""
    op.create_table(
        _HOURS,
        sa.Column("hour", UtcDateTime, nullable=False, comment="the beginning of the hour, UTC"),
        sa.Column("account_id", _ACCOUNT, nullable=False, comment=_NOT_KNOWN),
        sa.Column("region", Word, nullable=False, comment=_NOT_KNOWN),
        sa.Column("identity", Key, nullable=False, comment=_NOT_KNOWN),
        *(
            sa.Column(name, sa.Integer(), nullable=False, comment=comment)
            for name, comment in _NUMBERS.items()
        ),
        sa.PrimaryKeyConstraint("hour", "account_id", "region", "identity", name=f"pk_{_HOURS}"),
        comment="Counts by hour and sender; the rates that AWS watches follow from them.",
    )
    op.create_table(
        _DAYS,
        sa.Column("day", sa.Date(), nullable=False, comment="the day, UTC"),
        sa.Column("provider", Word, nullable=False, comment="a large provider, or other"),
        sa.Column("kind", Word, nullable=False),
        sa.Column("reason", Word, nullable=False),
        sa.Column("events", sa.Integer(), nullable=False, comment="how many there were"),
        sa.PrimaryKeyConstraint("day", "provider", "kind", "reason", name=f"pk_{_DAYS}"),
        comment="Counts by day, receiving provider, kind and reason.",
    )
    op.create_table(
        _RESUMES,
        sa.Column("id", AutoId, autoincrement=True, nullable=False),
        sa.Column("account_id", _ACCOUNT, nullable=False),
        sa.Column("region", Word, nullable=False),
        sa.Column("identity", Key, nullable=False, comment="empty: the account in the region"),
        sa.Column("resumed_at", UtcDateTime, nullable=False),
        sa.Column("resumed_by", Words, nullable=False),
        sa.Column("note", Words, nullable=False),
        sa.Column("seen", Words, nullable=False, comment="the counts of the hour by then, JSON"),
        sa.PrimaryKeyConstraint("id", name=f"pk_{_RESUMES}"),
        comment="One row for each time that a person resumed a stopped sender.",
    )


def refuse_losses(connection: sa.Connection) -> None:
    """Refuse the downgrade while a sender was resumed; the numbers follow from the log."""
    table = sa.table(_RESUMES, sa.column("id", sa.BigInteger))
    refuse_loss(connection, sa.select(table), f"the table {_RESUMES}")


def downgrade() -> None:
    """Drop the tables."""
    for table in (_RESUMES, _DAYS, _HOURS):
        op.drop_table(table)
