"""Sweeps: propagates what has expired or was left over, and detects incidents."""

from collections.abc import Callable
from datetime import datetime

import structlog

from sesbounce.operations.incidents import Incidents
from sesbounce.store.result import Recorded
from sesbounce.store.store import Store
from sesbounce.telemetry.reports import Report, Swept
from sesbounce.worker.batch import numbers

log = structlog.get_logger()


class Sweeper:
    """Sweeps one store, and logs and reports what that did."""

    def __init__(
        self,
        store: Store,
        incidents: Incidents,
        report: Callable[[Report], None],
        now: Callable[[], datetime],
    ) -> None:
        """Make a sweeper.

        Args:
            store: the store to sweep.
            incidents: detects incidents, after each sweep of the store that has ended.
            report: takes a report of each sweep.
            now: returns the time, UTC.
        """
        self._store = store
        self._incidents = incidents
        self._report = report
        self._now = now

    def sweep(self) -> bool:
        """Sweep for some seconds; false where the next call has to go on.

        Raises:
            StoreError: the database can't be used.
        """
        return self._sweep_store() and self._sweep_incidents()

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
                status=row.status.value,
                provider=row.provider,
                begins=row.begins_at.isoformat(),
                ends=row.ends_at and row.ends_at.isoformat(),
                numbers=row.note,
            )
        return swept.ended


def _log(recorded: Recorded) -> None:
    if recorded != Recorded():
        log.info("sweep", **numbers(recorded))
