"""Counts what a change would change, within a time, and goes on where an earlier count has ended.

A count of all addresses may take minutes. Whoever must answer sooner counts some of them, keeps the
survey, and continues it with the next request.
"""

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from sesbounce.operations.rebuild import Change

Place = tuple[datetime, str]


class Part(NamedTuple):
    """Some of the addresses, and what would change about them.

    Attributes:
        addresses: the keys of the addresses.
        changes: what would change.
        place: where the part ends: a `Place`, or the key of an address; None for the last part.
    """

    addresses: Sequence[str]
    changes: Sequence[Change]
    place: Any


class Survey(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """How far a count has got, and its numbers.

    Attributes:
        addresses: addresses that were looked at.
        released: addresses that would be released, and streams in which they would.
        suppressed: addresses that would become suppressed, and streams in which they would.
        changed: addresses that would stay suppressed, but for another reason or time.
        digest: a digest of the changes, in hexadecimal digits; empty where there are none.
        place: where the count has ended; None at the beginning.
        ended: whether all addresses were looked at.
    """

    addresses: int = 0
    released: int = 0
    suppressed: int = 0
    changed: int = 0
    digest: str = ""
    place: str | Place | None = None
    ended: bool = False

    @property
    def total(self) -> int:
        """How many changes there are."""
        return self.released + self.suppressed + self.changed

    @property
    def difference(self) -> tuple[int, int, int, str]:
        """What would change; it is equal where the same would change about the same addresses."""
        return self.released, self.suppressed, self.changed, self.digest


class Surveyed(NamedTuple):
    """What one count has found.

    Attributes:
        survey: the numbers, with those of the counts before.
        addresses: the first addresses of this count.
        changes: the first changes of this count.
    """

    survey: Survey
    addresses: Sequence[str]
    changes: Sequence[Change]


def count(
    parts: Callable[[Any], Iterator[Part]],
    survey: Survey,
    seconds: float,
    most: int,
    clock: Callable[[], float] = time.monotonic,
) -> Surveyed:
    """Continue a count for some time; it looks at one part at least.

    Args:
        parts: yields the parts that come after a place; None for all.
        survey: how far the count has got.
        seconds: the time after which it ends.
        most: the maximum number of addresses and of changes to return.
        clock: tells the time, seconds.
    """
    ends_at = clock() + seconds
    addresses: list[str] = []
    changes: list[Change] = []
    if survey.ended:
        return Surveyed(survey, addresses, changes)
    for part in parts(survey.place):
        survey = _added(survey, part)
        addresses += part.addresses[: most - len(addresses)]
        changes += part.changes[: most - len(changes)]
        if part.place is None:
            break
        if clock() >= ends_at:
            return Surveyed(survey, addresses, changes)
    return Surveyed(msgspec.structs.replace(survey, ended=True), addresses, changes)


def _added(survey: Survey, part: Part) -> Survey:
    counts = {name: getattr(survey, name) for name in ("released", "suppressed", "changed")}
    digest = survey.digest
    for one in part.changes:
        counts[one.change] += 1
        said = f"{digest}\0{one.change}\0{one.address}\0{one.stream}"
        digest = hashlib.sha256(said.encode()).hexdigest()
    addresses = survey.addresses + len(part.addresses)
    return Survey(addresses=addresses, **counts, digest=digest, place=part.place)
