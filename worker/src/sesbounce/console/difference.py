"""What the pages share that show a difference before anybody decides about it."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from sesbounce.console.asking import Console
from sesbounce.operations.rebuild import Change
from sesbounce.operations.survey import Part, Survey, count
from sesbounce.privacy.keyed_hash import is_forgotten

# As long a person may wait for a page; then a button continues the count.
SECONDS = 2.0
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
    console: Console, parts: Callable[[Any], Iterator[Part]], survey: Survey
) -> Difference:
    """Continue a count for some seconds; not at all while somebody else counts."""
    if not console.counting.acquire(blocking=False):
        return Difference(survey, [], [])
    try:
        found = count(parts, survey, SECONDS, SHOWN)
    finally:
        console.counting.release()
    return Difference(
        found.survey,
        [(address, _path(console, address)) for address in found.addresses],
        [(one, _path(console, one.address)) for one in found.changes],
    )


def _path(console: Console, address: str) -> str | None:
    return None if is_forgotten(address) else console.address_path(address)
