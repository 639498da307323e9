"""A small evaluator of IAM policy documents, for the parts of the language that ours use.

No emulator enforces policies, so the tests ask this one. It knows `Effect`, `Principal`, `Action`,
`Resource` and some operators of `Condition`; whatever else it meets, it refuses to judge.
"""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


class UnknownPolicyError(ValueError):
    """The document holds something that this evaluator doesn't know."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """One call of AWS.

    `principal` is the caller as a resource's policy names it, such as
    `("Service", "sns.amazonaws.com")`; None where an identity's own policy is asked.
    """

    action: str
    resource: str
    principal: tuple[str, str] | None = None
    context: Mapping[str, str] = field(default_factory=dict)


def allows(document: str, request: Request) -> bool:
    """Whether the policy allows the request: some statement does, and none denies it."""
    policy = _known(json.loads(document), {"Version", "Id", "Statement"})
    if policy.get("Version") != "2012-10-17":
        raise UnknownPolicyError(f"Version {policy.get('Version')!r}")
    # Every statement is looked at, so that an unknown one never hides behind another.
    effects = [
        statement["Effect"]
        for statement in _listed(policy["Statement"])
        if _applies(statement, request)
    ]
    return "Allow" in effects and "Deny" not in effects


def _applies(statement: Any, request: Request) -> bool:
    _known(statement, {"Sid", "Effect", "Principal", "Action", "Resource", "Condition"})
    if statement["Effect"] not in {"Allow", "Deny"}:
        raise UnknownPolicyError(f"Effect {statement['Effect']!r}")
    # A list, not a chain of `and`: each part must be known even where another doesn't match.
    return all(
        [
            _is_principal(statement.get("Principal"), request.principal),
            any(
                _like(pattern.lower(), request.action.lower())
                for pattern in _listed(statement["Action"])
            ),
            any(_like(pattern, request.resource) for pattern in _listed(statement["Resource"])),
            *_conditions(statement.get("Condition", {}), request.context),
        ]
    )


def _is_principal(stated: Any, caller: tuple[str, str] | None) -> bool:
    if (stated is None) != (caller is None):
        raise UnknownPolicyError("an identity's policy names no principal, a resource's does")
    if caller is None or stated == "*":
        return True
    kind, name = caller
    _known(stated, {"Service", "AWS", "Federated"})
    names = _listed(stated.get(kind, []))
    return name in names or (kind == "AWS" and "*" in names)


def _conditions(stated: Any, context: Mapping[str, str]) -> Iterable[bool]:
    _known(stated, set(_OPERATORS) | {f"{operator}{_IF_EXISTS}" for operator in _OPERATORS})
    # Keys are the same in any case; the values of one key are alternatives.
    given = {key.lower(): value for key, value in context.items()}
    for operator, keys in stated.items():
        holds = _OPERATORS[operator.removesuffix(_IF_EXISTS)]
        for key, values in keys.items():
            patterns = [_literal(value) for value in _listed(values)]
            actual = given.get(key.lower())
            if actual is None:
                yield operator.endswith(_IF_EXISTS)
            else:
                yield any(holds(pattern, actual) for pattern in patterns)


def _like(pattern: str, value: str) -> bool:
    """Match `*` and `?`, which are all the wildcards that IAM has."""
    parts = (
        {"*": ".*", "?": "."}.get(part, re.escape(part))
        for part in re.split(r"([*?])", _literal(pattern))
    )
    return re.fullmatch("".join(parts), value, re.DOTALL) is not None


def _arn_like(pattern: str, value: str) -> bool:
    """Match part by part: a wildcard doesn't reach over a colon into the next of the six parts."""
    patterns, parts = pattern.split(":", 5), value.split(":", 5)
    return len(patterns) == len(parts) == 6 and all(map(_like, patterns, parts))


_IF_EXISTS = "IfExists"
_OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda expected, actual: expected == actual,
    "Bool": lambda expected, actual: expected.lower() == actual.lower(),
    # AWS says that these two do the same.
    "ArnEquals": _arn_like,
    "ArnLike": _arn_like,
}


def _known(mapping: Any, keys: set[str]) -> dict[str, Any]:
    if not isinstance(mapping, dict) or not mapping.keys() <= keys:
        raise UnknownPolicyError(f"{mapping!r} is not made of {sorted(keys)}")
    return mapping


def _literal(text: Any) -> str:
    if not isinstance(text, str) or "${" in text:
        raise UnknownPolicyError(f"{text!r} is no plain text")
    return text


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
