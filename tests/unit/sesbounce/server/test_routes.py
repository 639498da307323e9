"""What each route answers."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from scripts.local.ses_messages import Scenario
from sesbounce.cli.ask import list_
from sesbounce.feedback.address import parse
from sesbounce.feedback.decode import decode
from sesbounce.feedback.manual import decide
from sesbounce.feedback.reason import Reason
from sesbounce.operations.erasure import forget
from sesbounce.privacy.keyed_hash import HashKeys
from sesbounce.server.service import Service
from sesbounce.store import tokens
from sesbounce.store.engine import open_database
from sesbounce.store.lookup import Lookup
from sesbounce.store.tokens import Scope
from tests import sending, stored
from tests.api import Api, Client
from tests.stored import DAY, decoded
from tests.support import AT, mail, said


@pytest.fixture
def _jane_has_bounced(api: Api) -> None:
    api.store.record([decoded(Scenario.BOUNCE)], AT)


def verdict(call: Client, address: str = "jane@example.com") -> Any:
    answer = call("GET", f"/v1/suppressions/{address}")
    assert answer.status_code == 200
    return answer.json()


@pytest.mark.usefixtures("_jane_has_bounced")
class TestCheck:
    def test_the_answers_have_the_order_of_the_addresses(self, call: Client) -> None:
        given = ["Jane <JANE@example.com>", "mary@example.com", "no address", "mary@example.com"]
        answers = call("POST", "/v1/check", json={"addresses": given}).json()["answers"]
        assert [answer["given"] for answer in answers] == given
        assert [answer["may_mail"] for answer in answers] == [False, True, False, True]
        problems = [answer["problem"] for answer in answers]
        assert problems == [None, None, "it is no address", None]
        assert answers[0]["address"] == "jane@example.com"
        assert answers[0]["reason"] == "no_such_mailbox"
        assert answers[0]["why"].startswith("hard bounce")

    def test_ten_thousand_are_answered_and_no_more(self, call: Client) -> None:
        given = [f"{number}@example.com" for number in range(9_999)] + ["jane@example.com"]
        answers = call("POST", "/v1/check", json={"addresses": given}).json()["answers"]
        assert [answer["given"] for answer in answers if not answer["may_mail"]] == given[-1:]
        assert len(answers) == 10_000
        refused = call("POST", "/v1/check", json={"addresses": [*given, "x@example.com"]})
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["pointer"] == "#/addresses"

    def test_one_address_has_the_same_answer(self, call: Client) -> None:
        found = verdict(call, "Jane%20%3CJANE@example.com%3E")
        assert (found["address"], found["may_mail"]) == ("jane@example.com", False)
        unknown = verdict(call, "nobody@example.com")
        assert (unknown["may_mail"], unknown["reason"]) == (True, None)

    @pytest.mark.parametrize("text", ["no%20address", "", "%00", "x/y"])
    def test_what_is_no_address_has_no_answer(self, call: Client, text: str) -> None:
        answer = call("GET", f"/v1/suppressions/{text}")
        assert answer.status_code == 422
        (error,) = answer.json()["errors"]
        assert "is no address" in error["detail"]
        assert error["parameter"] == "address"

    @pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
    @pytest.mark.parametrize("rest", ["/", "/events", "%2F", "%3Fstream=news", "%23x"])
    def test_what_follows_an_address_is_never_a_yes(
        self, call: Client, method: str, rest: str
    ) -> None:
        answer = call(method, f"/v1/suppressions/jane@example.com{rest}")
        assert answer.status_code == 422
        assert answer.json()["errors"][0]["parameter"] == "address"
        assert call("GET", "/v1/addresses/jane@example.com//events").status_code == 422

    def test_a_bounce_of_what_is_no_address_is_found(self, call: Client, api: Api) -> None:
        api.store.record([decode(json.dumps(said(about=mail("Bo <bo@example.com/x>"))))], AT)
        for path in ("bo@example.com%2Fx", "bo@example.com/x", "Bo%20%3CBO@example.com/x%3E"):
            assert verdict(call, path)["may_mail"] is False
            (event,) = call("GET", f"/v1/addresses/{path}/events").json()["events"]
            assert event["original"] == "Bo <bo@example.com/x>"
        assert call("PUT", "/v1/suppressions/bo@example.com/x").status_code == 422
        assert call("GET", "/v1/addresses/bo@example.com/y/events").status_code == 422

    @pytest.mark.parametrize(
        "path",
        ["suppressions/m%FCller@example.com", "suppressions/jane@example.com?stream=%E9"],
    )
    def test_a_url_that_is_not_utf_8_is_never_a_yes(self, call: Client, path: str) -> None:
        answer = call("GET", f"/v1/{path}")
        assert answer.status_code == 422
        assert "not UTF-8" in answer.json()["errors"][0]["detail"]

    def test_a_text_that_is_far_too_long_is_one_answer_of_several(self, call: Client) -> None:
        given = ["x" * 3000, "jane@example.com", "mary@example.com"]
        answers = call("POST", "/v1/check", json={"addresses": given}).json()["answers"]
        assert [answer["given"] for answer in answers] == given
        assert [answer["may_mail"] for answer in answers] == [False, False, True]
        assert [bool(answer["problem"]) for answer in answers] == [True, False, False]

    def test_an_address_may_hold_a_slash(self, call: Client) -> None:
        for path in ("a%2Fb@example.com", "a/b@example.com"):
            assert verdict(call, path)["address"] == "a/b@example.com"
        events = call("GET", "/v1/addresses/a%2Fb@example.com/events")
        assert events.json() == {"events": [], "next_cursor": None}


class TestDecisions:
    def test_a_decision_changes_the_verdict_and_the_sender_s_table(
        self, call: Client, api: Api, engine: sa.Engine
    ) -> None:
        body = {"note": "asked by phone", "by": "mary"}
        decided = call("PUT", "/v1/suppressions/Jane@Example.com", json=body).json()
        assert decided["recorded"] is True
        assert decided["statements_rejected"] is False
        assert decided["answer"]["reason"] == "suppressed_by_hand"
        assert stored.rows(engine, "SELECT mailable FROM member ORDER BY email") == [(0,), (1,)]
        (event,) = call("GET", "/v1/addresses/jane@example.com/events").json()["events"]
        assert (event["diagnostic"], event["source"]) == ("asked by phone", "mary (token crm)")
        api.now += timedelta(seconds=1)
        allowed = call("DELETE", "/v1/suppressions/jane@example.com?note=a%20mistake").json()
        assert allowed["answer"]["may_mail"] is True
        assert stored.rows(engine, "SELECT mailable FROM member ORDER BY email") == [(1,), (1,)]
        assert verdict(call)["may_mail"] is True
        latest, _ = call("GET", "/v1/addresses/jane@example.com/events").json()["events"]
        assert (latest["diagnostic"], latest["source"]) == ("a mistake", "token crm")

    def test_a_request_that_is_repeated_decides_once(self, call: Client, api: Api) -> None:
        key = {"Idempotency-Key": "7f3c"}
        path = "/v1/suppressions/jane@example.com"
        assert call("PUT", path, headers=key).json()["recorded"] is True
        api.now += DAY
        assert call("DELETE", path, headers=key).json()["recorded"] is True
        api.now += DAY
        # The decision of yesterday stands.
        repeated = call("PUT", path, headers=key).json()
        assert repeated["recorded"] is False
        assert repeated["answer"]["may_mail"] is True
        other = "/v1/suppressions/mary@example.com"
        assert call("PUT", other, headers=key).json()["recorded"] is True
        assert call("PUT", path).json()["answer"]["may_mail"] is False

    def test_of_two_requests_at_once_one_has_decided(
        self, call: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Both look for the key before either has recorded its decision.
        monkeypatch.setattr(Service, "_is_known", lambda *_: False)
        key, path = {"Idempotency-Key": "7f3c"}, "/v1/suppressions/jane@example.com"
        recorded = [call("PUT", path, headers=key).json()["recorded"] for _ in range(2)]
        assert recorded == [True, False]
        assert len(call("GET", "/v1/addresses/jane@example.com/events").json()["events"]) == 1

    def test_a_request_is_known_after_its_address_was_forgotten(self, engine: sa.Engine) -> None:
        keys = HashKeys(["k" * 32])
        api = Api(engine, keys)
        call = api.client(api.token(Scope.ADMIN))
        key, path = {"Idempotency-Key": "7f3c"}, "/v1/suppressions/jane@example.com"
        assert call("DELETE", path, headers=key).json()["recorded"] is True
        assert call("PUT", path).json()["answer"]["may_mail"] is False
        forget(api.store, keys, [parse("jane@example.com")], AT, "ann")
        api.now += DAY
        repeated = call("DELETE", path, headers=key).json()
        assert (repeated["recorded"], repeated["answer"]["may_mail"]) == (False, False)
        events = call("GET", "/v1/addresses/jane@example.com/events").json()["events"]
        assert len(events) == 2
        assert "jane" not in json.dumps(events)
        api.close()

    def test_the_keys_of_two_tokens_are_two(self, call: Client, api: Api) -> None:
        key = {"Idempotency-Key": "7f3c"}
        path = "/v1/suppressions/jane@example.com"
        assert call("PUT", path, headers=key).json()["recorded"] is True
        other = api.client(api.token(Scope.DECIDE, name="shop"))
        api.now += DAY
        assert other("PUT", path, headers=key).json()["recorded"] is True

    def test_a_statement_that_fails_is_said(self, call: Client, engine: sa.Engine) -> None:
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE member")
        decided = call("PUT", "/v1/suppressions/jane@example.com").json()
        assert decided["statements_rejected"] is True
        assert decided["answer"]["may_mail"] is False

    @pytest.mark.parametrize("method", ["PUT", "DELETE"])
    def test_what_is_no_address_is_not_recorded(self, call: Client, method: str) -> None:
        answer = call(method, "/v1/suppressions/nobody")
        assert answer.status_code == 422
        assert call("GET", "/v1/events").json()["events"] == []


def pages(call: Client, path: str, name: str, **query: Any) -> list[list[Any]]:
    """All pages of a list."""
    found: list[list[Any]] = []
    while True:
        answer = call("GET", path, params=query)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found.append(page[name])
        if page["next_cursor"] is None:
            return found
        query["cursor"] = page["next_cursor"]


def _changed(cursor: str) -> list[str]:
    """The cursor, each of its characters changed in turn; of the last, some bits are unused."""
    return [
        f"{cursor[:place]}{'A' if cursor[place] != 'A' else 'B'}{cursor[place + 1 :]}"
        for place in range(len(cursor) - 1)
    ]


class TestLists:
    def test_pages_hold_each_suppressed_address_once(self, call: Client, api: Api) -> None:
        expected = []
        for number in range(7):
            address = f"{number}@example.com"
            # Some at the same moment, the last of them in a page or between two.
            at = AT - (number // 3) * DAY
            api.store.record([decide(address, Reason.SUPPRESSED_BY_HAND, at)], AT)
            expected.append((at, address))
        expected.sort(reverse=True)
        for limit in (1, 2, 3, 7, 100):
            found = pages(call, "/v1/suppressions", "suppressions", limit=limit)
            assert [one["address"] for page in found for one in page] == [a for _, a in expected]
            assert all(len(page) == limit for page in found[:-1])

    def test_those_of_streams_come_last(self, call: Client, api: Api) -> None:
        api.store.record([decoded(Scenario.BOUNCE)], AT)
        with api.engine.begin() as connection:
            for number in range(3):
                for stream in ("news", "offers"):
                    connection.exec_driver_sql(
                        "INSERT INTO feedback_stream VALUES (?, ?, ?, NULL, 'unsubscribed', "
                        "'complaint', 'opted out')",
                        (f"{number}@example.com", stream, "2026-11-20 12:00:00.000000"),
                    )
        expected = [["jane@example.com", []]]
        for number in (2, 1, 0):
            expected += [[f"{number}@example.com", [stream]] for stream in ("offers", "news")]
        for limit in (1, 2, 4, 100):
            found = pages(call, "/v1/suppressions", "suppressions", limit=limit)
            assert [[o["address"], o["streams"]] for p in found for o in p] == expected
        news = pages(call, "/v1/suppressions", "suppressions", limit=2, stream="news")
        assert [len(page) for page in news] == [2, 2]

    def test_filters_are_those_of_the_command(self, call: Client, api: Api) -> None:
        api.store.record([decoded(Scenario.BOUNCE)], AT)
        api.store.record([decide("x@other.example", Reason.SUPPRESSED_BY_HAND, AT + DAY)], AT)

        def listed(**query: Any) -> list[str]:
            (page,) = pages(call, "/v1/suppressions", "suppressions", **query)
            return [one["address"] for one in page]

        jane, other = "jane@example.com", "x@other.example"
        assert listed() == [other, jane]
        assert listed(reason="no_such_mailbox") == [jane]
        assert listed(domain="OTHER.example") == [other]
        assert listed(since="2026-11-21T00:00:00Z") == [other]
        assert listed(since="2026-11-21T14:00:00+02:00") == [other]
        assert {p.name for p in list_.params} - {"as_json", "offset"} == {
            *("reason", "domain", "since", "stream", "limit")
        }
        for wrong in ({"domain": "no domain"}, {"reason": "x"}, {"reson": "blocked"}):
            answer = call("GET", "/v1/suppressions", params=wrong)
            assert answer.status_code == 422
            if "domain" in wrong:
                assert answer.json()["errors"][0]["parameter"] == "domain"

    def test_events_are_paged_and_filtered(self, call: Client, api: Api) -> None:
        for day in range(5):
            api.store.record([decoded(Scenario.MAILBOX_FULL, day)], AT + day * DAY)
        api.store.record([decide("mary@example.com", Reason.ALLOWED_BY_HAND, AT)], AT)
        found = [one for page in pages(call, "/v1/events", "events", limit=4) for one in page]
        assert [one["address"] for one in found] == ["mary@example.com"] + ["jane@example.com"] * 5
        assert [one["mail_id"] for one in found[1:]] == [f"mail-{d}" for d in (4, 3, 2, 1, 0)]
        path = "/v1/addresses/JANE@example.com/events"
        assert [len(p) for p in pages(call, path, "events", limit=2)] == [2, 2, 1]
        assert len(Lookup(api.engine).why("jane@example.com")) == 5

        def number(**query: Any) -> int:
            return sum(map(len, pages(call, "/v1/events", "events", **query)))

        assert number(kind="manual") == 1
        assert number(reason="mailbox_full") == 5
        assert number(since="2026-11-23T00:00:00Z", until="2026-11-24T00:00:00Z") == 1
        assert number(sender="sender@example.com") == 5
        assert number(tenant="nobody") == 0

    def test_tags_select_events(self, call: Client, api: Api) -> None:
        tags = {"campaign": ["spring"], "team": ["a=b"]}
        for day, known in enumerate([{}, {"campaign": ["autumn"]}, tags]):
            message = said(about=mail(f"{day}@example.com", f"mail-{day}"), schema="event")
            message["mail"]["tags"] |= known
            api.store.record([decode(json.dumps(message), tags=("campaign", "team"))], AT)

        def found(*tags: str) -> list[str]:
            answer = call("GET", "/v1/events", params={"tag": tags}).json()
            return [one["address"] for one in answer["events"]]

        assert len(found()) == 3
        assert found("campaign=autumn") == ["1@example.com"]
        assert found("campaign=spring", "team=a=b") == ["2@example.com"]
        assert found("campaign=autumn", "team=a=b") == []
        (group,) = call("GET", "/v1/stats?by=tag:campaign&tag=team=a=b").json()["counts"]
        assert (group["group"], group["hard"]) == ("spring", 1)
        for wrong in ("campaign", "=x", "ä=x", "campaign=%00"):
            assert call("GET", f"/v1/events?tag={wrong}").status_code == 422

    def test_a_cursor_belongs_to_its_list_and_filters(self, call: Client, api: Api) -> None:
        for day in range(3):
            api.store.record([decoded(Scenario.BOUNCE, day, f"{day}@example.com")], AT)
        cursor = call("GET", "/v1/suppressions?limit=1").json()["next_cursor"]
        assert call("GET", "/v1/suppressions", params={"cursor": cursor}).status_code == 200
        others = [
            ("/v1/suppressions", {"cursor": cursor, "domain": "example.com"}),
            ("/v1/suppressions", {"cursor": cursor[:-4]}),
            ("/v1/suppressions", {"cursor": "ä"}),
            ("/v1/suppressions", {"cursor": "x"}),
            # A client that makes a text of null would read the first page for ever.
            ("/v1/suppressions", {"cursor": ""}),
            ("/v1/events", {"cursor": ""}),
            ("/v1/events", {"cursor": cursor}),
            *(("/v1/suppressions", {"cursor": changed}) for changed in _changed(cursor)),
        ]
        for path, query in others:
            answer = call("GET", path, params=query)
            assert answer.status_code == 400, query
            assert answer.json()["errors"][0]["parameter"] == "cursor"


@pytest.mark.usefixtures("_jane_has_bounced")
class TestReports:
    def test_statistics_are_those_of_the_command(self, call: Client) -> None:
        (day,) = call("GET", "/v1/stats").json()["counts"]
        assert (day["group"], day["hard"]) == ("2026-11-20", 1)
        (domain,) = call("GET", "/v1/stats?by=domain&since=2026-11-20T00:00:00Z").json()["counts"]
        assert domain["group"] == "example.com"
        assert call("GET", "/v1/stats?until=2026-11-20T00:00:00Z").json() == {"counts": []}
        (tag,) = call("GET", "/v1/stats?by=tag:campaign").json()["counts"]
        assert tag["group"] is None
        assert call("GET", "/v1/stats?by=moon").status_code == 422

    def test_incidents_are_listed(self, call: Client, api: Api) -> None:
        assert call("GET", "/v1/incidents").json() == {"incidents": []}
        with api.engine.begin() as connection:
            connection.exec_driver_sql(
                "INSERT INTO feedback_incident VALUES (1, 'x', 'google', "
                "'2026-11-20 12:00:00.000000', NULL, 'confirmed', 'jane', 'jane', 'down', "
                "'2026-11-20 12:00:00.000000', NULL)"
            )
        (incident,) = call("GET", "/v1/incidents").json()["incidents"]
        assert (incident["provider"], incident["ends_at"]) == ("google", None)

    def test_a_stopped_sender_is_answered_and_critical_mail_passes(
        self, call: Client, api: Api
    ) -> None:
        path = f"/v1/sending?identity=ann@{sending.IDENTITY}"
        assert call("GET", path).json()["may_send"] is None
        sending.count(api.engine, AT, delivered=700, hard=300)
        stopped = call("GET", path).json()
        assert (stopped["may_send"], stopped["state"]) == (False, "stop")
        account, identity = stopped["senders"]
        assert (account["identity"], identity["identity"]) == (None, sending.IDENTITY)
        assert identity["rates"][0]["rate"] == 0.3
        passed = call("GET", f"{path}&stream=critical").json()
        assert (passed["may_send"], passed["state"]) == (True, "stop")
        assert call("GET", "/v1/sending?identiy=x").status_code == 422

    def test_who_may_only_check_learns_nothing_about_other_senders(self, api: Api) -> None:
        sending.count(api.engine, AT, delivered=700, hard=300)
        for scope, shown in ((Scope.CHECK, False), (Scope.READ, True), (Scope.ADMIN, True)):
            call = api.client(api.token(scope, Scope.CHECK, name=scope))
            answer = call("GET", "/v1/sending").json()
            assert (answer["may_send"], bool(answer["senders"])) == (False, shown)

    def test_health_needs_no_token(self, api: Api) -> None:
        api.token(Scope.ADMIN)
        assert api.client(only_loopback=False)("GET", "/healthz").json() == {"status": "ok"}


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("instead", [None, b"", b"no database" * 1000])
def test_a_file_that_is_removed_or_replaced_answers_no_more(
    url: str, instead: bytes | None, request: pytest.FixtureRequest
) -> None:
    engine = open_database(url, create=False)  # as `sesbounce serve` does
    request.addfinalizer(engine.dispose)
    api = Api(engine)
    request.addfinalizer(api.close)
    call = api.client(api.token(Scope.ADMIN))
    assert verdict(call, "nobody@example.com")["may_mail"] is True
    file = Path(url.removeprefix("sqlite:///"))
    for one in (file, file.with_name(f"{file.name}-wal"), file.with_name(f"{file.name}-shm")):
        one.unlink(missing_ok=True)
    if instead is not None:
        file.write_bytes(instead)
    for method, path in [
        ("GET", "/v1/suppressions/nobody@example.com"),
        ("PUT", "/v1/suppressions/nobody@example.com"),
    ]:
        assert call(method, path).status_code == 503
    if instead != b"":
        assert call("GET", "/healthz").status_code == 503
    assert file.exists() == (instead is not None)


@pytest.mark.usefixtures("_jane_has_bounced")
def test_without_the_database_there_is_no_answer(
    call: Client, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: Any) -> Any:
        raise sa.exc.OperationalError("SELECT", {}, Exception("connection refused"))

    monkeypatch.setattr(engine, "connect", gone)
    for method, path, body in [
        ("POST", "/v1/check", {"addresses": ["nobody@example.com"]}),
        ("GET", "/v1/suppressions/nobody@example.com", None),
        ("PUT", "/v1/suppressions/nobody@example.com", None),
        ("GET", "/v1/suppressions", None),
        ("GET", "/v1/sending", None),
        ("GET", "/healthz", None),
    ]:
        answer = call(method, path, json=body)
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "5"
        assert "may_mail" not in json.dumps(answer.json())
        assert "may_send" not in json.dumps(answer.json())


def test_the_database_goes_away_behind_the_token(
    api: Api, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = api.client(api.token(Scope.CHECK))
    found = tokens.all_tokens(engine)[0]
    monkeypatch.setattr(tokens, "find", lambda *_: found)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP VIEW suppressed")
        connection.exec_driver_sql("ALTER TABLE feedback_address RENAME TO gone")
    answer = call("POST", "/v1/check", json={"addresses": ["nobody@example.com"]})
    assert answer.status_code == 503
    assert "gone" not in answer.text
