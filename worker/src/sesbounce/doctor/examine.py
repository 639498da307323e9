"""Runs checks one after the other, and turns what stops one of them into its result."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from sesbounce.aws.clients import error_text
from sesbounce.doctor.finding import Finding, Result, broken, found, skipped
from sesbounce.errors import NotCheckedError, StoreError, UnknownPolicyError

GONE = {
    "AWS.SimpleQueueService.NonExistentQueue",
    "QueueDoesNotExist",
    "NotFound",
    "ConfigurationSetDoesNotExist",
    "ConfigurationSetDoesNotExistException",
    "NotFoundException",
    "ClusterNotFoundException",
    "NoSuchEntity",
    "ResourceNotFoundException",
}
"""The codes with which AWS says that it has no such resource."""
_TOO_LATE = (
    "the time was over before this check: run `sesbounce doctor` with a longer --timeout, or with "
    "fewer checks (--only)"
)


def _never(*_subject: object) -> str:
    return ""


class Check(NamedTuple):
    """One check.

    Attributes:
        id: its stable name, by which people choose and ignore it: `sns.topic`.
        title: what is as it should be, if the check finds nothing.
        run: finds what is not; its arguments are those of its group.
        skip: says why there is nothing to check; empty where there is something.
    """

    id: str
    title: str
    run: Callable[..., Iterable[Finding]]
    skip: Callable[..., str] = _never


class Group(NamedTuple):
    """Checks of the same subject.

    Attributes:
        checks: the checks.
        subject: finds the arguments of their `run` and `skip`. It may raise what a check may.
    """

    checks: Sequence[Check]
    subject: Callable[[], tuple[Any, ...]]


def is_wanted(id_: str, only: Iterable[str], ignored: Iterable[str]) -> bool:
    """Whether a person wants a check: by its name, or by the name of its group before the dot."""
    names = {id_, id_.partition(".")[0]}
    only = set(only)
    return not names & set(ignored) and (not only or bool(names & only))


def examine(
    groups: Iterable[Group],
    wanted: Callable[[str], bool] = lambda _: True,
    in_time: Callable[[], bool] = lambda: True,
) -> Iterator[Result]:
    """Make the checks that are wanted, one after the other.

    Args:
        groups: the checks.
        wanted: whether to make the check of this name. A group without one is not prepared.
        in_time: whether there is still time; the other checks are skipped.
    """
    for group in groups:
        checks = [check for check in group.checks if wanted(check.id)]
        subject: tuple[Any, ...] | str | None = None
        for check in checks:
            if not in_time():
                yield skipped(check.id, check.title, _TOO_LATE)
                continue
            if subject is None:
                subject = _prepared(group)
            yield (
                skipped(check.id, check.title, subject)
                if isinstance(subject, str)
                else _made(check, subject)
            )


def _prepared(group: Group) -> tuple[Any, ...] | str:
    """The subject of a group, or why there is none."""
    try:
        return group.subject()
    except NotCheckedError as error:
        return str(error)
    except (ClientError, BotoCoreError) as error:
        return unread(error)
    except StoreError as error:
        return str(error)


def _made(check: Check, subject: tuple[Any, ...]) -> Result:
    """The result of one check.

    What these credentials may not read is skipped, since nothing is known to be wrong with it.
    """
    try:
        if reason := check.skip(*subject):
            return skipped(check.id, check.title, reason)
        return found(check.id, check.title, check.run(*subject))
    except ClientError as error:
        if error.response.get("Error", {}).get("Code") in GONE:
            return found(check.id, check.title, [_gone(error)])
        return skipped(check.id, check.title, unread(error))
    except (BotoCoreError, StoreError, NotCheckedError, UnknownPolicyError) as error:
        return skipped(check.id, check.title, str(error))


def _gone(error: ClientError) -> Finding:
    return broken(
        f"AWS finds no such resource ({error_text(error)})",
        "it was there when the wiring was made, and somebody has deleted it",
        "Recreate it: make deploy",
    )


def unread(error: ClientError | BotoCoreError) -> str:
    """Why something in AWS could not be read, and what to do about it."""
    if isinstance(error, BotoCoreError):
        return str(error)
    failed = f"{error.operation_name} failed ({error_text(error)})"
    if error.response.get("Error", {}).get("Code") in GONE:
        return failed
    return f"{failed}: allow these credentials to call it, or look in the AWS console"
