"""Which person may do what, whom a load balancer has authenticated."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from sesbounce.oidc_settings import LoadBalancer
from sesbounce.server.people import People
from sesbounce.server.public_keys import PublicKeys
from sesbounce.server.routes import Operation
from sesbounce.store.tokens import Scope
from sesbounce.telemetry.logs import set_up_logs
from tests import stored
from tests.api import Api, Client
from tests.load_balancer import ANN, Endpoint, Signer, balancer, endpoint
from tests.unit.sesbounce.server.test_access import ALLOWED, GUARDED, request

IDENTITY = "X-Amzn-Oidc-Data"
OWN = {"Sec-Fetch-Site": "same-origin"}
SIGNER = Signer()
JANE = "/v1/suppressions/jane@example.com"


@pytest.fixture(scope="module")
def aws() -> Iterator[Endpoint]:
    with endpoint(SIGNER) as made:
        yield made


@pytest.fixture
def behind(api: Api, aws: Endpoint) -> "Behind":
    aws.status = None
    return Behind(api, aws)


class Behind:
    """Requests by way of the load balancer."""

    def __init__(self, api: Api, aws: Endpoint) -> None:
        self.api = api
        self.aws = aws

    def client(self, found: LoadBalancer | None = None, **more: Any) -> Client:
        people = People(found or balancer(), lambda: self.api.now, PublicKeys(self.aws.url))
        return self.api.client(persons=people, **more)


def identity(claims: Any = ANN, **header: Any) -> dict[str, str]:
    return {IDENTITY: SIGNER.token(claims, **header), **OWN}


@pytest.mark.parametrize("operation", GUARDED, ids=lambda one: f"{one.method} {one.path}")
def test_each_route_takes_the_scope_of_a_person(behind: Behind, operation: Operation) -> None:
    method, path, more = request(operation)
    grants = {f"role={scope}": [scope] for scope in Scope}
    call = behind.client(balancer("none", json.dumps(grants)))
    allowed = {*ALLOWED[operation.method, operation.path], Scope.ADMIN}
    for role in (*Scope, "another"):
        headers = identity({**ANN, "role": role})
        expected = 200 if role in allowed else 403
        assert call(method, path, headers=headers, **more).status_code == expected, role
    # By default, a person may look one address up, and see numbers.
    expected = 200 if allowed & {Scope.CHECK, Scope.READ} else 403
    assert behind.client()(method, path, headers=identity(), **more).status_code == expected


@pytest.mark.parametrize("operation", GUARDED, ids=lambda one: f"{one.method} {one.path}")
def test_no_route_answers_a_forged_header(behind: Behind, operation: Operation) -> None:
    method, path, more = request(operation)
    call = behind.client(balancer("admin"))
    forged = Signer().token()
    for data in (forged, SIGNER.token(exp=1), SIGNER.token(signer="x"), "x", ""):
        answer = call(method, path, headers={IDENTITY: data, **OWN}, **more)
        assert answer.status_code == 401
        assert answer.json()["detail"].startswith("the header x-amzn-oidc-data is not valid: ")
        assert answer.headers["WWW-Authenticate"].endswith('error="invalid_token"')
    assert call(method, path, headers=OWN, **more).status_code == 401, "on loopback, too"


def test_a_header_counts_only_if_a_load_balancer_is_set(api: Api) -> None:
    api.token(Scope.ADMIN)
    assert api.client()("GET", JANE, headers=identity()).status_code == 401


def test_a_token_counts_before_the_header(behind: Behind) -> None:
    call = behind.client(balancer("admin"))
    token = {"Authorization": f"Bearer {behind.api.token(Scope.READ)}"}
    assert call("GET", JANE, headers=identity()).status_code == 200
    assert call("GET", JANE, headers={**identity(), **token}).status_code == 403
    for wrong in ("Bearer x", ""):
        headers = {**identity(), "Authorization": wrong}
        assert call("GET", JANE, headers=headers).status_code == 401
    # A program is no browser.
    assert call("POST", "/v1/check", json={"addresses": []}, headers=token).status_code == 403
    writer = {"Authorization": f"Bearer {behind.api.token(Scope.DECIDE, name='writer')}"}
    foreign = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    assert call("PUT", JANE, headers={**writer, **foreign}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "own"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "none"}, True),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "x", "Origin": "https://sesbounce.example.com"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "https://sesbounce.example.com"}, False),
        ({"Origin": "https://sesbounce.example.com"}, True),
        ({"Origin": "https://sesbounce.example.com.evil.example"}, False),
        ({"Origin": "https://evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": "https://["}, False),
        ({"Origin": ""}, False),
        ({"Referer": "https://sesbounce.example.com/"}, False),
        ({}, False),
    ],
)
def test_a_page_of_another_site_changes_nothing(
    behind: Behind, headers: dict[str, str], own: bool
) -> None:
    call = behind.client(balancer("admin"))
    sent = {IDENTITY: SIGNER.token(), "Host": "sesbounce.example.com", **headers}
    for method in ("PUT", "DELETE"):
        assert call(method, JANE, headers=sent).status_code == (200 if own else 403)
    answer = call("POST", "/v1/check", headers=sent, json={"addresses": []})
    assert answer.status_code == (200 if own else 403)
    assert call("GET", JANE, headers=sent).status_code == 200
    assert call("HEAD", JANE, headers=sent).status_code == 200


def test_a_decision_names_the_person(behind: Behind) -> None:
    call = behind.client(balancer("decide"))
    call("PUT", JANE, headers=identity(), json={"by": "mary"})
    behind.api.now += timedelta(seconds=1)
    call("DELETE", JANE, headers=identity({**ANN, "email_verified": False}))
    found = stored.rows(behind.api.engine, "SELECT source FROM feedback_event ORDER BY recorded_at")
    assert found == [("mary (ann@example.com)",), ("person 1234567890",)]


def test_a_key_belongs_to_the_person(behind: Behind) -> None:
    call = behind.client(balancer("decide"))
    key = {"Idempotency-Key": "1"}
    for claims, recorded in ((ANN, True), (ANN, False), ({"sub": "another"}, True)):
        answer = call("PUT", JANE, headers={**identity(claims), **key})
        assert answer.json()["recorded"] is recorded
    token = {"Authorization": f"Bearer {behind.api.token(Scope.DECIDE)}"}
    assert call("PUT", JANE, headers={**token, **key}).json()["recorded"]


def test_each_person_has_a_limit_of_their_own(behind: Behind) -> None:
    call = behind.client(rate=0.1)
    assert call("GET", JANE, headers=identity()).status_code == 200
    assert call("GET", JANE, headers=identity()).status_code == 429
    assert call("GET", JANE, headers=identity({"sub": "another"})).status_code == 200


def test_the_log_names_no_address(behind: Behind, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("json", redact=False)
    call = behind.client()
    call("GET", JANE, headers=identity({**ANN, "sub": "ann@example.com"}))
    log = capsys.readouterr().err
    assert "@" not in log
    callers = {json.loads(line).get("caller") for line in log.splitlines()}
    assert any(re.fullmatch("person:[0-9a-f]{16}", caller) for caller in callers - {None})


def test_without_the_key_nobody_is_identified_and_nobody_is_let_in(
    behind: Behind, aws: Endpoint
) -> None:
    aws.status = 503
    call = behind.client(balancer("admin"))
    for _ in range(2):
        answer = call("GET", JANE, headers=identity())
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert "can't be fetched" in answer.json()["detail"]
    token = {"Authorization": f"Bearer {behind.api.token(Scope.CHECK)}"}
    assert call("GET", JANE, headers=token).status_code == 200
    aws.status = None
    unknown = Signer("00000000-0000-0000-0000-000000000000").token()
    answer = behind.client()("GET", JANE, headers={IDENTITY: unknown})
    assert answer.status_code == 401
    assert answer.json()["detail"].endswith("AWS knows no such key")
