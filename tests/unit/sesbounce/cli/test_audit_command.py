"""`sesbounce audit` prints what people did by the other commands."""

import json
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from sesbounce.cli import main
from sesbounce.cli.recording import recording
from sesbounce.errors import StoreError
from sesbounce.privacy.keyed_hash import HashKeys
from tests import stored
from tests.support import AT

KEY = "k" * 32
LIST = "address,reason\njane@example.com,unsubscribed\nmary@example.com,unsubscribed\n"


@pytest.fixture
def run(engine: sa.Engine, url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", url)
    monkeypatch.setenv("SESBOUNCE_HASH_KEY", KEY)
    stored.store(engine, keys=HashKeys([KEY]))

    def sesbounce(*arguments: str, stdin: str | None = None) -> str:
        done = CliRunner().invoke(main, arguments, input=stdin, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    return sesbounce


def test_it_prints_what_the_commands_did(run: Callable[..., str]) -> None:
    assert run("audit") == "Nobody has done anything yet.\n"
    assert run("audit", "--json") == ""
    listed = ("import", "-", "--by", "ann", "--note", "from the old system")
    run(*listed, stdin=LIST)
    run(*listed, stdin=LIST)  # it records nothing new
    run("token", "create", "crm", "--scope", "check", "--by", "bob")
    run("token", "revoke", "crm", "--by", "carl")
    assert "by carl" in run("token", "list")
    run("incident", "open", "google", "--from", "2026-11-20", "--by", "bob", "--yes")
    run("incident", "close", "1", "--note", "it \x1b[2J ended", "--by", "ann", "--yes")
    run("allow", "mary@example.com", "--by", "ann", "--note", "asked by phone")
    run("forget", "jane@example.com", "--by", "bob", "--yes")
    hashed = HashKeys([KEY]).hashes("jane@example.com")[0].pseudonym
    assert [line.partition("Z ")[2] for line in run("audit").splitlines()] == [
        f"forgotten {hashed} by bob",
        "allowed mary@example.com by ann: asked by phone",
        r"incident closed 1: google by ann: it \x1b[2J ended",
        "incident opened 1: google by bob",
        "token revoked crm by carl",
        "token made crm by bob: check",
        "imported 2 items sesbounce by ann: from the old system",
    ]
    by_ann = [json.loads(line) for line in run("audit", "--by", "ann", "--json").splitlines()]
    assert [(one["act"], one["number"]) for one in by_ann] == [
        ("allowed", None),
        ("incident_closed", None),
        ("imported", 2),
    ]
    assert run("audit", "--act", "token_made").endswith("token made crm by bob: check\n")
    assert run("audit", "--since", "9999-01-01") == "Nothing that was done matches.\n"


@pytest.mark.parametrize(("error", "held"), [(KeyboardInterrupt, 1), (StoreError, 0)])
def test_an_import_that_was_stopped_is_in_it_with_what_it_recorded(
    run: Callable[..., str], error: type[BaseException], held: int
) -> None:
    def stopped() -> None:
        with recording(AT, "csv", "ann", None, dry_run=False) as record:
            record.recorded.events = 7
            raise error

    with pytest.raises(error):
        stopped()
    assert len(run("audit", "--json").splitlines()) == held
