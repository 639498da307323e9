"""Allows all addresses that the filters of the list select, and undoes it.

A person confirms the number on a page of its own. Where no index holds the addresses, a page counts
for a moment, and the next one continues. The server counts once more under the same filters before
it allows any address, and does nothing if the addresses are no longer those that were counted.

These pages list addresses: they demand the scope to export beside the one to decide.
"""

import hashlib
import time
from collections.abc import Sequence
from http import HTTPStatus

import msgspec
from starlette.responses import Response

from sesbounce.console.asking import (
    LONGEST_NOTE,
    SUPPRESSIONS,
    Ask,
    PageError,
    note_problem,
    onward,
    unsealed,
)
from sesbounce.console.suppressions import Batch, View, read_some
from sesbounce.feedback.address import parse
from sesbounce.feedback.reason import Reason
from sesbounce.server.service import BulkDecision, Call, DecidedAll
from sesbounce.store.acts import Act
from sesbounce.store.dossier import still_decided
from sesbounce.store.tokens import Scope

# One transaction records them, so that all of them are allowed or none.
MOST = 1000
_SHOWN = 10
# The time within which the server must have counted the addresses that a person allows.
_LONGEST_SECONDS = 10.0


class Count(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """How far the addresses are counted that the filters select.

    Attributes:
        view: the filters, and where the count continues; without a place it has ended.
        number: how many addresses were found.
        digest: a digest of them, in hexadecimal digits; empty where there are none.
        shown: the first of them.
    """

    view: View
    number: int = 0
    digest: str = ""
    shown: tuple[str, ...] = ()

    @property
    def too_many(self) -> bool:
        """Whether one person can't answer for so many."""
        # The streams come last, all at once: only too many of them make another page.
        return self.number > MOST or bool(self.view.after and self.view.after.stream)

    @property
    def continues(self) -> bool:
        """Whether there are more addresses to look at."""
        return self.view.after is not None and not self.too_many


def confirm(ask: Ask) -> Response:
    """Continue to count the addresses; at the end, show how many there are, and ask for a note."""
    ask.demand(Scope.EXPORT)
    sealed = ask.query.get("count")
    count = unsealed(ask, sealed, Count) if sealed else Count(view=_view(ask))
    return _page(ask, _continued(ask, count)[0], HTTPStatus.OK)


def allow(ask: Ask) -> Response:
    """Allow the addresses of the page that the person has confirmed."""
    ask.demand(Scope.EXPORT)
    known, note = unsealed(ask, ask.form.get("count", ""), Count), ask.note
    if problem := note_problem(note):
        return _page(ask, known, HTTPStatus.UNPROCESSABLE_ENTITY, problem, note)
    count, addresses = _counted(ask, known.view)
    if count.continues:
        return _page(ask, known, HTTPStatus.SERVICE_UNAVAILABLE, "bulk.too_long", note)
    if count != known or count.too_many or not count.number:
        return _page(ask, count, HTTPStatus.CONFLICT, "bulk.changed", note)
    made = BulkDecision(Reason.ALLOWED_BY_HAND, Act.BULK_ALLOWED, count.view.words, note)
    call = Call(caller=ask.who)
    done = ask.console.parts.service.decide_all(made, addresses, call, ask.by_if_unnamed)
    return _done(ask, done, count.view)


def undo(ask: Ask) -> Response:
    """Undo the decisions about those addresses about which nobody has decided since.

    Raises:
        PageError: the decisions are unknown, or all of them were overruled since.
    """
    ask.demand(Scope.EXPORT)
    batch = unsealed(ask, ask.form.get("batch", ""), Batch)
    if batch.undone:
        raise PageError(HTTPStatus.NOT_FOUND, "link")
    decisions = still_decided(ask.console.engine, batch.at, batch.by, Reason.ALLOWED_BY_HAND)
    note = ask.texts("undo.note", time=f"{batch.at:%Y-%m-%d %H:%M} UTC")
    done = ask.console.parts.service.undo(
        decisions, Call(caller=ask.who), ask.by_if_unnamed, str(note.unescape()), batch.view.words
    )
    if not done.number:
        raise PageError(HTTPStatus.CONFLICT, "changed")
    return _done(ask, done, batch.view, undone=True)


def _view(ask: Ask) -> View:
    """The filters; without any, nobody allows all addresses that there are."""
    view = unsealed(ask, ask.query.get("view", ""), View)
    if not view.is_filtered:
        raise PageError(HTTPStatus.NOT_FOUND, "link")
    return _from_first(view)


def _from_first(view: View) -> View:
    return msgspec.structs.replace(view, after=None)


def _counted(ask: Ask, view: View) -> tuple[Count, list[str]]:
    """Count all addresses, unless it takes too long; returns the count and the addresses."""
    ends_at = time.monotonic() + _LONGEST_SECONDS
    count, addresses = _continued(ask, Count(view=_from_first(view)))
    while count.continues and time.monotonic() < ends_at:
        count, more = _continued(ask, count)
        addresses += more
    return count, addresses


def _continued(ask: Ask, count: Count) -> tuple[Count, list[str]]:
    """Continue a count for a moment; returns the addresses that were found as well."""
    found, place = read_some(ask, count.view, MOST + 1 - count.number)
    # Nobody can decide about a forgotten address, or about a text that is none. One that is
    # suppressed in several streams counts once.
    addresses = list(dict.fromkeys(one.address for one in found if parse(one.address).parsed))
    return Count(
        view=msgspec.structs.replace(count.view, after=place),
        number=count.number + len(addresses),
        digest=_digest(count.digest, addresses),
        shown=(*count.shown, *addresses)[:_SHOWN],
    ), addresses


def _digest(before: str, addresses: Sequence[str]) -> str:
    for address in addresses:
        before = hashlib.sha256(f"{before}\0{address}".encode()).hexdigest()
    return before


def _page(
    ask: Ask, count: Count, status: HTTPStatus, problem: str | None = None, note: str = ""
) -> Response:
    seal = ask.console.views.seal
    sealed = seal(count)
    further = f"{SUPPRESSIONS}/allow?count={sealed}" if count.continues else None
    return ask.page(
        "bulk",
        status,
        headers=onward(further) if further and not problem else None,
        view=count.view,
        sealed=seal(_from_first(count.view)),
        count=count,
        sealed_count=sealed,
        further=further,
        most=MOST,
        longest_note=LONGEST_NOTE,
        problem=problem,
        note=note,
    )


def _done(ask: Ask, done: DecidedAll, view: View, *, undone: bool = False) -> Response:
    batch = Batch(at=done.at, by=done.by, number=done.number, view=view, undone=undone)
    rejected = "&rejected=1" if done.statements_rejected else ""
    return ask.go(f"{SUPPRESSIONS}?batch={ask.console.views.seal(batch)}{rejected}")
