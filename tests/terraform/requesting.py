"""Requests of a service or an account, for the policies that a resource or a role has itself."""

import json
from typing import Any

from sesbounce.doctor.iam import Request
from tests.terraform.names import ACCOUNT


def with_resource(trust: str) -> str:
    """A trust policy names no resource: it is its role's own."""
    document = json.loads(trust)
    for statement in document["Statement"]:
        statement["Resource"] = "role"
    return json.dumps(document)


def request_to_assume(**asked: Any) -> Request:
    return request_for("role", **asked)


def request_for(
    resource: str,
    *,
    action: str,
    principal: tuple[str, str],
    source: str | None,
    secure: str = "true",
    account: str | None = ACCOUNT,
) -> Request:
    context = {
        "aws:SecureTransport": secure,
        "aws:SourceAccount": account,
        "aws:SourceArn": source,
    }
    known = {key: value for key, value in context.items() if value is not None}
    return Request(action=action, resource=resource, principal=principal, context=known)
