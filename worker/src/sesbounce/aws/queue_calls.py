"""Calls SQS and SNS for a person's command: an error names the action, and a missing right."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NoReturn, TypeAlias, TypeVar

from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    NoCredentialsError,
    PartialCredentialsError,
)
from botocore.parsers import ResponseParserError

from sesbounce.aws.clients import error_text
from sesbounce.backoff import pause
from sesbounce.errors import QueueAccessError, QueueError

MOST_AT_ONCE = 10
# A long poll asks all servers of SQS, so that an empty answer means that no message is visible.
WAIT_SECONDS = 2
CONFIG = Config(
    retries={"mode": "standard", "total_max_attempts": 4},
    connect_timeout=10,
    read_timeout=WAIT_SECONDS + 10,
)

_ATTEMPTS = 4
_PAUSE_SECONDS = 0.2
_ERRORS = (ClientError, BotoCoreError, ResponseParserError)
_Error: TypeAlias = ClientError | BotoCoreError | ResponseParserError
_DENIED = {
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationError",
    "AuthorizationErrorException",
    "KmsAccessDenied",
    "KMS.AccessDeniedException",
}
_NO_QUEUE = {"AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist", "InvalidAddress"}
_T = TypeVar("_T")


def called(action: str, resource: str, call: Callable[[], _T]) -> _T:
    """Call AWS.

    Args:
        action: IAM's name of the action.
        resource: the URL of the queue, or the ARN, that the call is about.
        call: makes the call.

    Raises:
        QueueError: AWS rejects the call or can't be reached.
    """
    try:
        return call()
    except _ERRORS as error:
        _raise(action, resource, error)


def called_in_tens(
    action: str, resource: str, entries: Sequence[Any], call: Callable[[Sequence[Any]], Any]
) -> set[str]:
    """Call SQS with ten entries at a time.

    Entries that SQS failed to handle are retried; those that it rejects are not.

    Args:
        action: IAM's name of the action.
        resource: the URL of the queue.
        entries: the entries, with an `Id` each.
        call: makes the call with some of them.

    Returns:
        The ids of the entries that SQS has handled.

    Raises:
        QueueError: SQS rejects a call or can't be reached.
    """
    done: set[str] = set()
    for start in range(0, len(entries), MOST_AT_ONCE):
        some = entries[start : start + MOST_AT_ONCE]
        for failures in range(_ATTEMPTS):
            if failures:
                time.sleep(pause(failures, _PAUSE_SECONDS))
            answer = called(action, resource, partial(call, some))
            failed = {e["Id"]: e.get("SenderFault", False) for e in answer.get("Failed") or ()}
            done |= {entry["Id"] for entry in some if entry["Id"] not in failed}
            some = [entry for entry in some if failed.get(entry["Id"]) is False]
            if not some:
                break
    return done


def _raise(action: str, resource: str, error: _Error) -> NoReturn:
    code = ""
    if isinstance(error, ClientError):
        code = str(error.response.get("Error", {}).get("Code", ""))
        text = error_text(error)
    else:
        text = " ".join(str(error).split()).rstrip(".")
    problem = f"{action} on {resource} failed: {text}"
    lasting = True
    kind = QueueAccessError if code in _DENIED else QueueError
    if code in _DENIED:
        key = "KMS" in code or "Kms" in code or "kms:" in text
        needed = "kms:Decrypt and kms:GenerateDataKey on its key" if key else action
        problem += (
            f". Your AWS user or role needs {needed}: Terraform gives it to the worker with "
            "consumer_may_redrive = true, and prints the policy for others as the output "
            "dlq_operator_policy"
        )
    elif code in _NO_QUEUE:
        problem += ": check the URL of the queue and AWS_REGION"
    elif isinstance(error, NoCredentialsError | PartialCredentialsError):
        problem += ": name a profile in AWS_PROFILE, or set AWS_ACCESS_KEY_ID and its secret"
    else:
        lasting = False
    raise kind(problem, lasting=lasting, code=code or type(error).__name__) from error
