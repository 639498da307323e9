"""Makes the rows of new and changed incidents, and the acts of the people who change them."""

from datetime import datetime
from typing import Any

import msgspec

from sesbounce.policy.incident import Incident
from sesbounce.store.acts import Act, Done
from sesbounce.store.incidents import BY_DETECTION, IncidentRow, IncidentStatus


def new(
    incident: Incident, now: datetime, status: IncidentStatus, note: str, by: str | None = None
) -> IncidentRow:
    """A new incident, which has no number yet.

    Args:
        incident: its provider and time.
        now: the current time, UTC.
        status: what it does to verdicts.
        note: the person's note, or the numbers of the detection.
        by: the person who opens it; None for the detection.
    """
    return IncidentRow(
        id=0,
        provider=incident.provider,
        begins_at=incident.begins,
        ends_at=incident.ends,
        status=status,
        opened_by=by or BY_DETECTION,
        decided_by=by,
        note=note,
        changed_at=now,
        settle_at=now if status is IncidentStatus.CONFIRMED else None,
    )


def changed(row: IncidentRow, now: datetime, **changes: Any) -> IncidentRow:
    """A changed incident; its addresses are judged once more if it changes verdicts."""
    after = msgspec.structs.replace(row, **changes)
    if after == msgspec.structs.replace(row, note=after.note):
        return after
    settle_at = row.settle_at if after.confirmed == row.confirmed else now
    return msgspec.structs.replace(after, changed_at=now, settle_at=settle_at)


def done_about(row: IncidentRow, before: IncidentRow | None) -> Done:
    """What a person did about an incident, for the audit."""
    return Done(
        act=_act(row, before),
        at=row.changed_at,
        by=row.decided_by or row.opened_by,
        subject=f"{row.id}: {row.provider}",
        note=row.note if before is None or row.note != before.note else None,
    )


def _act(row: IncidentRow, before: IncidentRow | None) -> Act:
    if row.status is IncidentStatus.WITHDRAWN:
        return Act.INCIDENT_WITHDRAWN
    if before is None or before.confirmed is None:
        return Act.INCIDENT_OPENED
    went_on = before.ends_at is None or before.ends_at >= row.changed_at
    return Act.INCIDENT_CLOSED if went_on and row.ends_at else Act.INCIDENT_CHANGED
