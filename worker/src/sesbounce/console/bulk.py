"""Allows all addresses that the filters of the list select, and undoes it.

A person confirms the number on a page of its own. The server selects the addresses once more under
the same filters, and does nothing if they are no longer those of that page.

These pages list addresses: they demand the scope to export beside the one to decide.
"""

import hashlib
from http import HTTPStatus
from typing import NamedTuple

import msgspec
from starlette.responses import Response

from sesbounce.console.asking import LONGEST_NOTE, SUPPRESSIONS, Ask, PageError, note_problem
from sesbounce.console.suppressions import Batch, View, filter_of
from sesbounce.feedback.address import parse
from sesbounce.feedback.reason import Reason
from sesbounce.server.service import BulkDecision, Call, DecidedAll
from sesbounce.store.acts import Act
from sesbounce.store.dossier import still_decided
from sesbounce.store.pages import suppressed_page
from sesbounce.store.tokens import Scope

# One transaction records them, so that all of them are allowed or none.
MOST = 1000
_SHOWN = 10


class _Selected(NamedTuple):
    """The addresses that the filters select; `more` where there are too many of them."""

    addresses: list[str]
    more: bool

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(msgspec.json.encode(self.addresses)).hexdigest()


def confirm(ask: Ask) -> Response:
    """Show how many addresses there are, and ask for a note."""
    ask.demand(Scope.EXPORT)
    view = _view(ask, ask.query.get("view", ""))
    return _page(ask, view, _select(ask, view), HTTPStatus.OK)


def allow(ask: Ask) -> Response:
    """Allow the addresses of the page that the person has confirmed."""
    ask.demand(Scope.EXPORT)
    view = _view(ask, ask.form.get("view", ""))
    selected, note = _select(ask, view), ask.note
    if selected.more or not selected.addresses or selected.fingerprint != ask.form.get("selected"):
        return _page(ask, view, selected, HTTPStatus.CONFLICT, "bulk.changed", note)
    if problem := note_problem(note):
        return _page(ask, view, selected, HTTPStatus.UNPROCESSABLE_ENTITY, problem, note)
    made = BulkDecision(Reason.ALLOWED_BY_HAND, Act.BULK_ALLOWED, view.words, note)
    call = Call(caller=ask.who)
    done = ask.console.parts.service.decide_all(made, selected.addresses, call, ask.by_if_unnamed)
    return _done(ask, done, view)


def undo(ask: Ask) -> Response:
    """Undo the decisions about those addresses about which nobody has decided since.

    Raises:
        PageError: the decisions are unknown, or all of them were overruled since.
    """
    ask.demand(Scope.EXPORT)
    opened = ask.console.views.open(ask.form.get("batch", ""), Batch)
    if opened is None or opened[0].undone:
        raise PageError(HTTPStatus.NOT_FOUND, "link")
    batch = opened[0]
    decisions = still_decided(ask.console.engine, batch.at, batch.by, Reason.ALLOWED_BY_HAND)
    note = ask.texts("undo.note", time=f"{batch.at:%Y-%m-%d %H:%M} UTC")
    done = ask.console.parts.service.undo(
        decisions, Call(caller=ask.who), ask.by_if_unnamed, str(note.unescape()), batch.view.words
    )
    if not done.number:
        raise PageError(HTTPStatus.CONFLICT, "changed")
    return _done(ask, done, batch.view, undone=True)


def _view(ask: Ask, sealed: str) -> View:
    """The filters; without any, nobody allows all addresses that there are."""
    opened = ask.console.views.open(sealed, View)
    if opened is None or not opened[0].is_filtered:
        raise PageError(HTTPStatus.NOT_FOUND, "link")
    return msgspec.structs.replace(opened[0], after=None)


def _select(ask: Ask, view: View) -> _Selected:
    console = ask.console
    found, place = suppressed_page(console.engine, console.now(), filter_of(view), MOST, None)
    # Nobody can decide about a forgotten address, or about a text that is none.
    addresses = {answer.address for answer in found if parse(answer.address).parsed}
    return _Selected(sorted(addresses), place is not None)


def _page(
    ask: Ask,
    view: View,
    selected: _Selected,
    status: HTTPStatus,
    problem: str | None = None,
    note: str = "",
) -> Response:
    return ask.page(
        "bulk",
        status,
        view=view,
        sealed=ask.console.views.seal(view),
        selected=selected,
        shown=selected.addresses[:_SHOWN],
        most=MOST,
        longest_note=LONGEST_NOTE,
        problem=problem,
        note=note,
    )


def _done(ask: Ask, done: DecidedAll, view: View, *, undone: bool = False) -> Response:
    batch = Batch(at=done.at, by=done.by, number=done.number, view=view, undone=undone)
    rejected = "&rejected=1" if done.statements_rejected else ""
    return ask.go(f"{SUPPRESSIONS}?batch={ask.console.views.seal(batch)}{rejected}")
