"""Reads which load balancer says who asks, and what each person may do; the scopes there are.

The texts of the errors hold no value but those that are no secrets.
"""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec

from sesbounce.database_settings import split

DEFAULT_SCOPES = "check,read"
_NO_SCOPES = "none"
_LOAD_BALANCER = "SESBOUNCE_SERVE_OIDC_LOAD_BALANCER"
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_elasticloadbalancingv2.html
_ARN = re.compile(
    r"arn:(aws|aws-us-gov):elasticloadbalancing:([a-z]{2}(?:-[a-z]+)+-\d):\d{12}"
    r":loadbalancer/app/[A-Za-z0-9-]{1,32}/[0-9a-f]{16}",
    re.ASCII,
)
# Where the public keys are, by partition; AWS names none for the others.
# https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-authenticate-users.html
_KEYS = {
    "aws": "https://public-keys.auth.elb.{region}.amazonaws.com",
    "aws-us-gov": "https://s3-{region}.amazonaws.com/aws-elb-public-keys-prod-{region}",
}


class Scope(StrEnum):
    """What a caller of the HTTP API may do; docs/api.md lists the routes of each."""

    CHECK = "check"
    READ = "read"
    DECIDE = "decide"
    EXPORT = "export"
    ADMIN = "admin"


class Grant(NamedTuple):
    """Further scopes for people of whom a claim holds a value.

    Attributes:
        claim: the name of the claim.
        value: the claim's value, or one of its values.
        scopes: the scopes.
    """

    claim: str
    value: str
    scopes: frozenset[Scope]

    def fits(self, claims: Mapping[str, Any]) -> bool:
        """Whether a person has the claim; an e-mail address counts once it is verified."""
        found = claims.get(self.claim)
        if self.claim == "email":
            address = verified_email(claims)
            return address is not None and address.lower() == self.value.lower()
        return found == self.value or (isinstance(found, list) and self.value in found)


class LoadBalancer(NamedTuple):
    """An Application Load Balancer that authenticates people before it forwards their requests.

    Attributes:
        arn: its ARN.
        keys: the URL below which the public keys of its signatures are.
        issuer: the issuer that its listener names, which knows the people.
        client: the id by which that issuer knows the load balancer.
        scopes: what every person may do.
        grants: what some people may do besides.
    """

    arn: str
    keys: str
    issuer: str
    client: str
    scopes: frozenset[Scope]
    grants: tuple[Grant, ...]

    def scopes_of(self, claims: Mapping[str, Any]) -> frozenset[Scope]:
        """What the person with these claims may do."""
        granted = (grant.scopes for grant in self.grants if grant.fits(claims))
        return self.scopes.union(*granted)


def verified_email(claims: Mapping[str, Any]) -> str | None:
    """The e-mail address of a person; None without one that the issuer has verified.

    Anybody could give an account somebody else's address. Amazon Cognito writes the flag as text.
    https://openid.net/specs/openid-connect-core-1_0.html#StandardClaims
    """
    address, verified = claims.get("email"), claims.get("email_verified")
    return address if isinstance(address, str) and verified in (True, "true") else None


def read_load_balancer(
    arn: str | None, issuer: str | None, client: str | None, scopes: str, grants: str | None
) -> LoadBalancer | None:
    """Read the settings; None where they name no load balancer.

    Args:
        arn: the value of SESBOUNCE_SERVE_OIDC_LOAD_BALANCER.
        issuer: that of SESBOUNCE_SERVE_OIDC_ISSUER.
        client: that of SESBOUNCE_SERVE_OIDC_CLIENT.
        scopes: that of SESBOUNCE_SERVE_OIDC_SCOPES.
        grants: that of SESBOUNCE_SERVE_OIDC_GRANTS.

    Raises:
        ValueError: one of them is wrong, or one is missing.
    """
    for_all = _scopes("SESBOUNCE_SERVE_OIDC_SCOPES", [] if scopes == _NO_SCOPES else split(scopes))
    for_some = _grants(grants or "{}")
    if not arn:
        if issuer or client or grants:
            raise ValueError(
                "SESBOUNCE_SERVE_OIDC_ISSUER, SESBOUNCE_SERVE_OIDC_CLIENT and "
                f"SESBOUNCE_SERVE_OIDC_GRANTS need {_LOAD_BALANCER} beside them"
            )
        return None
    if not issuer or not client:
        raise ValueError(
            f"{_LOAD_BALANCER} needs SESBOUNCE_SERVE_OIDC_ISSUER and SESBOUNCE_SERVE_OIDC_CLIENT "
            "beside it: the issuer and the client id of the listener's authenticate action"
        )
    parts = _ARN.fullmatch(arn)
    if not parts:
        raise ValueError(
            f"{_LOAD_BALANCER} must be the ARN of an Application Load Balancer: "
            "arn:aws:elasticloadbalancing:REGION:ACCOUNT:loadbalancer/app/NAME/ID"
        )
    keys = _KEYS[parts[1]].format(region=parts[2])
    return LoadBalancer(arn, keys, issuer, client, for_all, for_some)


def _grants(text: str) -> tuple[Grant, ...]:
    variable = "SESBOUNCE_SERVE_OIDC_GRANTS"
    try:
        given = msgspec.json.decode(text, type=dict[str, list[str]])
    except msgspec.DecodeError as error:
        raise ValueError(
            f"{variable} is no JSON object as docs/api.md describes it: {error}"
        ) from None
    found = []
    for condition, scopes in given.items():
        claim, _, value = condition.partition("=")
        if not claim or not value:
            raise ValueError(f"{variable}: each name must have the form CLAIM=VALUE")
        found.append(Grant(claim, value, _scopes(variable, scopes)))
    return tuple(found)


def _scopes(variable: str, names: Iterable[str]) -> frozenset[Scope]:
    try:
        return frozenset(map(Scope, names))
    except ValueError:
        raise ValueError(f"{variable}: a scope is one of {', '.join(Scope)}") from None
