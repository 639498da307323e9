"""The table of the pages: which there are, and which scope each needs.

The server, the tests and `docs/console.md` follow this one table.
"""

from collections.abc import Callable
from typing import NamedTuple

from starlette.responses import Response

from sesbounce.console import (
    address,
    audit,
    bulk,
    configuration,
    dead_letters,
    deliveries,
    doctor,
    download,
    entrance,
    incident_changes,
    incidents,
    letter_acts,
    overview,
    suppressions,
    what_if,
)
from sesbounce.console.asking import Ask
from sesbounce.store.tokens import Scope


class Page(NamedTuple):
    """One method of one path.

    Attributes:
        method: GET to look, POST to do something.
        path: the path, as Starlette writes it.
        scope: the scope that the person needs; None where nobody needs to be logged in.
        answer: answers; in a thread.
        guarded: whether each client may ask only a few times in a minute.
        of_aws: whether it waits for AWS, and its form names many dead letters. It takes a thread of
            its own then, so that no request for the database waits for it.
    """

    method: str
    path: str
    scope: Scope | None
    answer: Callable[[Ask], Response]
    guarded: bool = False
    of_aws: bool = False


_QUEUE = "/console/dead-letters/{which}"
PAGES = (
    Page("GET", "/console/login", None, entrance.login),
    Page("POST", "/console/login", None, entrance.log_in, guarded=True),
    Page("POST", "/console/logout", None, entrance.log_out),
    Page("POST", "/console/language", None, entrance.choose_language),
    Page("GET", "/console/overview", Scope.READ, overview.show),
    Page("GET", "/console", Scope.CHECK, address.home),
    Page("POST", "/console/look-up", Scope.CHECK, address.look_up),
    Page("GET", "/console/address/{handle}", Scope.CHECK, address.show),
    Page("POST", "/console/address/{handle}/allow", Scope.DECIDE, address.allow),
    Page("POST", "/console/address/{handle}/suppress", Scope.DECIDE, address.suppress),
    Page("POST", "/console/address/{handle}/undo", Scope.DECIDE, address.undo),
    Page("GET", "/console/address/{handle}/forget", Scope.ADMIN, address.confirm_forgetting),
    Page("POST", "/console/address/{handle}/forget", Scope.ADMIN, address.forget_address),
    Page("GET", "/console/suppressions", Scope.EXPORT, suppressions.show),
    Page("POST", "/console/suppressions", Scope.EXPORT, suppressions.choose),
    Page("POST", "/console/suppressions/download", Scope.EXPORT, download.download),
    # These three need `export` as well.
    Page("GET", "/console/suppressions/allow", Scope.DECIDE, bulk.confirm),
    Page("POST", "/console/suppressions/allow", Scope.DECIDE, bulk.allow),
    Page("POST", "/console/suppressions/undo", Scope.DECIDE, bulk.undo),
    Page("GET", "/console/incidents", Scope.READ, incidents.show_all),
    Page("POST", "/console/incidents", Scope.DECIDE, incident_changes.plan_new),
    Page("GET", "/console/incidents/change", Scope.DECIDE, incident_changes.compare),
    Page("POST", "/console/incidents/change", Scope.DECIDE, incident_changes.decide),
    Page("GET", "/console/incidents/{number}", Scope.READ, incidents.show),
    Page("POST", "/console/incidents/{number}", Scope.DECIDE, incident_changes.plan),
    Page("GET", "/console/what-if", Scope.EXPORT, what_if.show),
    Page("POST", "/console/what-if", Scope.EXPORT, what_if.choose),
    Page("GET", "/console/dead-letters", Scope.READ, dead_letters.show, of_aws=True),
    Page("POST", f"{_QUEUE}/look", Scope.READ, dead_letters.look, of_aws=True),
    Page("POST", f"{_QUEUE}/letters", Scope.EXPORT, dead_letters.open_group, of_aws=True),
    Page("POST", f"{_QUEUE}/export", Scope.EXPORT, letter_acts.export, of_aws=True),
    # These two need `export` as well.
    Page("POST", f"{_QUEUE}/replay", Scope.DECIDE, letter_acts.replay, of_aws=True),
    Page("POST", f"{_QUEUE}/redrive", Scope.DECIDE, letter_acts.redrive, of_aws=True),
    Page("POST", f"{_QUEUE}/delete", Scope.ADMIN, letter_acts.delete, of_aws=True),
    Page("GET", "/console/deliveries", Scope.READ, deliveries.show),
    Page("GET", "/console/doctor", Scope.READ, doctor.show),
    # It needs `export` as well.
    Page("POST", "/console/doctor", Scope.DECIDE, doctor.examine),
    Page("GET", "/console/doctor/results", Scope.READ, doctor.results),
    Page("GET", "/console/audit", Scope.EXPORT, audit.show),
    Page("POST", "/console/audit", Scope.EXPORT, audit.choose),
    Page("GET", "/console/settings", Scope.ADMIN, configuration.show),
)
