"""Retries transactions that conflict with those of other writers."""

import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from sesbounce.backoff import pause
from sesbounce.errors import ConflictError, TransactionEndedError

_T = TypeVar("_T")

_ATTEMPTS = 5
_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 0.2


def retry_conflicts(
    work: Callable[[], _T], without_statements: Callable[[], _T] | None = None
) -> _T:
    """Run a transaction, and retry it after a conflict with another writer, at most 5 times in all.

    Args:
        work: the transaction.
        without_statements: the same transaction without the sender's statements: the last
            attempt, because a statement may be the cause.

    Raises:
        ConflictError: the last attempt failed with a conflict as well.
    """
    for failures in range(1, _ATTEMPTS):
        try:
            return work()
        except TransactionEndedError:  # it would do so once more
            break
        except ConflictError:
            time.sleep(pause(failures, _PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS))
    return (without_statements or work)()


def retry_revision(revise: Callable[..., _T]) -> _T:
    """Retry a transaction as `retry_conflicts` does, the last time without the sender's statements.

    Args:
        revise: the transaction; takes `run_statements`.

    Raises:
        ConflictError: the last attempt failed with a conflict as well.
    """
    return retry_conflicts(revise, partial(revise, run_statements=False))
