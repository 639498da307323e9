"""The tables of reasons, of the sender's own faults and of receiving providers on the overview."""

from collections.abc import Iterable, Mapping, Sequence
from operator import add
from typing import NamedTuple

from sesbounce.feedback.kind import Kind
from sesbounce.feedback.reason import Effect, Reason
from sesbounce.store.overview import Answered


class Row(NamedTuple):
    """A row of a table.

    Attributes:
        name: a reason, or a provider.
        effect: the effect of the reason; None for a provider.
        numbers: a number for each period; None where it is not known.
        share: the length of its bar, from 0 to 1.
        events: the number of events of the last period.
    """

    name: str
    effect: Effect | None
    numbers: Sequence[float | None]
    share: float
    events: int


def reasons_of(answers: Sequence[Answered]) -> list[Row]:
    """The reasons of bounces and complaints but the sender's faults, the most frequent first."""
    returned = (one for one in answers if one.kind in {Kind.BOUNCE, Kind.COMPLAINT})
    return _rows(one for one in returned if not _is_fault(one))


def faults_of(answers: Sequence[Answered]) -> list[Row]:
    """The reasons of events of all kinds that show a fault of the sender, most frequent first."""
    return _rows(filter(_is_fault, answers))


def count_faults(answers: Sequence[Answered], periods: int) -> list[int]:
    """The number of events in each period that show a fault of the sender."""
    numbers = (one.numbers for one in answers if _is_fault(one))
    return list(map(sum, zip([0] * periods, *numbers, strict=True)))


def _is_fault(answer: Answered) -> bool:
    return Reason(answer.reason).effect is Effect.SENDER


def _rows(answers: Iterable[Answered]) -> list[Row]:
    found = _sums((one.reason, one.numbers) for one in answers)
    most = max((numbers[-1] for numbers in found.values()), default=0)
    rows = [
        Row(name, Reason(name).effect, numbers, numbers[-1] / most, numbers[-1])
        for name, numbers in found.items()
        if numbers[-1] > 0
    ]
    return sorted(rows, key=_most_first)


def providers_of(answers: Sequence[Answered]) -> list[Row]:
    """The bounces of each provider as shares of its deliveries and bounces, the largest first."""
    bounces = [one for one in answers if one.kind == Kind.BOUNCE]
    deliveries = [one for one in answers if one.kind == Kind.DELIVERY]
    bounced = _sums((one.provider, one.numbers) for one in bounces)
    mails = _sums((one.provider, one.numbers) for one in [*bounces, *deliveries])
    shares = {
        name: _shares(bounced.get(name, [0] * len(numbers)), numbers)
        for name, numbers in mails.items()
        if numbers[-1] > 0
    }
    most = max((numbers[-1] or 0 for numbers in shares.values()), default=0)
    rows = [
        Row(name, None, numbers, (numbers[-1] or 0) / most if most else 0.0, mails[name][-1])
        for name, numbers in shares.items()
    ]
    return sorted(rows, key=_most_first)


def _sums(counted: Iterable[tuple[str, Sequence[int]]]) -> Mapping[str, Sequence[int]]:
    """The sums of the numbers of each name, by period."""
    found: dict[str, list[int]] = {}
    for name, numbers in counted:
        found[name] = list(map(add, found[name], numbers)) if name in found else list(numbers)
    return found


def _shares(parts: Sequence[int], wholes: Sequence[int]) -> list[float | None]:
    pairs = zip(parts, wholes, strict=True)
    return [part / whole if whole > 0 else None for part, whole in pairs]


def _most_first(row: Row) -> tuple[int, str]:
    return -row.events, row.name
