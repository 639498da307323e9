"""Saves what is decided about incidents, and judges the addresses concerned once more.

An incident is a row, and verdicts follow from the events and the incidents. So whoever changes an
incident has to judge once more each address that has bounced hard since it began. A transaction
that records events reads the incidents when it begins: one that began before the change may commit
after it. So the sweep judges the addresses once more, some minutes after each change.
"""

import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from sesbounce.errors import IncidentError
from sesbounce.operations.incident_detection import Detector, Mode
from sesbounce.operations.incident_rows import done_about
from sesbounce.operations.rebuild import Change, changes_of
from sesbounce.operations.survey import Part, Place
from sesbounce.policy.incident import Incident
from sesbounce.policy.outage import EXAMINED, Detection
from sesbounce.policy.state import State, hard_bounces
from sesbounce.store import acts
from sesbounce.store.address_rows import load_rows
from sesbounce.store.conflicts import retry_conflicts, retry_revision
from sesbounce.store.incidents import (
    IncidentRow,
    IncidentStatus,
    addresses_with_hard_bounces,
    confirmed_incidents,
    count_current,
    insert_incident,
    read_incident,
    read_incidents,
    save_incident,
    save_settled,
)
from sesbounce.store.judging import VerdictChange, unchanged
from sesbounce.store.result import Recorded
from sesbounce.store.store import Store

# By then each transaction has ended that began before an incident was changed.
_GRACE = timedelta(minutes=5)
_BATCH = 500
_SECONDS = 10.0


class Swept(NamedTuple):
    """What a sweep did.

    Attributes:
        recorded: the verdicts that changed.
        current: how many incidents a person should look at.
        changed: the incidents that the detection has found, changed or withdrawn.
        ended: whether all addresses were judged; otherwise the next sweep goes on.
    """

    recorded: Recorded
    current: int
    changed: Sequence[IncidentRow]
    ended: bool


class Concerned(msgspec.Struct):
    """How many addresses an incident concerns.

    Attributes:
        addresses: addresses with a hard bounce inside of it.
        kept: those of them that are not suppressed because of it; before a person has opened a
            suspected one, those that it would release.
    """

    addresses: int = 0
    kept: int = 0


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
        self._detector = Detector(store, mode, detection)
        # Where the sweep goes on, by the number of the incident and the time of its change.
        self._after: dict[tuple[int, datetime], Place] = {}

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
                f"there is no incident {number}: `sesbounce incident list --all` prints them"
            )
        return row

    def preview(self, row: IncidentRow) -> Iterator[Change]:
        """Yield what saving a new or changed incident would change; this changes nothing."""
        for part in self.compare(row):
            yield from part.changes

    def compare(
        self, row: IncidentRow, after: Place | None = None, until: datetime | None = None
    ) -> Iterator[Part]:
        """Yield what saving a new or changed incident would change, a part of the addresses each.

        Args:
            row: the incident, new or changed.
            after: where an earlier comparison has ended; None for all addresses.
            until: only addresses whose latest hard bounce was not after this time; None for all.
        """
        for connection, found in self._batches(row, after, until):
            keys = [key for _, key in found]
            changes = changes_of(self._judged(connection, row, keys), row.changed_at)
            yield Part(keys, changes, _end(found))

    def concerned(self, row: IncidentRow, now: datetime) -> Concerned:
        """Count the addresses that an incident concerns."""
        counted = Concerned()
        for part in self.examine(row, now):
            counted.addresses += len(part.addresses)
            counted.kept += len(part.changes)
        return counted

    def examine(
        self, row: IncidentRow, now: datetime, after: Place | None = None
    ) -> Iterator[Part]:
        """Yield the addresses that an incident concerns, and what it changes about them.

        The changes are those which the opposite of its status would bring: addresses that it keeps
        from suppression would be suppressed, and those that it would release are released.
        """
        confirmed = row.status is IncidentStatus.CONFIRMED
        status = IncidentStatus.WITHDRAWN if confirmed else IncidentStatus.CONFIRMED
        otherwise = msgspec.structs.replace(row, status=status)
        kept = "suppressed" if confirmed else "released"
        for connection, found in self._batches(row, after):
            rows = load_rows(connection, sorted(key for _, key in found)).values()
            inside = [r.key for r in rows if _bounced_in(row.incident, r.key, r.state)]
            changes = changes_of(self._judged(connection, otherwise, inside), now)
            yield Part(inside, [one for one in changes if one.change == kept], _end(found))

    def save(
        self, row: IncidentRow, now: datetime, before: IncidentRow | None = None
    ) -> IncidentRow:
        """Save what a person decided about an incident; `settle` then judges the addresses.

        Args:
            row: the incident, new or changed.
            now: the current time, UTC: a person may have taken long to confirm the change.
            before: the incident as it was; None for a new one.

        Returns:
            The incident as it was saved, with its number.

        Raises:
            IncidentError: somebody else has changed it since `before` was read.
        """
        row = msgspec.structs.replace(row, changed_at=now, settle_at=row.settle_at and now)
        with self._store.writing("the incident was not saved") as connection:
            if before is None:
                row = insert_incident(connection, row)
            elif not save_incident(connection, before, row):
                raise IncidentError(
                    f"somebody else has changed incident {row.id} just now; look at it "
                    f"(`sesbounce incident show {row.id}`) and repeat the command"
                )
            acts.record(connection, done_about(row, before))
            return row

    def settle(self, row: IncidentRow, now: datetime) -> Iterator[tuple[Recorded, list[Change]]]:
        """Judge the addresses concerned once more; yields the changes of each transaction.

        Raises:
            StoreError: the database can't be used; what was yielded stays.
        """
        version = (row.id, row.changed_at)
        after = self._after.pop(version, None)
        while True:
            settle_some = partial(self._settle_some, row, after, now)
            done, last, changes = retry_revision(settle_some)
            # Saved before the caller gets the changes, as it may stop there.
            if last is None:
                self._after.pop(version, None)
                self._save_settled(row, now)
            else:
                self._after[version] = after = last
            yield done, changes_of(changes, now)
            if last is None:
                return

    def _save_settled(self, row: IncidentRow, now: datetime) -> None:
        settled_for_good = row.changed_at + _GRACE
        with self._store.writing("the incident was not saved") as connection:
            save_settled(connection, row, settled_for_good if now < settled_for_good else None)

    def sweep(self, now: datetime) -> Swept:
        """Detect incidents, and judge the addresses of those that have changed.

        Returns after some seconds; the next call goes on.

        Raises:
            StoreError: the database can't be used.
        """
        found = retry_conflicts(partial(self._detector.detect, now))
        with self._store.reading("the incidents can't be read") as connection:
            current = count_current(connection, now, now - EXAMINED)
            due = read_incidents(connection, due=now)
        recorded = Recorded()
        ends_at = time.monotonic() + _SECONDS
        for row in due:
            for done, _ in self.settle(row, now):
                recorded.add(done)
                if time.monotonic() >= ends_at:
                    return Swept(recorded, current, found, ended=False)
        return Swept(recorded, current, found, ended=True)

    def _batches(
        self, row: IncidentRow, after: Place | None = None, until: datetime | None = None
    ) -> Iterator[tuple[sa.Connection, list[Place]]]:
        """The addresses that have bounced hard since an incident began, a batch at a time."""
        while True:
            with self._store.reading("the addresses can't be read") as connection:
                found = addresses_with_hard_bounces(
                    connection, row.begins_at, after, _BATCH, until=until
                )
                yield connection, found
            after = _end(found)
            if after is None:
                return

    def _judged(
        self, connection: sa.Connection, row: IncidentRow, keys: Sequence[str]
    ) -> list[VerdictChange]:
        """The verdicts that would change if an incident were like this."""
        others = confirmed_incidents(connection, without=row.id)
        incidents = (*others, row.confirmed) if row.confirmed else others
        return self._store.preview(connection, keys, unchanged, incidents)

    def _settle_some(
        self,
        row: IncidentRow,
        after: Place | None,
        now: datetime,
        *,
        run_statements: bool = True,
    ) -> tuple[Recorded, Place | None, list[VerdictChange]]:
        """Judge some addresses; returns also the last one of them, or None if there are no more."""
        with self._store.writing("the addresses were not judged") as connection:
            found = addresses_with_hard_bounces(connection, row.begins_at, after, _BATCH)
            keys = [key for _, key in found]
            recorded, changes = self._store.revise(
                connection, keys, unchanged, now, run_statements=run_statements
            )
        return recorded, _end(found), changes


def _end(found: Sequence[Place]) -> Place | None:
    """Where a batch of addresses ends; None if it is the last one."""
    return found[-1] if len(found) == _BATCH else None


def _bounced_in(incident: Incident, address: str, state: State) -> bool:
    return any(incident.covers(evidence, address) for evidence in hard_bounces(state))
