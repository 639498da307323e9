"""Column types that mean the same on every database."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa

from sesbounce.feedback.address import MAX_LENGTH
from sesbounce.feedback.tags import TAG_LENGTH


class UtcDateTime(sa.TypeDecorator[datetime]):
    """A time with an offset, to the microsecond.

    PostgreSQL stores it as `timestamptz`, the others store UTC without an offset.
    """

    impl = sa.DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> Any:
        """The database's type."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(sa.DateTime(timezone=True))
        if dialect.name == "mysql":
            from sqlalchemy.dialects import mysql  # noqa: PLC0415  slow, and for it alone

            return dialect.type_descriptor(mysql.DATETIME(fsp=6))
        return dialect.type_descriptor(sa.DateTime())

    def bind_processor(self, dialect: sa.Dialect) -> Callable[[Any], Any] | None:
        """Convert to UTC for the database, in one step instead of SQLAlchemy's several."""
        if dialect.name == "postgresql":
            return None
        return _as_text if dialect.name == "sqlite" else _without_offset

    def result_processor(self, dialect: sa.Dialect, coltype: Any) -> Callable[[Any], Any]:
        """Convert the database's value to a time with the offset UTC."""
        del coltype
        if dialect.name == "postgresql":
            return _in_utc
        return _from_text if dialect.name == "sqlite" else _with_offset


class Words(sa.TypeDecorator[str]):
    """Text from outside, up to 16 MiB. NUL is replaced, because PostgreSQL rejects it."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> Any:
        """The database's type.

        MySQL's `TEXT` would end at 64 KiB; PostgreSQL's `VARCHAR` without a length has no limit.
        """
        if dialect.name == "mysql":
            from sqlalchemy.dialects import mysql  # noqa: PLC0415  slow, and for it alone

            return dialect.type_descriptor(mysql.MEDIUMTEXT(collation="utf8mb4_bin"))
        return dialect.type_descriptor(sa.String() if dialect.name == "postgresql" else sa.Text())

    def bind_processor(self, dialect: sa.Dialect) -> Callable[[Any], Any]:
        """Replace NUL for the database."""
        del dialect
        return _without_nul


class Key(Words):
    """The key of an address, which each database compares byte by byte, whatever its collation."""

    cache_ok = True
    longest = MAX_LENGTH

    def load_dialect_impl(self, dialect: sa.Dialect) -> Any:
        """The database's type."""
        if dialect.name == "mysql":
            from sqlalchemy.dialects import mysql  # noqa: PLC0415  slow, and for it alone

            return dialect.type_descriptor(mysql.VARCHAR(self.longest, collation="utf8mb4_bin"))
        return dialect.type_descriptor(sa.String(self.longest))


class StreamName(Key):
    """The name of a stream, which is compared in the same way."""

    cache_ok = True
    longest = TAG_LENGTH


class _Word(sa.TypeDecorator[str]):
    """A member of one of our enumerations, such as `Kind`."""

    impl = sa.String
    cache_ok = True

    def bind_processor(self, dialect: sa.Dialect) -> Callable[[Any], Any]:
        """Convert to plain `str`, which drivers process faster than a member of a `StrEnum`."""
        del dialect
        return _as_word


def _without_offset(value: datetime | None) -> datetime | None:
    return value and value.astimezone(UTC).replace(tzinfo=None)


@lru_cache(4096)  # a batch has the same times in several rows
def _as_text(value: datetime | None) -> str | None:
    # The format that SQLAlchemy writes and reads: to the microsecond, without the offset.
    return value.astimezone(UTC).isoformat(" ", "microseconds")[:26] if value else None


def _in_utc(value: datetime | None) -> datetime | None:
    return value and value.astimezone(UTC)


def _with_offset(value: datetime | None) -> datetime | None:
    return value and value.replace(tzinfo=UTC)


@lru_cache(4096)  # the rows of many senders have the same hours
def _from_text(value: str | None) -> datetime | None:
    return datetime.fromisoformat(f"{value}+00:00") if value else None


def _without_nul(value: str | None) -> str | None:
    return value and value.replace("\x00", "\N{REPLACEMENT CHARACTER}")


def _as_word(value: str | None) -> str | None:
    return value and str(value)


# A SHA-256 in hex.
Digest = sa.String(64)
Word = _Word(64)
AccountId = _Word(16)
Region = _Word(64)
AutoId = sa.BigInteger().with_variant(sa.Integer, "sqlite")
