"""Only `run` and `db upgrade` create a database, and no command creates tables unasked."""

import os
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from sesbounce.cli import PLACES, main
from sesbounce.store import migrate
from sesbounce.store.engine import open_database

ADDRESS = "jane@example.com"
KEY = "k" * 32
# How each command is called that needs a database; the other commands need none.
COMMANDS = {
    "allow": ["allow", ADDRESS],
    "audit": ["audit"],
    "check": ["check", ADDRESS],
    "check --file": ["check", "--file", "list.csv"],
    "db check": ["db", "check"],
    "db current": ["db", "current"],
    "export": ["export"],
    "forget": ["forget", "--yes", ADDRESS],
    "gate": ["gate"],
    "gate resume": ["gate", "resume", "example.com", "--note", "mended"],
    "import": ["import", "list.csv"],
    "import --dry-run": ["import", "list.csv", "--dry-run"],
    "incident close": ["incident", "close", "1", "--yes"],
    "incident list": ["incident", "list"],
    "incident open": ["incident", "open", "google", "--from", "2026-11-20", "--yes"],
    "incident show": ["incident", "show", "1"],
    "incident suspect": ["incident", "suspect"],
    "list": ["list"],
    "outbox": ["outbox"],
    "outbox discard": ["outbox", "discard", "--target", "webhook", "--yes"],
    "outbox retry": ["outbox", "retry", "--yes"],
    "prune": ["prune", "--older-than", "1d", "--yes"],
    "rebuild": ["rebuild"],
    "rebuild --counts": ["rebuild", "--counts"],
    "rebuild --dry-run": ["rebuild", "--dry-run"],
    "serve": ["serve"],
    "stats": ["stats"],
    "suppress": ["suppress", ADDRESS],
    "token create": ["token", "create", "crm", "--scope", "check"],
    "token list": ["token", "list"],
    "token revoke": ["token", "revoke", "crm"],
    "webhook list": ["webhook", "list"],
    "why": ["why", ADDRESS],
}
CREATING = {"db", "run"}
WITHOUT = {"decode", "dlq", "doctor", "health"}  # or they begin at the queue


def sesbounce(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, catch_exceptions=False)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a list, and no setting of a database."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("SESBOUNCE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("SESBOUNCE_HASH_KEY", KEY)
    (tmp_path / "list.csv").write_text(f"address,reason\n{ADDRESS},unsubscribed\n")
    return tmp_path


@pytest.fixture
def foreign(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database of somebody else."""
    file = folder / "shop.sqlite3"
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("CREATE TABLE member (email TEXT, mailable INTEGER)")
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", f"sqlite:///{file}")
    return file


def tables(file: Path) -> set[str]:
    engine = open_database(f"sqlite:///{file}", read_only=True)
    found = set(sa.inspect(engine).get_table_names())
    engine.dispose()
    return found


def run(monkeypatch: pytest.MonkeyPatch, settings: Mapping[str, str]) -> Result:
    """`run`, which fails at the queue: AWS has no such region."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "nonsense")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("SESBOUNCE_QUEUE_URL", "http://127.0.0.1:9/q")
    for name, value in settings.items():
        monkeypatch.setenv(f"SESBOUNCE_{name}", value)
    result = sesbounce("run")
    assert result.exit_code == 2
    return result


def test_every_command_is_here() -> None:
    assert {name.split()[0] for name in COMMANDS} | CREATING | WITHOUT == set(PLACES)


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("url", [None, "sqlite:///there.sqlite3", "sqlite:///file:a%20b?uri=true"])
def test_a_command_creates_no_database(
    folder: Path, monkeypatch: pytest.MonkeyPatch, command: str, url: str | None
) -> None:
    if url:
        monkeypatch.setenv("SESBOUNCE_DATABASE_URL", url)
    result = sesbounce(*COMMANDS[command])
    assert result.exit_code == 2
    assert ADDRESS not in result.stdout
    assert f"there is no database {folder}/" in result.stderr
    assert "create one with `sesbounce db upgrade`" in result.stderr
    assert [path.name for path in folder.iterdir()] == ["list.csv"]


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///", "sqlite:///:memory:"])
def test_no_command_writes_to_a_database_that_ends_with_the_process(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", url)
    memory = "SESBOUNCE_DATABASE_URL is a database in memory"
    assert memory in run(monkeypatch, {}).stderr
    for arguments in (["db", "upgrade"], ["suppress", ADDRESS], ["serve"]):
        result = sesbounce(*arguments)
        assert (result.exit_code, result.stdout) == (2, "")
        assert memory in result.stderr


@pytest.mark.parametrize("command", sorted(COMMANDS.keys() - {"db check", "db current"}))
def test_a_command_creates_no_table_in_a_foreign_database(foreign: Path, command: str) -> None:
    before = foreign.read_bytes()
    result = sesbounce(*COMMANDS[command])
    assert result.exit_code == 2
    assert "the database has none of sesbounce's tables" in result.stderr
    assert "run `sesbounce db upgrade`" in result.stderr
    assert tables(foreign) == {"member"}
    if command in {"audit", "check", "list", "why", "stats", "export", "outbox"}:
        assert foreign.read_bytes() == before


@pytest.mark.parametrize("command", ["suppress", "allow", "import", "forget", "rebuild"])
def test_a_command_that_writes_does_not_migrate_an_older_schema(
    folder: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    url = f"sqlite:///{folder}/old.sqlite3"
    engine = open_database(url)
    migrate.upgrade(engine, "0003")
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", url)
    result = sesbounce(*COMMANDS[command])
    assert result.exit_code == 2
    assert (
        f"has version 0003, and this sesbounce needs {migrate.number(migrate.newest())}:"
        in result.stderr
    )
    assert "run `sesbounce db upgrade`" in result.stderr
    assert migrate.current(engine) == "0003"
    engine.dispose()


def test_a_question_to_an_older_schema_says_what_to_do(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{folder}/old.sqlite3"
    engine = open_database(url)
    migrate.upgrade(engine, "0001")
    engine.dispose()
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", url)
    result = sesbounce("outbox")
    assert result.exit_code == 2
    assert "run `sesbounce db upgrade`" in result.stderr


def test_run_creates_a_database_of_its_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "AWS_ENDPOINT_URL" in run(monkeypatch, {}).stderr
    assert "feedback_event" in tables(folder / "sesbounce.sqlite3")


def test_run_creates_no_table_in_a_foreign_database_unasked(
    foreign: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run(monkeypatch, {})
    assert "the database holds other tables (member) and none of sesbounce's" in result.stderr
    assert tables(foreign) == {"member"}


def test_run_creates_no_table_in_a_foreign_database_whose_tables_the_statement_does_not_fit(
    foreign: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = run(monkeypatch, {"STRIKE_OFF_SQL": "DELETE FROM subscriber WHERE a = :address"})
    assert "SESBOUNCE_STRIKE_OFF_SQL does not fit the database" in result.stderr
    assert tables(foreign) == {"member"}


def test_db_check_names_the_statement_that_is_wrong_and_not_the_tables_that_are_missing(
    foreign: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", f"sqlite:///{foreign}")
    monkeypatch.setenv("SESBOUNCE_STRIKE_OFF_SQL", "UPDATE member SET email = NULL")
    result = CliRunner().invoke(main, ["db", "check"])
    assert result.exit_code == 2
    assert "SESBOUNCE_STRIKE_OFF_SQL must select the rows of an address" in result.stderr


@pytest.mark.parametrize(
    "settings",
    [
        {"MIGRATE": "true"},
        {"STRIKE_OFF_SQL": "DELETE FROM member WHERE email = :address"},
        {"RESTORE_SQL": "UPDATE member SET mailable = 1 WHERE email = :address"},
    ],
)
def test_run_creates_its_tables_beside_others_when_told(
    foreign: Path, monkeypatch: pytest.MonkeyPatch, settings: Mapping[str, str]
) -> None:
    assert "AWS_ENDPOINT_URL" in run(monkeypatch, settings).stderr
    assert {"member", "feedback_event"} <= tables(foreign)


def test_db_upgrade_creates_its_tables_beside_others(foreign: Path) -> None:
    assert sesbounce("db", "upgrade").exit_code == 0
    assert {"member", "feedback_event"} <= tables(foreign)
