"""Smaller indexes of the addresses, which change with each hard bounce.

It changes only indexes. On two million addresses it takes some seconds, and the workers wait for
it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0013_from_0012"
down_revision = "0012_from_0011"
branch_labels = None
depends_on = None

_ADDRESSES = "feedback_address"
# `ix_feedback_address_since` holds the same addresses in the same order, and sorts those of one
# time as well. MySQL has no index of some rows: there it keeps this one, and has not that one.
_BY_TIME = "ix_feedback_address_suppressed_since"
# The sweep looks for suppressions with an end here, and for the others in the indexes below, which
# hold only what it is to find: an address that is suppressed for good, and struck off, is in none.
_PENDING = "ix_feedback_address_pending"
_PENDING_COLUMNS = ("struck_off", "suppressed_until", "suppressed_since")
_HAS_END = "suppressed_until IS NOT NULL"
# PostgreSQL has these since version 0009. SQLite uses such an index only if its condition is
# written as in the query, where false is 0.
_WITHOUT_END = {
    "ix_feedback_address_to_strike_off": (
        "struck_off = 0 AND suppressed_until IS NULL AND suppressed_since IS NOT NULL"
    ),
    "ix_feedback_address_to_restore": (
        "struck_off = 1 AND suppressed_until IS NULL AND suppressed_since IS NULL"
    ),
}


def upgrade() -> None:
    """To this version."""
    dialect = op.get_bind().dialect.name
    if dialect == "mysql":
        return
    op.drop_index(_BY_TIME, _ADDRESSES)
    op.drop_index(_PENDING, _ADDRESSES)
    _create_index(_PENDING, *_PENDING_COLUMNS, where=_HAS_END)
    if dialect == "sqlite":
        for name, condition in _WITHOUT_END.items():
            _create_index(name, "address", where=condition)


def downgrade() -> None:
    """Back to the indexes of all addresses."""
    dialect = op.get_bind().dialect.name
    if dialect == "mysql":
        return
    if dialect == "sqlite":
        for name in _WITHOUT_END:
            op.drop_index(name, _ADDRESSES)
    op.drop_index(_PENDING, _ADDRESSES)
    op.create_index(_PENDING, _ADDRESSES, _PENDING_COLUMNS)
    op.create_index(_BY_TIME, _ADDRESSES, ["suppressed_since"])


def _create_index(name: str, *columns: str, where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, _ADDRESSES, columns, sqlite_where=condition, postgresql_where=condition)
