"""The first schema: messages, events, addresses and the view of suppressed ones."""

import sqlalchemy as sa
from alembic import op

from sesbounce.store.migrations.frozen import AutoId, Digest, Key, UtcDateTime, Word, Words

# As the view was then: a later one has a migration of its own.
_NOW = {"sqlite": "CURRENT_TIMESTAMP", "postgresql": "now()", "mysql": "utc_timestamp(6)"}
_VIEW = (
    "CREATE VIEW suppressed AS"
    " SELECT address, reason, suppressed_since, suppressed_until, why FROM feedback_address"
    " WHERE suppressed_since IS NOT NULL"
    " AND (suppressed_until IS NULL OR suppressed_until > {now})"
)

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """To this version."""
    op.create_table(
        "feedback_message",
        sa.Column("digest", Digest, nullable=False, comment="SHA-256 of the payload"),
        sa.Column("kind", Word, nullable=False),
        sa.Column("mail_id", Words, comment="SES message id"),
        sa.Column("payload", Words, nullable=False, comment="the message as SES published it"),
        sa.Column("recorded_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("digest", name="pk_feedback_message"),
        comment="Every message of SES as it came, once.",
    )
    op.create_table(
        "feedback_event",
        sa.Column("id", AutoId, autoincrement=True, nullable=False),
        sa.Column("dedupe_key", Digest, nullable=False),
        sa.Column("kind", Word, nullable=False),
        sa.Column("reason", Word, nullable=False),
        sa.Column("effect", Word, nullable=False),
        sa.Column("address", Key, nullable=False),
        sa.Column("original", Words, nullable=False, comment="the address as SES wrote it"),
        sa.Column("parsed", sa.Boolean(), nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("occurred_at", UtcDateTime, nullable=False),
        sa.Column("mail_id", Words),
        sa.Column("source", Words),
        sa.Column("type", Words),
        sa.Column("sub_type", Words),
        sa.Column("status", Words),
        sa.Column("action", Words),
        sa.Column("diagnostic", Words),
        sa.Column("feedback_id", Words),
        sa.Column("basis", Words, nullable=False, comment="the evidence that the reason rests on"),
        sa.Column("message_digest", Digest, nullable=False),
        sa.Column("recorded_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_feedback_event"),
        sa.UniqueConstraint("dedupe_key", name="uq_feedback_event_dedupe_key"),
        comment="Append-only: one row for each fact about each recipient.",
    )
    op.create_index(
        "ix_feedback_event_address_occurred_at", "feedback_event", ["address", "occurred_at"]
    )
    op.create_table(
        "feedback_address",
        sa.Column("address", Key, nullable=False),
        sa.Column("state", Words, nullable=False, comment="all that is known, JSON"),
        sa.Column("original", Words, nullable=False, comment="as SES wrote it last"),
        sa.Column("suppressed_since", UtcDateTime),
        sa.Column("suppressed_until", UtcDateTime, comment="null: for good"),
        sa.Column("reason", Word),
        sa.Column("kind", Word),
        sa.Column("why", Words, nullable=False),
        sa.Column(
            "struck_off",
            sa.Boolean(),
            nullable=False,
            comment="whether the sender's own tables have been told",
        ),
        sa.PrimaryKeyConstraint("address", name="pk_feedback_address"),
        comment="One row an address: what is known of it and the verdict.",
    )
    op.create_index(
        "ix_feedback_address_struck_off_suppressed_until",
        "feedback_address",
        ["struck_off", "suppressed_until"],
    )
    op.create_index(
        "ix_feedback_address_suppressed_since", "feedback_address", ["suppressed_since"]
    )
    op.execute(_VIEW.format(now=_NOW[op.get_bind().dialect.name]))


def downgrade() -> None:
    """Back to a database without sesbounce."""
    op.execute("DROP VIEW suppressed")
    op.drop_table("feedback_address")
    op.drop_table("feedback_event")
    op.drop_table("feedback_message")
