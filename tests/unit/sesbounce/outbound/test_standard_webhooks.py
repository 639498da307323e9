"""Webhooks by Standard Webhooks 1.0.0, as its own library verifies them, with several endpoints."""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from scripts.local.ses_messages import Scenario
from sesbounce.feedback.manual import decide
from sesbounce.feedback.reason import Reason
from sesbounce.outbound.relay import Relay
from sesbounce.outbound.signing import signed_headers
from sesbounce.outbound.webhook import Webhook, seconds_of
from sesbounce.store import outbox
from sesbounce.store.outbox import Outbox, waiting
from sesbounce.store.strike_off import StrikeOff
from sesbounce.webhook_settings import RELEASED, SUPPRESSED, Endpoint, signing_keys
from tests import stored
from tests.stored import decoded
from tests.support import AT
from tests.unit.sesbounce.delivering import Server, serving

ROOT = Path(__file__).parents[4]
OLD = "an old secret of bytes"
NEW = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OTHER = "whsec_" + base64.b64encode(bytes(range(1, 33))).decode()


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        # The library takes no clock, and rejects timestamps that are five minutes off.
        self.time = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.time

    def add(self, **time: float) -> None:
        self.time += timedelta(**time)


class Sender:
    """A store with two webhooks, whose relay has the test's clock."""

    def __init__(self, engine: sa.Engine, crm: Endpoint, billing: Endpoint) -> None:
        self.engine = engine
        self.clock = Clock()
        self.endpoints = [crm, billing]
        targets = Outbox(endpoint.target for endpoint in self.endpoints)
        self.store = stored.store(engine, StrikeOff(), targets)
        self.relay = self.restarted()

    def restarted(self) -> Relay:
        """The relay of another process."""
        targets = [Webhook(endpoint, self.clock) for endpoint in self.endpoints]
        return Relay(self.engine, targets, self.clock)

    def suppress(self, *addresses: str, reason: Reason = Reason.SUPPRESSED_BY_HAND) -> None:
        decisions = [decide(address, reason, self.clock()) for address in addresses]
        self.store.record(decisions, self.clock())

    def deliver(self) -> dict[str, int]:
        return self.relay.deliver().failed

    def waiting(self) -> dict[str, int]:
        return {row["target"]: row["entries"] for row in waiting(self.engine)}


@pytest.fixture
def servers() -> Iterator[tuple[Server, Server]]:
    with ExitStack() as stack:
        yield stack.enter_context(serving()), stack.enter_context(serving())


@pytest.fixture
def crm(servers: tuple[Server, Server]) -> Server:
    return servers[0]


@pytest.fixture
def billing(servers: tuple[Server, Server]) -> Server:
    return servers[1]


@pytest.fixture
def sender(engine: sa.Engine, crm: Server, billing: Server) -> Sender:
    return Sender(
        engine,
        Endpoint("crm", crm.url, signing_keys(f"{NEW},{OLD}")),
        Endpoint("billing", billing.url, signing_keys(OTHER)),
    )


def audited(sender: Sender) -> list[Any]:
    acts = "SELECT act, done_by, subject, number FROM feedback_act"
    return stored.rows(sender.engine, acts)


def test_each_endpoint_gets_an_event_that_the_library_verifies_by_its_secret(
    sender: Sender, crm: Server, billing: Server
) -> None:
    sender.suppress("jane@example.com")
    assert sender.deliver() == {}
    ((_, _, to_crm, body),), ((_, _, to_billing, other),) = crm.requests, billing.requests
    event = Verifier(NEW).verify(body, to_crm)
    assert event == Verifier(OTHER).verify(other, to_billing)
    assert event["type"] == "address.suppressed"
    assert datetime.fromisoformat(event["timestamp"]) == sender.clock()
    assert event["data"]["address"] == event["address"] == "jane@example.com"
    assert to_crm["webhook-id"] != to_billing["webhook-id"]
    assert to_crm["webhook-id"].startswith("msg_")
    with pytest.raises(WebhookVerificationError):
        Verifier(NEW).verify(other, to_billing)
    sender.clock.add(seconds=1)
    sender.suppress("jane@example.com", reason=Reason.ALLOWED_BY_HAND)
    sender.deliver()
    _, (_, _, later, body) = crm.requests
    assert Verifier(NEW).verify(body, later)["type"] == "address.released"
    assert later["webhook-id"] != to_crm["webhook-id"]


def test_while_a_secret_is_rotated_the_old_and_the_new_one_verify(
    sender: Sender, crm: Server
) -> None:
    sender.suppress("jane@example.com")
    sender.deliver()
    ((_, _, headers, body),) = crm.requests
    assert Verifier(NEW).verify(body, headers) == Verifier(OLD.encode()).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(OTHER).verify(body, headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(NEW).verify(body.replace(b"jane", b"mary"), headers)
    # The older header has room for one signature: that of the first secret.
    expected = hmac.new(bytes(range(32)), body, hashlib.sha256).hexdigest()
    assert headers["X-Sesbounce-Signature"] == f"sha256={expected}"


def test_a_retry_of_another_process_has_the_same_identity_and_body_and_a_new_timestamp(
    sender: Sender, crm: Server
) -> None:
    crm.status = 503
    sender.suppress("jane@example.com")
    assert sender.deliver() == {"webhook:crm: it answers with HTTP status 503": 1}
    crm.status = 204
    sender.clock.add(seconds=3)
    sender.relay = sender.restarted()
    assert sender.deliver() == {}
    (_, _, first, body), (_, _, second, same) = crm.requests
    assert (body, first["webhook-id"]) == (same, second["webhook-id"])
    assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 3
    assert Verifier(NEW).verify(same, second) == Verifier(NEW).verify(body, first)


def test_an_endpoint_that_is_gone_is_stopped_until_a_person_retries(
    sender: Sender, crm: Server, billing: Server
) -> None:
    crm.status = 410
    sender.suppress("ann@example.com", "jane@example.com")
    (problem,) = sender.deliver()
    assert problem == (
        "webhook:crm: it answers with HTTP status 410, and is stopped; "
        "`sesbounce outbox retry --target webhook:crm` resumes it"
    )
    assert (len(crm.requests), len(billing.requests)) == (1, 2)
    # What comes later is stopped as well, also by other processes, and no request is made.
    sender.clock.add(days=30)
    sender.suppress("mary@example.com")
    sender.relay = sender.restarted()
    assert sender.deliver() == {problem: 1}
    assert sender.deliver() == {}
    assert (len(crm.requests), len(billing.requests)) == (1, 3)
    (row,) = waiting(sender.engine)
    assert (row["target"], row["entries"], row["due_at"]) == ("webhook:crm", 3, None)
    crm.status = 200
    assert outbox.retry(sender.engine, ["webhook:billing"], sender.clock(), "ann") == 0
    assert sender.deliver() == {}
    assert len(crm.requests) == 1
    assert outbox.count_postponed(sender.engine, [], sender.clock()) == 3
    assert outbox.retry(sender.engine, ["webhook:crm"], sender.clock(), "ann") == 3
    assert sender.deliver() == {}
    assert (len(crm.requests), sender.waiting()) == (4, {})
    assert audited(sender) == [("outbox_retried", "ann", "webhook:crm", 3)]


@pytest.mark.parametrize("form", ["seconds", "date"])
@pytest.mark.parametrize("status", [429, 503])
def test_an_endpoint_is_left_alone_for_as_long_as_it_asks_and_others_go_on(
    sender: Sender, crm: Server, billing: Server, status: int, form: str
) -> None:
    sender.clock.time = sender.clock.time.replace(microsecond=0)
    until = sender.clock() + timedelta(seconds=120)
    crm.status = status
    crm.headers = {"Retry-After": "120" if form == "seconds" else format_datetime(until, True)}
    sender.suppress("ann@example.com", "jane@example.com")
    assert sender.deliver() == {f"webhook:crm: it answers with HTTP status {status}": 1}
    crm.status = 200
    sender.clock.add(seconds=119)
    sender.suppress("mary@example.com")
    assert sender.deliver() == {}
    assert (len(crm.requests), len(billing.requests)) == (1, 3)
    sender.clock.add(seconds=1)
    assert sender.deliver() == {}
    assert (len(crm.requests), sender.waiting()) == (4, {})


@pytest.mark.parametrize("status", [429, 502, 504])
def test_a_busy_endpoint_that_does_not_say_how_long_gets_one_entry_after_longer_pauses(
    sender: Sender, crm: Server, status: int
) -> None:
    crm.status = status
    sender.suppress(*(f"{number}@example.com" for number in range(20)))
    asked = []
    for _second in range(600):
        sender.deliver()
        asked.append(len(crm.requests))
        sender.clock.add(seconds=1)
    # Half a pause is left to chance: at most 2, 4, 8, … seconds, and never more than 300.
    assert 8 <= asked[-1] <= 16
    assert asked[0] == 1
    assert asked[1] <= 2
    crm.status = 200
    sender.clock.add(seconds=300)
    sender.deliver()
    sender.clock.add(hours=1)
    sender.deliver()
    assert sender.waiting() == {}


def test_a_pause_lasts_an_hour_at_most(sender: Sender, crm: Server) -> None:
    crm.status = 429
    crm.headers = {"Retry-After": "9" * 400}
    sender.suppress("jane@example.com")
    sender.deliver()
    crm.status = 200
    sender.clock.add(minutes=59)
    sender.deliver()
    assert len(crm.requests) == 1
    sender.clock.add(minutes=1)
    sender.deliver()
    assert sender.waiting() == {}


@pytest.mark.parametrize("status", [302, 400, 404])
def test_other_answers_concern_one_entry_whatever_time_they_name(
    sender: Sender, crm: Server, status: int
) -> None:
    crm.status = status
    crm.headers = {"Retry-After": "3000"}
    sender.suppress("ann@example.com", "jane@example.com")
    (number,) = sender.deliver().values()
    assert (number, len(crm.requests)) == (2, 2)
    crm.status = 200
    sender.clock.add(seconds=2)
    sender.deliver()
    assert sender.waiting() == {}


def test_an_endpoint_gets_the_types_and_reasons_that_it_wants(
    engine: sa.Engine, crm: Server, billing: Server
) -> None:
    by_hand = frozenset({Reason.SUPPRESSED_BY_HAND.value})
    keys = signing_keys(NEW)
    sender = Sender(
        engine,
        Endpoint("crm", crm.url, keys, types=frozenset({RELEASED})),
        Endpoint("billing", billing.url, keys, reasons=by_hand),
    )
    sender.store.record([decoded(Scenario.BOUNCE, 0, "ann@example.com")], sender.clock())
    sender.suppress("jane@example.com")
    sender.deliver()
    sender.clock.add(seconds=1)
    sender.suppress("ann@example.com", "jane@example.com", reason=Reason.ALLOWED_BY_HAND)
    sender.deliver()
    got = [
        [(json.loads(body)["type"], json.loads(body)["address"]) for *_, body in server.requests]
        for server in (crm, billing)
    ]
    released = [(RELEASED, "ann@example.com"), (RELEASED, "jane@example.com")]
    assert got == [released, [(SUPPRESSED, "jane@example.com"), *released]]
    assert sender.waiting() == {}


def test_entries_of_a_removed_endpoint_block_no_other(
    sender: Sender, crm: Server, billing: Server
) -> None:
    sender.suppress("jane@example.com")
    del sender.endpoints[0]
    sender.relay = sender.restarted()
    assert sender.deliver() == {}
    assert (crm.requests, len(billing.requests)) == ([], 1)
    assert sender.waiting() == {"webhook:crm": 1}
    for number in (1, 0):
        at = sender.clock()
        assert outbox.discard(sender.engine, "webhook:crm", at, "ann") == number
    assert sender.waiting() == {}
    assert audited(sender) == [("outbox_discarded", "ann", "webhook:crm", 1)]


def test_a_test_event_is_signed_and_about_no_address(sender: Sender, crm: Server) -> None:
    probe = Webhook(sender.endpoints[0]).probe()
    ((_, _, headers, body),) = crm.requests
    event = Verifier(NEW).verify(body, headers)
    assert (event["type"], event["data"]) == ("sesbounce.test", {"endpoint": "crm"})
    assert (probe.problem, probe.status, probe.body.encode()) == (None, 200, body)
    assert Verifier(NEW).verify(probe.body, probe.headers) == event
    crm.status = 401
    refused = Webhook(sender.endpoints[0]).probe()
    assert (refused.problem, refused.status) == ("it answers with HTTP status 401", 401)


RECEIVERS = re.findall(r"```python\n(.*?)```", (ROOT / "docs/webhooks.md").read_text(), re.DOTALL)


@pytest.mark.parametrize("receiver", RECEIVERS, ids=["library", "plain"])
def test_the_receivers_of_the_docs_verify_an_event(
    sender: Sender, crm: Server, receiver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    defined: dict[str, Any] = {}
    exec(receiver, defined)  # noqa: S102  it is the document's own code
    sender.suppress("jane@example.com")
    sender.deliver()
    ((_, _, headers, body),) = crm.requests
    monkeypatch.setenv("HOOK_SECRET", NEW)
    assert defined["receive"](headers, body)["data"]["address"] == "jane@example.com"
    monkeypatch.setenv("HOOK_SECRET", OTHER)
    with pytest.raises((ValueError, WebhookVerificationError)):
        defined["receive"](headers, body)
    monkeypatch.setenv("HOOK_SECRET", NEW)
    old = signed_headers("msg_1", sender.clock() - timedelta(minutes=6), body, signing_keys(NEW))
    with pytest.raises((ValueError, WebhookVerificationError)):
        defined["receive"](old, body)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("²", None),
        ("0", 0),
        (" 30 ", 30),
        ("Fri, 20 Nov 2026 12:00:30 GMT", 30),
        ("Fri, 20 Nov 2026 12:00:30 -0000", 30),
        ("Friday, 20-Nov-26 12:00:30 GMT", 30),
        ("Fri, 20 Nov 2026 11:59:30 GMT", 0),
        ("Fri, 20 Nov 99999999999 12:00:00 GMT", None),
    ],
)
def test_retry_after_is_read_as_rfc_9110_writes_it(text: str | None, seconds: float | None) -> None:
    assert seconds_of(text, AT) == seconds
