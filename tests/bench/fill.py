"""Fills a database with what is there after years: events and addresses, the messages pruned.

The database multiplies what the worker has recorded, so that rows have its sizes and contents;
what differs from mail to mail (its id, the keys, the time) and the address differ here as well.

Nothing is made more compact than life makes it. The indexes exist from the beginning. Events come
in the order of their times, about addresses in no order: first each address once, then any of
them. As in the worker, the row of an address begins empty, and each event about it writes its
state once more. PostgreSQL is vacuumed whenever autovacuum, with its default settings, would do so:
it works by the clock, and the fill is a thousand times as fast as life. PostgreSQL and SQLite wait
for no disk during the fill; afterwards PostgreSQL has its former settings, and a checkpoint.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import NamedTuple

import sqlalchemy as sa
from rich.progress import track

from tests.support import AT

# Events have come evenly for so long.
SPAN = timedelta(days=3 * 365)
# Autovacuum vacuums a table of which so much has changed since.
_VACUUMED_SHARE = 0.2
_UNSAFE = {"fsync": "off", "full_page_writes": "off", "max_wal_size": "'16GB'"}


class _Dialect(NamedTuple):
    """The expressions of a kind of database: of `i`, the number of an event.

    Attributes:
        lot: how many events are inserted at once. PostgreSQL finds room for a changed row in its
            own page only if a vacuum, or an earlier transaction, has made it free.
        numbers: a table of the numbers of a lot.
        since_epoch: the time of the event, in hexadecimal milliseconds.
        hexadecimal: that many random bytes, in hexadecimal.
        time: the time of the event, as its column has it.
        anybody: the number of any of the addresses.
    """

    lot: int
    numbers: str
    since_epoch: str
    hexadecimal: str
    time: str
    anybody: str


_DIALECTS = {
    "sqlite": _Dialect(
        lot=200_000,
        numbers="(WITH RECURSIVE n(i) AS (SELECT :first UNION ALL SELECT i + 1 FROM n"
        " WHERE i + 1 < :last) SELECT i FROM n)",
        since_epoch="printf('%012x', :begin + i * :step)",
        hexadecimal="lower(hex(randomblob({bytes})))",
        time="strftime('%Y-%m-%d %H:%M:%S', (:begin + i * :step) / 1000, 'unixepoch') || '.000000'",
        anybody="abs(random()) % :addresses",
    ),
    "postgresql": _Dialect(
        lot=20_000,
        numbers="(SELECT i FROM generate_series(CAST(:first AS bigint), :last - 1) AS series(i))",
        since_epoch="lpad(to_hex(:begin + i * :step), 12, '0')",
        hexadecimal="left(md5(random()::text) || md5(random()::text), 2 * {bytes})",
        time="to_timestamp((:begin + i * :step) / 1000)",
        anybody="floor(random() * :addresses)::bigint",
    ),
}
# The addresses of the lot of events that has just been inserted, and their numbers.
_CONCERNED = (
    "(SELECT DISTINCT address, CAST(substr(address, 2, length(address) - 13) AS INTEGER) AS i"
    " FROM (SELECT address FROM feedback_event ORDER BY id DESC LIMIT :last - :first) AS latest)"
)


def fill(url: str, events: int, addresses: int) -> None:
    """Multiply what has been recorded, in place of it.

    Args:
        url: of a database with some events about some addresses, on SQLite or PostgreSQL.
        events: how many there are to be.
        addresses: how many addresses they are to be about, at most as many as events: `a0`, `a1`
            and so on, of example.com.
    """
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    span = {
        "addresses": addresses,
        "begin": int((AT - SPAN).timestamp() * 1000),
        "step": int(SPAN.total_seconds() * 1000 / events),
    }
    size = _DIALECTS[engine.dialect.name].lot
    with engine.connect() as connection, _not_waiting_for_disks(connection):
        _put_models_aside(connection)
        statements = [sa.text(sql) for sql in _statements(connection)]
        changed = 0
        for first in track(range(0, events, size), description=f"filling {engine.dialect.name}"):
            lot = {"first": first, "last": min(first + size, events)}
            for statement in statements:
                connection.execute(statement, span | lot)
            changed += lot["last"] - first
            if engine.dialect.name == "postgresql" and changed > _VACUUMED_SHARE * addresses:
                connection.exec_driver_sql("VACUUM (ANALYZE) feedback_address")
                changed = 0
    engine.dispose()
    os.sync()  # or the system writes it all to the disk while the database waits for that


@contextmanager
def _not_waiting_for_disks(connection: sa.Connection) -> Iterator[None]:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA synchronous = OFF")
        connection.exec_driver_sql("PRAGMA cache_size = -4000000")
        yield
        return
    for name, value in _UNSAFE.items():
        connection.exec_driver_sql(f"ALTER SYSTEM SET {name} = {value}")
    connection.exec_driver_sql("SELECT pg_reload_conf()")
    yield
    connection.exec_driver_sql("VACUUM (ANALYZE)")
    for name in _UNSAFE:
        connection.exec_driver_sql(f"ALTER SYSTEM RESET {name}")
    connection.exec_driver_sql("SELECT pg_reload_conf()")
    connection.exec_driver_sql("CHECKPOINT")


def _put_models_aside(connection: sa.Connection) -> None:
    """Move what was recorded to other tables, which number it."""
    connection.exec_driver_sql("DELETE FROM feedback_message")
    for table in ("feedback_event", "feedback_address"):
        connection.exec_driver_sql(
            f"CREATE TEMPORARY TABLE model_{table} AS"
            f" SELECT row_number() OVER (ORDER BY address) - 1 AS number, m.* FROM {table} m"
        )
        connection.exec_driver_sql(f"CREATE INDEX {table}_number ON model_{table} (number)")
        connection.exec_driver_sql(f"DELETE FROM {table}")


def _statements(connection: sa.Connection) -> Iterator[str]:
    """The statements that write a lot of events, and then the rows of their addresses."""
    of = _DIALECTS[connection.dialect.name]
    # SES's ids of mails begin with their time in milliseconds, and so do digests.
    digest = f"'0100' || {of.since_epoch} || {of.hexadecimal.format(bytes=24)}"
    mail_id = f"'0100' || {of.since_epoch} || '-' || {of.hexadecimal.format(bytes=16)} || '-000000'"
    number = f"CASE WHEN i < :addresses THEN i * 1000003 % :addresses ELSE {of.anybody} END"
    events = {
        "dedupe_key": digest,
        "message_digest": digest,
        "address": f"'a' || ({number}) || '@example.com'",
        "mail_id": mail_id,
        "feedback_id": mail_id,
        "occurred_at": of.time,
        "recorded_at": of.time,
    }
    yield _insert(connection, "feedback_event", of.numbers, events)
    for state, if_known in (
        ("'{}'", "NOTHING"),
        ("m.state", "UPDATE SET state = excluded.state, original = excluded.original"),
    ):
        values = {"address": "n.address", "original": "n.address", "state": state}
        insert = _insert(connection, "feedback_address", _CONCERNED, values)
        yield f"{insert} ON CONFLICT (address) DO {if_known}"


def _insert(connection: sa.Connection, table: str, numbers: str, own: dict[str, str]) -> str:
    """An INSERT of a row for each number `i`: of the values given, and else of its model's."""
    columns = [column["name"] for column in sa.inspect(connection).get_columns(table)]
    columns = [column for column in columns if column != "id"]
    values = (own.get(column, f"m.{column}") for column in columns)
    models = connection.scalar(sa.text(f"SELECT count(*) FROM model_{table}"))
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)}"
        f" FROM {numbers} AS n CROSS JOIN model_{table} m WHERE m.number = i % {models}"
    )
