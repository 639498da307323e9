"""The command `doctor`: what it prints, and which checks it makes."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from sesbounce.cli import main


def doctor(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["doctor", *arguments], catch_exceptions=False)


@pytest.fixture(autouse=True)
def database(url: str, migrated: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database without events, and no queue."""
    file = Path(url.removeprefix("sqlite:///"))
    shutil.copy(migrated, file)
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", url)
    monkeypatch.delenv("SESBOUNCE_QUEUE_URL", raising=False)
    return file


def test_without_a_queue_it_checks_the_database() -> None:
    result = doctor()
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    reason = ": SESBOUNCE_QUEUE_URL is not set, so there is no queue to begin with"
    (skipped,) = (line for line in lines if line.endswith(reason))
    assert skipped.startswith("skipped  aws.credentials, aws.region, ")
    assert ", sqs.queue, " in skipped
    assert "ok       database.schema: the tables are those that this version needs" in lines
    assert lines[-1].startswith("nothing broken, 1 hint, ")


def test_a_database_that_is_not_there_is_broken_and_not_created(database: Path) -> None:
    database.unlink()
    result = doctor("--only", "database")
    assert result.exit_code == 1
    first, second, total = result.stdout.splitlines()
    assert first.startswith("broken   database.connection: there is no database ")
    assert second.startswith("skipped  database.schema, database.view, ")
    assert ": there is no database " in second
    assert total == "1 broken, 10 skipped."
    assert not database.exists()


def test_checks_are_chosen_and_printed_as_json() -> None:
    result = doctor("--json", "--only", "database", "--ignore", "database.last-event")
    results = [json.loads(line) for line in result.stdout.splitlines()]
    names = {found["id"] for found in results}
    assert names >= {"database.schema", "database.view"}
    assert "database.last-event" not in names
    assert {found["status"] for found in results} == {"ok", "skipped"}
    assert len(names) == len(results)  # each in an object of its own, also if skipped


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--only", "sqs.que"), "there is no check 'sqs.que'. There are: aws.clock, "),
        (("--ignore", "data"), "there is no check 'data'"),
        (("--roundtrip",), "--roundtrip needs the sender of the mails: --from ADDRESS"),
        (("--timeout", "0"), "--timeout"),
    ],
)
def test_a_wrong_option_is_an_error(arguments: tuple[str, ...], said: str) -> None:
    result = doctor(*arguments)
    assert result.exit_code == 2
    assert said in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("--ignore", "database"),
        ("--only", "database", "--ignore", "database"),
        ("--timeout", "1e-9"),
        ("--timeout", "nan"),
    ],
)
def test_where_no_check_was_made_nothing_is_said_to_be_in_order(arguments: tuple[str, ...]) -> None:
    result = doctor("--json", *arguments)
    assert result.exit_code == 2
    assert "no check was made" in result.stderr
    found = [json.loads(line)["status"] for line in result.stdout.splitlines()]
    assert set(found) <= {"skipped"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "does not hold a state: write it with `terraform show -json"),
        ("[]", "does not hold a state"),
        ("{}", "There is no stack: deploy it first"),
    ],
)
def test_a_file_that_holds_no_state_is_an_error(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "state.json"
    file.write_text(text)
    result = doctor("--terraform", str(file))
    assert result.exit_code == 2
    assert said in result.stderr
