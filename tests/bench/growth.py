"""Fills a SQLite database with what is there after years: events and addresses, messages pruned.

SQLite multiplies what the worker has recorded, so that rows have its sizes and contents; what
differs from mail to mail (its id, the keys, the time) and the address differ here as well. They
are inserted in the order of their times and in no order of addresses, as in life: the indexes
are as full and as scattered as they would be.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from rich.progress import Progress

from tests.support import AT

# Events have come evenly for so long.
_SECONDS = timedelta(days=3 * 365).total_seconds()
_LOT = 200_000

# SES's ids of mails begin with their time in milliseconds, and so do digests.
_TIMED = "printf('0100%012x', :begin * 1000 + i * :step)"
_DIGEST = f"{_TIMED} || lower(hex(randomblob(24)))"
_MAIL_ID = f"{_TIMED} || '-' || lower(hex(randomblob(16))) || '-000000'"
_TIME = "strftime('%Y-%m-%d %H:%M:%S', :begin + i * :step / 1000, 'unixepoch') || '.000000'"
_SOMEBODY = "'a' || (abs(random()) % :addresses) || '@example.com'"
# Everybody once, in an order that looks like none.
_NEXT = "'a' || (i * 1000003 % :addresses) || '@example.com'"
_OWN = {
    # As they begin, and then as they are: rows that have grown have split their pages.
    "feedback_address": [{"address": _NEXT, "state": "'{}'"}, {"address": _NEXT}],
    "feedback_event": [
        {
            "dedupe_key": _DIGEST,
            "message_digest": _DIGEST,
            "address": _SOMEBODY,
            "mail_id": _MAIL_ID,
            "feedback_id": _MAIL_ID,
            "occurred_at": _TIME,
            "recorded_at": _TIME,
        }
    ],
}


def fill(database: Path, events: int, addresses: int) -> None:
    """Multiply what has been recorded, in place of it.

    Args:
        database: with some events about some addresses.
        events: how many there are to be.
        addresses: how many addresses they are to be about.
    """
    with closing(sqlite3.connect(database, isolation_level=None)) as connection, Progress() as bar:
        connection.executescript(
            "PRAGMA synchronous = OFF; PRAGMA cache_size = -4000000; DELETE FROM feedback_message"
        )
        for table, count in (("feedback_address", addresses), ("feedback_event", events)):
            values = {
                "addresses": addresses,
                "begin": AT.timestamp() - _SECONDS,
                "step": int(_SECONDS * 1000 / count),
            }
            for statement in _statements(connection, table):
                task = bar.add_task(table, total=count)
                for first in range(0, count, _LOT):
                    lot = {"first": first, "last": min(first + _LOT, count)}
                    connection.execute(statement, values | lot)
                    bar.update(task, completed=lot["last"])


def _statements(connection: sqlite3.Connection, table: str) -> Iterator[str]:
    """What multiplies the rows of a table, which are put aside."""
    connection.execute(f"CREATE TEMPORARY TABLE model_{table} AS SELECT * FROM {table}")
    connection.execute(f"DELETE FROM {table}")
    (models,) = connection.execute(f"SELECT count(*) FROM model_{table}").fetchone()
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    columns = [column for column in columns if column != "id"]
    for own in _OWN[table]:
        yield (
            "WITH RECURSIVE n(i) AS"
            " (SELECT :first UNION ALL SELECT i + 1 FROM n WHERE i + 1 < :last)"
            f" INSERT INTO {table} ({', '.join(columns)})"
            f" SELECT {', '.join(own.get(column, 'm.' + column) for column in columns)}"
            f" FROM n CROSS JOIN model_{table} m ON m.rowid = 1 + i % {models} WHERE TRUE"
            f" ON CONFLICT ({columns[0]}) DO UPDATE SET {columns[1]} = excluded.{columns[1]}"
        )
