"""What the pages of the dead letters share: letters that a person has chosen, and failures."""

from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

import msgspec
from starlette.responses import Response

from sesbounce.console.asking import Ask, PageError, unsealed
from sesbounce.dead_letters.grouping import Group, Which
from sesbounce.errors import ConfigurationError, QueueAccessError, QueueError, SesBounceError

if TYPE_CHECKING:
    from sesbounce.aws.dead_letters import Letter
    from sesbounce.dead_letters.grouping import Diagnosis

WHICH: Sequence[Which] = get_args(Which)


class BusyError(SesBounceError):
    """Another thread receives dead letters, which hides them."""


class Selection(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Letters that a person has chosen.

    Attributes:
        of: the dead-letter queue.
        group: the letters.
        several: whether they are those of several groups.
        exported: whether the person has shown that a file holds them.
    """

    of: Which
    group: Group
    several: bool = False
    exported: bool = False

    @property
    def letters(self) -> frozenset[bytes]:
        """The identities of the letters."""
        return frozenset(self.group.identities)

    def without(self, done: int, left: Iterable[bytes], *, exported: bool = False) -> "Selection":
        """The letters that are left after some were handled.

        Args:
            done: how many of them were handled.
            left: the identities of the others.
            exported: whether the person has shown that a file holds them.
        """
        letters = bytearray(b"".join(left))
        group = msgspec.structs.replace(self.group, letters=letters)
        group.count = len(list(group.identities))
        group.understood = min(group.count, max(0, self.group.understood - done))
        return msgspec.structs.replace(self, group=group, exported=exported)


class Sample(NamedTuple):
    """One letter.

    Attributes:
        letter: what SQS says.
        diagnosis: whether this version understands it.
        events: the addresses that it is about, each with the reason of its event.
        body: its body, or the beginning of it.
        cut: whether the body goes on.
    """

    letter: "Letter"
    diagnosis: "Diagnosis"
    events: Sequence[tuple[str, str]]
    body: str
    cut: bool


def which_of(ask: Ask) -> Which:
    """The queue that the path names.

    Raises:
        PageError: it names none.
    """
    for which in WHICH:
        if ask.path["which"] == which:
            return which
    raise PageError(HTTPStatus.NOT_FOUND, "not_found")


def chosen(ask: Ask) -> Selection:
    """The letters that a form names.

    Raises:
        PageError: it names none, or those of another queue.
    """
    which, selection = which_of(ask), unsealed(ask, ask.form.get("letters", ""), Selection)
    if selection.of != which:
        raise PageError(HTTPStatus.NOT_FOUND, "link")
    return selection


def letters_page(
    ask: Ask, selection: Selection, status: HTTPStatus = HTTPStatus.OK, **more: Any
) -> Response:
    """The page of some letters.

    Args:
        ask: the request.
        selection: the letters.
        status: the status of the answer.
        more: a `sample` of them; how many an `action` has `acted` on and `done`, what that
            `recorded`, and the `error` that ended it; or the `problem`, a key of a text, for which
            nothing was done.
    """
    nothing = dict.fromkeys(("sample", "acted", "done", "action", "recorded", "error", "problem"))
    return ask.page(
        "dead_letters_group",
        status,
        which=selection.of,
        selection=selection,
        group=selection.group,
        sealed=ask.console.views.seal(selection),
        now=ask.console.now(),
        **nothing | more,
    )


def failed(ask: Ask, action: str, error: SesBounceError) -> Response:
    """The page that says why nothing was done; a button retries it.

    Args:
        ask: the request.
        action: the last part of the path to which the form was sent.
        error: why nothing was done.

    Raises:
        SesBounceError: AWS is not the reason.
    """
    is_busy = isinstance(error, BusyError)
    if not is_busy and not isinstance(error, QueueError | ConfigurationError):
        raise error
    return ask.page(
        "dead_letters_failed",
        HTTPStatus.CONFLICT if is_busy else HTTPStatus.SERVICE_UNAVAILABLE,
        which=which_of(ask),
        action=action,
        problem=None if is_busy else str(error),
        lacks_right=isinstance(error, QueueAccessError),
        fields=ask.form,
    )
