"""Decisions about incidents, whose difference a person has seen.

A decision has three steps: a form plans it, a page shows what it would change, and a form there
saves it. The server compares once more before it saves. The worker then judges the addresses, as
the sweep does after each change.

These pages list addresses, and decide about many: they demand the scope to export beside the one to
decide.
"""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Literal, NamedTuple, get_args

import msgspec
from starlette.responses import Response

from sesbounce.console.asking import (
    INCIDENTS,
    LONGEST_NOTE,
    Ask,
    PageError,
    note_problem,
    unsealed,
)
from sesbounce.console.difference import Difference, count_some
from sesbounce.console.incidents import (
    incident_in,
    incident_of,
    incident_page,
    incidents_of,
    list_page,
)
from sesbounce.errors import IncidentError
from sesbounce.feedback.provider import provider_named
from sesbounce.operations.incident_rows import changed, new
from sesbounce.operations.survey import Survey
from sesbounce.policy.incident import Incident
from sesbounce.store.incidents import IncidentRow, IncidentStatus
from sesbounce.store.tokens import Scope

_CHANGE = f"{INCIDENTS}/change"
Action = Literal["open", "close", "withdraw"]


class Plan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A decision that a person thinks of.

    Attributes:
        action: what to do.
        at: when the person began, UTC. The difference is about bounces until then: otherwise it
            would change all the time while an outage goes on.
        number: the number of the incident; 0 for a new one.
        version: when the incident was last changed, UTC.
        provider: the provider of a new one.
        begins: the beginning of a new one, UTC.
        ends: its end, UTC; None where the person gives none.
    """

    action: Action
    at: datetime
    number: int = 0
    version: datetime | None = None
    provider: str = ""
    begins: datetime | None = None
    ends: datetime | None = None


class Step(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How far a decision has got.

    Attributes:
        plan: the decision.
        survey: how far the count of the difference has got.
        seen: the difference that the person has seen; None before the count has ended.
    """

    plan: Plan
    survey: Survey = Survey()
    seen: tuple[int, int, int, str] | None = None


class _Planned(NamedTuple):
    """An incident as it is, and as a plan would change it."""

    step: Step
    before: IncidentRow | None
    after: IncidentRow
    stale: bool


class _FieldError(Exception):
    """A field of a form can't be read; the text with the key explains it."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def plan_new(ask: Ask) -> Response:
    """Lead to the difference that a new incident would make."""
    ask.demand(Scope.EXPORT)
    try:
        return _compare(ask, Step(plan=_new_plan(ask)))
    except _FieldError as error:
        return list_page(ask, error.key)


def plan(ask: Ask) -> Response:
    """Lead to the difference that a decision about an incident would make."""
    ask.demand(Scope.EXPORT)
    row, action = incident_in(ask), ask.form.get("action", "")
    if action not in get_args(Action):
        raise PageError(HTTPStatus.CONFLICT, "incident")
    given = {"action": action, "at": ask.console.now(), "number": row.id, "version": row.changed_at}
    try:
        ends = _moment(ask, "ends") if action != "withdraw" else None
        step = Step(plan=msgspec.convert({**given, "ends": ends}, Plan))
        _check_end(_planned(ask, step).after)
    except _FieldError as error:
        return incident_page(ask, error.key)
    return _compare(ask, step)


def compare(ask: Ask) -> Response:
    """Show what a decision would change, and ask for a note."""
    ask.demand(Scope.EXPORT)
    planned = _planned(ask, _step(ask, ask.query.get("plan", "")))
    return _confirm(ask, planned, _count(ask, planned), HTTPStatus.OK)


def decide(ask: Ask) -> Response:
    """Save a decision whose difference the person has seen, if it is still the same."""
    ask.demand(Scope.EXPORT)
    planned, note = _planned(ask, _step(ask, ask.form.get("plan", ""))), ask.note
    found = _count(ask, planned)
    if planned.stale:
        return _confirm(ask, planned, found, HTTPStatus.CONFLICT, "incidents.changed", note)
    if problem := note_problem(note):
        return _confirm(ask, planned, found, HTTPStatus.UNPROCESSABLE_ENTITY, problem, note)
    if not found.survey.ended:
        return _confirm(ask, planned, found, HTTPStatus.OK, note=note)
    if found.survey.difference != planned.step.seen:
        return _confirm(ask, planned, found, HTTPStatus.CONFLICT, "incidents.changed", note)
    return _save(ask, planned, note)


def _new_plan(ask: Ask) -> Plan:
    provider, begins = provider_named(ask.form.get("provider", "")), _moment(ask, "begins")
    if provider is None:
        raise _FieldError("incidents.wrong_provider")
    if begins is None:
        raise _FieldError("incidents.wrong_time")
    ends = _moment(ask, "ends")
    made = Plan(action="open", at=ask.console.now(), provider=provider, begins=begins, ends=ends)
    _check_end(_planned(ask, Step(plan=made)).after)
    return made


def _moment(ask: Ask, name: str) -> datetime | None:
    """The time in a field, which is UTC; None where the field is empty."""
    text = ask.form.get(name, "").strip()
    if not text:
        return None
    try:
        return datetime.strptime(text[:16], "%Y-%m-%dT%H:%M").replace(tzinfo=UTC)
    except ValueError:
        raise _FieldError("incidents.wrong_time") from None


def _check_end(row: IncidentRow) -> None:
    if row.ends_at and row.ends_at <= row.begins_at:
        raise _FieldError("incidents.wrong_end")


def _step(ask: Ask, sealed: str) -> Step:
    return unsealed(ask, sealed, Step)


def _planned(ask: Ask, step: Step) -> _Planned:
    """Apply a plan to the incident as it is now; if that has changed, the count begins once more.

    Raises:
        PageError: the plan no longer fits to the incident.
    """
    plan, who = step.plan, ask.by
    if plan.begins:
        one = Incident(provider=plan.provider, begins=plan.begins, ends=plan.ends)
        return _Planned(step, None, new(one, plan.at, IncidentStatus.CONFIRMED, "", who), False)
    before = incident_of(ask, plan.number)
    after = _changed(before, plan, who)
    stale = before.changed_at != plan.version
    if stale:
        step = Step(plan=msgspec.structs.replace(plan, version=before.changed_at))
    return _Planned(step, before, after, stale)


def _changed(before: IncidentRow, plan: Plan, who: str) -> IncidentRow:
    confirmed = before.status is IncidentStatus.CONFIRMED
    if plan.action == "open" and not confirmed:
        ends = plan.ends or before.ends_at
        status = IncidentStatus.CONFIRMED
    elif plan.action == "close" and confirmed:
        ends = plan.ends or min(before.ends_at or plan.at, plan.at)
        status = IncidentStatus.CONFIRMED
    elif plan.action == "withdraw" and before.status is not IncidentStatus.WITHDRAWN:
        ends, status = before.ends_at, IncidentStatus.WITHDRAWN
    else:
        raise PageError(HTTPStatus.CONFLICT, "incident")
    return changed(before, plan.at, decided_by=who, status=status, ends_at=ends)


def _count(ask: Ask, planned: _Planned) -> Difference:
    incidents, until = incidents_of(ask), planned.step.plan.at
    return count_some(
        ask.console,
        lambda after: incidents.compare(planned.after, after, until),
        planned.step.survey,
    )


def _compare(ask: Ask, step: Step) -> Response:
    return ask.go(f"{_CHANGE}?plan={ask.console.views.seal(step)}")


def _confirm(
    ask: Ask,
    planned: _Planned,
    found: Difference,
    status: HTTPStatus,
    problem: str | None = None,
    note: str = "",
) -> Response:
    """The page of a difference; while its count goes on, a button continues that."""
    step, survey = planned.step, found.survey
    if survey.ended:
        step = Step(plan=step.plan, seen=survey.difference)
    else:
        step = msgspec.structs.replace(step, survey=survey)
    return ask.page(
        "incident_change",
        status,
        row=planned.after,
        state=planned.after.state_at(step.plan.at),
        action=step.plan.action,
        found=found,
        sealed=ask.console.views.seal(step),
        checking=ask.form.get("plan") is not None and not survey.ended,
        problem=problem,
        note=note,
        longest_note=LONGEST_NOTE,
    )


def _save(ask: Ask, planned: _Planned, note: str) -> Response:
    incidents, plan = incidents_of(ask), planned.step.plan
    row = msgspec.structs.replace(planned.after, note=note)
    if planned.before is None:
        made = (row.provider, row.begins_at, row.opened_by)
        for one in incidents.all():  # the form may have been sent twice
            is_same = (one.provider, one.begins_at, one.opened_by) == made
            if is_same and one.changed_at >= plan.at:
                return ask.go(f"{INCIDENTS}/{one.id}?saved=1")
    try:
        row = incidents.save(row, ask.console.now(), planned.before)
    except IncidentError:
        raise PageError(HTTPStatus.CONFLICT, "incident") from None
    return ask.go(f"{INCIDENTS}/{row.id}?saved=1")
