"""The pages about one address: look it up, see why, decide, undo, forget."""

import re
from http import HTTPStatus

from starlette.responses import Response

from sesbounce.console.asking import LONGEST_NOTE, Ask, PageError, note_problem, unsealed
from sesbounce.console.dossier import gather
from sesbounce.errors import AddressError
from sesbounce.feedback.address import parse
from sesbounce.feedback.reason import Effect, Reason
from sesbounce.operations.erasure import forget, truncate_log
from sesbounce.server.messages import DecisionBody, DecisionQuery
from sesbounce.server.service import Call
from sesbounce.store.addresses import names_of
from sesbounce.store.dossier import EventPlace, read_dossier
from sesbounce.store.tokens import Scope

_ONCE = re.compile(r"[A-Za-z0-9_-]{1,64}")
# What the page says after a decision, by the parameter `done`; no other value shows anything.
_DONE = frozenset({"allowed", "suppressed", "undone", "forgotten"})


def home(ask: Ask) -> Response:
    """Show the form for an address."""
    return ask.page("look_up", given="", problem=False)


def look_up(ask: Ask) -> Response:
    """Lead to the page of an address, in any spelling."""
    given = ask.form.get("address", "").strip()
    try:
        answer = ask.console.parts.service.lookup.check(given, ask.console.now())
    except AddressError:
        return ask.page("look_up", HTTPStatus.UNPROCESSABLE_ENTITY, given=given, problem=True)
    return ask.go(ask.console.address_path(answer.address))


def show(ask: Ask) -> Response:
    """Show all that is recorded about an address."""
    return _show(ask)


def allow(ask: Ask) -> Response:
    """Allow the address."""
    return _decide(ask, Reason.ALLOWED_BY_HAND)


def suppress(ask: Ask) -> Response:
    """Suppress the address."""
    return _decide(ask, Reason.SUPPRESSED_BY_HAND)


def undo(ask: Ask) -> Response:
    """Undo the latest decision, as long as nothing was recorded since the person saw it.

    Raises:
        PageError: something was.
    """
    names = names_of([_address(ask)], ask.console.parts.settings.hash_keys)
    events = read_dossier(ask.console.engine, names, 1).events
    latest = events[0].event if events else None
    if (
        latest is None
        or latest.effect is not Effect.MANUAL
        or latest.dedupe_key != ask.form.get("decision")
    ):
        raise PageError(HTTPStatus.CONFLICT, "changed")
    note = ask.texts("undo.note", time=f"{latest.occurred_at:%Y-%m-%d %H:%M} UTC")
    undone = ask.console.parts.service.undo(
        {latest.address: latest.dedupe_key},
        Call(address=_address(ask), caller=ask.who),
        ask.by_if_unnamed,
        str(note.unescape()),
    )
    if not undone.number:
        raise PageError(HTTPStatus.CONFLICT, "changed")
    return _done(ask, "undone", rejected=undone.statements_rejected)


def confirm_forgetting(ask: Ask) -> Response:
    """Explain what forgetting does, and ask for the address."""
    return _confirm(ask, HTTPStatus.OK, problem=False)


def forget_address(ask: Ask) -> Response:
    """Erase what identifies the person, once the address was typed."""
    console, address = ask.console, _address(ask)
    keys = console.parts.settings.hash_keys
    if not keys or parse(ask.form.get("confirmation", "")).key != address:
        return _confirm(ask, HTTPStatus.UNPROCESSABLE_ENTITY, problem=True)
    forget(console.parts.opened.store, keys, [parse(address)], console.now(), ask.by)
    truncate_log(console.engine)
    return ask.go(f"{console.address_path(address)}?done=forgotten")


def _address(ask: Ask) -> str:
    return ask.console.address_in(ask.path["handle"])


def _show(ask: Ask, *, note: str = "", problem: str | None = None) -> Response:
    address, older = _address(ask), ask.query.get("older")
    after = unsealed(ask, older, EventPlace) if older else None
    seen = gather(ask.console, address, after, with_events=ask.may(Scope.READ))
    done = ask.query.get("done", "")
    status = HTTPStatus.UNPROCESSABLE_ENTITY if problem else HTTPStatus.OK
    return ask.page(
        "address",
        status,
        seen=seen,
        handle=ask.path["handle"],
        is_first=after is None,
        done=done if done in _DONE else None,
        rejected="rejected" in ask.query,
        note=note,
        problem=problem,
        longest_note=LONGEST_NOTE,
    )


def _decide(ask: Ask, reason: Reason) -> Response:
    if problem := note_problem(ask.note):
        return _show(ask, note=ask.note, problem=problem)
    done = "allowed" if reason is Reason.ALLOWED_BY_HAND else "suppressed"
    return _record(ask, reason, ask.note, done)


def _record(ask: Ask, reason: Reason, note: str, done: str) -> Response:
    address, caller = _address(ask), ask.who
    service, by = ask.console.parts.service, ask.by_if_unnamed
    once = ask.form.get("once", "")
    request_id = once if _ONCE.fullmatch(once) else ask.once()
    body = DecisionBody(note=note, by=by)
    if reason is Reason.ALLOWED_BY_HAND:
        query = DecisionQuery(note=note, **({"by": by} if by else {}))
        call = Call(address=address, query=query, caller=caller, request_id=request_id)
        decided = service.allow(call)
    else:
        call = Call(address=address, body=body, caller=caller, request_id=request_id)
        decided = service.suppress(call)
    return _done(ask, done, rejected=decided.statements_rejected)


def _done(ask: Ask, done: str, *, rejected: bool) -> Response:
    """Lead back to the page of the address, which says what was done."""
    path = ask.console.address_path(_address(ask))
    return ask.go(f"{path}?done={done}{'&rejected=1' if rejected else ''}")


def _confirm(ask: Ask, status: HTTPStatus, *, problem: bool) -> Response:
    return ask.page(
        "forget",
        status,
        address=_address(ask),
        handle=ask.path["handle"],
        has_keys=bool(ask.console.parts.settings.hash_keys),
        problem=problem,
    )
