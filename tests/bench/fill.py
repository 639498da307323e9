"""Fills a database with what is there after years: events and addresses, the messages pruned.

The database multiplies what the worker has recorded, so that rows have its sizes and contents;
what differs from mail to mail (its id, the keys, the time) and the address differ here as well.

Nothing is made more compact than life makes it. Events come in the order of their times, about
addresses in no order: first each address once, then any of them.

On SQLite the indexes exist from the beginning, and each event writes the state of its address.
PostgreSQL gets its indexes last, which is several times as fast: those of addresses as full as keys
in no order leave them. Then each address is changed, and the table is vacuumed, in the portions
of autovacuum's default settings: it works by the clock, and the fill is a thousand times as fast as
life. Neither waits for the disk during the fill; afterwards PostgreSQL has its former settings, and
a checkpoint.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa
from rich.progress import track

from tests.support import AT

# Events have come evenly for so long.
SPAN = timedelta(days=3 * 365)
_FOR_THE_FILL = {
    "fsync": "off",
    "full_page_writes": "off",
    "maintenance_work_mem": "'1GB'",
}
_Step = tuple[str, dict[str, Any]]


class Life(NamedTuple):
    """What the rows are to look like.

    Attributes:
        events: how many there are.
        addresses: how many addresses they are about, at most as many as events: `a0`, `a1` and so
            on.
        until: the end of the time in which the events came, UTC.
        domain: the domain of an address, as SQL of its number `who`.
        spread: whether the suppressions and hard bounces of the addresses are spread over that
            time; otherwise they keep the times of what was recorded.
    """

    events: int
    addresses: int
    until: datetime = AT
    domain: str = "'example.com'"
    spread: bool = False

    @property
    def times(self) -> dict[str, int]:
        """The parameters of the times of events."""
        return self._times(self.events)

    @property
    def times_of_addresses(self) -> dict[str, int]:
        """The parameters of the times of what was found out about addresses."""
        return self._times(self.addresses)

    @property
    def address(self) -> str:
        """The address, as SQL of its number `who`."""
        return f"'a' || who || '@' || {self.domain}"

    def _times(self, number: int) -> dict[str, int]:
        begin, span = (self.until - SPAN).timestamp(), SPAN.total_seconds()
        return {"begin": int(begin * 1000), "step": int(span * 1000 / number)}


class _Dialect(NamedTuple):
    """The expressions of a kind of database: of `i`, the number of an event.

    Attributes:
        numbers: a table of the numbers of a lot.
        since_epoch: the time of the event, in hexadecimal milliseconds.
        hexadecimal: that many random bytes, in hexadecimal.
        time: a number of milliseconds since 1970, as a column of times has it.
        anybody: the number of any of the addresses.
        who: the number of an address, from its text.
    """

    numbers: str
    since_epoch: str
    hexadecimal: str
    time: str
    anybody: str
    who: str


_DIALECTS = {
    "sqlite": _Dialect(
        numbers="(WITH RECURSIVE n(i) AS (SELECT :first UNION ALL SELECT i + 1 FROM n"
        " WHERE i + 1 < :last) SELECT i FROM n)",
        since_epoch="printf('%012x', :begin + i * :step)",
        hexadecimal="lower(hex(randomblob({bytes})))",
        time="strftime('%Y-%m-%d %H:%M:%S', ({}) / 1000, 'unixepoch') || '.000000'",
        anybody="abs(random()) % :addresses",
        who="CAST(substr(address, 2) AS INTEGER)",  # which ends where the digits end
    ),
    "postgresql": _Dialect(
        numbers="(SELECT i FROM generate_series(CAST(:first AS bigint), :last - 1) AS series(i))",
        since_epoch="lpad(to_hex(:begin + i * :step), 12, '0')",
        hexadecimal="left(md5(random()::text) || md5(random()::text), 2 * {bytes})",
        time="to_timestamp(({}) / 1000)",
        anybody="floor(random() * :addresses)::bigint",
        who="split_part(substr(address, 2), '@', 1)::bigint",
    ),
}
# The number of the address that an event is the first one about.
_IN_NO_ORDER = "i * 1000003 % :addresses"
_AT = ":begin + i * :step"
# A suppression with an end has it that many milliseconds after its beginning.
_PROBATION = 30 * 24 * 3_600_000
# The addresses of the lot of events that has just been inserted, and their numbers.
_CONCERNED = (
    "(SELECT DISTINCT address, {who} AS who"
    " FROM (SELECT address FROM feedback_event ORDER BY id DESC LIMIT :last - :first) AS latest)"
)
_TABLES = "('feedback_event'::regclass, 'feedback_address'::regclass)"
# Not maintained until they are built.
_WITHOUT_INDEXES = (
    f"UPDATE pg_index SET indisready = false, indisvalid = false WHERE indrelid IN {_TABLES}"
)
_BY_ADDRESS = ("ix_feedback_event_address", "pk_feedback_address")
# A portion of the addresses changes at once, and a vacuum follows whenever a fifth has changed.
# PostgreSQL finds room for a changed row in its own page only if a vacuum, or an earlier
# transaction, has made it free.
_PORTIONS = 50
_VACUUMED_SHARE = 0.2
_CHANGE = (
    "UPDATE feedback_address SET state = state"
    " WHERE abs(hashtext(address)::bigint) % :portions = :portion"
)


def fill(url: str, life: Life) -> None:
    """Multiply what has been recorded, in place of it.

    Args:
        url: of a database with some events about some addresses, on SQLite or PostgreSQL.
        life: what the rows are to look like.
    """
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    name = engine.dialect.name
    steps = {"sqlite": _on_sqlite, "postgresql": _on_postgresql}[name]
    with engine.connect() as connection, _not_waiting_for_disks(connection):
        _put_models_aside(connection)
        planned = list(steps(connection, life))
        for sql, parameters in track(planned, description=f"filling {name}"):
            connection.execute(sa.text(sql), parameters)
    engine.dispose()
    os.sync()  # or the system writes it all to the disk while the database waits for that


def add(connection: sa.Connection, life: Life, first: int, count: int) -> None:
    """Add later events about any of the addresses, and change the rows of these, on PostgreSQL.

    Args:
        connection: a transaction in a filled database.
        life: what it was filled with.
        first: how many events were filled and added.
        count: how many to add.
    """
    (lot,) = _lots(count, life.addresses, first, count)
    connection.execute(sa.text(_insert_events(connection, life)), life.times | lot)
    concerned = f"(SELECT address FROM {_concerned(connection)} AS n)"
    touch = f"UPDATE feedback_address SET state = state WHERE address IN {concerned}"
    connection.execute(sa.text(touch), lot)


def _on_sqlite(connection: sa.Connection, life: Life) -> Iterator[_Step]:
    """Events, and their addresses, by turns."""
    insert_events = _insert_events(connection, life)
    save_states = (
        f"{_insert_addresses(connection, life, _concerned(connection))} ON CONFLICT (address)"
        " DO UPDATE SET state = excluded.state, original = excluded.original"
    )
    for lot in _lots(life.events, life.addresses):
        yield insert_events, life.times | lot
        yield save_states, life.times_of_addresses | lot


def _on_postgresql(connection: sa.Connection, life: Life) -> Iterator[_Step]:
    """The rows, then the indexes, then a change of each address."""
    yield _WITHOUT_INDEXES, {}
    insert_events = _insert_events(connection, life)
    for lot in _lots(life.events, life.addresses):
        yield insert_events, life.times | lot
    somebody = (
        f"(SELECT who, {life.address} AS address FROM (SELECT {_IN_NO_ORDER} AS who"
        f" FROM {_DIALECTS['postgresql'].numbers} AS number) AS somebody)"
    )
    insert_addresses = _insert_addresses(connection, life, somebody)
    for lot in _lots(life.addresses, life.addresses):
        yield insert_addresses, life.times_of_addresses | lot
    for index in _BY_ADDRESS:
        yield f"ALTER INDEX {index} SET (fillfactor = 70)", {}
    for table in ("feedback_event", "feedback_address"):
        yield f"REINDEX TABLE {table}", {}
    for index in _BY_ADDRESS:
        yield f"ALTER INDEX {index} RESET (fillfactor)", {}
    for portion in range(_PORTIONS):
        if portion % (_VACUUMED_SHARE * _PORTIONS) == 0:
            yield "VACUUM (ANALYZE) feedback_address", {}
        yield _CHANGE, {"portions": _PORTIONS, "portion": portion}


def _lots(
    count: int, addresses: int, begin: int = 0, size: int = 200_000
) -> Iterator[dict[str, int]]:
    """The parameters of statements that insert that many rows together, from a number on."""
    end = begin + count
    for first in range(begin, end, size):
        yield {"first": first, "last": min(first + size, end), "addresses": addresses}


@contextmanager
def _not_waiting_for_disks(connection: sa.Connection) -> Iterator[None]:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA synchronous = OFF")
        connection.exec_driver_sql("PRAGMA cache_size = -4000000")
        yield
        return
    for name, value in _FOR_THE_FILL.items():
        connection.exec_driver_sql(f"ALTER SYSTEM SET {name} = {value}")
    connection.exec_driver_sql("SELECT pg_reload_conf()")
    yield
    connection.exec_driver_sql("VACUUM (ANALYZE)")
    for name in _FOR_THE_FILL:
        connection.exec_driver_sql(f"ALTER SYSTEM RESET {name}")
    connection.exec_driver_sql("SELECT pg_reload_conf()")
    connection.exec_driver_sql("CHECKPOINT")


def _put_models_aside(connection: sa.Connection) -> None:
    """Move what was recorded to other tables, which number it."""
    connection.exec_driver_sql("DELETE FROM feedback_message")
    for table in ("feedback_event", "feedback_address"):
        connection.exec_driver_sql(
            f"CREATE TABLE model_{table} AS"
            f" SELECT row_number() OVER (ORDER BY address) - 1 AS number, m.* FROM {table} m"
        )
        connection.exec_driver_sql(f"CREATE INDEX {table}_number ON model_{table} (number)")
        connection.exec_driver_sql(f"DELETE FROM {table}")


def _concerned(connection: sa.Connection) -> str:
    return _CONCERNED.format(who=_DIALECTS[connection.dialect.name].who)


def _insert_events(connection: sa.Connection, life: Life) -> str:
    """The statement that inserts a lot of events."""
    of = _DIALECTS[connection.dialect.name]
    # SES's ids of mails begin with their time in milliseconds, and so do digests.
    digest = f"'0100' || {of.since_epoch} || {of.hexadecimal.format(bytes=24)}"
    mail_id = f"'0100' || {of.since_epoch} || '-' || {of.hexadecimal.format(bytes=16)} || '-000000'"
    # Materialised: otherwise each mention of the number would be a random one of its own.
    somebody = (
        f"(WITH somebody AS MATERIALIZED (SELECT i, CASE WHEN i < :addresses THEN {_IN_NO_ORDER}"
        f" ELSE {of.anybody} END AS who FROM {of.numbers} AS number) SELECT i, who FROM somebody)"
    )
    events = {
        "dedupe_key": digest,
        "message_digest": digest,
        "address": life.address,
        "mail_id": mail_id,
        "feedback_id": mail_id,
        "occurred_at": of.time.format(_AT),
        "recorded_at": of.time.format(_AT),
    }
    return _insert(connection, "feedback_event", somebody, events)


def _insert_addresses(connection: sa.Connection, life: Life, somebody: str) -> str:
    """The statement that inserts a row for each address of a table with addresses and numbers."""
    of = _DIALECTS[connection.dialect.name]
    values = {"address": "n.address", "original": "n.address"}
    if life.spread:
        at, until = of.time.format(_AT), of.time.format(f"{_AT} + {_PROBATION}")
        for name, value in (
            ("suppressed_since", at),
            ("suppressed_until", until),
            ("hard_at", at),
        ):
            values[name] = f"CASE WHEN m.{name} IS NOT NULL THEN {value} END"
    numbered = f"(SELECT who AS i, address FROM {somebody} AS somebody)"
    return _insert(connection, "feedback_address", numbered, values)


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
