"""Evaluates one IAM policy: does it allow a request?

It knows the part of the policy language in which policies of topics, queues, keys, roles and users
are usually written. A policy with anything else raises an error: a guess could hide a fault.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sesbounce.errors import UnknownPolicyError

# AWS's default policies of topics and queues have the older version. The two differ in variables,
# `${aws:username}`, which are an error here in both.
_VERSIONS = ("2008-10-17", "2012-10-17")


@dataclass(frozen=True, kw_only=True)
class Request:
    """One call of an AWS API.

    Attributes:
        action: such as `sns:Publish`.
        resource: the ARN of the resource.
        principal: the caller as a resource's policy names it, such as
            `("Service", "sns.amazonaws.com")`; None where the policy is an identity's own.
        context: the values of condition keys, such as `aws:SourceArn`; a key that has several at
            once, such as the names in a change of DNS records, has a tuple of them.
    """

    action: str
    resource: str
    principal: tuple[str, str] | None = None
    context: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)


def allows(document: str | None, request: Request) -> bool:
    """Whether some statement of the policy allows the request, and none denies it.

    Without a policy nothing is allowed.

    Raises:
        UnknownPolicyError: the policy holds something that this evaluator does not know.
    """
    if not document:
        return False
    policy = _object(json.loads(document), required={"Statement"}, optional={"Version", "Id"})
    if policy.get("Version", _VERSIONS[0]) not in _VERSIONS:
        raise _unknown(f"the version {policy['Version']!r}")
    # Every statement is evaluated, so that an unknown one never hides behind another.
    effects = [
        statement["Effect"]
        for statement in _listed(policy["Statement"])
        if _applies(statement, request)
    ]
    return "Allow" in effects and "Deny" not in effects


def _applies(statement: Any, request: Request) -> bool:
    _object(
        statement,
        required={"Effect", "Action", "Resource"},
        optional={"Sid", "Principal", "Condition"},
    )
    if statement["Effect"] not in ("Allow", "Deny"):
        raise _unknown(f"the effect {statement['Effect']!r}")
    actions = [pattern.lower() for pattern in _texts(statement["Action"])]
    # A list, not a chain of `and`: each part must be known even where another does not match.
    return all(
        [
            _is_principal(statement.get("Principal"), request.principal),
            _any_like(actions, request.action.lower()),
            _any_like(_texts(statement["Resource"]), request.resource),
            *_conditions(statement.get("Condition", {}), request.context),
        ]
    )


def _is_principal(stated: Any, caller: tuple[str, str] | None) -> bool:
    if (stated is None) != (caller is None):
        raise _unknown("a principal" if caller is None else "a statement without a principal")
    if caller is None or stated == "*":
        return True
    kind, name = caller
    names = {
        known: _texts(values)
        for known, values in _object(stated, optional={"Service", "AWS", "Federated"}).items()
    }
    # {"AWS": "*"} is everybody, services included, as "*" is.
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
    return name in names.get(kind, []) or "*" in names.get("AWS", [])


def _conditions(stated: Any, context: Mapping[str, str | tuple[str, ...]]) -> Iterator[bool]:
    known = {f"{name}{end}" for name in _OPERATORS for end in ("", _IF_EXISTS)}
    _object(stated, optional=known | {f"{_FOR_ALL}{name}" for name in _OPERATORS})
    # Keys are the same in any case; the values of one key are alternatives.
    given = {key.lower(): value for key, value in context.items()}
    for operator, keys in stated.items():
        holds = _OPERATORS[operator.removesuffix(_IF_EXISTS).removeprefix(_FOR_ALL)]
        for key, values in _object(keys).items():
            patterns = _texts([_unquoted(value) for value in _listed(values)])
            actual = given.get(key.lower())
            if isinstance(actual, tuple) and not operator.startswith(_FOR_ALL):
                raise _unknown(f"{operator} for a key of several values, {key}")
            if actual is None:
                # Without a value, ForAllValues holds, too: it has nothing to compare.
                yield operator.endswith(_IF_EXISTS) or operator.startswith(_FOR_ALL)
            else:
                several = actual if isinstance(actual, tuple) else (actual,)
                yield all(any(holds(pattern, each) for pattern in patterns) for each in several)


def _any_like(patterns: Iterable[str], value: str) -> bool:
    return any(_like(pattern, value) for pattern in patterns)


def _like(pattern: str, value: str) -> bool:
    """Match `*` and `?`, which are all the wildcards that IAM has."""
    parts = (
        {"*": ".*", "?": "."}.get(part, re.escape(part)) for part in re.split(r"([*?])", pattern)
    )
    return re.fullmatch("".join(parts), value, re.DOTALL) is not None


def _arn_like(pattern: str, value: str) -> bool:
    """Match part by part: a wildcard does not reach over a colon into the next of the six parts."""
    if min(pattern.count(":"), value.count(":")) < _ARN_COLONS:
        return False
    return all(map(_like, pattern.split(":", _ARN_COLONS), value.split(":", _ARN_COLONS)))


_ARN_COLONS = 5
_IF_EXISTS = "IfExists"
_FOR_ALL = "ForAllValues:"
_OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda expected, actual: expected == actual,
    "StringLike": _like,
    "Bool": lambda expected, actual: expected.lower() == actual.lower(),
    # AWS says that these two do the same.
    "ArnEquals": _arn_like,
    "ArnLike": _arn_like,
}


def _object(
    value: Any, *, required: Collection[str] = (), optional: Collection[str] | None = None
) -> dict[str, Any]:
    """A JSON object with all the required keys, and no others but the optional ones.

    Args:
        value: a value of the policy.
        required: keys that it must have.
        optional: keys that it may have beside them; None: any.

    Raises:
        UnknownPolicyError: it is something else.
    """
    if not isinstance(value, dict):
        raise _unknown(f"{value!r} where an object belongs")
    if optional is not None and (strange := value.keys() - {*required, *optional}):
        raise _unknown(", ".join(sorted(strange)))
    if missing := set(required) - value.keys():
        raise _unknown(f"no {', '.join(sorted(missing))}")
    return value


def _texts(value: Any) -> list[str]:
    """The texts, one or several; none of them holds a variable.

    Raises:
        UnknownPolicyError: it is something else.
    """
    texts = _listed(value)
    for text in texts:
        if not isinstance(text, str) or "${" in text:
            raise _unknown(f"{text!r} where a plain text belongs")
    return texts


def _unquoted(value: Any) -> Any:
    """A condition's value as text: JSON's numbers and booleans need no quotes there.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
    """
    if isinstance(value, bool | int):
        return str(value).lower()
    return value


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _unknown(what: str) -> UnknownPolicyError:
    return UnknownPolicyError(f"sesbounce can't evaluate a policy with {what}")
