"""Opens, changes and detects incidents, and judges the addresses concerned once more.

An incident is a row, and verdicts follow from the events and the incidents. So whoever changes an
incident has to judge once more each address that bounced hard in its time. A transaction that
records events reads the incidents when it begins: one that began before the change may commit
after it. So the sweep judges the addresses once more, some minutes after each change.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Literal, NamedTuple

import msgspec
import sqlalchemy as sa

from sesbounce.errors import IncidentError
from sesbounce.operations.rebuild import Change, change_of
from sesbounce.policy.incident import Incident
from sesbounce.policy.outage import Detection, Suspect, suspects
from sesbounce.policy.state import State
from sesbounce.store.hours import EXAMINED, delete_old_hours, read_hours
from sesbounce.store.incidents import (
    IncidentRow,
    IncidentStatus,
    addresses_with_hard_bounces,
    held_incidents,
    insert_incident,
    numbers,
    read_incident,
    read_incidents,
    save_incident,
    save_settled,
)
from sesbounce.store.result import Recorded
from sesbounce.store.store import Store, VerdictChange, retry_conflicts

BY_DETECTION = "sesbounce"
# By then each transaction has ended that began before an incident was changed.
_GRACE = timedelta(minutes=5)
_BATCH = 500
_SECONDS = 10.0
Mode = Literal["off", "warn", "hold"]


class Swept(NamedTuple):
    """What a sweep did.

    Attributes:
        recorded: the verdicts that changed.
        suspected: the incidents of the last two days that a person should look at.
    """

    recorded: Recorded
    suspected: int


class Incidents:
    """The incidents of one database."""

    def __init__(
        self, store: Store, mode: Mode = "hold", detection: Detection | None = None
    ) -> None:
        """Make one.

        Args:
            store: judges the addresses, saves them, and propagates the verdicts.
            mode: whether the detection finds nothing, warns, or opens what it finds.
            detection: the thresholds; None for the defaults.
        """
        self._store = store
        self._mode = mode
        self._detection = detection or Detection()
        # Where the sweep goes on, by the number of the incident and the time of its change.
        self._after: dict[tuple[int, datetime], tuple[datetime, str]] = {}

    def all(self) -> list[IncidentRow]:
        """All incidents, the latest first."""
        with self._store.reading("the incidents can't be read") as connection:
            return read_incidents(connection)

    def get(self, number: int) -> IncidentRow:
        """One incident.

        Raises:
            IncidentError: there is none of this number.
        """
        with self._store.reading("the incidents can't be read") as connection:
            row = read_incident(connection, number)
        if row is None:
            raise IncidentError(
                f"there is no incident {number}: `sesbounce incident list` prints them"
            )
        return row

    def suspects(self, now: datetime) -> list[Suspect]:
        """What the detection finds in the last two days, the earliest first."""
        with self._store.reading("the counts by hour can't be read") as connection:
            return self._suspects(connection, now)

    def preview(self, row: IncidentRow) -> Iterator[Change]:
        """Yield what saving a new or changed incident would change; this changes nothing."""
        with self._store.reading("the incidents can't be read") as connection:
            others = held_incidents(connection, without=row.id)
        incidents = (*others, row.incident) if row.status is IncidentStatus.HELD else others
        after: tuple[datetime, str] | None = None
        while True:
            with self._store.reading("the addresses can't be read") as connection:
                found = self._concerned(connection, row, after)
                keys = [key for _, key in found]
                changes = self._store.preview(connection, keys, _unchanged, incidents)
            yield from _changes(changes, row.changed_at)
            if len(found) < _BATCH:
                return
            after = found[-1]

    def save(self, row: IncidentRow) -> IncidentRow:
        """Save a new incident (number 0) or a changed one; `settle` then judges the addresses."""
        with self._store.writing("the incident was not saved") as connection:
            if not row.id:
                return insert_incident(connection, row)
            save_incident(connection, row)
            return row

    def settle(self, row: IncidentRow, now: datetime) -> Iterator[tuple[Recorded, list[Change]]]:
        """Judge the addresses concerned once more; yields the changes of each transaction.

        Raises:
            StoreError: the database can't be used; what was yielded stays.
        """
        version = (row.id, row.changed_at)
        after = self._after.pop(version, None)
        while True:
            done, last, changes = retry_conflicts(
                partial(self._settle_some, row, after, now),
                partial(self._settle_some, row, after, now, run_statements=False),
            )
            if last:
                self._after[version] = after = last
            yield done, list(_changes(changes, now))
            if last is None:
                break
        self._after.pop(version, None)
        settled_for_good = row.changed_at + _GRACE
        with self._store.writing("the incident was not saved") as connection:
            save_settled(connection, row, settled_for_good if now < settled_for_good else None)

    def sweep(self, now: datetime) -> Swept:
        """Detect incidents, and judge the addresses of those that have changed.

        Returns after some seconds; the next call goes on.

        Raises:
            StoreError: the database can't be used.
        """
        suspected = 0
        if self._mode != "off":
            suspected = retry_conflicts(partial(self._detect, now))
        with self._store.reading("the incidents can't be read") as connection:
            due = read_incidents(connection, due=now)
        recorded = Recorded()
        ends_at = time.monotonic() + _SECONDS
        for row in due:
            for done, _ in self.settle(row, now):
                recorded.add(done)
                if time.monotonic() >= ends_at:
                    return Swept(recorded, suspected)
        return Swept(recorded, suspected)

    def _suspects(self, connection: sa.Connection, now: datetime) -> list[Suspect]:
        found = suspects(read_hours(connection, now), self._detection)
        return [one for one in found if one.ends > now - EXAMINED]

    def _detect(self, now: datetime) -> int:
        """Let the automatic incidents be those that the counts show; returns how many are open."""
        with self._store.writing("the incidents were not saved") as connection:
            delete_old_hours(connection, now)
            rows = read_incidents(connection, since=now - EXAMINED)
            of_people = [row for row in rows if not row.automatic]
            found = [
                one
                for one in self._suspects(connection, now)
                if not any(_overlap(one, row) for row in of_people)
            ]
            known = {(row.provider, row.begins_at): row for row in rows if row.automatic}
            for one in found:
                self._keep(connection, one, known.pop((one.provider, one.begins), None), now)
            for row in known.values():
                if row.status is not IncidentStatus.WITHDRAWN:
                    save_incident(connection, changed(row, now, status=IncidentStatus.WITHDRAWN))
        waiting = [row for row in of_people if row.status is IncidentStatus.SUSPECTED]
        return len(found) + len(waiting)

    def _keep(
        self, connection: sa.Connection, found: Suspect, row: IncidentRow | None, now: datetime
    ) -> None:
        holds = self._mode == "hold" and found.known > 0
        status = IncidentStatus.HELD if holds else IncidentStatus.SUSPECTED
        note = numbers(found)
        if row is None:
            incident = Incident(provider=found.provider, begins=found.begins, ends=found.ends)
            insert_incident(
                connection, new(incident, now, status, BY_DETECTION, note, automatic=True)
            )
        elif (row.ends_at, row.status) != (found.ends, status):
            save_incident(
                connection, changed(row, now, ends_at=found.ends, status=status, note=note)
            )

    def _settle_some(
        self,
        row: IncidentRow,
        after: tuple[datetime, str] | None,
        now: datetime,
        *,
        run_statements: bool = True,
    ) -> tuple[Recorded, tuple[datetime, str] | None, list[VerdictChange]]:
        """Judge some addresses; returns also the last one of them, or None if there are no more."""
        with self._store.writing("the addresses were not judged") as connection:
            found = self._concerned(connection, row, after)
            keys = [key for _, key in found]
            recorded, changes = self._store.revise(
                connection, keys, _unchanged, now, run_statements=run_statements
            )
        return recorded, found[-1] if len(found) == _BATCH else None, changes

    def _concerned(
        self, connection: sa.Connection, row: IncidentRow, after: tuple[datetime, str] | None
    ) -> list[tuple[datetime, str]]:
        begins, ends = row.settle_from, row.settle_until
        return addresses_with_hard_bounces(connection, begins, ends, after, _BATCH)


def new(
    incident: Incident,
    now: datetime,
    status: IncidentStatus,
    opened_by: str,
    note: str,
    *,
    automatic: bool = False,
) -> IncidentRow:
    """A new incident, which has no number yet."""
    return IncidentRow(
        id=0,
        provider=incident.provider,
        begins_at=incident.begins,
        ends_at=incident.ends,
        status=status,
        automatic=automatic,
        opened_by=opened_by,
        note=note,
        changed_at=now,
        settle_at=now if status is IncidentStatus.HELD else None,
        settle_from=incident.begins,
        settle_until=incident.ends,
    )


def changed(row: IncidentRow, now: datetime, **changes: object) -> IncidentRow:
    """A changed incident: the time of both versions is judged once more."""
    after = msgspec.structs.replace(row, **changes)
    held = IncidentStatus.HELD in {row.status, after.status}
    # Beside the present end, an earlier change may not be settled yet.
    ends = (row.ends_at, after.ends_at, row.settle_until if row.settle_at else row.ends_at)
    return msgspec.structs.replace(
        after,
        changed_at=now,
        settle_at=now if held else row.settle_at,
        settle_until=None if None in ends else max(end for end in ends if end),
    )


def _overlap(found: Suspect, row: IncidentRow) -> bool:
    ended_before = row.ends_at is not None and row.ends_at <= found.begins
    return row.provider == found.provider and not ended_before and row.begins_at < found.ends


def _unchanged(states: Mapping[str, State]) -> Mapping[str, State]:
    return states


def _changes(changes: Sequence[VerdictChange], now: datetime) -> Iterator[Change]:
    return filter(None, (change_of(one, now) for one in changes))
