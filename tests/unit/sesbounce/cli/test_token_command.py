import json
from datetime import date

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from sesbounce.cli import main
from sesbounce.store import tokens
from tests import stored


@pytest.fixture
def run(url: str, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", url)
    return CliRunner()


def test_a_token_is_printed_once_listed_without_it_and_revoked(
    engine: sa.Engine, run: CliRunner
) -> None:
    asked = ["token", "create", "crm", "--scope", "check", "--scope", "decide", "--by", "jane"]
    made = run.invoke(main, [*asked, "--expires-in", "90d"])
    assert made.exit_code == 0
    secret = made.stdout.strip()
    listed = run.invoke(main, ["token", "list"]).stdout
    assert listed.startswith("crm: check, decide; made 20")
    assert "by jane, valid until 20" in listed
    assert listed.endswith(", never used\n")
    tokens.note_use(engine, "crm", date(2026, 11, 20))
    assert run.invoke(main, ["token", "list"]).stdout.endswith(", last used 2026-11-20\n")
    assert secret not in listed
    assert tokens.digest(secret) == stored.rows(engine, "SELECT hash FROM feedback_token")[0][0]
    taken = run.invoke(main, asked)
    assert (taken.exit_code, taken.stdout) == (2, "")
    assert "there is a token crm already" in taken.stderr
    revoked = json.loads(run.invoke(main, ["token", "revoke", "crm", "--json"]).stdout)
    assert (revoked["name"], revoked["revoked_at"] is None) == ("crm", False)
    assert ", revoked 20" in run.invoke(main, ["token", "list"]).stdout


@pytest.mark.usefixtures("engine")
def test_json_holds_the_token_and_what_it_permits(run: CliRunner) -> None:
    assert "There is no token." in run.invoke(main, ["token", "list"]).stdout
    made = run.invoke(main, ["token", "create", "all", "--scope", "admin", "--json"])
    token = json.loads(made.stdout)
    assert (token["name"], token["scopes"], token["expires_at"]) == ("all", ["admin"], None)
    assert token["token"].startswith("sesbounce_")
    assert "valid without an end" in run.invoke(main, ["token", "list"]).stdout


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["create", "crm"], "Missing option '--scope'"),
        (["create", "crm", "--scope", "all"], "'all' is not one of"),
        (["create", "crm", "--scope", "read", "--expires-in", "soon"], "soon"),
        (["revoke", "crm"], "there is no token crm"),
    ],
)
def test_what_is_wrong_is_said(run: CliRunner, arguments: list[str], problem: str) -> None:
    result = run.invoke(main, ["token", *arguments])
    assert result.exit_code == 2
    assert problem in result.stderr
