"""Reads the policies of queues: which topics may send to one, and where its dead letters go."""

import json
from collections.abc import Iterator, Mapping
from typing import Any


def statements(policy: str | None) -> list[Mapping[str, Any]]:
    """The statements of a policy; none where there is no policy."""
    found = json.loads(policy or "{}").get("Statement", [])
    return found if isinstance(found, list) else [found]


def topics_of(statement: Mapping[str, Any]) -> Iterator[str]:
    """The ARNs of the topics that a statement names in its condition `aws:SourceArn`."""
    for condition in statement.get("Condition", {}).values():
        for key, value in condition.items():
            if key.lower() == "aws:sourcearn":
                arns = value if isinstance(value, list) else [value]
                yield from (arn for arn in arns if ":sns:" in arn and not set("*?") & set(arn))


def redrive_target(redrive_policy: str | None) -> str:
    """The ARN of the dead-letter queue in a redrive policy; empty without one."""
    policy = json.loads(redrive_policy or "{}")
    return str(policy.get("deadLetterTargetArn", ""))
