"""Reads the suppressions of addresses that are limited to one stream."""

from collections.abc import Collection, Sequence
from datetime import datetime

import msgspec
import sqlalchemy as sa

from sesbounce.privacy.keyed_hash import HashKeys
from sesbounce.store.addresses import names_of
from sesbounce.store.find import Find
from sesbounce.store.schema import stream as table


class StreamRow(msgspec.Struct, frozen=True):
    """One suppression that is limited to a stream.

    Attributes:
        stream: the name of the stream.
        suppressed_since: when the suppression began, UTC.
        suppressed_until: when it ends, UTC; None where it has no end.
        reason: its reason.
        why: the verdict in one sentence.
    """

    stream: str
    suppressed_since: datetime
    suppressed_until: datetime | None
    reason: str
    why: str


_find = Find(sa.select(table), table.c.address)


def limited_suppressions(
    connection: sa.Connection,
    keys: Collection[str],
    now: datetime,
    hash_keys: HashKeys,
    stream: str | None = None,
) -> dict[str, Sequence[StreamRow]]:
    """The suppressions at this time that are limited to a stream, the latest first, by key.

    Args:
        connection: a connection to the database.
        keys: the keys of the addresses.
        now: the time.
        hash_keys: the keys of the hashes under which addresses may have been forgotten.
        stream: only suppressions in this stream; None, or blanks, for those in any.
    """
    # Most databases have no streams. One query then saves one for each 1,000 addresses.
    if len(keys) > 1 and not any_limited(connection):
        return {}
    wanted = (stream or "").strip()
    found: dict[str, list[StreamRow]] = {}
    names = names_of(keys, hash_keys)
    for row in _find(connection, sorted(names)):
        expired = row.suppressed_until is not None and row.suppressed_until <= now
        if not expired and wanted in {"", row.stream}:
            one = msgspec.convert(row, StreamRow, from_attributes=True)
            found.setdefault(names[row.address], []).append(one)
    return {key: sorted(rows, key=_latest_first) for key, rows in found.items()}


def any_limited(connection: sa.Connection) -> bool:
    """Whether any suppression is limited to a stream."""
    return connection.scalar(sa.select(table.c.address).limit(1)) is not None


def in_words(rows: Sequence[StreamRow]) -> str:
    """The latest of some suppressions of an address in one sentence, with all their streams."""
    streams = ", ".join(dict.fromkeys(row.stream for row in rows))
    several = "streams" if len(rows) > 1 else "stream"
    return f"only in the {several} {streams}: {rows[0].why}"


def _latest_first(row: StreamRow) -> tuple[float, str]:
    return -row.suppressed_since.timestamp(), row.stream
