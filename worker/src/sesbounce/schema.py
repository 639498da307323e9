"""The tables and the view. `docs/data-model.md` has them for people who query them.

They may live in the sender's own database: their names are such as few others choose.
"""

from datetime import UTC, datetime

import sqlalchemy as sa

from sesbounce.address import MAX_LENGTH

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


class UtcDateTime(sa.TypeDecorator[datetime]):
    """A moment, stored in UTC without an offset, as every database can."""

    impl = sa.DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """To the database: UTC, naive."""
        del dialect
        return value and value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """From the database: UTC, aware."""
        del dialect
        return value and value.replace(tzinfo=UTC)


_DIGEST = sa.String(64)
_WORD = sa.String(64)
_ADDRESS = sa.String(MAX_LENGTH)

message = sa.Table(
    "feedback_message",
    metadata,
    sa.Column("digest", _DIGEST, primary_key=True, comment="SHA-256 of the payload"),
    sa.Column("kind", _WORD, nullable=False),
    sa.Column("mail_id", sa.String(255), comment="SES message id"),
    sa.Column("payload", sa.Text, nullable=False, comment="the message as SES published it"),
    sa.Column("recorded_at", UtcDateTime, nullable=False),
    comment="Every message of SES as it came, once.",
)

event = sa.Table(
    "feedback_event",
    metadata,
    sa.Column(
        "id",
        sa.BigInteger().with_variant(sa.Integer, "sqlite"),
        primary_key=True,
        autoincrement=True,
    ),
    sa.Column("dedupe_key", _DIGEST, nullable=False, unique=True),
    sa.Column("kind", _WORD, nullable=False),
    sa.Column("reason", _WORD, nullable=False),
    sa.Column("effect", _WORD, nullable=False),
    sa.Column("address", _ADDRESS, nullable=False),
    sa.Column("original", sa.Text, nullable=False, comment="the address as SES wrote it"),
    sa.Column("parsed", sa.Boolean, nullable=False),
    sa.Column("shared", sa.Boolean, nullable=False),
    sa.Column("occurred_at", UtcDateTime, nullable=False),
    sa.Column("mail_id", sa.String(255)),
    sa.Column("source", sa.Text),
    sa.Column("type", sa.Text),
    sa.Column("sub_type", sa.Text),
    sa.Column("status", sa.Text),
    sa.Column("action", sa.Text),
    sa.Column("diagnostic", sa.Text),
    sa.Column("feedback_id", sa.Text),
    sa.Column("basis", sa.Text, nullable=False, comment="the evidence that the reason rests on"),
    sa.Column("message_digest", _DIGEST, nullable=False),
    sa.Column("recorded_at", UtcDateTime, nullable=False),
    sa.Index(None, "address", "occurred_at"),
    comment="Append-only: one row for each fact about each recipient.",
)

address = sa.Table(
    "feedback_address",
    metadata,
    sa.Column("address", _ADDRESS, primary_key=True),
    sa.Column("state", sa.Text, nullable=False, comment="all that is known, JSON"),
    sa.Column("original", sa.Text, nullable=False, comment="as SES wrote it last"),
    sa.Column("suppressed_since", UtcDateTime),
    sa.Column("suppressed_until", UtcDateTime, comment="null: for good"),
    sa.Column("reason", _WORD),
    sa.Column("kind", _WORD),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column(
        "struck_off",
        sa.Boolean,
        nullable=False,
        comment="whether the sender's own tables have been told",
    ),
    sa.Index(None, "struck_off", "suppressed_until"),
    sa.Index(None, "suppressed_since"),
    comment="One row an address: what is known of it and the verdict.",
)


def suppressed_at(now: datetime) -> sa.ColumnElement[bool]:
    """The condition that an address must not be mailed at a moment."""
    until = address.c.suppressed_until
    return address.c.suppressed_since.is_not(None) & (until.is_(None) | (until > now))


# The view that senders query. It honours expiry by itself, without a job.
SUPPRESSED = "suppressed"
CREATE_SUPPRESSED = (
    f"CREATE VIEW IF NOT EXISTS {SUPPRESSED} AS"  # noqa: S608  a name of ours
    " SELECT address, reason, suppressed_since, suppressed_until, why FROM feedback_address"
    " WHERE suppressed_since IS NOT NULL"
    " AND (suppressed_until IS NULL OR suppressed_until > CURRENT_TIMESTAMP)"
)
