"""What a person does with dead letters: records them, sends them back, exports and deletes them.

Each page names the number of the letters first. A form then handles these letters and no others,
for some seconds; a button goes on with those that are left.
"""

import base64
import hashlib
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING

import msgspec
import structlog
from starlette.responses import Response

from sesbounce.console.asking import Ask
from sesbounce.console.letters import Selection, chosen, failed, letters_page
from sesbounce.errors import SesBounceError, StoreError
from sesbounce.store.acts import Act, Done, record_alone
from sesbounce.store.tokens import Scope

if TYPE_CHECKING:
    from sesbounce.console.letter_queues import Handled

_CODE_BYTES = 5
_JSON_LINES = "application/x-ndjson"
_ACTS = {
    "replay": Act.LETTERS_RECORDED,
    "redrive": Act.LETTERS_SENT_BACK,
    "delete": Act.LETTERS_DELETED,
}

log = structlog.get_logger()


def replay(ask: Ask) -> Response:
    """Record letters in the database, and delete them."""
    console = ask.console
    store, clock = console.parts.opened.store, console.parts.service.clock
    return _handle(
        ask,
        "replay",
        lambda selection: console.letters.replay(selection.of, selection.letters, store, clock),
    )


def redrive(ask: Ask) -> Response:
    """Send letters back to the queue that the worker reads, and delete them here."""
    console = ask.console
    return _handle(
        ask,
        "redrive",
        lambda selection: console.letters.redrive(selection.of, selection.letters),
    )


def export(ask: Ask) -> Response:
    """Send a file with all the letters, or none."""
    selection = chosen(ask)
    try:
        queue = ask.console.letters.queue(selection.of).name
        handled = ask.console.letters.export(selection.of, selection.letters)
    except SesBounceError as error:
        return failed(ask, "export", error)
    if handled.error or handled.left:
        said = _said(handled.error) | {"problem": "letters.not_exported"}
        return letters_page(ask, selection, HTTPStatus.CONFLICT, **said)
    _record_act(ask, Act.LETTERS_EXPORTED, queue, selection, handled.done)
    last = msgspec.json.encode({"letters": handled.done, "code": code_of(selection.letters)})
    name = f"dead-letters-{selection.of}-{ask.console.now():%Y-%m-%d-%H%M%S}.jsonl"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(f"{handled.text}{last.decode()}\n", headers=headers, media_type=_JSON_LINES)


def delete(ask: Ask) -> Response:
    """Delete letters that the person has in a file: its last line has the code to type.

    Nobody can know whether a browser has saved an answer. Whoever can type the code has its end.
    """
    selection, typed = chosen(ask), ask.form.get("code", "").strip().upper()
    if not selection.exported and typed != code_of(selection.letters):
        status = HTTPStatus.UNPROCESSABLE_ENTITY
        return letters_page(ask, selection, status, problem="letters.wrong_code")
    console = ask.console
    return _handle(
        ask, "delete", lambda selection: console.letters.delete(selection.of, selection.letters)
    )


def code_of(letters: Iterable[bytes]) -> str:
    """The code of an export of these letters, and of no others: eight letters and digits."""
    digest = hashlib.sha256(b"".join(sorted(letters))).digest()
    return base64.b32encode(digest[:_CODE_BYTES]).decode()


def _handle(ask: Ask, action: str, handle: Callable[[Selection], "Handled"]) -> Response:
    """Handle the letters of a form, and say how many are left."""
    ask.demand(Scope.EXPORT)
    selection = chosen(ask)
    try:
        queue = ask.console.letters.queue(selection.of).name
        handled = handle(selection)
    except SesBounceError as error:
        return failed(ask, action, error)
    if number := handled.done if action == "delete" else handled.acted:
        _record_act(ask, _ACTS[action], queue, selection, number)
    return letters_page(
        ask,
        selection.without(handled.done, handled.left, exported=action == "delete"),
        HTTPStatus.SERVICE_UNAVAILABLE if handled.error else HTTPStatus.OK,
        action=action,
        acted=handled.acted,
        done=handled.done,
        recorded=handled.recorded,
        **_said(handled.error),
    )


def _said(error: SesBounceError | None) -> dict[str, str]:
    """What the page says of an error; the text of the database is for the log alone."""
    if error is None:
        return {}
    if isinstance(error, StoreError):
        log.error("database can't answer", problem=str(error))
        return {"problem": "letters.database"}
    return {"error": str(error)}


def _record_act(ask: Ask, act: Act, queue: str, selection: Selection, number: int) -> None:
    """Record what a person did in the audit; the letters are handled already."""
    # boto3, without which nobody comes here.
    from sesbounce.dead_letters.acting import subject_of  # noqa: PLC0415
    from sesbounce.dead_letters.examining import Wanted  # noqa: PLC0415

    console, group = ask.console, selection.group
    wanted = Wanted()
    if not selection.several:
        codes = (group.code,) if group.code else ()
        wanted = Wanted(codes=codes, fingerprints=() if codes else (group.fingerprint,))
    subject = subject_of(queue, wanted)
    done = Done(act=act, at=console.now(), by=ask.by, subject=subject, number=number)
    try:
        record_alone(console.engine, done)
    except StoreError as error:
        log.warning("audit lacks an act", act=act, queue=queue, letters=number, problem=str(error))
