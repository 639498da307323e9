"""`sesbounce dlq` on the command line; the queue is in memory."""

import json
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from sesbounce.aws import clients
from sesbounce.aws.queue_calls import CONFIG
from sesbounce.cli import main
from sesbounce.cli.dlq_text import duration
from sesbounce.cli.person import user
from sesbounce.dead_letters import moving, opening
from sesbounce.errors import StoreError
from sesbounce.store.store import Store
from tests import stored
from tests.stored import rows
from tests.support import in_sns, mail, said
from tests.unit.sesbounce.dead_letter_queue import FakeSqs, rejected

MAIN = "https://sqs.us-east-1.amazonaws.com/000000000000/feedback"
URL = f"{MAIN}-dlq"
GOOD = [in_sns(said(about=mail(f"person{n}@example.com", f"m{n}"))) for n in range(3)]
BAD = ["no JSON: jane@example.com \x1b[2J", "no JSON either"]
DENIED = {
    "ErrorCode": {"DataType": "String", "StringValue": "KMS.AccessDeniedException"},
    "ErrorMessage": {"DataType": "String", "StringValue": "jane@example.com may not"},
}


@pytest.fixture
def sqs(monkeypatch: pytest.MonkeyPatch) -> FakeSqs:
    fake = FakeSqs([*GOOD, *BAD])
    fake.sent_at = int((datetime.now(UTC) - timedelta(days=13)).timestamp() * 1000)
    monkeypatch.setattr(clients, "open_client", lambda *_: fake)
    monkeypatch.setattr(moving, "_LOOK_SECONDS", 0.001)
    return fake


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("SESBOUNCE_QUEUE_URL", MAIN)
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", url)
    monkeypatch.setattr(opening, "main_dead_letter_queue", lambda *_: URL)


def run(*arguments: str, code: int = 0, answer: str | None = None) -> Result:
    done = CliRunner().invoke(main, ["dlq", *arguments], input=answer)
    assert done.exit_code == code, done.output
    return done


def audited(engine: sa.Engine) -> list[Any]:
    return rows(engine, "SELECT act, done_by, subject, number FROM feedback_act ORDER BY id")


def fingerprint(sqs: FakeSqs) -> str:
    groups = [json.loads(line) for line in run("list", "--json").stdout.splitlines()]
    return str(next(g["fingerprint"] for g in groups if not g["understood"]))


def test_list_groups_and_says_when_they_expire(sqs: FakeSqs) -> None:
    printed = run("list").stdout
    first, heads, *groups = printed.splitlines()
    assert first == (
        "5 dead letters in feedback-dlq, in 2 groups; this version understands 3 of them."
    )
    assert heads.split() == ["count", "understood", "first", "last", "expires", "in", "cause"]
    understood, broken = sorted(groups, key=lambda line: "not JSON" in line)
    assert understood.split()[:2] == ["3", "3"]
    assert understood.endswith(" Bounce")
    assert broken.split()[:2] == ["2", "0"]
    assert broken.endswith("(at $)")
    assert all("23 h 59 min" in line for line in groups)
    assert len(sqs.visible) == 5


def test_list_as_json(sqs: FakeSqs) -> None:
    sqs.message_attributes["id-4"] = DENIED
    sqs.hidden["id-0"] = "theirs"
    done = run("list", "--json", "--older", "12d")
    groups = [json.loads(line) for line in done.stdout.splitlines()]
    assert sorted((g["code"] or "", g["count"], g["understood"]) for g in groups) == [
        ("", 1, 0),
        ("", 2, 2),
        ("KMS.AccessDeniedException", 1, 0),
    ]
    denied = next(g for g in groups if g["code"])
    assert denied["problem"] == "…@example.com may not"
    assert 0 < denied["expires_in_seconds"] <= 86400
    assert "About 1 more dead letter is in flight" in done.stderr


def test_list_of_nothing(sqs: FakeSqs) -> None:
    assert run("list", "--newer", "1h").stdout == "No dead letter matches.\n"
    sqs.bodies.clear()
    assert run("list").stdout == "No dead letter in feedback-dlq.\n"


def test_show_prints_one_with_hidden_addresses(sqs: FakeSqs) -> None:
    sqs.message_attributes["id-3"] = DENIED
    printed = run("show", "--not-understood").stdout
    head, code, says, body = printed.splitlines()
    assert head.startswith("Letter id-3, sent ")
    assert head.endswith(", expires in 23 h 59 min, 2 receives")
    assert code.strip() == "KMS.AccessDeniedException: …@example.com may not"
    assert says.startswith("  not understood: ")
    assert body == r"no JSON: …@example.com \x1b[2J"
    assert r"jane@example.com" in run("show", "id-3", "--unredacted").stdout
    assert len(sqs.visible) == 5


def test_show_prints_those_that_are_named(sqs: FakeSqs) -> None:
    lines = run("show", "id-1", "id-4", "--json").stdout.splitlines()
    shown = [json.loads(line) for line in lines]
    assert [(one["id"], one["understood"]) for one in shown] == [("id-1", True), ("id-4", False)]
    assert "person1" not in shown[0]["body"]
    assert run("show", "another").stdout == "No dead letter matches.\n"
    assert len(run("show", "--limit", "9", "--json").stdout.splitlines()) == 5


@pytest.mark.parametrize(
    ("command", "question"),
    [
        (["replay"], "Record 3 dead letters in the database? [y/N]: "),
        (["redrive"], "Send 5 dead letters back to the queue? [y/N]: "),
        (["delete", "--output", "x.jsonl"], "Delete 5 dead letters from feedback-dlq? [y/N]: "),
    ],
)
def test_a_person_confirms_the_number_under_the_filter(
    sqs: FakeSqs,
    command: list[str],
    question: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert question in run(*command, code=4, answer="n\n").stderr
    assert "nothing was changed" in run(*command, code=4, answer="").stderr
    assert "Nothing was changed" in run(*command, "--dry-run").stdout
    assert len(sqs.visible) == 5
    assert sqs.sent == []
    assert list(tmp_path.glob("*.jsonl")) == []


@pytest.mark.parametrize("command", ["replay", "redrive"])
def test_nothing_to_do(sqs: FakeSqs, command: str) -> None:
    nothing, *advice = run(command, "--newer", "1h").stdout.splitlines()
    assert nothing == "No dead letter matches; 5 dead letters looked at."
    # Letters that it does not understand are why `replay` most often finds none.
    assert ["`sesbounce dlq delete`" in line for line in advice] == [True] * (command == "replay")
    as_json = json.loads(run(command, "--newer", "1h", "--json").stdout)
    assert as_json == {"selected": 0, "dry_run": False, "done": 0}


def test_replay_records_what_is_understood_and_leaves_the_rest(
    sqs: FakeSqs, engine: sa.Engine
) -> None:
    stored.store(engine)
    printed = run("replay", answer="y\n").stdout
    assert printed.splitlines()[-2:] == [
        "3 dead letters recorded.",
        "3 events recorded, 0 known already; 3 addresses suppressed (0 rows struck off), "
        "0 released (0 rows restored).",
    ]
    assert sorted(sqs.visible) == sorted(BAD)
    sqs.bodies |= {f"again-{n}": body for n, body in enumerate(GOOD)}
    done = json.loads(run("replay", "--yes", "--json").stdout)
    assert done["done"] == 3
    assert (done["recorded"]["events"], done["recorded"]["duplicates"]) == (0, 3)
    assert rows(engine, "SELECT count(*) FROM feedback_event") == [(3,)]
    assert audited(engine) == [("letters_recorded", user(), "feedback-dlq", 3)] * 2


def test_replay_without_a_database_keeps_all(
    sqs: FakeSqs, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored.store(engine)

    def away(*_: object) -> None:
        raise StoreError("the database is away")

    monkeypatch.setattr(Store, "record", away)
    assert "sesbounce: the database is away" in run("replay", "--yes", code=2).stderr
    assert len(sqs.visible) == 5


def test_redrive_has_sqs_move_all(sqs: FakeSqs, engine: sa.Engine) -> None:
    finished = {"Status": "COMPLETED", "ApproximateNumberOfMessagesMoved": 5}
    sqs.tasks = [finished]
    command = ["redrive", "--yes", "--rate", "100", "--by", "ann"]
    assert run(*command).stdout == "5 dead letters sent back.\n"
    assert "StartMessageMoveTask" in sqs.calls
    assert sqs.sent == []
    assert audited(engine) == [("letters_sent_back", "ann", "feedback-dlq", 5)]


@pytest.mark.parametrize(
    "selected",
    [["--queue", "subscription", "--queue-url", URL], ["--older", "1d"], ["--to", MAIN]],
)
def test_redrive_sends_each_letter_where_sqs_does_not_move_them(
    sqs: FakeSqs, selected: list[str]
) -> None:
    assert run("redrive", "--yes", *selected).stdout == "5 dead letters sent back.\n"
    assert "StartMessageMoveTask" not in sqs.calls
    assert (sorted(sqs.sent), sqs.bodies) == (sorted([*GOOD, *BAD]), {})


def test_redrive_says_why_sqs_does_not_move_them(sqs: FakeSqs) -> None:
    def refuse(call: str) -> None:
        if call == "ListMessageMoveTasks":
            raise rejected("UnsupportedOperation", "not supported")

    sqs.before = refuse
    done = run("redrive", "--yes")
    assert "one by one, because SQS does not move them itself" in done.stderr
    assert len(sqs.sent) == 5


def test_export_leaves_the_letters(sqs: FakeSqs, engine: sa.Engine, tmp_path: Path) -> None:
    file = tmp_path / "dead.jsonl"
    run("export", "--understood", "--output", str(file), "--by", "ann")
    subject = "feedback-dlq understood=yes"
    assert audited(engine) == [("letters_exported", "ann", subject, 3)]
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert sorted(line["body"] for line in lines) == sorted(GOOD)
    assert len(sqs.visible) == 5
    assert len(run("export").stdout.splitlines()) == 5


def test_export_says_what_it_lacks(sqs: FakeSqs, tmp_path: Path) -> None:
    def take(call: str) -> None:
        # Between the two passes.
        if call == "ChangeMessageVisibilityBatch":
            del sqs.bodies["id-4"], sqs.hidden["id-4"]
            sqs.before = lambda _: None

    sqs.before = take
    done = run("export", "--output", str(tmp_path / "dead.jsonl"), code=3)
    assert "1 dead letter not handled (1 did not come back, because others" in done.stderr


def test_delete_writes_the_letters_first(sqs: FakeSqs, engine: sa.Engine, tmp_path: Path) -> None:
    file = tmp_path / "dead.jsonl"

    def look(call: str) -> None:
        if call == "DeleteMessageBatch":
            assert len(file.read_text().splitlines()) == 2

    sqs.before = look
    chosen = fingerprint(sqs)
    run("delete", "--fingerprint", chosen, "--output", str(file), answer="y\n")
    assert sorted(sqs.visible) == sorted(GOOD)
    # A second run does not write over the first one's file.
    assert "File exists" in run("delete", "--output", str(file), "--yes", code=2).stderr
    assert len(sqs.visible) == 3
    subject = f"feedback-dlq fingerprint={chosen}"
    assert audited(engine) == [("letters_deleted", user(), subject, 2)]


def test_an_error_in_the_middle_says_how_far_it_came(
    sqs: FakeSqs, engine: sa.Engine, tmp_path: Path
) -> None:
    def deny(call: str) -> None:
        if call == "DeleteMessageBatch" and len(sqs.bodies) < 5:
            raise rejected("AccessDenied", "not authorized")

    sqs.before = deny
    file = str(tmp_path / "dead.jsonl")
    done = run("delete", "--output", file, "--rate", "2", "--yes", code=2)
    assert "5 dead letters received, 2 handled before this error:" in done.stderr
    assert "sqs:DeleteMessage on" in done.stderr
    assert len(sqs.visible) == 3
    assert audited(engine) == [("letters_deleted", user(), "feedback-dlq", 2)]


def test_letters_are_handled_without_a_database_and_the_audit_lacks_it(
    sqs: FakeSqs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", "sqlite:////nowhere/x.sqlite3")
    done = run("redrive", "--older", "1d", "--yes")
    assert done.stdout == "5 dead letters sent back.\n"
    assert "sesbounce: the audit does not hold this: " in done.stderr
    assert "/nowhere" in done.stderr


@pytest.fixture
def heard() -> Iterator[None]:
    """SIGINT interrupts, as in a terminal, whatever this process inherited or ran before.

    In a process that has run `sesbounce run`, a thread would hear it, and end the process.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    heard_by = signal.set_wakeup_fd(-1)
    yield
    signal.set_wakeup_fd(heard_by, warn_on_full_buffer=False)
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("when", ["ReceiveMessage", "ChangeMessageVisibilityBatch"])
def test_ctrl_c_makes_all_visible(sqs: FakeSqs, heard: None, when: str) -> None:
    def interrupt(call: str) -> None:
        if call == when:
            sqs.before = lambda _: None
            signal.raise_signal(signal.SIGINT)

    sqs.before = interrupt
    if when == "ReceiveMessage":
        done = run("list", code=130)
        assert "interrupted: 5 dead letters received, 0 handled." in done.stderr
    else:
        run("list")  # it had looked at everything
    assert len(sqs.visible) == 5
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_at_the_question_ends_the_command(
    sqs: FakeSqs, heard: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> bool:
        signal.raise_signal(signal.SIGINT)
        raise AssertionError

    monkeypatch.setattr("click.confirm", interrupt)
    assert "interrupted" in run("redrive", code=130).stderr
    assert len(sqs.visible) == 5


@pytest.mark.parametrize("age", ["1", "d", "1y", "-1d", "99999d"])
def test_what_is_no_age(sqs: FakeSqs, age: str) -> None:
    assert "is not an age: write 30m, 12h, 3d or 2w" in run("list", "--older", age, code=2).stderr


def test_a_queue_has_to_be_known(sqs: FakeSqs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SESBOUNCE_QUEUE_URL")
    assert "SESBOUNCE_QUEUE_URL is not set" in run("list", code=2).stderr
    at = ["--queue-url", URL]
    assert "5 dead letters" in run("list", *at).stdout
    assert (
        "SESBOUNCE_QUEUE_URL is not set"
        in run("redrive", *at, "--older", "1d", "--yes", code=2).stderr
    )


def test_the_queue_of_the_subscription_is_found_by_the_topics(
    sqs: FakeSqs, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def find(*arguments: Any) -> str:
        asked.append(arguments)
        return URL

    monkeypatch.setenv("SESBOUNCE_TOPIC_ARNS", "arn:aws:sns:us-east-1:000000000000:feedback")
    monkeypatch.setattr(opening, "subscription_dead_letter_queue", find)
    run("list", "--queue", "subscription")
    assert asked == [(MAIN, ["arn:aws:sns:us-east-1:000000000000:feedback"], CONFIG)]


@pytest.mark.parametrize(
    ("left", "words"),
    [
        ({"days": 13, "hours": 4, "minutes": 59}, "13 d 4 h"),
        ({"hours": 4, "minutes": 5}, "4 h 5 min"),
        ({"minutes": 5}, "5 min"),
        ({"seconds": 5}, "now"),
        ({"days": -1}, "now"),
    ],
)
def test_the_time_that_is_left_in_words(left: dict[str, int], words: str) -> None:
    assert duration(timedelta(**left)) == words
