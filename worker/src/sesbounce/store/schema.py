"""The tables and the view; `docs/data-model.md` describes them for people who query them.

They may be in the sender's own database, so each table's name begins with `feedback_`.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime

import sqlalchemy as sa

from sesbounce.store.columns import (
    AccountId,
    AutoId,
    Digest,
    Key,
    Region,
    StreamName,
    UtcDateTime,
    Word,
    Words,
)

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
    sa.Column(
        "digest",
        Digest,
        primary_key=True,
        comment="SHA-256 of the payload; the mail's time comes first",
    ),
    sa.Column("kind", Word, nullable=False),
    sa.Column("mail_id", Words, comment="the SES message id of the mail"),
    sa.Column("payload", Words, nullable=False, comment="the message as SES published it"),
    sa.Column("recorded_at", UtcDateTime, nullable=False),
    sa.Index(None, "recorded_at"),
    comment="One row for each message that SES published.",
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
    sa.Column("counted", sa.Boolean, comment="whether a complaint counts by this recipient"),
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
    sa.Column("configuration_set", Words, comment="the configuration set of the mail"),
    sa.Column("identity", Words, comment="the sender's verified domain or address"),
    sa.Column("region", Words, comment="the AWS region of SES"),
    sa.Column("tenant", Words, comment="the sender's tenant"),
    sa.Column("tags", Words, comment="the chosen tags of the mail, JSON"),
    sa.Column("account_id", Words, comment="the AWS account that sent the mail"),
    sa.Column("stream", StreamName, comment="the stream of the mail; null: it counts for all"),
    sa.Column("message_digest", Digest, nullable=False),
    sa.Column("recorded_at", UtcDateTime, nullable=False),
    sa.Index(None, "address"),
    # They grow at their ends, so they take little: statistics read a time, and `prune` the oldest.
    sa.Index(None, "occurred_at"),
    sa.Index(None, "recorded_at"),
    comment="Append-only: one row for each event about each recipient.",
)

address = sa.Table(
    "feedback_address",
    metadata,
    sa.Column("address", Key, primary_key=True),
    sa.Column("state", Words, nullable=False, comment="the evidence for the verdict, JSON"),
    sa.Column("original", Words, nullable=False, comment="the address as SES wrote it last"),
    sa.Column("suppressed_since", UtcDateTime),
    sa.Column("suppressed_until", UtcDateTime, comment="null: the suppression has no end"),
    sa.Column("reason", Word),
    sa.Column("kind", Word),
    sa.Column("why", Words, nullable=False),
    sa.Column(
        "struck_off",
        sa.Boolean,
        nullable=False,
        comment="whether the sender's own tables reflect a suppression",
    ),
    sa.Column("hard_at", UtcDateTime, comment="when it last bounced hard"),
    sa.Column("struck_off_at", UtcDateTime, comment="when it was last struck off"),
    sa.Column("restored_at", UtcDateTime, comment="when it was last restored"),
    # Each of these changes with a hard bounce. So on SQLite and PostgreSQL the migrations leave out
    # the rows that nobody looks for in an index; to say so here would import PostgreSQL's dialect
    # everywhere. Those that MySQL does not have, or only MySQL has, are in the migrations alone.
    # The sweep finds addresses by it whose verdict has not been propagated yet.
    sa.Index("ix_feedback_address_pending", "struck_off", "suppressed_until", "suppressed_since"),
    # Finds the addresses that an incident concerns.
    sa.Index("ix_feedback_address_hard_at", "hard_at", "address"),
    # Holds the list of a reason in its order.
    sa.Index("ix_feedback_address_reason", "reason", "suppressed_since", "address"),
    comment="One row for each address: its state and its verdict.",
)


stream = sa.Table(
    "feedback_stream",
    metadata,
    sa.Column("address", Key, primary_key=True),
    sa.Column("stream", StreamName, primary_key=True),
    sa.Column("suppressed_since", UtcDateTime, nullable=False),
    sa.Column("suppressed_until", UtcDateTime, comment="null: the suppression has no end"),
    sa.Column("reason", Word, nullable=False),
    sa.Column("kind", Word, nullable=False),
    sa.Column("why", Words, nullable=False),
    comment="One row for each stream in which an address is suppressed when it is not in all.",
)

outbox = sa.Table(
    "feedback_outbox",
    metadata,
    sa.Column("target", Word, primary_key=True),
    sa.Column("address", Key, primary_key=True),
    sa.Column(
        "version", sa.String(32), nullable=False, comment="random; a newer entry has another"
    ),
    sa.Column("entry", Words, nullable=False, comment="the verdict to deliver, JSON"),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("due_at", UtcDateTime, nullable=False),
    sa.Column("problem", Words, comment="why the last attempt failed"),
    sa.Index(None, "due_at"),
    sa.Index(None, "target", "due_at"),
    comment="One row for each verdict that a target has not got yet.",
)


incident = sa.Table(
    "feedback_incident",
    metadata,
    sa.Column("id", AutoId, primary_key=True, autoincrement=True),
    sa.Column("identity", Digest, nullable=False, unique=True),
    sa.Column("provider", Key, nullable=False, comment="the provider, or the domain"),
    sa.Column("begins_at", UtcDateTime, nullable=False),
    sa.Column("ends_at", UtcDateTime, comment="null: it goes on"),
    sa.Column("status", Word, nullable=False),
    sa.Column("opened_by", Words, nullable=False),
    sa.Column("decided_by", Words, comment="null: the detection keeps it up to date"),
    sa.Column("note", Words, nullable=False),
    sa.Column("changed_at", UtcDateTime, nullable=False),
    sa.Column("settle_at", UtcDateTime, comment="when the sweep judges its addresses once more"),
    comment="One row for each outage of a provider: its hard bounces are strikes.",
)

hour = sa.Table(
    "feedback_hour",
    metadata,
    sa.Column(
        "cell", Key, primary_key=True, comment="the hour (UTC) and provider: 2026-11-20T12 google"
    ),
    sa.Column("hard", sa.Integer, nullable=False, comment="addresses that bounced hard"),
    sa.Column("known", sa.Integer, nullable=False, comment="those with a delivery before"),
    sa.Column("delivered", sa.Integer, nullable=False, comment="deliveries"),
    comment="Counts of the last days, from which incidents are detected.",
)


def _numbers(comments: Mapping[str, str]) -> Iterator[sa.Column[int]]:
    for name, comment in comments.items():
        yield sa.Column(name, sa.Integer, nullable=False, comment=comment)


sender_hour = sa.Table(
    "feedback_sender_hour",
    metadata,
    sa.Column("hour", UtcDateTime, primary_key=True, comment="the beginning of the hour, UTC"),
    sa.Column("account_id", AccountId, primary_key=True, comment="empty: not known"),
    sa.Column("region", Region, primary_key=True, comment="empty: not known"),
    sa.Column("identity", Key, primary_key=True, comment="empty: not known"),
    *_numbers(
        {
            "sent": "recipients of mails that SES took",
            "delivered": "deliveries",
            "hard": "hard bounces, as AWS counts them",
            "soft": "all other bounces",
            "complaints": "complaints; one about several recipients counts once",
            "not_attempted": "recipients to whom SES did not try to send",
            "rejected": "mails that SES rejected, or could not render",
            "delays": "delays",
        }
    ),
    comment="Counts by hour and sender; the rates that AWS watches follow from them.",
)

provider_day = sa.Table(
    "feedback_provider_day",
    metadata,
    sa.Column("day", sa.Date, primary_key=True, comment="the day, UTC"),
    sa.Column("provider", Word, primary_key=True, comment="a large provider, or other"),
    sa.Column("kind", Word, primary_key=True),
    sa.Column("reason", Word, primary_key=True),
    *_numbers({"events": "how many there were"}),
    comment="Counts by day, receiving provider, kind and reason.",
)

sender_resume = sa.Table(
    "feedback_sender_resume",
    metadata,
    sa.Column("id", AutoId, primary_key=True, autoincrement=True),
    sa.Column("account_id", AccountId, nullable=False),
    sa.Column("region", Region, nullable=False),
    sa.Column("identity", Key, nullable=False, comment="empty: the account in the region"),
    sa.Column("resumed_at", UtcDateTime, nullable=False),
    sa.Column("resumed_by", Words, nullable=False),
    sa.Column("note", Words, nullable=False),
    sa.Column("seen", Words, nullable=False, comment="the counts of the hour by then, JSON"),
    comment="One row for each time that a person resumed a stopped sender.",
)

token = sa.Table(
    "feedback_token",
    metadata,
    sa.Column("name", Word, primary_key=True),
    sa.Column("hash", Digest, nullable=False, unique=True, comment="SHA-256 of the token"),
    sa.Column("scopes", Words, nullable=False, comment="separated by blanks"),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("created_by", Words, nullable=False),
    sa.Column("expires_at", UtcDateTime, comment="null: it has no end"),
    sa.Column("revoked_at", UtcDateTime),
    sa.Column("revoked_by", Words),
    sa.Column("last_used_on", sa.Date, comment="the last day of a request, UTC"),
    comment="One row for each token of the HTTP API.",
)

act = sa.Table(
    "feedback_act",
    metadata,
    sa.Column("id", AutoId, primary_key=True, autoincrement=True),
    sa.Column("done_at", UtcDateTime, nullable=False),
    sa.Column("act", Word, nullable=False, comment="what was done"),
    sa.Column("done_by", Words, nullable=False, comment="the person or program"),
    sa.Column("subject", Words, nullable=False, comment="what it was done to; no address"),
    sa.Column("note", Words, comment="the person's note"),
    sa.Column("number", sa.Integer, comment="how many addresses, rows or letters"),
    sa.Index(None, "done_at"),
    comment="Append-only: one row for each act that is neither an event nor in its own table.",
)


worker = sa.Table(
    "feedback_worker",
    metadata,
    sa.Column(
        "id", Word, primary_key=True, comment="random, or the name of a function in AWS Lambda"
    ),
    sa.Column("mode", Word, nullable=False, comment="run, until_empty or lambda"),
    sa.Column("host", Words, nullable=False, comment="a host, a task of ECS, or a function"),
    sa.Column("process", sa.Integer, nullable=False, comment="the number of the process there"),
    sa.Column("version", Words, nullable=False),
    sa.Column("queue", Words, nullable=False),
    sa.Column("started_at", UtcDateTime, nullable=False),
    sa.Column("seen_at", UtcDateTime, nullable=False, comment="when the worker wrote the row"),
    sa.Column("ended_at", UtcDateTime, comment="null: it runs, or has not ended in order"),
    sa.Column("polled_at", UtcDateTime, comment="when SQS last answered a receive"),
    sa.Column(
        "waits_for", Words, nullable=False, comment="separated by blanks; empty: it is healthy"
    ),
    sa.Column("visible", sa.Integer, comment="messages that can be received; null: not known"),
    sa.Column("in_flight", sa.Integer, comment="messages received and not yet deleted"),
    sa.Column("delayed", sa.Integer, comment="messages that can't be received yet"),
    sa.Column("oldest_seconds", sa.Integer, comment="age of the oldest message of the last minute"),
    sa.Column("dead_letters", sa.Integer, comment="null: not known"),
    comment="One row for each worker that was seen in the last day.",
)

target = sa.Table(
    "feedback_target",
    metadata,
    sa.Column("name", Word, primary_key=True, comment="as in feedback_outbox"),
    sa.Column("delivered_at", UtcDateTime, comment="when it last accepted an entry"),
    sa.Column("failed_at", UtcDateTime, comment="when it last did not accept one"),
    sa.Column("problem", Words, comment="why it did not"),
    comment="One row for each target that an entry was sent to: its last answers.",
)

ended_session = sa.Table(
    "feedback_ended_session",
    metadata,
    sa.Column("number", Word, primary_key=True, comment="random, as the cookie holds it"),
    sa.Column("began_at", UtcDateTime, nullable=False, comment="when the person logged in"),
    comment="One row for each session of the console that a person has ended lately.",
)


def domain_of(column: sa.Column[str], dialect: str) -> sa.ColumnElement[str]:
    """The text after the last `@`, as the index by domain has it on a kind of database.

    A constant must not be a parameter here: a database would not find the index.
    """
    at: sa.ColumnElement[str] = sa.literal_column("'@'")
    last: sa.ColumnElement[int] = sa.literal_column("-1")
    if dialect == "mysql":
        return sa.func.substring_index(column, at, last)
    if dialect == "postgresql":
        return sa.func.split_part(column, at, last)
    # SQLite searches from the left only: this cuts all characters but `@` off the right end.
    nothing: sa.ColumnElement[str] = sa.literal_column("''")
    one: sa.ColumnElement[int] = sa.literal_column("1")
    up_to_at = sa.func.rtrim(column, sa.func.replace(column, at, nothing))
    return sa.func.substr(column, sa.func.length(up_to_at) + one)


def suppressed_at(now: datetime, table: sa.Table = address) -> sa.ColumnElement[bool]:
    """The condition that an address is suppressed at a time; in one stream, in that table."""
    until = table.c.suppressed_until
    return table.c.suppressed_since.is_not(None) & (until.is_(None) | (until > now))


# The view that senders query, which a migration creates. It leaves out expired suppressions.
SUPPRESSED = "suppressed"
