"""Examines the whole path in a thread, and keeps what the last examination found."""

import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from importlib.util import find_spec
from typing import NamedTuple

import structlog

from sesbounce.doctor.finding import Result, Status
from sesbounce.settings import Settings

# It judges the rights of these credentials, which are those of the server and not of the worker.
_OF_THE_WORKER = "iam.rights"

log = structlog.get_logger()


class Running(NamedTuple):
    """An examination that goes on.

    Attributes:
        began_at: when it began, UTC.
        results: what the checks have found so far.
    """

    began_at: datetime
    results: list[Result]


class Examined(NamedTuple):
    """An examination that has ended.

    Attributes:
        began_at: when it began, UTC.
        ended_at: when it ended, UTC.
        results: what the checks have found, in their order.
        whole: whether all checks were made, or skipped for a reason; otherwise a fault of a check
            has ended it, which the log describes.
    """

    began_at: datetime
    ended_at: datetime
    results: Sequence[Result]
    whole: bool

    @property
    def broken(self) -> int:
        """How many checks found something broken."""
        return sum(result.status is Status.BROKEN for result in self.results)


class Examiner:
    """Examines, one examination at a time.

    Attributes:
        running: the examination that goes on; None if there is none.
        last: the one that has ended last; None before the first one.
    """

    def __init__(self, settings: Settings, clock: Callable[[], datetime]) -> None:
        self.running: Running | None = None
        self.last: Examined | None = None
        self._settings = settings
        self._clock = clock
        self._beginning = threading.Lock()

    @property
    def lacks_boto3(self) -> bool:
        """Whether boto3 is missing, which the extra `server` does not bring."""
        return find_spec("boto3") is None

    def begin(self) -> datetime:
        """Begin an examination, unless one goes on.

        Returns:
            When it, or that one, began, UTC.
        """
        with self._beginning:
            if running := self.running:
                return running.began_at
            running = self.running = Running(self._clock(), [])
        # The end of the process does not wait for it: an examination changes nothing.
        threading.Thread(target=self._run, args=(running,), name="doctor", daemon=True).start()
        return running.began_at

    def _run(self, running: Running) -> None:
        whole = False
        try:
            self._examine(running.results)
            whole = True
        except Exception:  # the page says so, and the log which one
            log.exception("examination failed")
        finally:
            self.last = Examined(running.began_at, self._clock(), running.results, whole)
            self.running = None

    def _examine(self, results: list[Result]) -> None:
        # boto3 is slow to import, and comes with another extra.
        from sesbounce.doctor.examination import TIMEOUT_SECONDS, examination  # noqa: PLC0415

        with examination(self._settings) as examined:
            results.extend(examined.results(_OF_THE_WORKER.__ne__, TIMEOUT_SECONDS))
