"""`sesbounce import --from-ses`: boto3 asks a server that answers as SES's API does."""

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from botocore.config import Config
from click.testing import CliRunner, Result

from sesbounce.aws import suppression_list
from sesbounce.cli import main, progress
from sesbounce.errors import StoreError
from sesbounce.store.store import Store
from tests import stored
from tests.stored import rows, table
from tests.unit.sesbounce.ses_stub import Answer, SesStub, serving

DUBLIN, VIRGINIA = "eu-west-1", "us-east-1"
AT = datetime(2026, 3, 10, 21, 3, 5, 104_000, tzinfo=UTC)
DAY = timedelta(days=1)
COMMAND = [sys.executable, "-c", "from sesbounce.cli import main; main()"]
THROTTLED = Answer(429, "TooManyRequestsException", "Too many requests")


@pytest.fixture
def ses() -> Iterator[SesStub]:
    with serving() as stub:
        yield stub


@pytest.fixture(autouse=True)
def environment(ses: SesStub, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_PROFILE", "AWS_DEFAULT_REGION", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SESV2", ses.url)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_REGION", DUBLIN)
    # boto3 would keep the credentials of the test before.
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)


@pytest.fixture(autouse=True)
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suppression_list, "_SECONDS_A_CALL", 0.0)
    monkeypatch.setattr(suppression_list, "_FIRST_PAUSE_SECONDS", 0.01)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3 retries nothing by itself, for it waits for seconds."""
    config = Config(retries={"total_max_attempts": 1})
    monkeypatch.setattr(suppression_list, "_CONFIG", config)


@pytest.fixture(autouse=True)
def store(engine: sa.Engine) -> Store:
    return stored.store(engine)


@pytest.fixture
def seven(ses: SesStub) -> None:
    """Seven addresses in Dublin, on four pages."""
    for number in range(7):
        reason = "COMPLAINT" if number % 3 == 2 else "BOUNCE"
        ses.put(DUBLIN, f"Jane{number}@Example.com", reason, AT + number * DAY)
    ses.most = 2


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["import", *arguments], catch_exceptions=False)


def from_ses(*arguments: str) -> Result:
    return run("--from-ses", *arguments)


def addresses(engine: sa.Engine) -> list[str]:
    found = "SELECT address FROM feedback_address WHERE suppressed_since IS NOT NULL ORDER BY 1"
    return [address for (address,) in rows(engine, found)]


def janes(*numbers: int) -> list[str]:
    return [f"jane{number}@example.com" for number in numbers]


def continuation(result: Result) -> list[str]:
    """The arguments of the command that a stopped import prints."""
    _, _, command = result.stderr.strip().rpartition("To continue, run: ")
    words = shlex.split(command)
    assert words[:3] == ["sesbounce", "import", "--from-ses"]
    return words[3:]


class TestList:
    @pytest.mark.usefixtures("seven")
    def test_all_pages_are_read_and_recorded(self, ses: SesStub, engine: sa.Engine) -> None:
        result = from_ses()
        assert result.exit_code == 0, result.stderr
        assert result.stdout.splitlines() == [
            "Read SES's suppression list in eu-west-1 (7 rows): 7 rows, 0 rejected.",
            "Events by reason: 2 complaint_other, 5 permanent_failure.",
            "7 recorded, 0 known already; 7 addresses suppressed (0 rows struck off), "
            "0 released (0 rows restored).",
        ]
        assert addresses(engine) == janes(*range(7))
        assert [query["PageSize"] for _, query in ses.calls] == [["1000"]] * 4
        times = rows(engine, "SELECT occurred_at FROM feedback_event ORDER BY address")
        assert times[1][0].startswith("2026-03-11 21:03:05.104")

    def test_a_second_reading_and_the_file_add_nothing(
        self, ses: SesStub, engine: sa.Engine, tmp_path: Path
    ) -> None:
        ses.put(DUBLIN, "Jane@Example.com", "BOUNCE", AT)
        ses.put(DUBLIN, "mary@example.com", "COMPLAINT", AT + DAY)
        file = tmp_path / "list.json"
        # As `aws sesv2 list-suppressed-destinations` prints it.
        summaries = [
            {
                "EmailAddress": one.address,
                "Reason": one.reason,
                "LastUpdateTime": one.at.astimezone(UTC).isoformat(),
            }
            for one in ses.listed
        ]
        file.write_text(json.dumps({"SuppressedDestinationSummaries": summaries}, indent=4))
        assert run(str(file)).exit_code == 0
        before = [table(engine, name) for name in ("feedback_address", "feedback_event")]
        assert len(before[1]) == 2
        for _ in range(2):
            recorded = json.loads(from_ses("--json").stdout)["recorded"]
            assert (recorded["events"], recorded["duplicates"]) == (0, 2)
        assert [table(engine, name) for name in ("feedback_address", "feedback_event")] == before

    def test_the_file_after_the_reading_adds_nothing(self, ses: SesStub, tmp_path: Path) -> None:
        ses.put(DUBLIN, "Jane@Example.com", "BOUNCE", AT)
        assert from_ses().exit_code == 0
        file = tmp_path / "list.csv"
        file.write_text(f"EmailAddress,Reason,LastUpdateTime\nJane@Example.com,BOUNCE,{AT}\n")
        assert "0 recorded, 1 known already" in run(str(file)).stdout

    def test_the_sender_s_rows_are_struck_off_and_the_note_is_kept(
        self, ses: SesStub, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SESBOUNCE_STRIKE_OFF_SQL", stored.STRIKE_OFF)
        monkeypatch.setenv("SESBOUNCE_RESTORE_SQL", stored.RESTORE)
        ses.put(DUBLIN, "Jane@Example.com", "BOUNCE", AT)
        assert "(1 row struck off)" in from_ses("--note", "moved from SES").stdout
        assert rows(engine, "SELECT mailable FROM member ORDER BY email") == [(0,), (1,)]
        ((basis,),) = rows(engine, "SELECT basis FROM feedback_event")
        assert basis == "SES's suppression list; moved from SES"

    @pytest.mark.parametrize("as_json", [True, False])
    def test_an_empty_list_is_no_error(self, as_json: bool) -> None:
        result = from_ses(*(["--json"] if as_json else []))
        assert result.exit_code == 0
        if as_json:
            done = json.loads(result.stdout)
            assert (done["rows"], done["by_region"]) == (0, {DUBLIN: 0})
        else:
            assert "in eu-west-1 (0 rows): 0 rows, 0 rejected" in result.stdout
            assert "Events by reason: none." in result.stdout

    @pytest.mark.usefixtures("seven")
    def test_a_dry_run_changes_nothing(self, engine: sa.Engine) -> None:
        done = json.loads(from_ses("--dry-run", "--json").stdout)
        assert (done["dry_run"], done["rows"], done["recorded"]["events"]) == (True, 7, 7)
        assert table(engine, "feedback_event") == []

    def test_a_row_that_can_t_be_read_costs_only_itself(
        self, ses: SesStub, engine: sa.Engine
    ) -> None:
        for address in ("Jane@example.com", "nobody", "mary@example.com"):
            ses.put(DUBLIN, address, "BOUNCE", AT)
        ses.put(DUBLIN, "late@example.com", "BOUNCE", datetime(2190, 1, 1, tzinfo=UTC))
        result = from_ses()
        assert result.exit_code == 3
        assert result.stderr.splitlines() == [
            "eu-west-1, entry 2: 'nobody' is no address",
            "eu-west-1, entry 4: 2190-01-01 is in the future",
        ]
        assert addresses(engine) == ["jane@example.com", "mary@example.com"]

    def test_an_empty_page_is_not_the_end(self, ses: SesStub, engine: sa.Engine) -> None:
        ses.put(DUBLIN, "jane@example.com", "BOUNCE", AT)
        ses.put(DUBLIN, "mary@example.com", "BOUNCE", AT)
        ses.most = 1
        body = ses.answer(DUBLIN, {"PageSize": ["1"]}).body
        ses.calls.clear()
        empty = {"SuppressedDestinationSummaries": [], "NextToken": json.loads(body or b"")}
        empty["NextToken"] = empty["NextToken"]["NextToken"]
        answers = {1: Answer(200, "", body=json.dumps(empty).encode())}
        ses.before = answers.get
        assert from_ses().exit_code == 0
        assert addresses(engine) == ["mary@example.com"]

    def test_a_token_that_does_not_move_on_is_an_error(self, ses: SesStub) -> None:
        body = {"SuppressedDestinationSummaries": [], "NextToken": "W10="}
        ses.answer = lambda *_: Answer(  # type: ignore[method-assign]
            200, "", body=json.dumps(body).encode()
        )
        result = from_ses()
        assert result.exit_code == 2
        assert "the list has no end, because each page is the same" in result.stderr


@pytest.mark.usefixtures("seven")
class TestFilters:
    @pytest.mark.parametrize(
        ("kind", "expected"), [("bounces", (0, 1, 3, 4, 6)), ("complaints", (2, 5))]
    )
    def test_by_reason(self, engine: sa.Engine, kind: str, expected: tuple[int, ...]) -> None:
        assert f"the {kind} of SES's suppression list" in from_ses("--list", kind).stdout
        assert addresses(engine) == janes(*expected)

    def test_by_date(self, ses: SesStub, engine: sa.Engine) -> None:
        assert from_ses("--since", "2026-03-12", "--until", "2026-03-14T22:00:00").exit_code == 0
        assert addresses(engine) == janes(2, 3, 4)
        _, query = ses.calls[0]
        assert (query["StartDate"], query["EndDate"]) == (
            ["2026-03-12T00:00:00Z"],
            ["2026-03-14T22:00:00Z"],
        )


class TestRegions:
    @pytest.fixture(autouse=True)
    def both(self, ses: SesStub) -> None:
        ses.most = 2
        for number in range(3):
            ses.put(DUBLIN, f"jane{number}@example.com", "BOUNCE", AT)
        ses.put(VIRGINIA, "jane2@example.com", "BOUNCE", AT)  # on both lists
        ses.put(VIRGINIA, "jane3@example.com", "COMPLAINT", AT)

    def test_each_has_a_list_of_its_own(self, engine: sa.Engine) -> None:
        regions = ["--region", VIRGINIA, "--region", DUBLIN, "--region", VIRGINIA]
        result = from_ses(*regions, "--json")
        done = json.loads(result.stdout)
        assert done["by_region"] == {VIRGINIA: 2, DUBLIN: 3}
        assert (done["recorded"]["events"], done["recorded"]["duplicates"]) == (4, 1)
        assert addresses(engine) == janes(0, 1, 2, 3)

    def test_the_default_is_that_of_the_environment(
        self, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_REGION", VIRGINIA)
        assert "us-east-1 (2 rows)" in from_ses().stdout
        assert addresses(engine) == janes(2, 3)

    @pytest.mark.usefixtures("impatient")
    def test_what_stops_in_the_second_goes_on_there(self, ses: SesStub, engine: sa.Engine) -> None:
        denied = Answer(403, "AccessDeniedException", "User: x is not authorized")
        ses.before = {3: denied}.get
        options = ["--region", DUBLIN, "--region", VIRGINIA, "--note", "it's ours"]
        result = from_ses(*options)
        assert result.exit_code == 2
        assert "suppression list in us-east-1 (ses:ListSuppressedDestinations)" in result.stderr
        assert "3 rows recorded. To continue, run: " in result.stderr
        arguments = continuation(result)
        assert arguments == ["--region=us-east-1", "--note=it's ours"]
        assert "us-east-1 (2 rows)" in from_ses(*arguments).stdout
        assert addresses(engine) == janes(0, 1, 2, 3)


@pytest.mark.usefixtures("seven")
class TestResume:
    @pytest.fixture(autouse=True)
    def without_retries(self, impatient: None) -> None:
        pass

    def test_each_page_is_committed_and_the_rest_follows(
        self, ses: SesStub, engine: sa.Engine
    ) -> None:
        ses.before = {3: Answer(403, "ExpiredTokenException", "the token is expired")}.get
        options = ["--since", "2026-03-01", "--until", "2026-05-01T12:00:00", "--json"]
        result = from_ses(*options)
        assert result.exit_code == 2
        assert "the AWS credentials have expired; get new ones. 4 rows recorded." in result.stderr
        assert addresses(engine) == janes(0, 1, 2, 3)
        arguments = continuation(result)
        assert arguments[:3] == [
            "--region=eu-west-1",
            "--since=2026-03-01T00:00:00",
            "--until=2026-05-01T12:00:00",
        ]
        assert arguments[3].startswith("--resume=")
        assert arguments[4:] == ["--json"]
        ses.calls.clear()
        done = json.loads(from_ses(*arguments).stdout)
        assert (done["rows"], done["recorded"]["events"]) == (3, 3)
        assert len(ses.calls) == 2  # no page that is recorded already
        assert addresses(engine) == janes(*range(7))

    def test_repeating_everything_is_right_as_well(self, ses: SesStub) -> None:
        ses.before = {3: Answer(500, "InternalFailure")}.get
        assert from_ses().exit_code == 2
        ses.before = lambda _: None
        assert "3 recorded, 4 known already" in from_ses().stdout

    def test_a_database_that_fails_in_the_middle(
        self, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        turns = iter([True, False])
        record = Store.record

        def fail(*arguments: object) -> object:
            if not next(turns, True):
                raise StoreError("the batch was not recorded: disk full")
            return record(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(Store, "record", fail)
        result = from_ses()
        assert result.exit_code == 2
        assert "the batch was not recorded: disk full. 2 rows recorded." in result.stderr
        assert from_ses(*continuation(result)).exit_code == 0
        assert addresses(engine) == janes(*range(7))

    def test_a_token_that_has_expired_meanwhile(self, ses: SesStub) -> None:
        ses.before = {3: Answer(400, "InvalidNextTokenException", "")}.get
        result = from_ses()
        assert "the token is wrong or has expired. 4 rows recorded." in result.stderr
        arguments = continuation(result)
        assert arguments == ["--region=eu-west-1"]
        ses.before = lambda _: None
        assert "3 recorded, 4 known already" in from_ses(*arguments).stdout

    @pytest.mark.parametrize("token", ["nonsense", "WzIsICJvdGhlciJd"])
    def test_a_wrong_token_of_a_person(self, token: str) -> None:
        result = from_ses("--resume", token)
        assert result.exit_code == 2
        assert "the token is wrong or has expired" in result.stderr
        assert continuation(result) == ["--region=eu-west-1"]

    def test_a_stopped_dry_run_has_nothing_to_continue(self, ses: SesStub) -> None:
        ses.before = {2: Answer(403, "AccessDeniedException")}.get
        result = from_ses("--dry-run")
        assert result.exit_code == 2
        assert result.stderr.endswith(". 2 rows read; nothing was changed\n")


@pytest.mark.usefixtures("seven")
class TestThrottling:
    def test_calls_are_a_second_apart(self, ses: SesStub, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(suppression_list, "_SECONDS_A_CALL", 0.3)
        assert from_ses().exit_code == 0
        first, *others = ses.times
        # The client measures from the call, and the server from its arrival.
        assert len(others) == 3
        assert others[-1] - first >= 0.9 - 0.1

    def test_a_throttled_call_is_retried(self, ses: SesStub, engine: sa.Engine) -> None:
        ses.before = {2: THROTTLED}.get
        assert from_ses().exit_code == 0
        assert addresses(engine) == janes(*range(7))

    @pytest.mark.usefixtures("impatient")
    def test_long_throttling_is_waited_for(self, ses: SesStub, engine: sa.Engine) -> None:
        ses.before = dict.fromkeys(range(2, 9), THROTTLED).get
        assert from_ses().exit_code == 0
        assert len(ses.calls) == 4 + 7
        assert addresses(engine) == janes(*range(7))

    @pytest.mark.usefixtures("impatient")
    def test_throttling_without_an_end_says_how_to_go_on(
        self, ses: SesStub, engine: sa.Engine
    ) -> None:
        ses.before = lambda call: THROTTLED if call > 2 else None
        result = from_ses()
        assert result.exit_code == 2
        assert "TooManyRequestsException: Too many requests: other programs call" in result.stderr
        ses.before = lambda _: None
        assert from_ses(*continuation(result)).exit_code == 0
        assert addresses(engine) == janes(*range(7))

    def test_the_progress_is_shown(self, ses: SesStub, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(progress, "_LINE_SECONDS", 0.05)
        monkeypatch.setattr(suppression_list, "_SECONDS_A_CALL", 0.3)
        lines = from_ses().stderr.splitlines()
        assert "importing from SES: 2 rows (reading the list in eu-west-1)" in lines
        assert "importing from SES: 6 rows (reading the list in eu-west-1)" in lines


class TestErrors:
    @pytest.fixture(autouse=True)
    def without_retries(self, impatient: None) -> None:
        pass

    @pytest.mark.parametrize(
        ("answer", "advice"),
        [
            (
                Answer(403, "AccessDeniedException", "User: x is not authorized to perform: y"),
                "AccessDeniedException: User: x is not authorized to perform: y: allow your AWS "
                "user or role ses:ListSuppressedDestinations on the resource *",
            ),
            (
                Answer(403, "UnrecognizedClientException", "The token is invalid."),
                "The token is invalid: the AWS credentials are wrong, or the account has not "
                "enabled this region",
            ),
            (
                Answer(403, "ExpiredTokenException", "expired"),
                "the AWS credentials have expired; get new ones",
            ),
            (
                Answer(200, "", body=b"<html>", content_type="text/html"),
                "the answer is not one of SES: check the network",
            ),
        ],
    )
    def test_what_ses_rejects_says_what_to_do(
        self, ses: SesStub, answer: Answer, advice: str
    ) -> None:
        ses.before = lambda _: answer
        result = from_ses()
        assert result.exit_code == 2
        assert "can't read SES's suppression list in eu-west-1 " in result.stderr
        assert advice in result.stderr
        assert result.stderr.endswith(". Nothing was recorded\n")

    def test_no_credentials(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        result = from_ses()
        assert result.exit_code == 2
        assert "Unable to locate credentials: name a profile in AWS_PROFILE" in result.stderr

    def test_no_answer(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL_SESV2", "http://127.0.0.1:1")
        result = from_ses("--region", "eu-west-9")
        assert result.exit_code == 2
        assert "SES can't be reached (EndpointConnectionError): check the network" in result.stderr
        assert "whether SES is in this region" in result.stderr

    def test_no_region(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("AWS_REGION")
        result = from_ses()
        assert result.exit_code == 2
        assert "AWS_REGION is not set: name the region to use" in result.stderr

    def test_a_wrong_region_is_named_before_anything_is_read(self, ses: SesStub) -> None:
        result = from_ses("--region", DUBLIN, "--region", "Ireland")
        assert result.exit_code == 2
        assert "the region is 'Ireland', which is no region" in result.stderr
        assert ses.calls == []

    @pytest.mark.parametrize(
        ("arguments", "problem"),
        [
            ([], "give either a FILE or --from-ses"),
            (["--from-ses", "list.csv"], "give either a FILE or --from-ses"),
            (["--from-ses", "--at", "2026-01-01"], "--at needs a FILE"),
            (["--from-ses", "--format", "ses"], "--format needs a FILE"),
            (["--from-ses", "--encoding", "utf-8"], "--encoding needs a FILE"),
            (["--from-ses", "--list", "blocks"], "bounces and complaints, and no blocks"),
            (["list.csv", "--region", DUBLIN], "--region needs --from-ses"),
            (["list.csv", "--since", "2026-01-01"], "--since needs --from-ses"),
            (["list.csv", "--until", "2026-01-01"], "--until needs --from-ses"),
            (["list.csv", "--resume", "x"], "--resume needs --from-ses"),
        ],
    )
    def test_wrong_arguments(
        self,
        ses: SesStub,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        arguments: list[str],
        problem: str,
    ) -> None:
        monkeypatch.chdir(tmp_path)
        Path("list.csv").write_text("address,reason\njane@example.com,unsubscribed\n")
        result = run(*arguments)
        assert result.exit_code == 2
        assert problem in result.stderr
        assert ses.calls == []


@pytest.mark.usefixtures("seven")
def test_ctrl_c_says_how_far_it_got_and_how_to_go_on(ses: SesStub, engine: sa.Engine) -> None:
    asked, answer = threading.Event(), threading.Event()

    def wait_in_the_second(call: int) -> None:
        if call == 2:
            asked.set()
            answer.wait(60)

    ses.before = wait_in_the_second
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with subprocess.Popen(
            [*COMMAND, "import", "--from-ses"],
            env=os.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert asked.wait(60)
            process.send_signal(signal.SIGINT)
            output, said = process.communicate(timeout=60)
    finally:
        answer.set()
        signal.signal(signal.SIGINT, before)
    assert (process.returncode, output) == (130, "")
    assert "sesbounce: interrupted. 2 rows recorded. To continue, run: sesbounce import" in said
    assert addresses(engine) == janes(0, 1)
    arguments = shlex.split(said.strip().rpartition("To continue, run: ")[2])
    assert CliRunner().invoke(main, arguments[1:]).exit_code == 0
    assert addresses(engine) == janes(*range(7))
