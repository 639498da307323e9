import json
import re
from pathlib import Path
from typing import Any

import pytest

from sesbounce.errors import ConfigurationError
from sesbounce.oidc_settings import Scope, read_load_balancer, verified_email
from sesbounce.settings import load_settings
from tests.load_balancer import ANN, ARN, CLIENT, ISSUER, balancer

SET = {
    "SESBOUNCE_SERVE_OIDC_LOAD_BALANCER": ARN,
    "SESBOUNCE_SERVE_OIDC_ISSUER": ISSUER,
    "SESBOUNCE_SERVE_OIDC_CLIENT": CLIENT,
}


def test_without_a_load_balancer_there_is_none() -> None:
    assert load_settings().load_balancer is None


def test_the_settings_name_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SET.items():
        monkeypatch.setenv(name, value)
    found = load_settings().load_balancer
    assert found == balancer()
    assert found.scopes == {Scope.CHECK, Scope.READ}
    monkeypatch.setenv("SESBOUNCE_SERVE_OIDC_SCOPES", "none")
    found = load_settings().load_balancer
    assert found
    assert found.scopes == set()


def test_the_example_of_the_page_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    page = (Path(__file__).parents[3] / "docs/api.md").read_text()
    given = re.findall(r"^export (SESBOUNCE_SERVE_OIDC_\w+)='?([^'\n]+)'?$", page, re.MULTILINE)
    assert len(given) == 4
    for name, value in given:
        monkeypatch.setenv(name, value)
    found = load_settings().load_balancer
    assert found
    assert found.scopes_of({**ANN, "custom:team": "support"}) == {*found.scopes, "decide", "admin"}


@pytest.mark.parametrize(
    ("arn", "url"),
    [
        (ARN, "https://public-keys.auth.elb.eu-west-1.amazonaws.com"),
        (
            ARN.replace("arn:aws:", "arn:aws-us-gov:").replace("eu-west-1", "us-gov-east-1"),
            "https://s3-us-gov-east-1.amazonaws.com/aws-elb-public-keys-prod-us-gov-east-1",
        ),
    ],
)
def test_the_keys_are_those_of_the_region(arn: str, url: str) -> None:
    found = read_load_balancer(arn, ISSUER, CLIENT, "check", None)
    assert found
    assert found.keys == url


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"LOAD_BALANCER": ""}, "need SESBOUNCE_SERVE_OIDC_LOAD_BALANCER"),
        ({"ISSUER": ""}, "needs SESBOUNCE_SERVE_OIDC_ISSUER and"),
        ({"CLIENT": ""}, "needs SESBOUNCE_SERVE_OIDC_ISSUER and"),
        ({"LOAD_BALANCER": "my-load-balancer"}, "must be the ARN"),
        ({"LOAD_BALANCER": ARN.replace("/app/", "/net/")}, "must be the ARN"),
        ({"LOAD_BALANCER": ARN.replace("aws:", "aws-cn:")}, "must be the ARN"),
        ({"LOAD_BALANCER": ARN.replace("eu-west-1", "evil.example/")}, "must be the ARN"),
        ({"SCOPES": "check,write"}, "OIDC_SCOPES: a scope is one of check, read, decide"),
        ({"GRANTS": "x"}, "OIDC_GRANTS is no JSON object"),
        ({"GRANTS": '{"groups=x": "admin"}'}, "OIDC_GRANTS is no JSON object"),
        ({"GRANTS": '{"groups=x": ["root"]}'}, "OIDC_GRANTS: a scope is one of"),
        ({"GRANTS": '{"groups": ["admin"]}'}, "CLAIM=VALUE"),
        ({"GRANTS": '{"=x": ["admin"]}'}, "CLAIM=VALUE"),
        ({"GRANTS": '{"groups=": ["admin"]}'}, "CLAIM=VALUE"),
    ],
)
def test_what_is_wrong_is_named(
    monkeypatch: pytest.MonkeyPatch, changed: dict[str, str], problem: str
) -> None:
    for name, value in (SET | {f"SESBOUNCE_SERVE_OIDC_{n}": v for n, v in changed.items()}).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=problem):
        load_settings()


@pytest.mark.parametrize(
    ("claims", "granted"),
    [
        ({"groups": "support"}, {"decide"}),
        ({"groups": ["staff", "support"]}, {"decide"}),
        ({"groups": ["staff"]}, set()),
        ({"groups": "support,staff"}, set()),
        ({"groups": {"support": True}}, set()),
        ({"groups": None}, set()),
        ({"cognito:groups": ["a=b", "support"]}, {"export"}),
        ({"email": "Ann@Example.com", "email_verified": True}, {"admin"}),
        ({"email": "ann@example.com", "email_verified": "true", "groups": "support"},
         {"admin", "decide"}),
        ({"email": "ann@example.com"}, set()),
        ({"email": "ann@example.com", "email_verified": False}, set()),
        ({"email": "ann@example.com", "email_verified": "false"}, set()),
        ({"email": "ann@example.com", "email_verified": 2}, set()),
        ({"email": ["ann@example.com"], "email_verified": True}, set()),
        ({"email": "bob@example.com", "email_verified": True}, set()),
    ],
)  # fmt: skip
def test_claims_grant_scopes(claims: dict[str, Any], granted: set[str]) -> None:
    grants = {
        "groups=support": ["decide"],
        "cognito:groups=a=b": ["export"],
        "email=ann@example.com": ["admin"],
    }
    found = balancer("check", json.dumps(grants))
    assert found.scopes_of({"sub": "1", **claims}) == {"check", *granted}


def test_an_address_counts_if_the_issuer_has_verified_it() -> None:
    assert verified_email(ANN) == "ann@example.com"
    assert verified_email({"sub": "1"}) is None
