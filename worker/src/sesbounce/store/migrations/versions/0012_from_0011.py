"""What the console shows: indexes for its pages.

It adds to the schema and changes nothing else.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012_from_0011"
down_revision = "0011_from_0010"
branch_labels = None
depends_on = None

_ADDRESSES = "feedback_address"
_BY_REASON, _BY_DOMAIN = "ix_feedback_address_reason", "ix_feedback_address_domain"
# The one without the address needs to sort all suppressions of the same time, and an import makes
# many of them; a later release can drop it. On MySQL each index holds the primary key.
_BY_TIME = "ix_feedback_address_since"
# The text after the last `@`. SQLite searches from the left only: this cuts all characters but `@`
# off the right end. MariaDB has no index on an expression.
_DOMAIN = {
    "sqlite": "substr(address, length(rtrim(address, replace(address, '@', ''))) + 1)",
    "postgresql": "split_part(address, '@', -1)",
}


def upgrade() -> None:
    """To this version."""
    _create_indexes_of_lists()


def downgrade() -> None:
    """Drop what it has added."""
    _drop_indexes_of_lists()


def _create_indexes_of_lists() -> None:
    """Hold the suppressed addresses, and those of each reason and domain, in the list's order."""
    _create_index(_BY_REASON, "reason")
    if domain := _DOMAIN.get(op.get_bind().dialect.name):
        _create_index(_BY_DOMAIN, sa.text(domain))
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
    if op.get_bind().dialect.name in _DOMAIN:
        op.drop_index(_BY_TIME, _ADDRESSES)
        op.drop_index(_BY_DOMAIN, _ADDRESSES)
    op.drop_index(_BY_REASON, _ADDRESSES)
