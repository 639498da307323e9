"""The targets: another database, an HTTP server, SES's API as boto3 calls it."""

import hashlib
import hmac
import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from scripts.local.ses_messages import Scenario
from sesbounce.errors import ConfigurationError, StrikeOffError
from sesbounce.feedback.decode import decode
from sesbounce.feedback.manual import decide
from sesbounce.feedback.reason import Reason
from sesbounce.opening import open_store
from sesbounce.outbound.relay import Relay
from sesbounce.outbound.targets import OtherDatabase, SesSuppressionList
from sesbounce.settings import load_settings
from sesbounce.store.engine import open_database, write
from sesbounce.store.outbox import OutboxEntry, waiting
from sesbounce.store.statements import Parameters
from sesbounce.store.strike_off import StrikeOff
from tests.stored import DAY, IN_MEMBER, STRIKE_OFF, decoded, make_members, rows
from tests.support import AT, disposed, said
from tests.unit.sesbounce.delivering import SECRET, Server, at, hook, make, serving

# --- Another database


@pytest.fixture
def theirs(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/theirs.sqlite3"
    with disposed(open_database(url)) as engine:
        make_members(engine, "Jane@Example.com")
    return url


def mailable(url: str) -> int:
    with disposed(open_database(url, read_only=True)) as engine, engine.connect() as connection:
        return int(connection.scalar(sa.text("SELECT mailable FROM member")) or 0)


def test_another_database_is_struck_off_and_restored(engine: sa.Engine, theirs: str) -> None:
    with closing(OtherDatabase.open(theirs, IN_MEMBER)) as target:
        store, deliver = make(engine, target)
        store.record([decoded(Scenario.SUPPRESSIONLIST)], AT)
        assert mailable(theirs) == 1
        deliver(at(AT))
        assert mailable(theirs) == 0
        store.sweep(AT + 31 * DAY)
        deliver(at(AT + 31 * DAY))
        assert mailable(theirs) == 1


def test_another_database_that_rejects_a_statement_gets_the_entry_later(
    engine: sa.Engine, theirs: str
) -> None:
    with (
        closing(OtherDatabase.open(theirs, StrikeOff(STRIKE_OFF))) as target,
        disposed(open_database(theirs)) as other,
    ):
        store, deliver = make(engine, target)
        store.record([decoded(Scenario.BOUNCE)], AT)
        with write(other) as connection:
            connection.exec_driver_sql("ALTER TABLE member RENAME TO members")
        assert deliver(at(AT)).failed == {
            "database: SESBOUNCE_STRIKE_OFF_SQL: no such table: member": 1
        }
        with write(other) as connection:
            connection.exec_driver_sql("ALTER TABLE members RENAME TO member")
        assert deliver(at(AT + DAY)).delivered == 1
        assert mailable(theirs) == 0


def test_another_database_is_checked_at_the_start(theirs: str) -> None:
    with pytest.raises(StrikeOffError, match="no such table"):
        OtherDatabase.open(theirs, StrikeOff("DELETE FROM membre WHERE email = :address"))
    with pytest.raises(
        ConfigurationError, match=r"^SESBOUNCE_STRIKE_OFF_DATABASE_URL is not a database URL"
    ):
        OtherDatabase.open("nonsense", StrikeOff(STRIKE_OFF))


def test_statements_in_another_database_get_the_event_that_decided(
    monkeypatch: pytest.MonkeyPatch, url: str, theirs: str
) -> None:
    sql = "UPDATE member SET email = :configuration_set || :region WHERE lower(email) = :address"
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", url)
    monkeypatch.setenv("SESBOUNCE_STRIKE_OFF_DATABASE_URL", theirs)
    monkeypatch.setenv("SESBOUNCE_STRIKE_OFF_SQL", sql)
    message = decode(json.dumps(said(schema="event")))
    with open_store(load_settings(), migrate=True) as opened:
        opened.store.record([message], AT)
        assert Relay(opened.engine, opened.targets, at(AT)).deliver(lambda: False).delivered == 1
    with disposed(open_database(theirs)) as other:
        assert rows(other, "SELECT email FROM member") == [("sesbounceus-east-1",)]


# --- HTTP: the webhook, and SES's API


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as made:
        yield made


def test_the_webhook_gets_a_signed_object(engine: sa.Engine, server: Server) -> None:
    store, deliver = make(engine, hook(f"{server.url}/hook"))
    store.record([decoded(Scenario.BOUNCE)], AT)
    assert deliver(at(AT)).delivered == 1
    ((method, path, headers, body),) = server.requests
    assert (method, path) == ("POST", "/hook")
    data = {
        "address": "jane@example.com",
        "original": "Jane@Example.com",
        "reason": "no_such_mailbox",
        "kind": "bounce",
        "occurred_at": "2026-11-20T12:00:00+00:00",
        "why": "hard bounce: no such mailbox (5.1.1), 2026-11-20; not to be mailed again",
    }
    standard = {"type": "address.suppressed", "timestamp": "2026-11-20T12:00:00Z", "data": data}
    assert json.loads(body) == {**standard, "action": "strike_off", **data}
    expected = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    assert headers["X-Sesbounce-Signature"] == f"sha256={expected}"


def test_the_webhook_gets_nothing_that_another_target_asked_for(server: Server) -> None:
    asked_for = entry(suppressed=True)
    event = Parameters(**asked_for.parameters, tags="{}", mail_id="m", tenant=None)
    target = hook(server.url, at(AT))
    target.deliver(asked_for)
    target.deliver(msgspec.structs.replace(asked_for, parameters=event))
    (_, _, _, plain), (_, _, _, body) = server.requests
    assert body == plain


@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_webhook_that_does_not_accept_an_entry_gets_it_later(
    engine: sa.Engine, server: Server, status: int
) -> None:
    server.status = status
    store, deliver = make(engine, hook(server.url))
    store.record([decoded(Scenario.BOUNCE)], AT)
    ((problem, number),) = deliver(at(AT)).failed.items()
    assert problem.startswith(f"webhook: it answers with HTTP status {status}")
    assert number == 1
    server.status = 204
    assert deliver(at(AT + DAY)).delivered == 1


def test_a_webhook_that_can_t_be_reached_is_a_failure(engine: sa.Engine) -> None:
    store, deliver = make(engine, hook("http://127.0.0.1:9"))
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
def test_a_webhook_must_be_configured_safely(
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


def test_ses_s_own_list_gets_no_suppressions_for_a_time(
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


def test_removing_an_address_that_is_not_on_ses_s_list_is_no_failure(
    server: Server, ses: SesSuppressionList
) -> None:
    server.status = 404
    server.body = b'{"__type": "NotFoundException", "message": "not on the list"}'
    ses.deliver(entry(suppressed=False))


@pytest.mark.parametrize(
    ("code", "final"), [("BadRequestException", True), ("AccessDeniedException", False)]
)
def test_what_ses_rejects_is_retried_unless_it_never_accepts_it(
    engine: sa.Engine, server: Server, ses: SesSuppressionList, code: str, final: bool
) -> None:
    server.status = 400
    server.body = json.dumps({"__type": code, "message": "jane@example.com: no"}).encode()
    store, deliver = make(engine, ses)
    store.record([decoded(Scenario.BOUNCE)], AT)
    assert deliver(at(AT)).failed == {f"ses: SES rejects the call: {code}": 1}
    assert (waiting(engine) == []) is final
