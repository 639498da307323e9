"""The HTTP API answers the same from each server."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from scripts.local.ses_messages import Scenario
from sesbounce.feedback.manual import decide
from sesbounce.feedback.reason import Reason
from sesbounce.store import ended_sessions, migrate, tokens
from sesbounce.store.dossier import EventPlace, read_dossier, still_decided
from sesbounce.store.engine import open_database
from sesbounce.store.tokens import Scope
from tests.api import Api, Client
from tests.stored import DAY, decoded, make_members, rows
from tests.support import AT


@pytest.fixture
def api(server_database_url: str) -> Iterator[Api]:
    engine = open_database(server_database_url)
    make_members(engine, "Jane@Example.com", "mary@example.com")
    made = Api(engine)
    yield made
    made.close()
    engine.dispose()


def listed(call: Client, path: str, **query: Any) -> list[Any]:
    """The rows of all pages, of which each holds two."""
    found: list[Any] = []
    while True:
        answer = call("GET", path, params=query | {"limit": 2}).json()
        page = answer.get("suppressions", answer.get("events"))
        found += page
        if answer["next_cursor"] is None:
            return found
        assert len(page) == 2
        query["cursor"] = answer["next_cursor"]


def test_the_api_answers_from_a_server(api: Api) -> None:
    call = api.client(api.token(Scope.ADMIN, Scope.CHECK))
    (token,) = tokens.all_tokens(api.engine)
    assert (token.scopes, token.created_at) == ((Scope.ADMIN, Scope.CHECK), AT)
    assert migrate.drift(api.engine) == []

    # Some at the same microsecond, which the databases sort and compare in their own ways.
    names = ["a", "B", "ä", "_", "z-1", "z1", "z.1", '"x y"']
    decisions = [decide(f"{name}@example.com", Reason.SUPPRESSED_BY_HAND, AT) for name in names]
    later = decide("x@other.example", Reason.SUPPRESSED_BY_HAND, AT + DAY / 7)
    complaint = decoded(Scenario.COMPLAINT, 1, "news@example.com")
    api.store.record([*decisions, later, decoded(Scenario.BOUNCE), complaint], AT)
    expected = [one["address"] for one in call("GET", "/v1/suppressions").json()["suppressions"]]
    assert len(set(expected)) == len(names) + 3
    assert [one["address"] for one in listed(call, "/v1/suppressions")] == expected
    assert len(listed(call, "/v1/suppressions", domain="EXAMPLE.com")) == len(names) + 2
    assert len(listed(call, "/v1/suppressions", since="2026-11-20T12:00:00.000001Z")) == 2
    events = listed(call, "/v1/events")
    assert len(events) == len(names) + 3
    assert [one["address"] for one in listed(call, "/v1/events", kind="bounce")] == [
        "jane@example.com"
    ]
    assert len(listed(call, "/v1/addresses/JANE@example.com/events")) == 1

    key = {"Idempotency-Key": "7f3c"}
    api.now += DAY
    allowed = call("DELETE", "/v1/suppressions/jane@example.com", headers=key).json()
    assert (allowed["recorded"], allowed["answer"]["may_mail"]) == (True, True)
    api.now += DAY
    assert call("PUT", "/v1/suppressions/jane@example.com").json()["recorded"] is True
    api.now += DAY
    repeated = call("DELETE", "/v1/suppressions/jane@example.com", headers=key).json()
    assert (repeated["recorded"], repeated["answer"]["may_mail"]) == (False, False)
    # What the databases read differently: NUL, blanks at the end, letters outside of the BMP.
    odd = {"note": "\x00 \U0001f600 ", "by": "ann "}
    assert call("PUT", "/v1/suppressions/mary@example.com", json=odd).is_success
    (event,) = listed(call, "/v1/addresses/mary@example.com/events")
    assert event["diagnostic"] == "\N{REPLACEMENT CHARACTER} \U0001f600 "
    assert rows(api.engine, "SELECT mailable FROM member") == [(0,), (0,)]

    assert_dossier_comes_in_pages(api)
    assert_a_logout_is_known_as_long_as_it_matters(api)

    assert call("GET", "/v1/stats?by=reason").json()["counts"]
    assert call("GET", "/v1/stats?sender=%F0%9F%98%80").json() == {"counts": []}
    assert call("GET", "/v1/incidents").json() == {"incidents": []}
    assert [token.last_used_on for token in tokens.all_tokens(api.engine)] == [api.now.date()]
    tokens.revoke(api.engine, ["crm"], AT, "ann")
    assert call("GET", "/healthz").is_success
    assert call("GET", "/v1/incidents").status_code == 401


def assert_dossier_comes_in_pages(api: Api) -> None:
    """The console reads the events of an address by their times, some of the same microsecond."""
    times = [AT, AT, AT, AT, AT - DAY / 7, AT + DAY / 7]
    decisions = [
        decide("mary@example.com", Reason.SUPPRESSED_BY_HAND, at, by=str(number))
        for number, at in enumerate(times)
    ]
    api.store.record(decisions, api.now)
    found: list[Any] = []
    after: EventPlace | None = None
    while True:
        page = read_dossier(api.engine, ["mary@example.com"], 2, after)
        found += [(one.event.occurred_at, one.event.source) for one in page.events]
        if page.older is None:
            break
        assert len(page.events) == 2
        # As a link of the console keeps it.
        after = msgspec.json.decode(msgspec.json.encode(page.older), type=EventPlace)
    at_once = [source for at, source in found if at == AT]
    assert sorted(at_once) == ["0", "1", "2", "3"]
    assert [at for at, _ in found] == sorted([*times, api.now], reverse=True)
    assert still_decided(api.engine, AT, "0", Reason.SUPPRESSED_BY_HAND) == {}
    at, by = found[0]
    latest = still_decided(api.engine, at, by, Reason.SUPPRESSED_BY_HAND)
    assert list(latest) == ["mary@example.com"]
    assert still_decided(api.engine, at, by, Reason.ALLOWED_BY_HAND) == {}
    assert page.struck_off
    assert page.state.manual is not None


def assert_a_logout_is_known_as_long_as_it_matters(api: Api) -> None:
    for _ in range(2):
        ended_sessions.end(api.engine, "first", AT, AT - DAY)
    assert ended_sessions.has_ended(api.engine, "first")
    ended_sessions.end(api.engine, "second", AT + DAY, AT)
    known = [ended_sessions.has_ended(api.engine, name) for name in ("first", "second", "third")]
    assert known == [False, True, False]
