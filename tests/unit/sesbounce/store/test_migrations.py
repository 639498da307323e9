"""Each migration only adds, so that the release before it can use the new schema."""

from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.operations import Operations, ops
from alembic.runtime.migration import MigrationContext

from sesbounce.store import migrate
from sesbounce.store.engine import open_database
from tests.support import disposed

# The first versions were made before the rule, and no release before them can use their schema.
LAST_WITHOUT_RULE = 7

VIEWS = ("CREATE VIEW suppressed AS ", "CREATE OR REPLACE VIEW suppressed AS ")


def migrations() -> dict[str, ModuleType]:
    return {script.revision: script.module for script in migrate._scripts().walk_revisions()}


class Recorder(Operations):
    """Records the operations of a migration instead of running them."""

    def __init__(self, connection: sa.Connection) -> None:
        super().__init__(MigrationContext.configure(connection))
        self.recorded: list[ops.MigrateOperation] = []

    def invoke(self, operation: ops.MigrateOperation) -> Any:
        self.recorded.append(operation)


def operations(migration: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Recorder:
    """What a migration does to a database."""
    with disposed(open_database("sqlite://")) as engine, engine.connect() as connection:
        recorder = Recorder(connection)
        monkeypatch.setattr(migration, "op", recorder)
        migration.upgrade()
    return recorder


def harms(recorded: list[ops.MigrateOperation]) -> Iterator[str]:
    """What would disturb a release that does not know these operations."""
    created, added = set[str](), set[tuple[str, str]]()
    for each in recorded:
        match each:
            case ops.CreateTableOp():
                created.add(each.table_name)
                added |= {(each.table_name, column.name) for column in each.to_table().columns}
            case ops.AddColumnOp():
                added.add((each.table_name, each.column.name))
                if not each.column.nullable and each.column.server_default is None:
                    yield f"{each.table_name}.{each.column.name} takes no NULL"
            case ops.CreateIndexOp() if not each.unique or each.table_name in created:
                pass
            case ops.ExecuteSQLOp(sqltext=str(text)) if text.startswith(VIEWS):
                pass
            # No index of an older table is unique; and SQLite can't replace a view.
            case ops.DropIndexOp() | ops.ExecuteSQLOp(sqltext="DROP VIEW suppressed"):
                pass
            case ops.ExecuteSQLOp(sqltext=sa.Update() as update):
                names = {(str(update.table), str(column)) for column in update._values or ()}
                if not names <= added:
                    yield f"an UPDATE of {sorted(names - added)}"
            case _:
                yield type(each).__name__


def test_a_migration_adds_to_the_schema_or_says_who_can_not_use_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for revision, migration in migrations().items():
        version = int(migrate.number(revision))
        if version <= LAST_WITHOUT_RULE:
            continue
        named = migrate._ID.fullmatch(revision)
        assert named, f"{revision} is no id: see CONTRIBUTING.md"
        assert int(named["oldest"]) <= version
        if int(named["oldest"]) < version:
            assert not list(harms(operations(migration, monkeypatch).recorded)), revision


def test_the_rule_tells_additions_from_other_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    known = migrations()
    for revision in ("0005", "0006", "0007"):  # they only add
        recorded = operations(known[revision], monkeypatch).recorded
        assert recorded
        assert not list(harms(recorded)), revision
    assert list(harms(operations(known["0004"], monkeypatch).recorded))  # it renames columns
    assert list(
        harms(
            [
                ops.DropColumnOp("feedback_event", "tags"),
                ops.AddColumnOp("feedback_event", sa.Column("n", sa.Integer, nullable=False)),
                ops.CreateIndexOp("i", "feedback_event", ["mail_id"], unique=True),
                ops.ExecuteSQLOp("DELETE FROM feedback_event"),
                ops.ExecuteSQLOp(sa.update(sa.table("t", sa.column("c"))).values(c=1)),
            ]
        )
    ) == [
        "DropColumnOp",
        "feedback_event.n takes no NULL",
        "CreateIndexOp",
        "ExecuteSQLOp",
        "an UPDATE of [('t', 'c')]",
    ]


@pytest.mark.parametrize(
    ("revision", "usable"),
    [
        ("0013_from_0012", True),
        ("0012_from_0011", False),
        ("0007", False),
        ("0014_from_0013", True),
        ("0015_from_0013", True),
        ("0015_from_0014", False),
        ("0014_from_0014", False),
        ("0014", False),
        ("odd_from_0013", False),
        (None, False),
    ],
)
def test_a_newer_schema_names_the_oldest_version_that_can_use_it(
    revision: str | None, usable: bool
) -> None:
    assert migrate.newest() == "0013_from_0012", "write the cases for the newest version"
    assert migrate.is_usable(revision) is usable
