"""The tables and the view. `docs/data-model.md` has them for people who query them.

They may live in the sender's own database: their names are such as few others choose.
"""

from datetime import datetime

import sqlalchemy as sa

from sesbounce.store.columns import AutoId, Digest, Key, UtcDateTime, Word, Words

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


message = sa.Table(
    "feedback_message",
    metadata,
    sa.Column("digest", Digest, primary_key=True, comment="SHA-256 of the payload"),
    sa.Column("kind", Word, nullable=False),
    sa.Column("mail_id", Words, comment="SES message id"),
    sa.Column("payload", Words, nullable=False, comment="the message as SES published it"),
    sa.Column("recorded_at", UtcDateTime, nullable=False),
    comment="Every message of SES as it came, once.",
)

event = sa.Table(
    "feedback_event",
    metadata,
    sa.Column("id", AutoId, primary_key=True, autoincrement=True),
    sa.Column("dedupe_key", Digest, nullable=False, unique=True),
    sa.Column("kind", Word, nullable=False),
    sa.Column("reason", Word, nullable=False),
    sa.Column("effect", Word, nullable=False),
    sa.Column("address", Key, nullable=False),
    sa.Column("original", Words, nullable=False, comment="the address as SES wrote it"),
    sa.Column("parsed", sa.Boolean, nullable=False),
    sa.Column("shared", sa.Boolean, nullable=False),
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
    sa.Index(None, "address"),
    comment="Append-only: one row for each event about each recipient.",
)

address = sa.Table(
    "feedback_address",
    metadata,
    sa.Column("address", Key, primary_key=True),
    sa.Column("state", Words, nullable=False, comment="all that is known, JSON"),
    sa.Column("original", Words, nullable=False, comment="as SES wrote it last"),
    sa.Column("suppressed_since", UtcDateTime),
    sa.Column("suppressed_until", UtcDateTime, comment="null: for good"),
    sa.Column("reason", Word),
    sa.Column("kind", Word),
    sa.Column("why", Words, nullable=False),
    sa.Column(
        "struck_off",
        sa.Boolean,
        nullable=False,
        comment="whether the sender's own tables reflect a suppression",
    ),
    # For the sweep, which looks for addresses whose verdict is not propagated yet.
    sa.Index("ix_feedback_address_pending", "struck_off", "suppressed_until", "suppressed_since"),
    sa.Index(None, "suppressed_since"),
    comment="One row an address: what is known of it and the verdict.",
)


outbox = sa.Table(
    "feedback_outbox",
    metadata,
    sa.Column("target", Word, primary_key=True),
    sa.Column("address", Key, primary_key=True),
    sa.Column("version", sa.String(32), nullable=False, comment="another for each entry"),
    sa.Column("entry", Words, nullable=False, comment="the verdict to tell the target, JSON"),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("due_at", UtcDateTime, nullable=False),
    sa.Column("problem", Words, comment="of the last attempt"),
    sa.Index(None, "due_at"),
    comment="What targets outside of the transaction are still to be told.",
)


def suppressed_at(now: datetime) -> sa.ColumnElement[bool]:
    """The condition that an address must not be mailed at a moment."""
    until = address.c.suppressed_until
    return address.c.suppressed_since.is_not(None) & (until.is_(None) | (until > now))


# The view that senders query, which the migrations make. It honours expiry by itself.
SUPPRESSED = "suppressed"
