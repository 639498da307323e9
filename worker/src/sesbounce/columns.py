"""Column types that mean the same on every database."""

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from sesbounce.address import MAX_LENGTH


class UtcDateTime(sa.TypeDecorator[datetime]):
    """A moment, to the microsecond.

    PostgreSQL keeps it as `timestamptz`, the others in UTC without an offset.
    """

    impl = sa.DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> Any:
        """What the database calls it."""
        if dialect.name == "postgresql":
            return dialect.type_descriptor(sa.DateTime(timezone=True))
        if dialect.name == "mysql":
            return dialect.type_descriptor(mysql.DATETIME(fsp=6))
        return dialect.type_descriptor(sa.DateTime())

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """To the database: UTC."""
        if value is None or dialect.name == "postgresql":
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:
        """From the database: UTC, aware."""
        del dialect
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class Words(sa.TypeDecorator[str]):
    """Text that others wrote, of up to 16 MiB. PostgreSQL takes no NUL; nobody misses one."""

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> Any:
        """What the database calls it: MySQL's `TEXT` ends at 64 KiB."""
        if dialect.name == "mysql":
            return dialect.type_descriptor(mysql.MEDIUMTEXT(collation="utf8mb4_bin"))
        return dialect.type_descriptor(sa.Text())

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:
        """To the database."""
        del dialect
        return value and value.replace("\x00", "\N{REPLACEMENT CHARACTER}")


class Key(Words):
    """The key of an address: compared byte by byte, whatever the database's collation."""

    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> Any:
        """What the database calls it."""
        if dialect.name == "mysql":
            return dialect.type_descriptor(mysql.VARCHAR(MAX_LENGTH, collation="utf8mb4_bin"))
        return dialect.type_descriptor(sa.String(MAX_LENGTH))


# A SHA-256 in hex, and a word of our own lists.
Digest = sa.String(64)
Word = sa.String(64)
AutoId = sa.BigInteger().with_variant(sa.Integer, "sqlite")
