"""Streams: a column of the log, a table of verdicts, and a column of the view.

It adds to the schema and changes nothing else. The view keeps its grants where the database can
replace a view.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from sesbounce.store.migrations.frozen import Key, UtcDateTime, Word, Words
from sesbounce.store.migrations.losses import refuse_loss

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_LENGTH = 256
_Stream = sa.String(_LENGTH).with_variant(
    mysql.VARCHAR(_LENGTH, collation="utf8mb4_bin"), "mysql", "mariadb"
)
_NOW = {"sqlite": "CURRENT_TIMESTAMP", "postgresql": "now()", "mysql": "utc_timestamp(6)"}
# The view as it was, and as it is now: one row for an address that is suppressed in all streams,
# else one for each stream in which it is.
_BEFORE = (
    "SELECT address, reason, suppressed_since, suppressed_until, why FROM feedback_address"
    " WHERE suppressed_since IS NOT NULL"
    " AND (suppressed_until IS NULL OR suppressed_until > {now})"
)
# A join and no union: MariaDB would write the rows of a union to a temporary table for each query,
# and the other databases would read all of them where a query needs a few.
_AFTER = (
    "SELECT a.address, coalesce(s.reason, a.reason) AS reason,"
    " coalesce(s.suppressed_since, a.suppressed_since) AS suppressed_since,"
    " CASE WHEN s.stream IS NULL THEN a.suppressed_until ELSE s.suppressed_until END"
    " AS suppressed_until,"
    " coalesce(s.why, a.why) AS why, coalesce(s.stream, '') AS stream"
    " FROM feedback_address a LEFT JOIN feedback_stream s ON s.address = a.address"
    " AND (s.suppressed_until IS NULL OR s.suppressed_until > {now})"
    " AND (a.suppressed_since IS NULL OR a.suppressed_until <= {now})"
    " WHERE s.stream IS NOT NULL OR (a.suppressed_since IS NOT NULL"
    " AND (a.suppressed_until IS NULL OR a.suppressed_until > {now}))"
)


def upgrade() -> None:
    """To this version."""
    op.add_column(
        "feedback_event",
        sa.Column("stream", _Stream, comment="the stream of the mail; null: it counts for all"),
    )
    op.create_table(
        "feedback_stream",
        sa.Column("address", Key, nullable=False),
        sa.Column("stream", _Stream, nullable=False),
        sa.Column("suppressed_since", UtcDateTime, nullable=False),
        sa.Column("suppressed_until", UtcDateTime, comment="null: the suppression has no end"),
        sa.Column("reason", Word, nullable=False),
        sa.Column("kind", Word, nullable=False),
        sa.Column("why", Words, nullable=False),
        sa.PrimaryKeyConstraint("address", "stream", name="pk_feedback_stream"),
        comment="One row for each stream in which an address is suppressed when it is not in all.",
    )
    dialect = op.get_bind().dialect.name
    if dialect == "sqlite":
        op.execute("DROP VIEW suppressed")
    create = "CREATE VIEW" if dialect == "sqlite" else "CREATE OR REPLACE VIEW"
    op.execute(f"{create} suppressed AS {_AFTER.format(now=_NOW[dialect])}")


def refuse_losses(connection: sa.Connection) -> None:
    """Refuse the downgrade while an address has complaints or opt-outs of one stream."""
    state = sa.column("state", sa.Text)
    in_streams = (
        sa.select(state)
        .select_from(sa.table("feedback_address"))
        .where(state.contains('"streams":{', autoescape=True))
    )
    refuse_loss(connection, in_streams, "the streams in the column state of feedback_address")


def downgrade() -> None:
    """Back from it."""
    dialect = op.get_bind().dialect.name
    if dialect != "mysql":  # PostgreSQL replaces a view only by one with more columns
        op.execute("DROP VIEW suppressed")
    create = "CREATE OR REPLACE VIEW" if dialect == "mysql" else "CREATE VIEW"
    op.execute(f"{create} suppressed AS {_BEFORE.format(now=_NOW[dialect])}")
    op.drop_table("feedback_stream")
    op.drop_column("feedback_event", "stream")
