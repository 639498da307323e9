"""Detects incidents in the counts by hour, and keeps those up to date that it has found."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

import msgspec
import sqlalchemy as sa

from sesbounce.operations.incident_rows import changed, new
from sesbounce.policy.incident import Incident
from sesbounce.policy.outage import EXAMINED, Detection, Suspect, hour_of
from sesbounce.store.hours import delete_old_hours, find_suspects
from sesbounce.store.incidents import (
    IncidentRow,
    IncidentStatus,
    insert_incident,
    numbers,
    read_incidents,
    save_incident,
)
from sesbounce.store.store import Store

Mode = Literal["off", "warn", "hold"]


class Detector:
    """Detects the incidents of one database."""

    def __init__(
        self, store: Store, mode: Mode = "hold", detection: Detection | None = None
    ) -> None:
        """Make one.

        Args:
            store: the database.
            mode: whether the detection finds nothing, warns, or opens what it finds.
            detection: the thresholds; None for the defaults.
        """
        self._store = store
        self._mode = mode
        self._detection = detection or Detection()

    def suspects(self, now: datetime) -> list[Suspect]:
        """What the detection finds in the last two days, the earliest first."""
        with self._store.reading("the counts by hour can't be read") as connection:
            return find_suspects(connection, self._detection, now)

    def detect(self, now: datetime) -> list[IncidentRow]:
        """Let the automatic incidents be those that the counts show; returns the changed ones."""
        with self._store.writing("the incidents were not saved") as connection:
            delete_old_hours(connection, now)
            if self._mode == "off":
                return []
            rows = read_incidents(connection, since=now - 2 * EXAMINED)
            decided = [row for row in rows if row.detected and not row.automatic]
            automatic = {row.id: row for row in rows if row.automatic}
            # The counts no longer show when an older one began.
            begun_before = hour_of(now - EXAMINED)
            changes = []
            for one in find_suspects(connection, self._detection, now):
                if any(_overlap(one, row) for row in decided):
                    continue
                row = _matching(one, automatic.values(), begun_before)
                if row:
                    del automatic[row.id]
                changes.append(self._keep(connection, one, row, now))
            changes += [
                self._save(connection, row, changed(row, now, status=IncidentStatus.WITHDRAWN))
                for row in automatic.values()
                if row.begins_at >= begun_before
            ]
        return [change for change in changes if change]

    def _keep(
        self, connection: sa.Connection, found: Suspect, row: IncidentRow | None, now: datetime
    ) -> IncidentRow | None:
        """Save what was found; returns the incident if it is new or has changed."""
        holds = self._mode == "hold" and found.known > 0
        status = IncidentStatus.CONFIRMED if holds else IncidentStatus.SUSPECTED
        note = numbers(found)
        if row is None:
            incident = Incident(provider=found.provider, begins=found.begins, ends=found.ends)
            return insert_incident(connection, new(incident, now, status, note))
        after = changed(row, now, ends_at=found.ends, status=status, note=note)
        return self._save(connection, row, after)

    def _save(
        self, connection: sa.Connection, before: IncidentRow, after: IncidentRow
    ) -> IncidentRow | None:
        """Save a changed incident; returns it if more than its note has changed.

        A person may have changed it meanwhile: then it stays, and the next sweep sees that.
        """
        if after == before or not save_incident(connection, before, after):
            return None
        return after if msgspec.structs.replace(after, note=before.note) != before else None


def _matching(
    found: Suspect, rows: Iterable[IncidentRow], begun_before: datetime
) -> IncidentRow | None:
    """The row of what was found: of the same beginning, or an older one that goes on."""
    for row in rows:
        same = (row.provider, row.begins_at) == (found.provider, found.begins)
        if same or (row.begins_at < begun_before and _overlap(found, row)):
            return row
    return None


def _overlap(found: Suspect, row: IncidentRow) -> bool:
    ended_before = row.ends_at is not None and row.ends_at <= found.begins
    return row.provider == found.provider and not ended_before and row.begins_at < found.ends
