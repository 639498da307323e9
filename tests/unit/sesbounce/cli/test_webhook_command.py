"""`sesbounce webhook` and `sesbounce outbox`: what a person sees and does."""

import base64
import json
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from standardwebhooks.webhooks import Webhook as Verifier

from sesbounce.cli import main
from sesbounce.opening import open_store
from sesbounce.outbound.relay import Relay
from sesbounce.settings import load_settings
from sesbounce.store import migrate
from tests.support import AT
from tests.unit.sesbounce.delivering import Server, at, serving

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
URL_TOKEN = "token-of-the-hook"
GONE = "it answers with HTTP status 410"


def sesbounce(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, arguments, input=stdin, catch_exceptions=False)


def entries_of(*arguments: str) -> int:
    return int(json.loads(sesbounce(*arguments, "--json").stdout)["entries"])


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as made:
        yield made


@pytest.fixture(autouse=True)
def settings(engine: sa.Engine, url: str, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    migrate.upgrade(engine)
    endpoint = {"url": f"{server.url}/{URL_TOKEN}"}
    reasons = ["complaint_abuse", "no_such_mailbox"]
    limited = {**endpoint, "types": ["address.suppressed"], "reasons": reasons}
    for name, value in {
        "DATABASE_URL": url,
        "WEBHOOKS": json.dumps({"crm": endpoint, "billing": limited}),
        "WEBHOOK_SECRETS": json.dumps({"crm": SECRET, "billing": f"{SECRET},{SECRET}"}),
        "WEBHOOK_INSECURE": "true",
    }.items():
        monkeypatch.setenv(f"SESBOUNCE_{name}", value)


def deliver() -> None:
    with open_store(load_settings()) as opened:
        Relay(opened.engine, opened.targets, at(AT.replace(year=2100))).deliver()


def test_a_test_prints_what_a_receiver_verifies(server: Server) -> None:
    result = sesbounce("webhook", "test", "crm")
    assert result.exit_code == 0
    head, *signed, body, verify = result.stdout.splitlines()
    assert head.startswith("crm (127.0.0.1): it accepts the test event with HTTP status 200, after")
    assert "HMAC-SHA-256" in verify
    headers = dict(line.strip().split(": ", 1) for line in signed)
    event = Verifier(SECRET).verify(body.strip(), headers)
    assert event["type"] == "sesbounce.test"
    assert [posted for *_, posted in server.requests] == [body.strip().encode()]
    assert URL_TOKEN not in result.stdout


def test_a_test_of_all_says_no_if_one_does_not_accept_it(server: Server) -> None:
    server.status = 401
    result = sesbounce("webhook", "test", "--json")
    assert result.exit_code == 1
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(one["name"], one["status"], one["problem"]) for one in found] == [
        (name, 401, "it answers with HTTP status 401") for name in ("billing", "crm")
    ]


def test_a_test_of_an_unknown_webhook_names_the_known_ones(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = sesbounce("webhook", "test", "krm")
    assert result.exit_code == 2
    assert "the settings name no webhook krm; they name: billing, crm" in result.stderr
    monkeypatch.delenv("SESBOUNCE_WEBHOOKS")
    none = "name no webhook: set SESBOUNCE_WEBHOOK_URL or SESBOUNCE_WEBHOOKS (docs/webhooks.md)"
    assert none in sesbounce("webhook", "test").stderr
    assert sesbounce("webhook", "list").stdout == "The settings name no webhook.\n"
    assert server.requests == []


def test_a_webhook_that_is_gone_is_shown_and_resumed(server: Server) -> None:
    server.status = 410
    assert sesbounce("suppress", "jane@example.com", "mary@example.com").exit_code == 0
    deliver()
    (line,) = sesbounce("outbox", "list").stdout.splitlines()
    assert line == (
        "webhook:crm: 2 entries wait, after 0 attempts at most; stopped until "
        f"`sesbounce outbox retry --target webhook:crm` ({GONE})"
    )
    assert sesbounce("outbox").stdout == sesbounce("outbox", "list").stdout
    assert json.loads(sesbounce("outbox", "--json").stdout)["due_at"] is None
    assert "write --json behind list" in sesbounce("outbox", "--json", "list").stderr
    limited, gone = sesbounce("webhook", "list").stdout.splitlines()
    assert limited == (
        "billing: 127.0.0.1 gets address.suppressed, suppressions by complaint_abuse, "
        "no_such_mailbox, signed with 2 secrets; ok, 0 entries wait"
    )
    assert gone == (
        "crm: 127.0.0.1 gets address.released, address.suppressed, signed with 1 secret; stopped, "
        f"2 entries wait ({GONE})"
    )
    server.status = 200
    assert entries_of("outbox", "retry", "--dry-run") == 2
    declined = sesbounce("outbox", "retry", stdin="n\n")
    assert (declined.exit_code, "Retry 2 entries now?" in declined.stderr) == (4, True)
    assert entries_of("outbox", "retry", "--target", "webhook:billing") == 0
    result = sesbounce("outbox", "retry", "--target", "webhook:crm", "--yes")
    assert result.stdout == "2 entries are due now.\n"
    deliver()
    assert sesbounce("outbox").stdout == "No entry waits in the outbox.\n"
    assert sesbounce("outbox", "retry").stdout == "No entry is postponed or stopped.\n"


def test_what_waits_for_a_removed_webhook_is_shown_and_deleted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert sesbounce("suppress", "jane@example.com").exit_code == 0
    monkeypatch.delenv("SESBOUNCE_WEBHOOKS")
    lines = sesbounce("webhook", "list").stdout.splitlines()
    assert lines[1] == (
        "crm: not in the settings, 1 entry waits; `sesbounce outbox discard --target webhook:crm` "
        "deletes them"
    )
    printed = sesbounce("webhook", "list", "--json").stdout
    found = [json.loads(line) for line in printed.splitlines()]
    assert [(one["name"], one["state"]) for one in found] == [
        ("billing", "removed"),
        ("crm", "removed"),
    ]
    discard = ("outbox", "discard", "--target", "webhook:crm")
    assert sesbounce(*discard, "--dry-run").stdout == "1 entry for webhook:crm would be deleted.\n"
    assert sesbounce(*discard, stdin="n\n").exit_code == 4
    assert sesbounce(*discard, stdin="y\n").stdout.endswith("1 entry for webhook:crm deleted.\n")
    assert entries_of(*discard) == 0
    assert "webhook:crm" not in sesbounce("outbox").stdout
