import json
import re
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from scripts.local.ses_messages import Scenario
from sesbounce.cli import PLACES, main
from sesbounce.errors import ConfigurationError
from sesbounce.feedback.decode import decode
from sesbounce.store import migrate
from sesbounce.store.engine import open_database, write
from sesbounce.store.migrate import newest, number
from sesbounce.store.strike_off import StrikeOff
from sesbounce.worker.loop import LoopSettings
from tests.stored import store
from tests.support import AT, bounce, in_sns, mail, said

BY_TASK = Path(__file__).parents[4] / "docs/command-line.md"


def sesbounce(*arguments: str, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(main, arguments, input=stdin, catch_exceptions=False)


@pytest.fixture
def recorded(engine: sa.Engine, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database in which jane has bounced and mary has not."""
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", url)
    messages = [said(), said(Scenario.SUCCESS, mail("mary@example.com", "mail-2"))]
    store(engine, StrikeOff()).record([decode(json.dumps(message)) for message in messages], AT)


@pytest.mark.usefixtures("recorded")
class TestQuestions:
    def test_check_says_no_and_why(self) -> None:
        result = sesbounce("check", "Jane <JANE@example.com>")
        assert result.exit_code == 1
        assert result.stdout == (
            "jane@example.com: no (hard bounce: no such mailbox (5.1.1), 2026-11-20; "
            "not to be mailed again)\n"
        )

    @pytest.mark.parametrize("address", ["mary@example.com", "stranger@example.com"])
    def test_check_says_yes(self, address: str) -> None:
        result = sesbounce("check", address)
        assert result.exit_code == 0
        assert result.stdout.startswith(f"{address}: yes (nothing ")

    @pytest.mark.parametrize("text", ["", "no address", "m\udcfcller@example.com"])
    def test_check_of_what_is_no_address_is_an_error(self, text: str) -> None:
        result = sesbounce("check", text)
        assert result.exit_code == 2
        assert result.stderr == f"sesbounce: {text!r} is no address\n"

    def test_check_answers_in_json(self) -> None:
        answer = json.loads(sesbounce("check", "jane@example.com", "--json").stdout)
        assert answer["may_mail"] is False
        assert answer["reason"] == "no_such_mailbox"
        assert answer["since"] == "2026-11-20T12:00:00Z"

    def test_why_shows_the_evidence(self) -> None:
        result = sesbounce("why", "jane@example.com")
        assert result.exit_code == 0
        assert result.stdout.splitlines()[1:] == [
            '2026-11-20 12:00:00Z  bounce: no_such_mailbox [words "user … unknown"]',
            "    smtp; 550 5.1.1 user unknown",
            "    mail mail-1",
            "    identity sender@example.com, region us-east-1, account 000000000000",
        ]
        (event,) = map(
            json.loads, sesbounce("why", "jane@example.com", "--json").stdout.split("\n")[:-1]
        )
        assert event["diagnostic"] == "smtp; 550 5.1.1 user unknown"
        assert (event["identity"], event["region"]) == ("sender@example.com", "us-east-1")
        assert event["account_id"] == "000000000000"
        assert (event["configuration_set"], event["tenant"], event["tags"]) == (None, None, None)

    def test_why_of_a_stranger_says_that_nothing_is_recorded(self) -> None:
        assert "No event is recorded" in sesbounce("why", "stranger@example.com").stdout

    def test_list_shows_the_suppressed_addresses(self) -> None:
        assert sesbounce("list").stdout.startswith("jane@example.com: no (hard bounce")
        (line,) = sesbounce("list", "--json").stdout.splitlines()
        assert json.loads(line)["address"] == "jane@example.com"
        assert sesbounce("list", "--limit", "0").exit_code == 2

    @pytest.mark.parametrize(
        ("since", "listed"),
        [
            ("2026-11-20", True),
            ("2026-11-20 12:00:00", True),
            ("2026-11-20T12:00:00Z", True),
            ("2026-11-20T12:00:00.000001Z", False),
            ("2026-11-20T14:00:00+02:00", True),
            ("2026-11-20T12:00:00-02:00", False),
        ],
    )
    def test_a_time_may_be_written_as_the_commands_print_it(self, since: str, listed: bool) -> None:
        assert bool(sesbounce("list", "--json", "--since", since).stdout) is listed

    @pytest.mark.parametrize("text", ["yesterday", "7d", "2026-13-01", "0001-01-01T00:00+14:00"])
    def test_what_is_no_time_says_how_to_write_one(self, text: str) -> None:
        result = sesbounce("list", "--since", text)
        assert result.exit_code == 2
        assert f"{text!r} is no time: write 2026-11-20, or 2026-11-20T12:30:00 (UTC)" in " ".join(
            result.stderr.split()
        )

    @pytest.mark.parametrize("options", [(), ("--dry-run",)])
    def test_rebuild_of_what_is_no_address_is_an_error(self, options: tuple[str, ...]) -> None:
        result = sesbounce("rebuild", *options, "jane@example.com", "mary example.com")
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr == (
            "sesbounce: 'mary example.com' is no address; nothing was changed\n"
        )

    def test_list_filters_and_pages(self, engine: sa.Engine) -> None:
        messages = [said(about=mail(f"{n}@Sub.example.com", f"m{n}")) for n in range(3)]
        messages += [said(Scenario.COMPLAINT, mail("c@example.com", "c"), at=AT.replace(hour=13))]
        store(engine, StrikeOff()).record([decode(json.dumps(message)) for message in messages], AT)

        def listed(*options: str) -> list[str]:
            lines = sesbounce("list", "--json", *options).stdout.splitlines()
            return [json.loads(line)["address"] for line in lines]

        assert listed("--reason", "complaint_abuse") == ["c@example.com"]
        subdomain = [f"{n}@sub.example.com" for n in (2, 1, 0)]
        assert listed("--domain", "SUB.example.com") == subdomain
        assert listed("--domain", "@example.com") == ["c@example.com", "jane@example.com"]
        assert listed("--since", "2026-11-20T12:30:00") == ["c@example.com"]
        assert listed("--limit", "1") == ["c@example.com"]
        assert listed("--offset", "4") == ["0@sub.example.com"]
        assert listed("--limit", "2", "--offset", "1") == ["jane@example.com", "2@sub.example.com"]
        assert (
            sesbounce("list", "--domain", "no.where").stdout == "No suppressed address matches.\n"
        )
        assert sesbounce("list", "--domain", "a b").exit_code == 2

    def test_people_decide_and_their_decision_reaches_the_sender_s_table(
        self, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        by_email = "WHERE lower(email) = :address"
        monkeypatch.setenv("SESBOUNCE_STRIKE_OFF_SQL", f"UPDATE member SET mailable = 0 {by_email}")
        monkeypatch.setenv("SESBOUNCE_RESTORE_SQL", f"UPDATE member SET mailable = 1 {by_email}")

        def mailable() -> int:
            with engine.connect() as connection:
                query = sa.text("SELECT mailable FROM member WHERE email LIKE 'jane%'")
                return int(connection.scalar(query) or 0)

        result = sesbounce(
            "suppress", "Mary <mary@example.com>", "x@example.com", "--note", "phone"
        )
        assert result.exit_code == 0
        assert result.stdout.startswith("mary@example.com: no (suppressed by hand (phone), ")
        assert "x@example.com: no" in result.stdout
        assert sesbounce("check", "mary@example.com").exit_code == 1

        result = sesbounce("allow", "Jane@Example.com", "--by", "ann", "--json")
        assert json.loads(result.stdout)["may_mail"] is True
        why = sesbounce("why", "jane@example.com").stdout
        assert "allowed_by_hand" in why
        assert why.endswith("\n    by ann\n")
        assert sesbounce("suppress", "jane@example.com").exit_code == 0
        assert mailable() == 0
        assert sesbounce("allow", "jane@example.com").exit_code == 0
        assert mailable() == 1

    def test_a_typing_error_among_addresses_changes_nothing(self) -> None:
        result = sesbounce("suppress", "mary@example.com", "mary example.com")
        assert result.exit_code == 2
        assert "'mary example.com' is no address" in result.stderr
        assert sesbounce("check", "mary@example.com").exit_code == 0


@pytest.mark.parametrize(
    ("version", "advice"), [(None, "Run `sesbounce db upgrade`"), ("9999_from_9998", "Update")]
)
def test_a_schema_that_does_not_fit_comes_with_what_to_do(
    url: str, monkeypatch: pytest.MonkeyPatch, version: str | None, advice: str
) -> None:
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", url)
    engine = open_database(url)
    with write(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE feedback_version (version_num TEXT)")
        if version:
            connection.exec_driver_sql(f"INSERT INTO feedback_version VALUES ('{version}')")
    engine.dispose()
    for command in ("current", "check"):
        result = sesbounce("db", command)
        assert result.exit_code == 1
        assert result.stderr.startswith(advice)


def test_the_schema_is_made_asked_for_and_compared(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", url)
    assert sesbounce("db", "current").exit_code == 2
    assert (
        sesbounce("db", "upgrade").stdout
        == f"The database's schema has version {number(newest())}.\n"
    )
    assert sesbounce("db", "upgrade").exit_code == 0
    result = sesbounce("db", "current")
    assert (result.exit_code, f"needs version {number(newest())}." in result.stdout) == (0, True)
    assert sesbounce("db", "check").stdout == "No difference.\n"
    engine = open_database(url)
    with write(engine) as connection:
        connection.exec_driver_sql("ALTER TABLE feedback_event ADD COLUMN odd TEXT")
    engine.dispose()
    result = sesbounce("db", "check")
    assert (result.exit_code, result.stderr) == (1, "")
    assert result.stdout == (
        "The table feedback_event has, and should not have, the column odd (TEXT).\n1 difference.\n"
    )


def test_a_worker_that_may_not_migrate_says_what_to_do(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SESBOUNCE_QUEUE_URL", "http://127.0.0.1:9/q")
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", url)
    monkeypatch.setenv("SESBOUNCE_MIGRATE", "false")
    result = sesbounce("run")
    assert result.exit_code == 2
    assert "create one with `sesbounce db upgrade`" in result.stderr
    engine = open_database(url)
    migrate.upgrade(engine, "0003")
    result = sesbounce("run")
    assert result.exit_code == 2
    assert "run `sesbounce db upgrade`, or set SESBOUNCE_MIGRATE=true" in result.stderr
    assert migrate.current(engine) == "0003"
    engine.dispose()


def test_list_of_an_empty_database_says_so(
    engine: sa.Engine, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(engine, StrikeOff())
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", url)
    assert sesbounce("list").stdout == "No address is suppressed.\n"
    assert sesbounce("list", "--json").stdout == ""


def test_questions_to_a_database_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", "sqlite:////nowhere/x.sqlite3")
    for command in (["check", "a@b.c"], ["why", "a@b.c"], ["list"]):
        result = sesbounce(*command)
        assert result.exit_code == 2
        assert result.stderr.startswith("sesbounce: there is no database /nowhere/x.sqlite3")


@pytest.mark.usefixtures("unmigrated")
def test_questions_to_a_database_of_somebody_else(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", url)
    result = sesbounce("list")
    assert result.exit_code == 2
    assert "the database has none of sesbounce's tables" in result.stderr


def test_run_without_a_queue_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SESBOUNCE_QUEUE_URL", raising=False)
    result = sesbounce("run")
    assert result.exit_code == 2
    assert result.stderr.startswith("sesbounce: SESBOUNCE_QUEUE_URL is not set")


def test_run_with_a_wrong_statement_stops_before_the_first_message(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nothing listens there: the statement is found to be wrong before anything is received.
    monkeypatch.setenv("SESBOUNCE_QUEUE_URL", "http://127.0.0.1:9/q")
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", url)
    monkeypatch.setenv("SESBOUNCE_STRIKE_OFF_SQL", "UPDATE membre SET x = 0 WHERE y = :address")
    result = sesbounce("run")
    assert result.exit_code == 2
    assert "SESBOUNCE_STRIKE_OFF_SQL does not fit the database" in result.stderr


def test_a_wrong_statement_is_found_in_another_database_as_well(
    url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SESBOUNCE_QUEUE_URL", "http://127.0.0.1:9/q")
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", url)
    other = tmp_path / "other.sqlite3"
    monkeypatch.setenv("SESBOUNCE_STRIKE_OFF_DATABASE_URL", f"sqlite:///{other}")
    monkeypatch.setenv("SESBOUNCE_STRIKE_OFF_SQL", "UPDATE membre SET x = 0 WHERE y = :address")
    result = sesbounce("run")
    assert result.exit_code == 2
    assert "SESBOUNCE_STRIKE_OFF_DATABASE_URL names a SQLite file that is not" in result.stderr
    assert not other.exists()
    other.touch()
    result = sesbounce("run")
    assert result.exit_code == 2
    assert "SESBOUNCE_STRIKE_OFF_SQL does not fit" in result.stderr
    assert not Path(url.removeprefix("sqlite:///")).exists()


def test_outbox_shows_what_waits_for_each_target(
    recorded: None, url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert sesbounce("outbox").stdout == "No entry waits in the outbox.\n"
    assert sesbounce("outbox", "--json").stdout == ""
    monkeypatch.setenv("SESBOUNCE_WEBHOOK_URL", "https://127.0.0.1:9/")
    monkeypatch.setenv("SESBOUNCE_WEBHOOK_SECRET", "a secret of tests")
    assert sesbounce("suppress", "mary@example.com", "ann@example.com").exit_code == 0
    (line,) = sesbounce("outbox").stdout.splitlines()
    assert re.fullmatch(
        r"webhook: 2 entries wait, after 0 attempts at most; the next is due "
        r"[0-9-]{10} [0-9:]{8}Z \(the worker has not tried yet\)",
        line,
    )
    found = json.loads(sesbounce("outbox", "--json").stdout)
    assert (found["target"], found["entries"], found["attempts"]) == ("webhook", 2, 0)


@pytest.mark.parametrize(
    ("variable", "value", "problem"),
    [
        ("AWS_ENDPOINT_URL", "localhost", "AWS_ENDPOINT_URL is no URL"),
        ("AWS_REGION", "", "AWS_REGION is not set"),
    ],
)
def test_run_with_wrong_settings_of_boto3_names_the_variable(
    url: str, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, problem: str
) -> None:
    monkeypatch.setenv("SESBOUNCE_QUEUE_URL", "http://127.0.0.1:9/q")
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", url)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv(variable, value)
    result = sesbounce("run")
    assert result.exit_code == 2
    assert problem in result.stderr


def test_a_fault_of_sesbounce_s_own_is_not_taken_for_a_no(
    recorded: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("sesbounce.store.lookup.Lookup.check", fail)
    result = sesbounce("check", "mary@example.com")
    assert result.exit_code == 70
    assert "ZeroDivisionError" in result.stderr


def test_decode_prints_one_line_a_recipient(tmp_path: Path) -> None:
    message = said()
    message["bounce"]["bouncedRecipients"] *= 2
    body = tmp_path / "message.json"
    body.write_text(in_sns(message))
    for result in (sesbounce("decode", str(body)), sesbounce("decode", stdin=in_sns(message))):
        assert result.exit_code == 0
        lines = [json.loads(line) for line in result.stdout.splitlines()]
        assert [line["address"] for line in lines] == ["jane@example.com"] * 2
        assert lines[0]["reason"] == "no_such_mailbox"


def test_decode_shows_the_chosen_tags(monkeypatch: pytest.MonkeyPatch) -> None:
    message = said(schema="event")
    message["mail"]["tags"] |= {"campaign": ["spring"], "other": ["x"]}
    monkeypatch.setenv("SESBOUNCE_TAGS", "campaign,absent")
    shown = json.loads(sesbounce("decode", stdin=in_sns(message)).stdout)["attribution"]
    assert json.loads(shown.pop("tags")) == {"campaign": "spring"}
    assert shown == {
        "configuration_set": "sesbounce",
        "identity": "sender@example.com",
        "region": "us-east-1",
        "account_id": "000000000000",
    }


def test_the_worker_keeps_the_chosen_tags(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SESBOUNCE_TAGS", "campaign,kind")
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", f"sqlite:///{tmp_path}/worker.sqlite3")
    monkeypatch.setenv("SESBOUNCE_QUEUE_URL", "http://127.0.0.1:1/queue")
    monkeypatch.setattr("sesbounce.cli.work.open_queue", lambda *_, **__: None)
    made: list[LoopSettings] = []

    class Made:
        def __init__(self, *arguments: object, **_: object) -> None:
            made.extend(one for one in arguments if isinstance(one, LoopSettings))

        def stop(self) -> None: ...

        def run(self) -> None: ...

    monkeypatch.setattr("sesbounce.cli.work.Worker", Made)
    assert sesbounce("run", "--until-empty").exit_code == 0
    assert [one.tags for one in made] == [("campaign", "kind")]


def test_decode_says_what_a_message_without_recipients_is() -> None:
    line = "Successfully validated SNS topic for Amazon SES event publishing."
    result = sesbounce("decode", "-", stdin=in_sns(line))
    assert json.loads(result.stdout) == {
        "kind": "setup",
        "type": "AmazonSnsSubscriptionSucceeded",
        "mail_id": None,
        "events": [],
    }


def test_decode_explains_the_reason_of_each_event() -> None:
    message = bounce(
        "Permanent", "General", status="5.2.1", diagnosticCode="smtp; 550 5.2.1 User unknown"
    )
    result = sesbounce("decode", "--explain", stdin=in_sns(message))
    assert result.exit_code == 0
    first, because, words, status, _type = result.stdout.splitlines()
    assert first == "jane@example.com: no_such_mailbox (hard)"
    assert because == (
        '    because of words "user … unknown"; overruled: status 5.2.1 (mailbox_disabled)'
    )
    assert words.startswith('  * words "user … unknown": no_such_mailbox (the receiving host')
    assert status.startswith("    status 5.2.1: mailbox_disabled (an exact enhanced status code; ")
    result = sesbounce("decode", "--explain", "--json", stdin=in_sns(message))
    claims = json.loads(result.stdout)["claims"]
    assert [claim["decided"] for claim in claims] == [True, False, False]
    assert claims[1]["source"].startswith("https://")


def test_decode_explains_no_message_without_recipients() -> None:
    line = "Successfully validated SNS topic for Amazon SES event publishing."
    result = sesbounce("decode", "--explain", stdin=in_sns(line))
    assert json.loads(result.stdout)["events"] == []


def test_decode_fails_with_place_and_fingerprint() -> None:
    result = sesbounce("decode", stdin=b'{"notificationType": "Bounce"}')
    assert result.exit_code == 2
    assert result.stderr.startswith("sesbounce: a Bounce without its object; fingerprint ")
    assert result.stderr.rstrip().endswith("(at $.bounce)")


@pytest.mark.parametrize("command", ["main", *PLACES])
def test_every_command_has_help(command: str) -> None:
    arguments = ["--help"] if command == "main" else [command, "--help"]
    result = sesbounce(*arguments)
    assert result.exit_code == 0
    assert result.stdout.startswith("Usage: ")


@pytest.mark.parametrize("command", PLACES)
def test_every_command_is_in_the_list_by_task(command: str) -> None:
    assert f"sesbounce {command}" in BY_TASK.read_text()


def test_a_statement_that_reads_a_large_table_for_each_address_is_a_warning_of_the_check(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", url)
    monkeypatch.setenv(
        "SESBOUNCE_STRIKE_OFF_SQL", "UPDATE reader SET off = 1 WHERE lower(email) = :address"
    )
    assert sesbounce("db", "upgrade").exit_code == 0
    engine = open_database(url)
    with write(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE reader (email TEXT, off INT)")
        connection.exec_driver_sql(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000) "
            "INSERT INTO reader SELECT i || '@example.com', 0 FROM n"
        )
    engine.dispose()
    result = sesbounce("db", "check")
    assert (result.exit_code, result.stdout) == (0, "No difference.\n")
    assert result.stderr == (
        "Warning: SESBOUNCE_STRIKE_OFF_SQL reads all of the about 12,000 rows of reader for each "
        "address: CREATE INDEX … ON reader (lower(email))\n"
    )


@pytest.mark.parametrize(("value", "direct"), [(None, True), ("false", False), ("true", True)])
def test_the_setting_decides_on_direct_requests(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str | None, direct: bool
) -> None:
    if value:
        monkeypatch.setenv("SESBOUNCE_SQS_DIRECT", value)
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", f"sqlite:///{tmp_path}/worker.sqlite3")
    monkeypatch.setenv("SESBOUNCE_QUEUE_URL", "http://127.0.0.1:1/queue")
    opened: list[object] = []

    def open_queue(*_: object, **options: object) -> None:
        opened.append(options)
        raise ConfigurationError("that is all")

    monkeypatch.setattr("sesbounce.cli.work.open_queue", open_queue)
    assert sesbounce("run", "--until-empty").exit_code == 2
    assert opened == [{"direct": direct}]
