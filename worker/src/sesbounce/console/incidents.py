"""The pages that show incidents: all of them, and one with the addresses that it concerns."""

import re
from http import HTTPStatus

from starlette.responses import Response

from sesbounce.console.asking import INCIDENTS, Ask, PageError, unsealed
from sesbounce.console.difference import count_some
from sesbounce.errors import IncidentError
from sesbounce.feedback.provider import PROVIDERS
from sesbounce.operations.incidents import Incidents
from sesbounce.operations.survey import Survey
from sesbounce.store.hours import counts_around, counts_by_provider
from sesbounce.store.incidents import IncidentRow
from sesbounce.store.tokens import Scope

_NUMBER = re.compile(r"[1-9]\d{0,17}")


def show_all(ask: Ask) -> Response:
    """Show all incidents, and the form for a new one."""
    return list_page(ask)


def show(ask: Ask) -> Response:
    """Show one incident: its numbers, and which addresses it concerns."""
    return incident_page(ask)


def list_page(ask: Ask, problem: str | None = None) -> Response:
    """The page of all incidents; `problem` is the key of a text about the form for a new one."""
    now, store = ask.console.now(), ask.console.parts.opened.store
    status = HTTPStatus.UNPROCESSABLE_ENTITY if problem else HTTPStatus.OK
    with store.reading("the counts by hour can't be read") as connection:
        lately = counts_by_provider(connection, now)
    return ask.page(
        "incidents",
        status,
        rows=[(row, row.state_at(now)) for row in incidents_of(ask).all()],
        may_decide=may_decide(ask),
        lately=lately,
        detection=ask.console.parts.settings.detection,
        providers=", ".join(sorted(PROVIDERS)),
        given=ask.form,
        problem=problem,
    )


def incident_page(ask: Ask, problem: str | None = None) -> Response:
    """The page of one incident; `problem` is the key of a text about the form for its end."""
    row, console = incident_in(ask), ask.console
    now, sealed = console.now(), ask.query.get("view")
    survey = unsealed(ask, sealed, Survey) if sealed else Survey()
    incidents = incidents_of(ask)
    found = count_some(
        console,
        lambda after: incidents.examine(row, now, after),
        survey,
        asked=sealed is not None,
    )
    with console.parts.opened.store.reading("the counts by hour can't be read") as connection:
        counts = counts_around(connection, row.incident, now)
    return ask.page(
        "incident",
        HTTPStatus.UNPROCESSABLE_ENTITY if problem else HTTPStatus.OK,
        row=row,
        state=row.state_at(now),
        found=found,
        kept=found.survey.suppressed if row.confirmed else found.survey.released,
        further=f"{INCIDENTS}/{row.id}?view={console.views.seal(found.survey)}",
        counts=counts,
        may_decide=may_decide(ask),
        saved="saved" in ask.query,
        ends=ask.form.get("ends", ""),
        problem=problem,
    )


def may_decide(ask: Ask) -> bool:
    """Whether the person may decide about incidents: it lists addresses, and concerns many."""
    return ask.may(Scope.DECIDE) and ask.may(Scope.EXPORT)


def incidents_of(ask: Ask) -> Incidents:
    """The incidents of the database."""
    return Incidents(ask.console.parts.opened.store)


def incident_in(ask: Ask) -> IncidentRow:
    """The incident whose number is in the path.

    Raises:
        PageError: there is none.
    """
    number = ask.path["number"]
    if not _NUMBER.fullmatch(number):
        raise PageError(HTTPStatus.NOT_FOUND, "not_found")
    return incident_of(ask, int(number))


def incident_of(ask: Ask, number: int) -> IncidentRow:
    """The incident of a number.

    Raises:
        PageError: there is none.
    """
    try:
        return incidents_of(ask).get(number)
    except IncidentError:
        raise PageError(HTTPStatus.NOT_FOUND, "not_found") from None
