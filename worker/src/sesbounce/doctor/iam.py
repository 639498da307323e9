"""Whether a resource's policy lets a service of AWS do something.

A small part of IAM's language, which is what policies of topics, queues and keys are written in:
statements with Principal, Action, Resource and the usual operators of Condition. What it does not
know, it rejects to judge.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sesbounce.errors import UnknownPolicyError


@dataclass(frozen=True)
class Call:
    """One call by a service.

    Attributes:
        service: as a policy names it, such as `ses.amazonaws.com`.
        action: such as `sns:Publish`.
        resource: its ARN.
        context: what AWS tells of the call, by condition keys such as `aws:SourceArn`.
    """

    service: str
    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)


def lets(document: str | None, call: Call) -> bool:
    """Whether some statement allows the call and none denies it; no policy allows nothing.

    Raises:
        UnknownPolicyError: it can't be told.
    """
    if not document:
        return False
    effects = [
        statement.get("Effect")
        for statement in _listed(json.loads(document).get("Statement", []))
        if _applies(statement, call)
    ]
    return "Allow" in effects and "Deny" not in effects


def _applies(statement: Mapping[str, Any], call: Call) -> bool:
    strange = statement.keys() - {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"}
    if strange:
        raise UnknownPolicyError(f"{', '.join(sorted(strange))} in a policy is not known here")
    return (
        _is_principal(statement.get("Principal"), call.service)
        and _any_like(statement.get("Action", []), call.action, str.casefold)
        and _any_like(statement.get("Resource", []), call.resource)
        and all(_conditions(statement.get("Condition", {}), call.context))
    )


def _is_principal(stated: Any, service: str) -> bool:
    if isinstance(stated, Mapping):
        # {"AWS": "*"} is everybody, services included.
        return "*" in _listed(stated.get("AWS", [])) or service in _listed(
            stated.get("Service", [])
        )
    return bool(stated == "*")


def _conditions(stated: Mapping[str, Any], context: Mapping[str, str]) -> Iterator[bool]:
    given = {key.casefold(): value for key, value in context.items()}
    for operator, keys in stated.items():
        plain = operator.removesuffix("IfExists")
        if plain not in _OPERATORS:
            raise UnknownPolicyError(f"The condition {operator} in a policy is not known here")
        for key, values in keys.items():
            actual = given.get(key.casefold())
            if actual is None:
                yield plain != operator  # "IfExists" does not mind
            else:
                yield any(_OPERATORS[plain](str(value), actual) for value in _listed(values))


def _any_like(patterns: Any, value: str, fold: Callable[[str], str] = str) -> bool:
    return any(_like(fold(str(pattern)), fold(value)) for pattern in _listed(patterns))


def _like(pattern: str, value: str) -> bool:
    """Match `*` and `?`, which are all the wildcards there are."""
    parts = (
        {"*": ".*", "?": "."}.get(part, re.escape(part)) for part in re.split(r"([*?])", pattern)
    )
    return re.fullmatch("".join(parts), value, re.DOTALL) is not None


def _arn_like(pattern: str, value: str) -> bool:
    """Match part by part: a wildcard does not reach over a colon into the next of the six parts."""
    patterns, parts = pattern.split(":", 5), value.split(":", 5)
    return len(patterns) == len(parts) and all(map(_like, patterns, parts))


_OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda expected, actual: expected == actual,
    "StringLike": _like,
    "Bool": lambda expected, actual: expected.casefold() == actual.casefold(),
    # AWS says that these two do the same.
    "ArnEquals": _arn_like,
    "ArnLike": _arn_like,
}


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
