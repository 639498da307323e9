"""The function, with a database in a file."""

import gc
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric import rsa

from sesbounce.aws import secrets
from sesbounce.aws.depth import Depth
from sesbounce.aws.sns_trust import Trust
from sesbounce.errors import CertificateError, ConfigurationError, RowError, StoreError
from sesbounce.lambda_function.function import Function
from sesbounce.opening import open_store
from sesbounce.outbound.relay import Relay
from sesbounce.store import migrate
from sesbounce.store.engine import open_database
from sesbounce.store.store import Store
from sesbounce.store.workers import Mode, read_workers
from tests.certificates import self_signed, signed
from tests.invoking import SWEEP, Remaining, bounced, failures, messages
from tests.stored import RESTORE, STRIKE_OFF, make_members, rows
from tests.support import disposed, in_sns


@pytest.fixture
def engine(url: str, variables: pytest.MonkeyPatch) -> Iterator[sa.Engine]:
    """The function's database, which holds nothing yet."""
    with disposed(open_database(url)) as engine:
        yield engine


def metrics(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The metrics of the last invocation that are no zeros."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    names = [m["Name"] for m in lines[0]["_aws"]["CloudWatchMetrics"][0]["Metrics"]]
    return {name: lines[0][name] for name in names if lines[0][name]}


def test_a_batch_is_recorded_once(function: Function, engine: sa.Engine) -> None:
    event = messages(bounced(), bounced("mary@example.com", "mail-2"))
    assert function.invoke(event, Remaining()) == failures()
    assert function.invoke(event, Remaining()) == failures()
    suppressed = rows(engine, "SELECT address FROM suppressed ORDER BY 1")
    assert suppressed == [("jane@example.com",), ("mary@example.com",)]
    assert rows(engine, "SELECT COUNT(*) FROM feedback_event") == [(2,)]


def test_a_message_that_is_twice_in_a_batch_is_recorded_once(
    function: Function, engine: sa.Engine
) -> None:
    """SQS may deliver a message twice, and SES may publish an event twice."""
    event = messages(bounced(), bounced())
    event["Records"].append(event["Records"][0] | {"receiptHandle": "of the second delivery"})
    assert function.invoke(event, Remaining()) == failures()
    assert rows(engine, "SELECT COUNT(*) FROM feedback_event") == [(1,)]


def test_without_the_schema_all_messages_stay_until_somebody_has_made_it(
    function: Function, variables: pytest.MonkeyPatch, engine: sa.Engine
) -> None:
    variables.setenv("SESBOUNCE_MIGRATE", "false")
    with engine.connect():  # creates the file
        pass
    for _ in range(2):
        with pytest.raises(StoreError, match="none of sesbounce's tables"):
            function.invoke(messages(bounced()), Remaining())
    migrate.upgrade(engine)
    assert function.invoke(messages(bounced()), Remaining()) == failures()


def test_only_what_is_not_recorded_stays_in_the_queue(
    function: Function, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = Store.record

    def reject_mary(self: Store, recordings: Any, now: Any) -> Any:
        if any(event.address == "mary@example.com" for r in recordings for event in r.events):
            raise RowError("the row is too long")
        return record(self, recordings, now)

    monkeypatch.setattr(Store, "record", reject_mary)
    event = messages(bounced(), "no JSON", bounced("mary@example.com", "mail-2"), in_sns("setup"))
    assert function.invoke(event, Remaining()) == failures(1, 2, 3)
    assert rows(engine, "SELECT address FROM suppressed") == [("jane@example.com",)]


def test_an_unusable_database_keeps_all_messages_and_is_opened_afresh(
    function: Function, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert function.invoke(messages(bounced()), Remaining()) == failures()
    with monkeypatch.context() as patch:

        def fail(*_arguments: object) -> None:
            raise StoreError("the database is gone")

        patch.setattr(Store, "record", fail)
        with pytest.raises(StoreError, match="gone"):
            function.invoke(messages(bounced("mary@example.com", "mail-2")), Remaining())
    before = len(opened := count_openings(monkeypatch))
    event = messages(bounced("mary@example.com", "mail-2"))
    assert function.invoke(event, Remaining()) == failures()
    assert function.invoke(event, Remaining()) == failures()
    assert len(opened) == before + 1


def count_openings(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    opened: list[object] = []

    def count(*arguments: Any, **more: Any) -> Any:
        opened.append(arguments)
        return open_store(*arguments, **more)

    monkeypatch.setattr("sesbounce.lambda_function.function.open_store", count)
    return opened


def test_an_unknown_error_keeps_all_messages_and_closes_the_database(
    function: Function, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = messages(bounced())
    with monkeypatch.context() as patch:

        def fail(*_arguments: object) -> None:
            raise KeyError("a bug")

        patch.setattr(Store, "record", fail)
        with pytest.raises(KeyError, match="a bug"):
            function.invoke(event, Remaining())
    opened = count_openings(monkeypatch)
    assert function.invoke(event, Remaining()) == failures()
    assert len(opened) == 1


def test_what_is_opened_in_part_is_closed(
    function: Function, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[str] = []

    @contextmanager
    def open_and_say_so(*arguments: Any, **more: Any) -> Iterator[Any]:
        with open_store(*arguments, **more) as opened:
            yield opened
        closed.append("closed")

    def fail(*_arguments: object, **_more: object) -> None:
        raise ConfigurationError("a wrong topic")

    monkeypatch.setattr("sesbounce.lambda_function.function.open_store", open_and_say_so)
    monkeypatch.setattr("sesbounce.lambda_function.function.Trust", fail)
    with pytest.raises(ConfigurationError, match="a wrong topic"):
        function.invoke(messages(bounced()), Remaining())
    assert closed == ["closed"]


def test_a_reopened_database_leaves_no_garbage(
    function: Function, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `gc.freeze` has set apart is never freed: it is done once."""
    frozen: list[int] = []
    monkeypatch.setattr(gc, "freeze", lambda: frozen.append(1))
    monkeypatch.setattr(gc, "get_freeze_count", lambda: len(frozen))
    for _ in range(3):
        function.invoke(messages(bounced()), Remaining())
        function.close()
    assert frozen == [1]


def test_a_database_that_fails_in_the_middle_of_a_batch_keeps_the_rest(
    function: Function, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, calls = Store.record, []

    def fail(self: Store, recordings: Any, now: Any) -> Any:
        calls.append(recordings)
        if len(calls) == 1:
            raise RowError("a row is too long")
        if len(calls) == 3:
            raise StoreError("the database is gone")
        return record(self, recordings, now)

    monkeypatch.setattr(Store, "record", fail)
    event = messages(bounced(), bounced("mary@example.com", "mail-2"))
    assert function.invoke(event, Remaining()) == failures(1)
    assert rows(engine, "SELECT address FROM suppressed") == [("jane@example.com",)]


def test_no_time_left_keeps_all_messages(function: Function, engine: sa.Engine) -> None:
    assert function.invoke(messages(bounced()), Remaining(0)) == failures(0)


HOST = "sns.us-east-1.amazonaws.com"


def test_a_certificate_that_is_missing_is_fetched_within_the_invocation(
    function: Function,
    variables: pytest.MonkeyPatch,
    engine: sa.Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key, fetched = rsa.generate_private_key(65537, 2048), []
    pem, _ = self_signed(HOST, tmp_path, key)

    def fetch(url: str) -> bytes:
        fetched.append(url)
        if url == urls[1]:
            raise CertificateError("SNS can't be reached")
        return pem.read_bytes()

    urls = [f"https://{HOST}/SimpleNotificationService-{number}.pem" for number in range(2)]
    variables.setenv("SESBOUNCE_VERIFY_SIGNATURES", "true")
    monkeypatch.setattr("sesbounce.lambda_function.function.Trust", partial(Trust, fetch=fetch))
    event = messages(
        signed(bounced(), key, urls[0]),
        signed(bounced("mary@example.com", "mail-2"), key, urls[1]),
        bounced("bob@example.com", "mail-3"),
    )
    assert function.invoke(event, Remaining()) == failures(1, 2)
    assert fetched == urls
    assert rows(engine, "SELECT address FROM suppressed") == [("jane@example.com",)]


def test_no_certificate_is_fetched_where_no_time_is_left(
    function: Function,
    variables: pytest.MonkeyPatch,
    engine: sa.Engine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Lambda would return the messages that are recorded, and SQS move them to the DLQ at last."""

    def fetch(url: str) -> bytes:
        raise AssertionError(url)

    key = rsa.generate_private_key(65537, 2048)
    variables.setenv("SESBOUNCE_VERIFY_SIGNATURES", "true")
    monkeypatch.setattr("sesbounce.lambda_function.function.Trust", partial(Trust, fetch=fetch))
    event = messages(signed(bounced(), key, f"https://{HOST}/SimpleNotificationService-0.pem"))
    # Less than a fetch may take.
    assert function.invoke(event, Remaining(11)) == failures(0)
    assert rows(engine, "SELECT COUNT(*) FROM feedback_event") == [(0,)]


# --- The outbox and the sweep


@pytest.fixture
def theirs(tmp_path: Path, variables: pytest.MonkeyPatch) -> Iterator[sa.Engine]:
    """The sender's tables in another database, which the outbox reaches."""
    url = f"sqlite:///{tmp_path}/theirs.sqlite3"
    variables.setenv("SESBOUNCE_STRIKE_OFF_DATABASE_URL", url)
    variables.setenv("SESBOUNCE_STRIKE_OFF_SQL", STRIKE_OFF)
    with disposed(open_database(url)) as theirs:
        make_members(theirs, "jane@example.com", "mary@example.com")
        yield theirs


def test_the_outbox_is_delivered_after_a_batch(function: Function, theirs: sa.Engine) -> None:
    function.invoke(messages(bounced()), Remaining())
    struck = rows(theirs, "SELECT email FROM member WHERE mailable = 0")
    assert struck == [("jane@example.com",)]


def test_without_time_the_outbox_waits_for_a_sweep(function: Function, theirs: sa.Engine) -> None:
    # Less than an exchange may take.
    assert function.invoke(messages(bounced()), Remaining(11)) == failures()
    assert rows(theirs, "SELECT email FROM member WHERE mailable = 0") == []
    assert function.invoke(SWEEP, Remaining()) == {}
    struck = rows(theirs, "SELECT email FROM member WHERE mailable = 0")
    assert struck == [("jane@example.com",)]


def test_a_sweep_without_time_for_a_single_step_is_an_error(
    function: Function, theirs: sa.Engine, variables: pytest.MonkeyPatch
) -> None:
    """Each sweep would do nothing, and nobody would notice."""
    variables.setenv("SESBOUNCE_STRIKE_OFF_SECONDS", "60")
    function.invoke(messages(bounced()), Remaining())
    with pytest.raises(ConfigurationError, match=r"60 seconds left.* may take 60: set the timeout"):
        function.invoke(SWEEP, Remaining(60.4))
    assert rows(theirs, "SELECT email FROM member WHERE mailable = 0") == []
    assert function.invoke(SWEEP, Remaining(90)) == {}
    assert rows(theirs, "SELECT COUNT(*) FROM member WHERE mailable = 0") == [(1,)]


def test_a_slow_target_is_left_to_the_sweep_where_little_time_is_left(
    function: Function, theirs: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that Lambda ends returns to the queue, with what is recorded."""
    monkeypatch.setattr(Relay, "longest_seconds", 40.0)
    assert function.invoke(messages(bounced()), Remaining(40)) == failures()
    assert rows(theirs, "SELECT COUNT(*) FROM member WHERE mailable = 0") == [(0,)]
    assert function.invoke(SWEEP, Remaining(40)) == {}
    assert rows(theirs, "SELECT COUNT(*) FROM member WHERE mailable = 0") == [(1,)]


def test_a_failing_outbox_keeps_no_message(
    function: Function, theirs: sa.Engine, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object) -> None:
        raise StoreError("the database is gone")

    with monkeypatch.context() as patch:
        patch.setattr(Relay, "drain", fail)
        assert function.invoke(messages(bounced()), Remaining()) == failures()
        with pytest.raises(StoreError, match="gone"):
            function.invoke(SWEEP, Remaining())
    assert function.invoke(SWEEP, Remaining()) == {}
    assert rows(theirs, "SELECT COUNT(*) FROM member WHERE mailable = 0") == [(1,)]


def test_a_sweep_releases_what_has_expired(
    function: Function, engine: sa.Engine, variables: pytest.MonkeyPatch
) -> None:
    with disposed(open_database(str(engine.url))) as own:
        make_members(own, "jane@example.com")
    variables.setenv("SESBOUNCE_STRIKE_OFF_SQL", STRIKE_OFF)
    variables.setenv("SESBOUNCE_RESTORE_SQL", RESTORE)
    function.invoke(messages(bounced()), Remaining())
    assert rows(engine, "SELECT mailable FROM member") == [(0,)]
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "UPDATE feedback_address SET suppressed_until = '2000-01-01 00:00:00.000000'"
        )
    assert function.invoke(SWEEP, Remaining()) == {}
    assert rows(engine, "SELECT mailable FROM member") == [(1,)]


# --- What operators see


def test_each_invocation_prints_its_own_metrics(
    function: Function, variables: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    variables.setenv("SESBOUNCE_EMF", "true")
    function.invoke(messages(bounced(), "no JSON"), Remaining())
    printed = metrics(capsys)
    assert printed.pop("OldestMessageAge") >= 0
    seconds = {name: printed.pop(name) for name in ("BatchSeconds", "CommitSeconds")}
    assert [len(values) for values in seconds.values()] == [1, 1]
    assert printed == {
        "MessagesReceived": 2,
        "EventsRecorded": 1,
        "AddressesSuppressed": 1,
        "Undecodable": 1,
        "MessagesDeleted": 1,
        "MessagesReturned": 1,
        "Healthy": 1,
    }
    function.invoke(SWEEP, Remaining())
    assert metrics(capsys) == {"Healthy": 1}


def test_an_unusable_database_is_no_health(
    function: Function,
    variables: pytest.MonkeyPatch,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    variables.setenv("SESBOUNCE_EMF", "true")

    def fail(*_arguments: object) -> None:
        raise StoreError("the database is gone")

    monkeypatch.setattr(Store, "record", fail)
    with pytest.raises(StoreError):
        function.invoke(messages(bounced()), Remaining())
    (line,) = capsys.readouterr().out.splitlines()
    values = json.loads(line)
    assert (values["Healthy"], values["MessagesReceived"], values["MessagesReturned"]) == (0, 1, 1)
    assert values["EventsRecorded"] == values["MessagesDeleted"] == 0


def test_the_log_is_json_without_addresses_or_secrets(
    function: Function,
    variables: pytest.MonkeyPatch,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    url: str,
) -> None:
    variables.delenv("SESBOUNCE_DATABASE_URL")
    variables.setenv("SESBOUNCE_SECRETS", json.dumps({"SESBOUNCE_DATABASE_URL": "arn:a:ssm:b:c"}))
    monkeypatch.setattr(secrets, "read_secret", lambda _reference: url)
    function.invoke(messages(bounced(), "no JSON of jane@example.com"), Remaining())
    written = capsys.readouterr().err
    events = [json.loads(line)["event"] for line in written.splitlines()]
    assert events == ["message not understood", "batch"]
    assert "jane" not in written
    assert url not in written


def test_a_wrong_setting_is_an_error_of_each_invocation(
    function: Function, variables: pytest.MonkeyPatch
) -> None:
    variables.setenv("SESBOUNCE_STRIKES", "none")
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="SESBOUNCE_STRIKES"):
            function.invoke(SWEEP, Remaining())


def test_the_handler_loads_only_what_it_needs() -> None:
    code = "import sys, sesbounce.lambda_function.handler; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert "sesbounce.worker.batch" in loaded
    unwanted = {"boto3", "click", "prometheus_client", "multiprocessing"}
    unwanted |= {f"sesbounce.worker.{name}" for name in ("loop", "poller", "acknowledge")}
    assert loaded & unwanted == set()


# --- What the console shows


def test_the_environments_of_a_function_share_a_row_that_says_what_one_of_them_sees(
    function: Function, engine: sa.Engine
) -> None:
    function.invoke(messages(bounced()), Remaining())
    with engine.connect() as connection:
        (row,) = read_workers(connection)
    assert (row.id, row.host, row.mode) == ("sesbounce", "sesbounce", Mode.LAMBDA)
    assert row.queue == "feedback"
    assert row.oldest_seconds is not None
    assert row.polled_at is not None
    assert row.depth == Depth()
    other = Function()
    other.invoke(SWEEP, Remaining())
    other.close()
    with engine.connect() as connection:
        (later,) = read_workers(connection)
    assert later.seen_at > row.seen_at
    assert later.oldest_seconds is None


def test_an_invocation_writes_no_row_within_a_minute_of_the_last_one_or_without_time(
    function: Function, engine: sa.Engine
) -> None:
    function.invoke(messages(bounced()), Remaining(11))
    assert rows(engine, "SELECT * FROM feedback_worker") == []
    function.invoke(messages(bounced("mary@example.com", "mail-2")), Remaining())
    written = rows(engine, "SELECT * FROM feedback_worker")
    assert len(written) == 1
    function.invoke(messages(bounced("bob@example.com", "mail-3")), Remaining())
    assert rows(engine, "SELECT * FROM feedback_worker") == written
