"""One release on the database schema of the next, whose migration is made up."""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory

from scripts.local.ses_messages import Scenario
from sesbounce.errors import SchemaError
from sesbounce.feedback.manual import decide
from sesbounce.feedback.reason import Reason
from sesbounce.store import migrate
from sesbounce.store.lookup import Lookup
from sesbounce.store.result import Recorded
from tests.stored import DAY, decoded, rows, store
from tests.support import AT

# What a later release may add: a table, a column, an index, and a column of the view.
LATER = """
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "{revision}", "0013_from_0012", None, None


def upgrade():
    op.create_table("feedback_later", sa.Column("id", sa.Integer, primary_key=True))
    op.add_column("feedback_address", sa.Column("later", sa.Text))
    op.add_column("feedback_event", sa.Column("later", sa.Integer))
    op.create_index("ix_feedback_event_later", "feedback_event", ["later"])
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP VIEW suppressed")
    create = "CREATE VIEW" if op.get_bind().dialect.name == "sqlite" else "CREATE OR REPLACE VIEW"
    op.execute(
        create + " suppressed AS SELECT a.address, a.reason, a.suppressed_since,"
        " a.suppressed_until, a.why, coalesce(s.stream, '') AS stream, a.later"
        " FROM feedback_address a LEFT JOIN feedback_stream s ON s.address = a.address"
        " WHERE a.suppressed_since IS NOT NULL AND a.suppressed_until IS NULL"
    )
"""


@pytest.fixture
def next_version(tmp_path: Path) -> Path:
    """A folder for the migrations of a later release."""
    folder = tmp_path / "versions"
    folder.mkdir()
    return folder


@contextlib.contextmanager
def later_release(folder: Path, migration: str, revision: str = "0014_from_0013") -> Iterator[None]:
    """Be the release that has one migration more, until the end of the block."""
    (folder / f"{revision}.py").write_text(migration.format(revision=revision))
    own = migrate._config

    def config(connection: sa.Connection | None = None) -> Config:
        made = own(connection)
        made.set_main_option("path_separator", "newline")
        made.set_main_option("version_locations", f"sesbounce:store/migrations/versions\n{folder}")
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(migrate, "_config", config)
        patch.setattr(migrate, "_scripts", lambda: ScriptDirectory.from_config(config()))
        yield


class TestNextRelease:
    def test_the_old_release_works_on_the_next_version(
        self, engine: sa.Engine, next_version: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """This release is the old one, and the migration that a later release may bring is made up.

        So it goes while ECS rolls out that release, and after a rollback.
        """
        old = store(engine)
        old.record([decoded(Scenario.BOUNCE, 0, "jane@example.com")], AT)
        with later_release(next_version, LATER):
            migrate.upgrade(engine)
            assert migrate.number(migrate.current(engine)) == "0014"
            assert migrate.ensure(engine, migrate=False) == "0014_from_0013"
        assert old.record([decoded(Scenario.BOUNCE, 0, "jane@example.com")], AT).duplicates == 1

        migrate.upgrade(engine)  # which a rollback's task does: it changes nothing
        assert migrate.current(engine) == "0014_from_0013"
        assert migrate.drift(engine) == []
        with caplog.at_level(logging.INFO):
            rolled_back = store(engine)
        assert "newer version 0014, which this release can use" in caplog.text
        mary = decoded(Scenario.BOUNCE, 1, "mary@example.com")
        assert rolled_back.record([mary], AT).struck_rows == 1
        full = [decoded(Scenario.MAILBOX_FULL, day, "bob@example.com") for day in (-30, -29, -28)]
        rolled_back.record(full, AT - 28 * DAY)
        assert rolled_back.sweep(AT) == Recorded()
        assert (
            rolled_back.record([decide("Jane@Example.com", Reason.ALLOWED_BY_HAND, AT)], AT).events
            == 1
        )
        lookup = Lookup(engine)
        assert lookup.check("jane@example.com", AT).may_mail
        assert not lookup.check("mary@example.com", AT).may_mail
        assert len(list(lookup.why("jane@example.com"))) == 2
        assert rows(engine, "SELECT address FROM suppressed") == [("mary@example.com",)]
        with pytest.raises(SchemaError, match="knows no version after 0013"):
            migrate.downgrade(engine, "0007")

    def test_the_old_release_refuses_a_version_that_it_can_not_use(
        self, engine: sa.Engine, next_version: Path
    ) -> None:
        with later_release(next_version, LATER, "0014_from_0014"):
            migrate.upgrade(engine)
        with pytest.raises(SchemaError, match="at version 0014, which is newer"):
            store(engine)
        with pytest.raises(SchemaError, match="newer"):
            migrate.upgrade(engine)
        assert migrate.current(engine) == "0014_from_0014"
