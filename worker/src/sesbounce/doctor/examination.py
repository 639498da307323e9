"""The examination that people ask for: the checks of the whole path, made within a limited time."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import NamedTuple

import boto3
import sqlalchemy as sa

from sesbounce.doctor import path
from sesbounce.doctor.examine import Group, examine
from sesbounce.doctor.finding import Result
from sesbounce.settings import Settings
from sesbounce.store.engine import open_database

TIMEOUT_SECONDS = 120.0
"""The time after which an examination begins no check, unless a person names another one."""


class Examination(NamedTuple):
    """The checks of the whole path, and what they are made with.

    Attributes:
        groups: the checks.
        engine: opens the database for reading, once. It may raise `StoreError`.
        session: makes a session of boto3. It may raise `NotCheckedError`.
    """

    groups: Sequence[Group]
    engine: Callable[[], sa.Engine]
    session: Callable[[], boto3.Session]

    def results(self, wanted: Callable[[str], bool], seconds: float) -> Iterator[Result]:
        """Make the checks that are wanted, one after the other.

        Args:
            wanted: whether to make the check of this name.
            seconds: the time after which no check begins.
        """
        end = time.monotonic() + seconds
        return examine(self.groups, wanted, lambda: time.monotonic() < end)


@contextmanager
def examination(settings: Settings, state: Path | None = None) -> Iterator[Examination]:
    """Prepare an examination; its connections to the database are closed at the end.

    Args:
        settings: name the queue and the database.
        state: what `terraform show -json` has printed; None where nothing is declared.

    Raises:
        ConfigurationError: the file does not hold a state.
    """
    with ExitStack() as stack:

        @cache
        def engine() -> sa.Engine:
            opened = open_database(settings.database, read_only=True, passwords=settings.passwords)
            stack.callback(opened.dispose)
            return opened

        region = os.environ.get("AWS_REGION") or None
        yield Examination(
            path.groups(settings, engine, region, state),
            engine,
            lambda: path.session(settings, region),
        )
