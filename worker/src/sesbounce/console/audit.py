"""The audit: who did what, when, and with which note.

A person sends the filter by POST, and the page that follows has it in its URL, sealed: the name of
a person may be an address.
"""

from http import HTTPStatus

import msgspec
from starlette.responses import Response

from sesbounce.console.asking import AUDIT, INCIDENTS, Ask, Console, PageError
from sesbounce.privacy.keyed_hash import is_forgotten
from sesbounce.store.acts import Act
from sesbounce.store.audit import AuditEntry, AuditFilter, AuditPlace, audit_page
from sesbounce.store.tokens import Scope

_ROWS = 50
_OF_INCIDENTS = {
    Act.INCIDENT_OPENED,
    Act.INCIDENT_CLOSED,
    Act.INCIDENT_CHANGED,
    Act.INCIDENT_WITHDRAWN,
}
_LONGEST_NAME = 320


class View(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """What a person sees of the audit.

    Attributes:
        by: the person or program that did it; empty for all.
        act: what was done; None for all.
        after: where the page before ended; None for the first page.
    """

    by: str = ""
    act: Act | None = None
    after: AuditPlace | None = None

    @property
    def is_filtered(self) -> bool:
        """Whether there is any filter."""
        return bool(self.by or self.act)


def show(ask: Ask) -> Response:
    """Show a page of the audit."""
    view = View()
    if sealed := ask.query.get("view"):
        opened = ask.console.views.open(sealed, View)
        if opened is None:
            raise PageError(HTTPStatus.NOT_FOUND, "link")
        view = opened[0]
    console = ask.console
    wanted = AuditFilter(by=view.by or None, act=view.act)
    entries, place = audit_page(console.engine, wanted, _ROWS, view.after)
    return ask.page(
        "audit",
        view=view,
        acts=list(Act),
        rows=[(entry, _link(ask, entry)) for entry in entries],
        forgotten=is_forgotten,
        further=_path(console, msgspec.structs.replace(view, after=place)) if place else None,
        first=_path(console, msgspec.structs.replace(view, after=None)) if view.after else None,
    )


def choose(ask: Ask) -> Response:
    """Lead to what one person did, or to all that was done of one kind."""
    # The database holds no NUL, and no longer name.
    by = ask.form.get("by", "").strip().replace("\0", "")[:_LONGEST_NAME]
    act = ask.form.get("act", "")
    view = View(by=by, act=Act(act) if act in set(Act) else None)
    return ask.go(_path(ask.console, view) if view.is_filtered else AUDIT)


def _link(ask: Ask, entry: AuditEntry) -> str | None:
    """The path of the page of an address or an incident; None for what has no page for them."""
    if entry.act in _OF_INCIDENTS and ask.may(Scope.READ):
        return f"{INCIDENTS}/{entry.subject.partition(':')[0]}"
    about_address = entry.act in {Act.ALLOWED, Act.SUPPRESSED} and ask.may(Scope.CHECK)
    if not about_address or is_forgotten(entry.subject):
        return None
    return ask.console.address_path(entry.subject)


def _path(console: Console, view: View) -> str:
    return f"{AUDIT}?view={console.views.seal(view)}"
