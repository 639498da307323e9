"""The outbox and its targets: another database, an HTTP server, SES's API as boto3 speaks it."""

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from scripts.local.ses_messages import Scenario
from sesbounce.errors import ConfigurationError, DeliveryError, StoreError, StrikeOffError
from sesbounce.feedback.decode import Decoded, decode
from sesbounce.feedback.manual import decide
from sesbounce.feedback.reason import Reason
from sesbounce.outbound.relay import Deliveries, Relay, Target
from sesbounce.outbound.targets import OtherDatabase, SesSuppressionList
from sesbounce.outbound.webhook import Webhook
from sesbounce.policy.verdict import Policy
from sesbounce.settings import load_settings
from sesbounce.store.engine import open_database, write
from sesbounce.store.outbox import Outbox, OutboxEntry, waiting
from sesbounce.store.store import Store
from sesbounce.store.strike_off import StrikeOff
from tests.support import AT, mail, said

STRIKE_OFF = "UPDATE member SET mailable = 0 WHERE lower(email) = :address"
RESTORE = "UPDATE member SET mailable = 1 WHERE lower(email) = :address"
DAY = timedelta(days=1)
Deliver = Callable[..., Deliveries]


class Pigeon:
    """A target in memory that fails as often as told."""

    name = "pigeon"

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.told: list[OutboxEntry] = []

    def deliver(self, entry: OutboxEntry) -> None:
        if self.failures:
            self.failures -= 1
            raise DeliveryError("the pigeon is lost")
        self.told.append(entry)


def at(moment: datetime) -> Callable[[], datetime]:
    """A clock that stands still."""
    return lambda: moment


def told(pigeon: Pigeon) -> list[tuple[bool, str]]:
    return [(entry.suppressed, entry.parameters["address"]) for entry in pigeon.told]


def make(engine: sa.Engine, *targets: Target) -> tuple[Store, Deliver]:
    """A store whose outbox is for the targets, and one round of deliveries to them."""
    store = Store(engine, Policy(), StrikeOff(), Outbox(target.name for target in targets))
    store.prepare()

    def deliver(
        now: Callable[[], datetime], stopping: Callable[[], bool] = lambda: False
    ) -> Deliveries:
        return Relay(engine, targets, now).deliver(stopping)

    return store, deliver


def decoded(scenario: Scenario, day: float = 0, recipient: str = "Jane@Example.com") -> Decoded:
    at = AT + day * DAY
    return decode(json.dumps(said(scenario, mail(recipient, f"mail-{day}"), at=at)))


def test_a_target_is_told_once_and_the_note_is_gone(engine: sa.Engine) -> None:
    pigeon = Pigeon()
    store, deliver = make(engine, pigeon)
    store.record([decoded(Scenario.BOUNCE)], AT)
    assert [(row["target"], row["entries"]) for row in waiting(engine)] == [("pigeon", 1)]
    assert deliver(at(AT)).delivered == 1
    assert pigeon.told[0].parameters["original"] == "Jane@Example.com"
    assert pigeon.told[0].parameters["reason"] == "no_such_mailbox"
    assert waiting(engine) == []
    assert deliver(at(AT + DAY)).delivered == 0


def test_a_batch_that_is_rolled_back_tells_nobody(engine: sa.Engine) -> None:
    store, _ = make(engine, Pigeon())
    with write(engine) as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER full BEFORE INSERT ON feedback_outbox "
            "BEGIN SELECT raise(ABORT, 'no'); END"
        )
    with pytest.raises(StoreError):
        store.record([decoded(Scenario.BOUNCE)], AT)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM feedback_event").scalar() == 0


def test_what_fails_is_told_again_later_each_time(engine: sa.Engine) -> None:
    pigeon = Pigeon(failures=2)
    store, deliver = make(engine, pigeon)
    store.record([decoded(Scenario.BOUNCE)], AT)
    assert deliver(at(AT)).failed == {"pigeon: the pigeon is lost": 1}
    assert deliver(at(AT)).failed == {}  # not due yet
    (row,) = waiting(engine)
    assert (row["problem"], row["attempts"]) == ("the pigeon is lost", 1)
    assert AT < row["due_at"] <= AT + timedelta(seconds=2)
    assert deliver(at(AT + timedelta(seconds=2))).failed
    assert deliver(at(AT + timedelta(seconds=10))).delivered == 1


def test_the_newest_note_takes_the_place_of_an_older_one(engine: sa.Engine) -> None:
    pigeon = Pigeon()
    store, deliver = make(engine, pigeon)
    store.record([decoded(Scenario.MAILBOX_FULL, day) for day in (0, 1, 2)], AT + 2 * DAY)
    store.record([decoded(Scenario.SUCCESS, 3)], AT + 3 * DAY)
    deliver(at(AT + 3 * DAY))
    assert told(pigeon) == [(False, "jane@example.com")]


def test_a_note_that_comes_while_another_is_delivered_is_not_lost(engine: sa.Engine) -> None:
    later = AT + 3 * DAY

    class Slow(Pigeon):
        def deliver(self, entry: OutboxEntry) -> None:
            if not self.told:
                store.record([decoded(Scenario.SUCCESS, 3)], later)
            super().deliver(entry)

    pigeon = Slow()
    store, deliver = make(engine, pigeon)
    store.record([decoded(Scenario.MAILBOX_FULL, day) for day in (0, 1, 2)], AT + 2 * DAY)
    deliver(at(AT + 2 * DAY))
    assert [row["entries"] for row in waiting(engine)] == [1]
    deliver(at(later))
    assert told(pigeon) == [(True, "jane@example.com"), (False, "jane@example.com")]


def test_a_relay_that_died_leaves_its_note_to_the_next(engine: sa.Engine) -> None:
    class Deadly(Pigeon):
        def deliver(self, entry: OutboxEntry) -> None:
            raise KeyboardInterrupt

    store, deliver = make(engine, Deadly())
    store.record([decoded(Scenario.BOUNCE)], AT)
    with pytest.raises(KeyboardInterrupt):
        deliver(at(AT))
    pigeon = Pigeon()
    _, another = make(engine, pigeon)
    assert another(at(AT)).delivered == 0  # claimed for a minute
    assert another(at(AT + timedelta(minutes=1))).delivered == 1


@contextmanager
def running(relay: Relay) -> Iterator[None]:
    """The relay in a thread of its own, while the block runs."""
    (loop,) = relay.loops.values()
    thread = threading.Thread(target=loop)
    thread.start()
    yield
    relay.stop()
    thread.join()


def test_the_relay_delivers_beside_and_at_the_end(engine: sa.Engine) -> None:
    pigeon = Pigeon()
    store, _deliver = make(engine, pigeon)
    with running(Relay(engine, [pigeon], lambda: AT + DAY)):
        store.record([decoded(Scenario.BOUNCE)], AT)
    assert told(pigeon) == [(True, "jane@example.com")]


def test_a_relay_whose_database_is_gone_says_so_and_tries_again(
    engine: sa.Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    pigeon = Pigeon()
    store, _deliver = make(engine, pigeon)
    store.record([decoded(Scenario.BOUNCE)], AT)
    rename = "ALTER TABLE {} RENAME TO {}".format
    with write(engine) as connection:
        connection.exec_driver_sql(rename("feedback_outbox", "gone"))
    logged = ""
    with running(Relay(engine, [pigeon], lambda: AT + DAY)):
        while "the outbox can't be used" not in logged:
            time.sleep(0.01)
            logged += capsys.readouterr().out
        with write(engine) as connection:
            connection.exec_driver_sql(rename("gone", "feedback_outbox"))
    assert told(pigeon) == [(True, "jane@example.com")]


# --- Another database


@pytest.fixture
def theirs(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/theirs.sqlite3"
    engine = open_database(url)
    with write(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE member (email TEXT, mailable INTEGER)")
        connection.exec_driver_sql("INSERT INTO member VALUES ('Jane@Example.com', 1)")
    engine.dispose()
    return url


def mailable(url: str) -> int:
    engine = open_database(url, read_only=True)
    with engine.connect() as connection:
        found = connection.scalar(sa.text("SELECT mailable FROM member"))
    engine.dispose()
    return int(found or 0)


def test_another_database_is_struck_off_and_restored(engine: sa.Engine, theirs: str) -> None:
    store, deliver = make(engine, OtherDatabase.open(theirs, StrikeOff(STRIKE_OFF, RESTORE)))
    store.record([decoded(Scenario.SUPPRESSIONLIST)], AT)
    assert mailable(theirs) == 1
    deliver(at(AT))
    assert mailable(theirs) == 0
    store.sweep(AT + 31 * DAY)
    deliver(at(AT + 31 * DAY))
    assert mailable(theirs) == 1


def test_another_database_that_refuses_or_is_gone_is_told_again(
    engine: sa.Engine, theirs: str
) -> None:
    target = OtherDatabase.open(theirs, StrikeOff(STRIKE_OFF))
    store, deliver = make(engine, target)
    store.record([decoded(Scenario.BOUNCE)], AT)
    other = open_database(theirs)
    with write(other) as connection:
        connection.exec_driver_sql("ALTER TABLE member RENAME TO members")
    assert deliver(at(AT)).failed == {"database: no such table: member": 1}
    with write(other) as connection:
        connection.exec_driver_sql("ALTER TABLE members RENAME TO member")
    assert deliver(at(AT + DAY)).delivered == 1
    assert mailable(theirs) == 0
    other.dispose()


def test_another_database_is_checked_at_the_start(theirs: str) -> None:
    with pytest.raises(StrikeOffError, match="no such table"):
        OtherDatabase.open(theirs, StrikeOff("DELETE FROM membre WHERE email = :address"))
    with pytest.raises(ConfigurationError, match="SESBOUNCE_STRIKE_OFF_DATABASE_URL: "):
        OtherDatabase.open("nonsense", StrikeOff(STRIKE_OFF))


# --- HTTP: the webhook, and SES's API


class Server:
    """An HTTP server that notes what it is asked and answers with what it is told to."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, dict[str, str], bytes]] = []
        self.status = 200
        self.body = b"{}"
        server = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                asked = (self.command, self.path, dict(self.headers), self.rfile.read(length))
                server.requests.append(asked)
                self.send_response(server.status)
                self.send_header("Content-Length", str(len(server.body)))
                self.end_headers()
                self.wfile.write(server.body)

            do_POST = do_PUT = do_DELETE = answer  # noqa: N815  the names are the library's

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    thread = threading.Thread(target=made.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.http.shutdown()
    made.http.server_close()
    thread.join()


def test_the_webhook_gets_a_signed_object(engine: sa.Engine, server: Server) -> None:
    store, deliver = make(engine, Webhook(f"{server.url}/hook", "a secret of some length"))
    store.record([decoded(Scenario.BOUNCE)], AT)
    assert deliver(at(AT)).delivered == 1
    ((method, path, headers, body),) = server.requests
    assert (method, path) == ("POST", "/hook")
    assert json.loads(body) == {
        "action": "strike_off",
        "address": "jane@example.com",
        "original": "Jane@Example.com",
        "reason": "no_such_mailbox",
        "kind": "bounce",
        "occurred_at": "2026-11-20T12:00:00+00:00",
        "why": "hard bounce: no such mailbox (5.1.1), 2026-11-20; not to be mailed again",
    }
    expected = hmac.new(b"a secret of some length", body, hashlib.sha256).hexdigest()
    assert headers["X-Sesbounce-Signature"] == f"sha256={expected}"


@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_webhook_that_does_not_take_it_is_told_again(
    engine: sa.Engine, server: Server, status: int
) -> None:
    server.status = status
    store, deliver = make(engine, Webhook(server.url, "a secret of some length"))
    store.record([decoded(Scenario.BOUNCE)], AT)
    problem = f"webhook: it answers with HTTP status {status}"
    ((said, number),) = deliver(at(AT)).failed.items()
    assert (said.startswith(problem), number) == (True, 1)
    server.status = 204
    assert deliver(at(AT + DAY)).delivered == 1


def test_a_webhook_that_is_not_there_is_told_again(engine: sa.Engine) -> None:
    store, deliver = make(engine, Webhook("http://127.0.0.1:9", "a secret of some length"))
    store.record([decoded(Scenario.BOUNCE)], AT)
    (problem,) = deliver(at(AT)).failed
    assert problem.startswith("webhook: it can't be reached")


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"WEBHOOK_URL": "https://x.example"}, "needs SESBOUNCE_WEBHOOK_SECRET beside it"),
        (
            {"WEBHOOK_URL": "http://x.example", "WEBHOOK_SECRET": "s" * 16},
            "should begin with https://",
        ),
        ({"WEBHOOK_SECRET": "short"}, "SESBOUNCE_WEBHOOK_SECRET: "),
    ],
)
def test_a_webhook_is_safe_unless_told_otherwise(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], problem: str
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"SESBOUNCE_{name}", value)
    with pytest.raises(ConfigurationError, match=problem) as refused:
        load_settings()
    assert "short" not in str(refused.value).removeprefix("SESBOUNCE_WEBHOOK_SECRET: String")


@pytest.fixture
def ses(server: Server, monkeypatch: pytest.MonkeyPatch) -> SesSuppressionList:
    for name, value in {
        "AWS_ENDPOINT_URL": server.url,
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }.items():
        monkeypatch.setenv(name, value)
    return SesSuppressionList.open()


def asked(server: Server) -> list[tuple[str, str, Any]]:
    return [(m, path, json.loads(body) if body else None) for m, path, _, body in server.requests]


PUT = "/v2/email/suppression/addresses"


def test_ses_s_own_list_follows_with_the_address_as_ses_wrote_it(
    engine: sa.Engine, server: Server, ses: SesSuppressionList
) -> None:
    store, deliver = make(engine, ses)
    store.record([decoded(Scenario.BOUNCE, 0, "Jane Doe <Jane@Example.com>")], AT)
    store.record([decoded(Scenario.COMPLAINT, 0, "Mary@Example.com")], AT)
    deliver(at(AT))
    assert asked(server) == [
        ("PUT", PUT, {"EmailAddress": "Jane@Example.com", "Reason": "BOUNCE"}),
        ("PUT", PUT, {"EmailAddress": "Mary@Example.com", "Reason": "COMPLAINT"}),
    ]
    server.requests.clear()
    store.record([decide("Jane@Example.com", Reason.ALLOWED_BY_HAND, AT + DAY)], AT + DAY)
    deliver(at(AT + DAY))
    assert asked(server) == [("DELETE", f"{PUT}/Jane%40Example.com", None)]


def test_what_is_suppressed_for_a_time_is_no_affair_of_ses_s_list(
    engine: sa.Engine, server: Server, ses: SesSuppressionList
) -> None:
    store, deliver = make(engine, ses)
    store.record([decoded(Scenario.SUPPRESSIONLIST)], AT)
    deliver(at(AT))
    store.sweep(AT + 31 * DAY)
    deliver(at(AT + 31 * DAY))
    assert asked(server) == []
    store.record([decoded(Scenario.SUPPRESSIONLIST, 40)], AT + 40 * DAY)
    store.record([decoded(Scenario.BOUNCE, 41)], AT + 41 * DAY)
    deliver(at(AT + 41 * DAY))
    assert [method for method, _, _ in asked(server)] == ["PUT"]


def entry(*, suppressed: bool) -> OutboxEntry:
    message = decoded(Scenario.BOUNCE).events[0]
    return OutboxEntry(
        suppressed,
        True,
        {
            "address": message.address,
            "original": message.original,
            "reason": "no_such_mailbox",
            "kind": "bounce",
            "occurred_at": None,
            "why": "",
        },
    )


def test_what_is_off_ses_s_list_already_is_no_failure(
    server: Server, ses: SesSuppressionList
) -> None:
    server.status = 404
    server.body = b'{"__type": "NotFoundException", "message": "not on the list"}'
    ses.deliver(entry(suppressed=False))


@pytest.mark.parametrize(
    ("code", "final"), [("BadRequestException", True), ("AccessDeniedException", False)]
)
def test_what_ses_refuses_is_told_again_unless_it_never_takes_it(
    engine: sa.Engine, server: Server, ses: SesSuppressionList, code: str, final: bool
) -> None:
    server.status = 400
    server.body = json.dumps({"__type": code, "message": "jane@example.com: no"}).encode()
    store, deliver = make(engine, ses)
    store.record([decoded(Scenario.BOUNCE)], AT)
    assert deliver(at(AT)).failed == {f"ses: SES rejects the call: {code}": 1}
    assert (waiting(engine) == []) is final


def test_a_target_that_can_t_be_reached_is_left_alone_and_holds_up_no_other(
    engine: sa.Engine,
) -> None:
    class Unreachable(Pigeon):
        name = "aviary"

        def deliver(self, entry: OutboxEntry) -> None:
            self.told.append(entry)
            raise DeliveryError("closed", unreachable=True)

    closed, pigeon = Unreachable(), Pigeon()
    store, deliver = make(engine, closed, pigeon)
    store.record([decoded(Scenario.BOUNCE, n, f"{n}@example.com") for n in range(5)], AT)
    assert deliver(at(AT)).failed == {"aviary: closed": 1}
    assert (len(closed.told), len(pigeon.told)) == (1, 5)


def test_a_fault_of_a_target_is_tried_again_and_tells_no_address(engine: sa.Engine) -> None:
    class Faulty(Pigeon):
        def deliver(self, entry: OutboxEntry) -> None:
            raise ValueError(entry.parameters["address"])

    store, deliver = make(engine, Faulty())
    store.record([decoded(Scenario.BOUNCE)], AT)
    assert deliver(at(AT)).failed == {"pigeon: a fault of ours: ValueError": 1}


def test_it_stops_between_two_notes(engine: sa.Engine) -> None:
    pigeon = Pigeon()
    store, deliver = make(engine, pigeon)
    store.record([decoded(Scenario.BOUNCE, n, f"{n}@example.com") for n in range(5)], AT)
    deliver(at(AT), lambda: len(pigeon.told) == 2)
    assert len(pigeon.told) == 2
    assert sum(row["entries"] for row in waiting(engine)) == 3


def test_a_stale_note_that_is_delivered_last_is_put_right_by_the_sweep(engine: sa.Engine) -> None:
    """Two relays: one dawdles with the older note while the other delivers the newer one."""
    later = AT + DAY
    fast = Pigeon()

    class Dawdling(Pigeon):
        def deliver(self, entry: OutboxEntry) -> None:
            store.record([decide("jane@example.com", Reason.ALLOWED_BY_HAND, later)], later)
            _, other = make(engine, fast)
            other(at(later))
            fast.deliver(entry)  # the same target, told in the wrong order

    store, deliver = make(engine, Dawdling())
    store.record([decoded(Scenario.BOUNCE)], AT)
    deliver(at(AT))
    assert told(fast) == [(False, "jane@example.com"), (True, "jane@example.com")]
    store, deliver = make(engine, fast)
    store.sweep(later)
    deliver(at(later))
    assert told(fast)[-1] == (False, "jane@example.com")


def test_times_are_the_clock_s_that_is_given(engine: sa.Engine) -> None:
    def now() -> datetime:
        return AT

    pigeon = Pigeon()
    store, _deliver = make(engine, pigeon)
    store.record([decoded(Scenario.BOUNCE)], AT + DAY)
    with running(Relay(engine, [pigeon], now)):
        pass
    assert pigeon.told == []
