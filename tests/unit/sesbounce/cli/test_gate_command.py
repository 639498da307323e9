import json
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from sesbounce.cli import main
from tests import sending, stored
from tests.sending import ACCOUNT, IDENTITY, REGION

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


@pytest.fixture
def _in_environment(engine: sa.Engine, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", url)
    # The hour may change while the tests run, and the gate looks at "this hour".
    monkeypatch.setattr("sesbounce.cli.gate.now", lambda: NOW)


pytestmark = pytest.mark.usefixtures("_in_environment")


def gate(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["gate", *arguments], catch_exceptions=False)


def test_the_rates_are_printed_beside_their_limits(engine: sa.Engine) -> None:
    sending.count(engine, NOW, delivered=1990, hard=10, complaints=1)
    result = gate()
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].startswith(f"go on: {ACCOUNT}/{REGION}: the rates of the last 24 hours")
    assert lines[1].startswith(f"{ACCOUNT}/{REGION}: ok, ")
    assert lines[2] == (
        "    this hour: 10 hard bounces in 2,000 mails, 0.5 %, too few to judge: 5 % of the limit "
        "(warns from 5 %, stops from 10 %; AWS reviews from 5 %, pauses from 10 %)"
    )
    assert "    An estimate: the bounce rate of the last 30 days is 0.5 %" in result.stdout
    assert f"{IDENTITY} ({REGION}): ok, " in result.stdout


def test_a_stop_is_the_exit_code_and_a_person_resumes_it(engine: sa.Engine) -> None:
    sending.count(engine, NOW - 2 * DAY, delivered=700, hard=300)
    stopped = gate("--identity", f"Ann <ann@{IDENTITY}>", "--json")
    answer = json.loads(stopped.stdout)
    assert (stopped.exit_code, answer["may_send"], answer["state"]) == (1, False, "stop")
    assert [one["state"] for one in answer["senders"]] == ["stop", "stop"]
    assert gate("--stream", "critical").exit_code == 0
    assert gate("--stream", "news").stdout.startswith("stop: ")

    first = gate("resume", IDENTITY, "--by", "ann", "--note", "list cleaned")
    assert first.exit_code == 0
    assert first.stdout.startswith(f"{IDENTITY} ({REGION}) may go on. It was stopped: 300 hard")
    assert f"stop: {ACCOUNT}/{REGION}: 300 hard" in first.stdout, "the account is stopped as well"
    assert f"sesbounce gate resume {ACCOUNT}/{REGION} --note" in first.stdout
    assert gate().exit_code == 1
    account = gate("resume", f"{ACCOUNT}/{REGION}", "--by", "bob", "--note", "asked AWS")
    assert account.stdout.splitlines() == [
        f"{ACCOUNT}/{REGION} may go on. It was stopped: {answer['senders'][0]['why']}"
    ]
    resumed = gate()
    assert resumed.exit_code == 0
    assert "by ann: list cleaned" in resumed.stdout
    assert stored.rows(
        engine, "SELECT identity, resumed_by, note FROM feedback_sender_resume ORDER BY id"
    ) == [(IDENTITY, "ann", "list cleaned"), ("", "bob", "asked AWS")]
    # Only what is counted from now on stops it.
    sending.count(engine, NOW, delivered=700, hard=300)
    assert gate().exit_code == 1


def test_what_was_counted_of_the_hour_by_the_resume_does_not_count(engine: sa.Engine) -> None:
    sending.count(engine, NOW, delivered=700, hard=300)
    for name in (IDENTITY, f"{ACCOUNT}/{REGION}"):
        json.loads(gate("resume", name, "--note", "x", "--json").stdout)
    assert gate().exit_code == 0
    sending.count(engine, NOW, delivered=100, hard=100)
    assert gate().exit_code == 1


def test_what_the_counts_can_not_tell_has_an_exit_code_of_its_own(engine: sa.Engine) -> None:
    nothing = gate()
    assert (nothing.exit_code, nothing.stdout.startswith("unknown: no event was")) == (2, True)
    sending.count(engine, NOW, hard=3)
    silent = gate("--identity", IDENTITY)
    assert silent.exit_code == 2
    assert "let it publish Delivery or Send events" in silent.stdout
    assert gate("--identity", "other.example").exit_code == 2


def test_only_a_stopped_sender_can_be_resumed(engine: sa.Engine) -> None:
    sending.count(engine, NOW, delivered=10)
    result = gate("resume", IDENTITY, "--note", "x")
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"{IDENTITY} is not stopped: its state is ok" in result.stderr
    result = gate("resume", "x.example", "--note", "x")
    assert "there is no sender x.example" in result.stderr
