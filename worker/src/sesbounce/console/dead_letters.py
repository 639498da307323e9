"""The pages of the dead letters: how many there are, why, and what some of them say.

To look at letters, the server has to receive them, which hides them from others meanwhile: so it
does so only if a person presses a button. Each request looks for some seconds; a button continues.
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from starlette.responses import Response

from sesbounce.console.asking import Ask, PageError, unsealed
from sesbounce.console.letters import (
    WHICH,
    Sample,
    Selection,
    chosen,
    failed,
    letters_page,
    which_of,
)
from sesbounce.dead_letters.grouping import Group, Which
from sesbounce.errors import (
    ConfigurationError,
    MessageError,
    QueueAccessError,
    QueueError,
    SesBounceError,
)
from sesbounce.feedback.decode import decode_all

if TYPE_CHECKING:
    from sesbounce.aws.dead_letters import Letter
    from sesbounce.dead_letters.grouping import Diagnosis

# A form holds the identities of so many letters, encrypted.
MOST_LETTERS = 3000
MOST_GROUPS = 100
_LONGEST_PROBLEM = 300
_SHOWN = 3
_LONGEST_BODY = 20_000


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """How far a look has got.

    Attributes:
        of: the dead-letter queue.
        groups: the letters that were looked at.
    """

    of: Which
    groups: list[Group]


class Shown(NamedTuple):
    """One of the queues.

    Attributes:
        which: which one.
        visible: about how many letters can be received.
        in_flight: about how many letters somebody has received.
        problem: why these numbers are not known; None where they are.
        lacks_right: whether that is because the server lacks a right.
    """

    which: Which
    visible: int = 0
    in_flight: int = 0
    problem: str | None = None
    lacks_right: bool = False


def show(ask: Ask) -> Response:
    """Show how many letters there are."""
    is_set = bool(ask.console.parts.settings.queue_url)
    queues = [_shown(ask, which) for which in WHICH] if is_set else []
    return ask.page("dead_letters", queues=queues)


def look(ask: Ask) -> Response:
    """Look at the letters of a queue, or continue to do so."""
    which, sealed = which_of(ask), ask.form.get("look")
    before = unsealed(ask, sealed, Look) if sealed else Look(of=which, groups=[])
    if before.of != which:
        raise PageError(HTTPStatus.NOT_FOUND, "link")
    try:
        found = ask.console.letters.look(which, before.groups)
    except SesBounceError as error:
        return failed(ask, "look", error)
    for group in found.groups:
        group.problem = group.problem[:_LONGEST_PROBLEM]
    groups = found.groups[:MOST_GROUPS]
    total = _total(found.groups)
    is_full = total.count >= MOST_LETTERS or len(found.groups) > MOST_GROUPS
    look = Look(of=which, groups=groups)
    return ask.page(
        "dead_letters_look",
        which=which,
        groups=[(group, _sealed(ask, Selection(of=which, group=group))) for group in groups],
        all_groups=_sealed(ask, Selection(of=which, group=total, several=True)),
        further_groups=len(found.groups) - len(groups),
        total=total,
        about=max(found.about, total.count),
        cut=found.cut,
        further=None if is_full or not found.cut else ask.console.views.seal(look),
        now=ask.console.now(),
    )


def open_group(ask: Ask) -> Response:
    """Show some letters of a group, and what can be done with the group."""
    selection = chosen(ask)
    try:
        found = ask.console.letters.sample(selection.of, selection.letters, _SHOWN)
    except SesBounceError as error:
        return failed(ask, "letters", error)
    return letters_page(ask, selection, sample=[_sample(*one) for one in found])


def _shown(ask: Ask, which: Which) -> Shown:
    try:
        facts = ask.console.letters.facts(which)
    except (QueueError, ConfigurationError) as error:
        return Shown(which, problem=str(error), lacks_right=isinstance(error, QueueAccessError))
    return Shown(which, facts.visible, facts.in_flight)


def _total(groups: Sequence[Group]) -> Group:
    """The letters of the groups that a form can hold."""
    total = Group(code=None, fingerprint="", problem="")
    for group in groups:
        total.count += group.count
        total.understood += group.understood
        total.letters += group.letters
    return total


def _sealed(ask: Ask, selection: Selection) -> str:
    return ask.console.views.seal(selection)


def _sample(letter: "Letter", diagnosis: "Diagnosis") -> Sample:
    """A letter, and what this version reads in it."""
    try:
        parts = decode_all(letter.body, letter.sent_at)
    except MessageError:
        parts = []
    events = [
        (event.address, event.reason)
        for part in parts
        if not isinstance(part, MessageError)
        for event in part.events
    ]
    body = letter.body[:_LONGEST_BODY]
    return Sample(letter, diagnosis, events, body, len(letter.body) > len(body))
