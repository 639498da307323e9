"""Holds messages whose certificate is not at hand, until it is fetched.

The writer never waits for SNS: messages whose certificate is at hand go on. The others stay in
flight, so that the heartbeat keeps them invisible, and none of them nears the dead-letter queue.
"""

import threading
import time
from collections.abc import Callable, Sequence

import msgspec
import structlog

from sesbounce.aws.sns_trust import FAILURE_SECONDS, Trust
from sesbounce.errors import CertificateError
from sesbounce.telemetry.reports import Report, Resumed, Stalled
from sesbounce.worker.in_flight import InFlight, InFlightMessage
from sesbounce.worker.threads import Threads

# A certificate must not wait until the fetch of another has timed out.
_FETCHERS = 4

log = structlog.get_logger()


class _Wait(msgspec.Struct):
    """The messages that wait for one certificate.

    Attributes:
        messages: the messages.
        due: when the next fetch may begin, by `time.monotonic`.
        fetching: whether a fetch is under way.
        failed: whether the last fetch has failed.
    """

    messages: list[InFlightMessage] = msgspec.field(default_factory=list)
    due: float = 0.0
    fetching: bool = False
    failed: bool = False


class Unverified:
    """Fetches certificates in threads of its own, and passes the messages back to the writer."""

    def __init__(
        self,
        trust: Trust,
        in_flight: InFlight,
        report: Callable[[Report], None],
        *,
        patient: bool = True,
    ) -> None:
        """Begin without messages; `start` starts the threads.

        Args:
            trust: fetches certificates, and keeps them at hand.
            in_flight: the messages in flight, to whose buffer it passes messages back.
            report: takes a report when the wait for certificates begins and ends.
            patient: whether to wait for a host that can't be reached, and retry.
        """
        self._trust = trust
        self._in_flight = in_flight
        self._report = report
        self._patient = patient
        self._waits: dict[str, _Wait] = {}
        self._stopped = False
        self._changed = threading.Condition()

    def start(self, threads: Threads) -> None:
        """Start the threads that fetch."""
        for number in range(_FETCHERS):
            threads.start(f"fetcher-{number}", self._run)

    def add(self, messages: Sequence[tuple[InFlightMessage, str]]) -> None:
        """Add messages, each with the URL of its certificate."""
        if not messages:
            return  # as nearly always: no thread need wake for that
        with self._changed:
            for message, url in messages:
                self._waits.setdefault(url, _Wait()).messages.append(message)
            self._changed.notify_all()

    def stop(self) -> list[InFlightMessage]:
        """Begin no further fetch, and give up the messages that wait."""
        with self._changed:
            self._stopped = True
            messages = [message for wait in self._waits.values() for message in wait.messages]
            self._waits.clear()
            self._changed.notify_all()
        return messages

    def _run(self) -> None:
        while url := self._next():
            try:
                self._trust.fetch(url)
            except CertificateError as error:
                if not self._patient and not error.lasting:
                    raise
                self._failed(url, error)
            else:
                log.info("certificate fetched", url=url)
                self._pass_back(url)

    def _next(self) -> str | None:
        """Wait for a certificate whose fetch is due; None when no thread should fetch any more."""
        with self._changed:
            while not self._stopped:
                idle = [(wait.due, url) for url, wait in self._waits.items() if not wait.fetching]
                due, url = min(idle, default=(None, ""))
                left = None if due is None else due - time.monotonic()
                if left is not None and left <= 0:
                    self._waits[url].fetching = True
                    return url
                self._changed.wait(left)
            return None

    def _failed(self, url: str, error: CertificateError) -> None:
        if error.lasting:
            self._pass_back(url)  # the handler rejects the messages
            return
        with self._changed:
            wait = self._waits.get(url)
            if wait is None:  # stopped
                return
            wait.due = time.monotonic() + FAILURE_SECONDS
            wait.fetching, wait.failed = False, True
            self._drop_expired(wait)
            log.warning("certificate not fetched", problem=str(error), messages=len(wait.messages))
            self._report(Stalled("certificate", str(error)))
            if not wait.messages:
                self._end_wait(url)

    def _pass_back(self, url: str) -> None:
        """Pass the messages of a certificate back to the writer."""
        with self._changed:
            if wait := self._end_wait(url):
                self._drop_expired(wait)
                self._in_flight.put_back(wait.messages)

    def _end_wait(self, url: str) -> _Wait | None:
        wait = self._waits.pop(url, None)
        if wait and wait.failed and not any(other.failed for other in self._waits.values()):
            self._report(Resumed("certificate"))
        return wait

    def _drop_expired(self, wait: _Wait) -> None:
        """Leave messages to their next receiver that others can receive by now.

        No message can stay invisible for more than 12 hours.
        """
        now = time.monotonic()
        kept = [m for m in wait.messages if not m.expired and m.visible_at > now]
        self._in_flight.remove(set(wait.messages).difference(kept))
        wait.messages = kept
