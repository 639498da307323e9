"""Reads from the policy of a queue which topics may send to it."""

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
