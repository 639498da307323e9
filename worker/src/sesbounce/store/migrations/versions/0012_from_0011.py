"""What the console shows: workers, acts, targets, indexes for its lists, sessions, strike-offs.

It adds to the schema and changes nothing else. On ten million events and two million
addresses it takes some seconds, and the workers wait for it.
"""

import sqlalchemy as sa
from alembic import op

from sesbounce.store.migrations.frozen import AutoId, UtcDateTime, Word, Words
from sesbounce.store.migrations.losses import refuse_loss

revision = "0012_from_0011"
down_revision = "0011_from_0010"
branch_labels = None
depends_on = None

_WORKERS = "feedback_worker"
_ACTS = "feedback_act"
_TARGETS = "feedback_target"
_BY_HAND = "ix_feedback_event_by_hand"
_ENDED_SESSIONS = "feedback_ended_session"
_TOKENS, _LAST_USED = "feedback_token", "last_used_on"
_ADDRESSES = "feedback_address"
_TIMES = {
    "struck_off_at": "when it was last struck off",
    "restored_at": "when it was last restored",
}
_EVENTS, _COUNTED = "feedback_event", "counted"
_BY_REASON, _BY_DOMAIN = "ix_feedback_address_reason", "ix_feedback_address_domain"
# The one without the address needs to sort all suppressions of the same time, and an import makes
# many of them; a later release can drop it. On MySQL each index holds the primary key.
_BY_TIME = "ix_feedback_address_since"
# MariaDB has no index on an expression. SQLite has, and it would take a tenth of the time in which
# a hard bounce is recorded.
_DOMAIN = "split_part(address, '@', -1)"


def upgrade() -> None:
    """To this version."""
    _create_workers()
    _create_acts()
    _create_targets()
    _create_index_by_hand()
    _create_ended_sessions()
    _add_last_use()
    _create_indexes_of_lists()
    _add_times_of_propagation()
    _add_counted()


def refuse_losses(connection: sa.Connection) -> None:
    """Refuse the downgrade while the database says who did what."""
    acts = sa.table(_ACTS, sa.column("id", sa.BigInteger))
    refuse_loss(connection, sa.select(acts), f"the table {_ACTS}")
    token = sa.table("feedback_token", sa.column("revoked_by", sa.String))
    revoked = sa.select(token).where(token.c.revoked_by.is_not(None))
    refuse_loss(connection, revoked, "the column revoked_by of feedback_token")


def downgrade() -> None:
    """Drop what was added; the workers write their rows once more after the next upgrade."""
    _drop_counted()
    _drop_times_of_propagation()
    _drop_indexes_of_lists()
    _drop_last_use()
    _drop_ended_sessions()
    _drop_index_by_hand()
    _drop_targets()
    _drop_acts()
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


def _create_acts() -> None:
    op.create_table(
        _ACTS,
        sa.Column("id", AutoId, autoincrement=True, nullable=False),
        sa.Column("done_at", UtcDateTime, nullable=False),
        sa.Column("act", Word, nullable=False, comment="what was done"),
        sa.Column("done_by", Words, nullable=False, comment="the person or program"),
        sa.Column("subject", Words, nullable=False, comment="what it was done to; no address"),
        sa.Column("note", Words, comment="the person's note"),
        sa.Column("number", sa.Integer(), comment="how many addresses, rows or letters"),
        sa.PrimaryKeyConstraint("id", name=f"pk_{_ACTS}"),
        comment="Append-only: one row for each act that is neither an event nor in its own table.",
    )
    op.create_index(f"ix_{_ACTS}_done_at", _ACTS, ["done_at"])
    op.add_column("feedback_token", sa.Column("revoked_by", Words))


def _drop_acts() -> None:
    op.drop_column("feedback_token", "revoked_by")
    op.drop_table(_ACTS)


def _create_targets() -> None:
    op.create_table(
        _TARGETS,
        sa.Column("name", Word, nullable=False, comment="as in feedback_outbox"),
        sa.Column("delivered_at", UtcDateTime, comment="when it last accepted an entry"),
        sa.Column("failed_at", UtcDateTime, comment="when it last did not accept one"),
        sa.Column("problem", Words, comment="why it did not"),
        sa.PrimaryKeyConstraint("name", name=f"pk_{_TARGETS}"),
        comment="One row for each target that an entry was sent to: its last answers.",
    )


def _drop_targets() -> None:
    op.drop_table(_TARGETS)


def _create_index_by_hand() -> None:
    """Index the few events that are people's decisions; MySQL would index all events."""
    if op.get_bind().dialect.name == "mysql":
        return
    by_hand = sa.text("kind = 'manual'")
    op.create_index(
        _BY_HAND,
        "feedback_event",
        ["recorded_at", "id"],
        sqlite_where=by_hand,
        postgresql_where=by_hand,
    )


def _drop_index_by_hand() -> None:
    if op.get_bind().dialect.name != "mysql":
        op.drop_index(_BY_HAND, "feedback_event")


def _create_ended_sessions() -> None:
    op.create_table(
        _ENDED_SESSIONS,
        sa.Column("number", Word, nullable=False, comment="random, as the cookie holds it"),
        sa.Column("began_at", UtcDateTime, nullable=False, comment="when the person logged in"),
        sa.PrimaryKeyConstraint("number", name=f"pk_{_ENDED_SESSIONS}"),
        comment="One row for each session of the console that a person has ended lately.",
    )


def _drop_ended_sessions() -> None:
    op.drop_table(_ENDED_SESSIONS)


def _add_last_use() -> None:
    column = sa.Column(_LAST_USED, sa.Date(), comment="the last day of a request, UTC")
    op.add_column(_TOKENS, column)


def _drop_last_use() -> None:
    op.drop_column(_TOKENS, _LAST_USED)


def _create_indexes_of_lists() -> None:
    """Hold the suppressed addresses, and those of each reason and domain, in the list's order."""
    dialect = op.get_bind().dialect.name
    _create_index(_BY_REASON, "reason")
    if dialect == "postgresql":
        _create_index(_BY_DOMAIN, sa.text(_DOMAIN))
    if dialect != "mysql":
        _create_index(_BY_TIME)


def _create_index(name: str, *first: str | sa.TextClause) -> None:
    suppressed = sa.text("suppressed_since IS NOT NULL")
    op.create_index(
        name,
        _ADDRESSES,
        [*first, "suppressed_since", "address"],
        sqlite_where=suppressed,
        postgresql_where=suppressed,
    )


def _drop_indexes_of_lists() -> None:
    dialect = op.get_bind().dialect.name
    if dialect != "mysql":
        op.drop_index(_BY_TIME, _ADDRESSES)
    if dialect == "postgresql":
        op.drop_index(_BY_DOMAIN, _ADDRESSES)
    op.drop_index(_BY_REASON, _ADDRESSES)


def _add_times_of_propagation() -> None:
    """Say when an address was struck off; nobody knows it of those from before."""
    for name, comment in _TIMES.items():
        op.add_column(_ADDRESSES, sa.Column(name, UtcDateTime, comment=comment))


def _drop_times_of_propagation() -> None:
    for name in _TIMES:
        op.drop_column(_ADDRESSES, name)


def _add_counted() -> None:
    """Say which event of a complaint counts; `rebuild --counts` chooses one where it is null."""
    comment = "whether a complaint counts by this recipient"
    op.add_column(_EVENTS, sa.Column(_COUNTED, sa.Boolean(), comment=comment))


def _drop_counted() -> None:
    op.drop_column(_EVENTS, _COUNTED)
