"""What the console shows, and what its processes share.

It adds to the schema and changes nothing else.
"""

import sqlalchemy as sa
from alembic import op

from sesbounce.store.migrations.frozen import UtcDateTime, Word

revision = "0012_from_0011"
down_revision = "0011_from_0010"
branch_labels = None
depends_on = None

_ENDED_SESSIONS = "feedback_ended_session"
_TOKENS, _LAST_USED = "feedback_token", "last_used_on"


def upgrade() -> None:
    """To this version."""
    _create_ended_sessions()
    _add_last_use()


def downgrade() -> None:
    """Drop both: nobody needs to know after a day when a token was used or a session ended."""
    _drop_last_use()
    _drop_ended_sessions()


def _create_ended_sessions() -> None:
    op.create_table(
        _ENDED_SESSIONS,
        sa.Column("number", Word, nullable=False, comment="random, as the cookie holds it"),
        sa.Column("began_at", UtcDateTime, nullable=False, comment="when the person logged in"),
        sa.PrimaryKeyConstraint("number", name=f"pk_{_ENDED_SESSIONS}"),
        comment="One row for each session of the console that a person has ended lately.",
    )


def _drop_ended_sessions() -> None:
    op.drop_table(_ENDED_SESSIONS)


def _add_last_use() -> None:
    column = sa.Column(_LAST_USED, sa.Date(), comment="the last day of a request, UTC")
    op.add_column(_TOKENS, column)


def _drop_last_use() -> None:
    op.drop_column(_TOKENS, _LAST_USED)
