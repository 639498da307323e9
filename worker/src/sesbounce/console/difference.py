"""What the pages share that show a difference before anybody decides about it."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from sesbounce.console.asking import Console
from sesbounce.operations.rebuild import Change
from sesbounce.operations.survey import Part, Survey, count
from sesbounce.privacy.keyed_hash import is_forgotten

# The time after which a button continues a count that a person has asked for, and one that a page
# begins by itself.
SECONDS = 3.0
AT_FIRST_SECONDS = 0.03
SHOWN = 100


class Difference(NamedTuple):
    """A difference as a page shows it.

    Attributes:
        survey: its numbers, and how far the count has got.
        addresses: the first addresses of this part of the count, with the paths of their pages.
        changes: the first changes of this part, with the same paths; None for forgotten addresses.
    """

    survey: Survey
    addresses: Sequence[tuple[str, str | None]]
    changes: Sequence[tuple[Change, str | None]]


def count_some(
    console: Console,
    parts: Callable[[Any], Iterator[Part]],
    survey: Survey,
    *,
    asked: bool = True,
) -> Difference:
    """Continue a count for some time; not at all while somebody else counts.

    Args:
        console: what all pages share.
        parts: yields the parts of the addresses that come after a place; None for all.
        survey: how far the count has got.
        asked: whether a person has asked for the numbers, and waits for them.
    """
    if not console.counting.acquire(blocking=False):
        return Difference(survey, [], [])
    try:
        found = count(parts, survey, SECONDS if asked else AT_FIRST_SECONDS, SHOWN)
    finally:
        console.counting.release()
    return Difference(
        found.survey,
        [(address, _path(console, address)) for address in found.addresses],
        [(one, _path(console, one.address)) for one in found.changes],
    )


def _path(console: Console, address: str) -> str | None:
    return None if is_forgotten(address) else console.address_path(address)
