"""Sweeps: propagates what has expired or was left over, detects incidents and stopped senders."""

import time
from collections.abc import Callable
from datetime import datetime

import structlog

from sesbounce.operations.incidents import Incidents
from sesbounce.store.gate import stopped_senders
from sesbounce.store.result import Recorded
from sesbounce.store.store import Store
from sesbounce.telemetry.reports import Report, Swept
from sesbounce.worker.batch import numbers
from sesbounce.worker.presence import Presence

# To judge the senders reads the counts of a month.
_SENDERS_SECONDS = 300.0

log = structlog.get_logger()


class Sweeper:
    """Sweeps one store, and logs and reports what that did."""

    def __init__(
        self,
        store: Store,
        incidents: Incidents,
        report: Callable[[Report], None],
        now: Callable[[], datetime],
        presence: Presence,
    ) -> None:
        """Make a sweeper.

        Args:
            store: the store to sweep.
            incidents: detects incidents, after each sweep of the store that has ended.
            report: takes a report of each sweep.
            now: returns the time, UTC.
            presence: writes that the worker lives, after each sweep of the store.
        """
        self._store = store
        self._incidents = incidents
        self._report = report
        self._now = now
        self._presence = presence
        self._stopped: set[tuple[str, str, str | None]] = set()
        self._senders_at = 0.0

    def sweep(self) -> bool:
        """Sweep for some seconds; false where the next call has to go on.

        Raises:
            StoreError: the database can't be used.
        """
        swept = self._sweep_store()
        self._presence.save()
        if not (swept and self._sweep_incidents()):
            return False
        if time.monotonic() >= self._senders_at:
            self._look_at_senders()
            self._senders_at = time.monotonic() + _SENDERS_SECONDS
        return True

    def _sweep_store(self) -> bool:
        swept = self._store.sweep(self._now())
        progress = self._store.progress
        _log(swept)
        self._report(Swept(swept, *(progress or ())))
        return progress is None

    def _sweep_incidents(self) -> bool:
        swept = self._incidents.sweep(self._now())
        _log(swept.recorded)
        self._report(Swept(swept.recorded, incidents=swept.current))
        for row in swept.changed:
            log.warning(
                "incident",
                number=row.id,
                state=row.state_at(self._now()),
                provider=row.provider,
                begins=row.begins_at.isoformat(),
                ends=row.ends_at and row.ends_at.isoformat(),
                numbers=row.note,
            )
        return swept.ended

    def _look_at_senders(self) -> None:
        """Say which senders are stopped: nobody else may have asked."""
        with self._store.reading("the senders can't be judged") as connection:
            stopped = stopped_senders(connection, self._now())
        self._report(Swept(Recorded(), stopped=len(stopped)))
        found = {(one.account_id, one.region, one.identity): one for one in stopped}
        for key in found.keys() - self._stopped:
            one = found[key]
            log.warning("sender stopped", sender=one.name, region=one.region, why=one.why)
        self._stopped = set(found)


def _log(recorded: Recorded) -> None:
    if recorded != Recorded():
        log.info("sweep", **numbers(recorded))
