"""The column types as the migrations up to 0003 made them. They never change.

A migration states what a database consisted of at its time, so it must not follow the types of
`sesbounce.store.columns`, which may change later.
"""

import re

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

_KEY_LENGTH = 320
_TIMED = re.compile("[0-9a-f]{16}-")

Digest = sa.String(64)
Word = sa.String(64)
AutoId = sa.BigInteger().with_variant(sa.Integer, "sqlite")
UtcDateTime = (
    sa.DateTime()
    .with_variant(sa.DateTime(timezone=True), "postgresql")
    .with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
)
# On PostgreSQL VARCHAR without a length, which holds as much as TEXT.
Words = (
    sa.Text()
    .with_variant(sa.String(), "postgresql")
    .with_variant(mysql.MEDIUMTEXT(collation="utf8mb4_bin"), "mysql", "mariadb")
)
Key = sa.String(_KEY_LENGTH).with_variant(
    mysql.VARCHAR(_KEY_LENGTH, collation="utf8mb4_bin"), "mysql", "mariadb"
)


def in_time(digits: str, mail_id: str | None) -> str:
    """Replace the first of 64 hex digits by the mail's time, if its id begins with one."""
    if mail_id and _TIMED.match(mail_id):
        return mail_id[:16] + digits[16:]
    return digits
