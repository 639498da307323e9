"""The audit: who decided what, when, and with which note.

A person sends the filter by POST, and the page that follows has it in its URL, sealed: the name of
a person may be an address.
"""

from http import HTTPStatus

import msgspec
from starlette.responses import Response

from sesbounce.console.asking import AUDIT, Ask, Console, PageError
from sesbounce.privacy.keyed_hash import is_forgotten
from sesbounce.store.audit import Act, AuditEntry, AuditPlace, audit_page

_ROWS = 50
_LONGEST_NAME = 320


class View(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a person sees of the audit.

    Attributes:
        by: the person or program that did it; empty for all.
        after: where the page before ended; None for the first page.
    """

    by: str = ""
    after: AuditPlace | None = None


def show(ask: Ask) -> Response:
    """Show a page of the audit."""
    view = View()
    if sealed := ask.query.get("view"):
        opened = ask.console.views.open(sealed, View)
        if opened is None:
            raise PageError(HTTPStatus.NOT_FOUND, "link")
        view = opened[0]
    console = ask.console
    entries, place = audit_page(console.engine, view.by or None, _ROWS, view.after)
    return ask.page(
        "audit",
        view=view,
        rows=[(entry, _link(console, entry)) for entry in entries],
        forgotten=is_forgotten,
        further=_path(console, msgspec.structs.replace(view, after=place)) if place else None,
        first=_path(console, msgspec.structs.replace(view, after=None)) if view.after else None,
    )


def choose(ask: Ask) -> Response:
    """Lead to what one person did."""
    # The database holds no NUL, and no longer name.
    by = ask.form.get("by", "").strip().replace("\0", "")[:_LONGEST_NAME]
    return ask.go(_path(ask.console, View(by=by)) if by else AUDIT)


def _link(console: Console, entry: AuditEntry) -> str | None:
    """The path of the page of an address; None for what has no page."""
    about_address = entry.act in {Act.ALLOWED, Act.SUPPRESSED}
    if not about_address or is_forgotten(entry.subject):
        return None
    return console.address_path(entry.subject)


def _path(console: Console, view: View) -> str:
    return f"{AUDIT}?view={console.views.seal(view)}"
