"""What the console shows beside the counts: what the workers say of themselves.

It adds to the schema and changes nothing else.
"""

import sqlalchemy as sa
from alembic import op

from sesbounce.store.migrations.frozen import UtcDateTime, Word, Words

revision = "0012_from_0011"
down_revision = "0011_from_0010"
branch_labels = None
depends_on = None

_WORKERS = "feedback_worker"


def upgrade() -> None:
    """To this version."""
    _create_workers()


def downgrade() -> None:
    """Drop the table: workers write their rows once more after the next upgrade."""
    _drop_workers()


def _create_workers() -> None:
    op.create_table(
        _WORKERS,
        sa.Column(
            "id", Word, nullable=False, comment="random, or the name of a function in AWS Lambda"
        ),
        sa.Column("mode", Word, nullable=False, comment="run, until_empty or lambda"),
        sa.Column("host", Words, nullable=False, comment="a host, a task of ECS, or a function"),
        sa.Column(
            "process", sa.Integer(), nullable=False, comment="the number of the process there"
        ),
        sa.Column("version", Words, nullable=False),
        sa.Column("queue", Words, nullable=False),
        sa.Column("started_at", UtcDateTime, nullable=False),
        sa.Column("seen_at", UtcDateTime, nullable=False, comment="when the worker wrote the row"),
        sa.Column("ended_at", UtcDateTime, comment="null: it runs, or has not ended in order"),
        sa.Column("polled_at", UtcDateTime, comment="when SQS last answered a receive"),
        sa.Column(
            "waits_for", Words, nullable=False, comment="separated by blanks; empty: it is healthy"
        ),
        sa.Column(
            "visible", sa.Integer(), comment="messages that can be received; null: not known"
        ),
        sa.Column("in_flight", sa.Integer(), comment="messages received and not yet deleted"),
        sa.Column("delayed", sa.Integer(), comment="messages that can't be received yet"),
        sa.Column(
            "oldest_seconds", sa.Integer(), comment="age of the oldest message of the last minute"
        ),
        sa.Column("dead_letters", sa.Integer(), comment="null: not known"),
        sa.PrimaryKeyConstraint("id", name=f"pk_{_WORKERS}"),
        comment="One row for each worker that was seen in the last day.",
    )


def _drop_workers() -> None:
    op.drop_table(_WORKERS)
