"""Incidents, counts by hour, and the time of the latest hard bounce of each address.

It adds to the schema and changes nothing else.
"""

import sqlalchemy as sa
from alembic import op

from sesbounce.store.migrations.frozen import AutoId, Digest, Key, UtcDateTime, Word, Words
from sesbounce.store.migrations.losses import refuse_loss

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_HARD = ("no_such_mailbox", "domain_not_found", "mailbox_disabled", "permanent_failure")
_INDEX = "ix_feedback_address_hard_at"


def upgrade() -> None:
    """To this version."""
    op.create_table(
        "feedback_incident",
        sa.Column("id", AutoId, autoincrement=True, nullable=False),
        sa.Column("identity", Digest, nullable=False),
        sa.Column("provider", Key, nullable=False, comment="the provider, or the domain"),
        sa.Column("begins_at", UtcDateTime, nullable=False),
        sa.Column("ends_at", UtcDateTime, comment="null: it goes on"),
        sa.Column("status", Word, nullable=False),
        sa.Column("opened_by", Words, nullable=False),
        sa.Column("decided_by", Words, comment="null: the detection keeps it up to date"),
        sa.Column("note", Words, nullable=False),
        sa.Column("changed_at", UtcDateTime, nullable=False),
        sa.Column(
            "settle_at", UtcDateTime, comment="when the sweep judges its addresses once more"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_feedback_incident"),
        sa.UniqueConstraint("identity", name="uq_feedback_incident_identity"),
        comment="One row for each outage of a provider: its hard bounces are strikes.",
    )
    op.create_table(
        "feedback_hour",
        sa.Column(
            "cell",
            Key,
            nullable=False,
            comment="the hour (UTC) and provider: 2026-11-20T12 google",
        ),
        sa.Column("hard", sa.Integer(), nullable=False, comment="addresses that bounced hard"),
        sa.Column("known", sa.Integer(), nullable=False, comment="those with a delivery before"),
        sa.Column("delivered", sa.Integer(), nullable=False, comment="deliveries"),
        sa.PrimaryKeyConstraint("cell", name="pk_feedback_hour"),
        comment="Counts of the last days, from which incidents are detected.",
    )
    op.add_column(
        "feedback_address",
        sa.Column("hard_at", UtcDateTime, comment="when it last bounced hard"),
    )
    address = sa.table(
        "feedback_address",
        sa.column("hard_at", UtcDateTime),
        sa.column("suppressed_since", UtcDateTime),
        sa.column("reason", sa.String),
    )
    op.execute(
        sa.update(address)
        .where(address.c.reason.in_(_HARD))
        .values(hard_at=address.c.suppressed_since)
    )
    present = sa.text("hard_at IS NOT NULL")
    op.create_index(
        _INDEX,
        "feedback_address",
        ["hard_at", "address"],
        sqlite_where=present,
        postgresql_where=present,
    )


def refuse_losses(connection: sa.Connection) -> None:
    """Refuse the downgrade while there are incidents: their bounces would suppress for good."""
    table = sa.table("feedback_incident", sa.column("id", sa.BigInteger))
    refuse_loss(connection, sa.select(table), "the table feedback_incident")


def downgrade() -> None:
    """Back from it."""
    op.drop_index(_INDEX, "feedback_address")
    op.drop_column("feedback_address", "hard_at")
    op.drop_table("feedback_hour")
    op.drop_table("feedback_incident")
