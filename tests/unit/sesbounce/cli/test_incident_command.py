import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from scripts.local.ses_messages import Scenario
from sesbounce.cli import main
from sesbounce.feedback.decode import decode
from sesbounce.operations.incidents import Incidents
from sesbounce.store.engine import write
from tests import stored
from tests.stored import RESTORE, STRIKE_OFF
from tests.support import mail, said

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
# The commands look at the clock. In the middle of an hour, so that all of it is in one.
NOW = datetime.now(UTC)
BOUNCED = NOW.replace(minute=30, second=0, microsecond=0) - 5 * HOUR
LIVE, DEAD = 25, 5


def sesbounce(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, arguments, input=stdin, catch_exceptions=False)


def lines(result: Result) -> list[Any]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}"


def record(engine: sa.Engine, scenario: Scenario, at: datetime, numbers: range) -> None:
    told = [
        said(scenario, mail(f"user{n}@gmail.com", message_id=f"{scenario}-{n}"), at=at)
        for n in numbers
    ]
    stored.store(engine).record([decode(json.dumps(message)) for message in told], NOW)


FROM = ("--from", time(BOUNCED - HOUR))
GOOGLE = ("incident", "open", "google", *FROM)


@pytest.fixture
def outage(engine: sa.Engine, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five hours ago, 25 addresses with an earlier delivery bounced, and 5 others."""
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", url)
    monkeypatch.setenv("SESBOUNCE_STRIKE_OFF_SQL", STRIKE_OFF)
    monkeypatch.setenv("SESBOUNCE_RESTORE_SQL", RESTORE)
    with write(engine) as connection:
        connection.exec_driver_sql("INSERT INTO member VALUES ('User3@gmail.com', 1)")
    record(engine, Scenario.SUCCESS, NOW - 5 * DAY, range(LIVE))
    record(engine, Scenario.BOUNCE, BOUNCED, range(LIVE + DEAD))


def mailable(engine: sa.Engine) -> bool:
    return bool(stored.rows(engine, "SELECT mailable FROM member WHERE email LIKE 'User3@%'")[0][0])


def suppressed(engine: sa.Engine) -> int:
    return len(stored.rows(engine, "SELECT 1 FROM suppressed"))


@pytest.mark.usefixtures("outage")
class TestIncident:
    def test_what_the_detection_finds_is_shown_and_nothing_is_written(
        self, engine: sa.Engine
    ) -> None:
        (found,) = lines(sesbounce("incident", "suspect", "--json"))
        assert (found["provider"], found["hard"], found["known"]) == ("google", 30, 25)
        assert found["share_before"] == 0
        line = sesbounce("incident", "suspect").stdout
        assert "30 hard bounces, 25 of addresses with a delivery" in line
        assert line.endswith("; 0.00% before\n")
        assert sesbounce("incident", "list").stdout == "There is no incident.\n"
        assert suppressed(engine) == 30

    def test_the_thresholds_are_settings(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SESBOUNCE_INCIDENT_ADDRESSES", "31")
        result = sesbounce("incident", "suspect")
        assert result.stdout == "The counts of the last two days show no outage.\n"

    def test_open_releases_the_addresses_everywhere(
        self, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SESBOUNCE_WEBHOOK_URL", "https://example.com/hook")
        monkeypatch.setenv("SESBOUNCE_WEBHOOK_SECRET", "0123456789abcdef")
        assert not mailable(engine)
        result = sesbounce(*GOOGLE, "--until", time(NOW), "--note", "news", "--by", "ann", "--yes")
        assert result.exit_code == 0
        *shown, last = result.stdout.splitlines()
        assert len(shown) == 11
        assert shown[-1] == "… and 15 more; --all prints them."
        assert shown[0].startswith("user0@gmail.com: to be released (hard bounce: ")
        assert last == (
            "Incident 1 is saved: 25 addresses released (1 row restored), 0 suppressed "
            "(0 rows struck off)."
        )
        assert mailable(engine)
        assert suppressed(engine) == DEAD
        entries = stored.rows(engine, "SELECT address, entry FROM feedback_outbox")
        assert len(entries) == LIVE
        assert json.loads(dict(entries)["user3@gmail.com"])["suppressed"] is False
        (row,) = lines(sesbounce("incident", "list", "--json"))
        assert row == {
            "number": 1,
            "provider": "google",
            "from": f"{time(BOUNCED - HOUR)}Z",
            "until": f"{time(NOW)}Z",
            "state": "closed",
            "opened_by": "ann",
            "decided_by": "ann",
            "note": "news",
        }

    def test_all_lines_are_printed_on_demand(self) -> None:
        assert len(sesbounce(*GOOGLE, "--dry-run", "--all").stdout.splitlines()) == LIVE + 1

    def test_a_dry_run_changes_nothing(self, engine: sa.Engine) -> None:
        *changes, result = lines(sesbounce(*GOOGLE, "--dry-run", "--json"))
        assert len(changes) == LIVE
        assert result["totals"] == {"released": LIVE, "suppressed": 0, "changed": 0}
        assert (result["dry_run"], result["incident"]["state"]) == (True, "open")
        assert sesbounce(*GOOGLE, "--dry-run").stdout.endswith(" Nothing was changed.\n")
        assert stored.rows(engine, "SELECT * FROM feedback_incident") == []
        assert suppressed(engine) == LIVE + DEAD

    def test_a_person_confirms_the_exact_numbers(self, engine: sa.Engine) -> None:
        declined = sesbounce(*GOOGLE, stdin="n\n")
        assert declined.exit_code == 4
        assert "Z until somebody closes it, open: 25 addresses to be released" in declined.stderr
        assert suppressed(engine) == LIVE + DEAD
        assert sesbounce(*GOOGLE, stdin="").exit_code == 4
        assert sesbounce(*GOOGLE, stdin="y\n").exit_code == 0
        assert suppressed(engine) == DEAD

    @pytest.mark.parametrize("word", ["gmail.com", "@GMAIL.com"])
    def test_a_domain_is_as_good_as_a_provider(self, engine: sa.Engine, word: str) -> None:
        assert sesbounce("incident", "open", word, *FROM, "--yes").exit_code == 0
        assert suppressed(engine) == DEAD

    def test_an_unknown_word_lists_the_providers(self) -> None:
        result = sesbounce("incident", "open", "gogle", *FROM)
        assert result.exit_code == 2
        assert "gogle is neither a domain nor the name of a provider" in result.stderr
        assert ", google, " in result.stderr

    @pytest.mark.parametrize(
        ("arguments", "problem"),
        [
            (("open", "google"), "--from is missing"),
            (("open", "1", *FROM), "--from goes with a provider"),
            (("open", "1"), "there is no incident 1"),
            (("show", "1"), "there is no incident 1"),
            (("close", "1"), "there is no incident 1"),
            (("close", "1", "--withdraw", "--until", "2026-11-20"), "Give either"),
            (("open", "google", *FROM, "--until", "2020-01-01"), "give a later --until"),
        ],
    )
    def test_mistakes_are_errors(self, arguments: tuple[str, ...], problem: str) -> None:
        result = sesbounce("incident", *arguments)
        assert result.exit_code == 2
        assert problem in result.stderr

    def test_closing_suppresses_what_bounced_later(self, engine: sa.Engine) -> None:
        sesbounce(*GOOGLE, "--yes")
        result = sesbounce("incident", "close", "1", "--until", time(BOUNCED), "--yes")
        assert result.stdout.endswith("25 suppressed (1 row struck off).\n")
        assert not mailable(engine)
        assert suppressed(engine) == LIVE + DEAD

    def test_without_a_time_it_ends_now(self, engine: sa.Engine) -> None:
        sesbounce(*GOOGLE, "--yes")
        assert sesbounce("incident", "close", "1", "--note", "over", "--yes").exit_code == 0
        assert suppressed(engine) == DEAD
        (row,) = lines(sesbounce("incident", "list", "--json"))
        assert (row["state"], row["note"]) == ("closed", "over")
        assert row["until"] >= f"{time(NOW)}Z"

    def test_a_withdrawn_one_counts_no_more_until_it_is_opened(self, engine: sa.Engine) -> None:
        sesbounce(*GOOGLE, "--yes")
        assert sesbounce("incident", "close", "1", "--withdraw", "--yes").exit_code == 0
        assert suppressed(engine) == LIVE + DEAD
        assert sesbounce("incident", "list").stdout == "There is no incident.\n"
        assert "  withdrawn, by " in sesbounce("incident", "list", "--all").stdout
        refused = sesbounce("incident", "close", "1")
        assert "incident 1 is withdrawn, so its hard bounces count in full" in refused.stderr
        assert sesbounce("incident", "open", "1", "--yes").exit_code == 0
        assert suppressed(engine) == DEAD
        refused = sesbounce("incident", "open", "1")
        assert refused.exit_code == 2
        assert "incident 1 is open and not withdrawn" in refused.stderr

    def test_a_suspected_one_is_opened_by_a_person_and_stays_so(self, engine: sa.Engine) -> None:
        detecting = Incidents(stored.store(engine), "warn")
        assert detecting.sweep(NOW).current == 1
        (row,) = lines(sesbounce("incident", "list", "--json"))
        assert (row["state"], row["opened_by"], row["decided_by"]) == (
            "suspected",
            "sesbounce",
            None,
        )
        concerned = lines(sesbounce("incident", "show", "1", "--json"))[0]
        assert (concerned["addresses"], concerned["kept"]) == (LIVE + DEAD, LIVE)
        assert sesbounce("incident", "open", "1", "--by", "ann", "--yes").exit_code == 0
        assert suppressed(engine) == DEAD
        assert detecting.sweep(NOW + HOUR).changed == []
        assert suppressed(engine) == DEAD
        shown = sesbounce("incident", "show", "1").stdout
        assert "closed, by ann: 30 hard bounces, 25 of addresses" in shown
        assert shown.endswith("It concerns 30 addresses, and keeps 25 of them from suppression.\n")

    def test_a_statement_that_the_database_rejects_is_said(self, engine: sa.Engine) -> None:
        with write(engine) as connection:
            connection.exec_driver_sql(
                "CREATE TRIGGER no BEFORE UPDATE ON member BEGIN SELECT RAISE(ABORT, 'no'); END"
            )
        result = sesbounce(*GOOGLE, "--yes")
        assert result.exit_code == 3
        assert "rejected a statement for 1 address; the worker retries it" in result.stderr
        assert suppressed(engine) == DEAD
