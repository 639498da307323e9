"""What is counted of a sender by hour, in columns.

A month of twenty busy senders has 15,000 hours. An object for each of them would take longer than
all the sums of them.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from operator import add

import msgspec

from sesbounce.policy.rates import DAY_HOURS, NOTHING, Numbers

HourRow = tuple[int, int, int, int, int, int]
"""The number of an hour as of `number_of`, and the fields of its `Numbers`."""
_HOUR_SECONDS = 3600


def number_of(moment: datetime) -> int:
    """The number of the hour that a moment is in; the hours are counted from 1970 on."""
    return int(moment.timestamp() // _HOUR_SECONDS)


def hour_at(number: int) -> datetime:
    """The beginning of the hour with a number, UTC."""
    return datetime.fromtimestamp(number * _HOUR_SECONDS, UTC)


class Hours(msgspec.Struct, frozen=True):
    """What is counted of a sender by hour: the columns of a table that is sorted by hour.

    Attributes:
        numbers: the hours, each once, as `number_of` counts them.
        sent: the field of `Numbers` in each of these hours; the others alike.
        delivered: see `sent`.
        hard: see `sent`.
        soft: see `sent`.
        complaints: see `sent`.
    """

    numbers: tuple[int, ...] = ()
    sent: tuple[int, ...] = ()
    delivered: tuple[int, ...] = ()
    hard: tuple[int, ...] = ()
    soft: tuple[int, ...] = ()
    complaints: tuple[int, ...] = ()

    @classmethod
    def of_rows(cls, rows: Iterable[HourRow]) -> "Hours":
        """The columns of some rows, each of an hour of its own, in any order."""
        return cls(*zip(*sorted(rows), strict=True))

    @classmethod
    def of(cls, numbers: Mapping[datetime, Numbers]) -> "Hours":
        """The columns of what is counted by the beginnings of hours."""
        return cls.of_rows(
            (number_of(hour), one.sent, one.delivered, one.hard, one.soft, one.complaints)
            for hour, one in numbers.items()
        )

    @property
    def ended(self) -> Sequence[int]:
        """The property of `Numbers` in each hour."""
        return list(map(add, map(add, self.delivered, self.hard), self.soft))

    @property
    def reports_mails(self) -> bool:
        """Whether an hour has a number that bounces can be compared with."""
        return max(self.sent, default=0) > 0 or max(self.delivered, default=0) > 0

    @property
    def latest(self) -> datetime | None:
        """The latest hour of which something is counted; None if nothing is."""
        for place in reversed(range(len(self.numbers))):
            if self._total(place, place + 1) != NOTHING:
                return hour_at(self.numbers[place])
        return None

    def total(self) -> Numbers:
        """The sum of all hours."""
        return self._total(0, len(self.numbers))

    def between(self, first: datetime, last: datetime) -> "Hours":
        """Some of the hours, of which both may be one."""
        begins = bisect_left(self.numbers, number_of(first))
        ends = bisect_right(self.numbers, number_of(last))
        if ends - begins == len(self.numbers):
            return self
        return Hours(*(column[begins:ends] for column in msgspec.structs.astuple(self)))

    def at(self, hour: datetime) -> Numbers:
        """What is counted of an hour."""
        return self.between(hour, hour).total()

    def beyond(self, hour: datetime, seen: Numbers) -> "Hours":
        """What is counted from an hour on, beyond what a person has seen of this hour."""
        place = bisect_left(self.numbers, number_of(hour))
        rows: list[HourRow] = list(zip(*msgspec.structs.astuple(self), strict=True))[place:]
        if rows and rows[0][0] == number_of(hour):
            rows[0] = (rows[0][0], *msgspec.structs.astuple(Numbers(*rows[0][1:]).beyond(seen)))
        return Hours.of_rows(rows)

    def filled(self, first: datetime, last: datetime) -> "Hours":
        """Each hour from one to another one, also those of which nothing is counted.

        Args:
            first: no hour is earlier.
            last: no hour is later.
        """
        begins, size = number_of(first), number_of(last) - number_of(first) + 1
        if len(self.numbers) == size:
            return self
        places = [number - begins for number in self.numbers]
        _, *columns = msgspec.structs.astuple(self)
        return Hours(
            tuple(range(begins, begins + size)), *(_spread(c, places, size) for c in columns)
        )

    def days(self, first: date, last: date) -> dict[date, Numbers]:
        """What is counted of each of some days, UTC, the earliest first."""
        begins, length = number_of(datetime.combine(first, time(), UTC)), (last - first).days + 1
        places = [bisect_left(self.numbers, begins + day * DAY_HOURS) for day in range(length + 1)]
        return {
            first + timedelta(days=day): self._total(places[day], places[day + 1])
            for day in range(length)
        }

    def _total(self, begins: int, ends: int) -> Numbers:
        """The sum of the hours from a place to before another one."""
        return Numbers(
            sum(self.sent[begins:ends]),
            sum(self.delivered[begins:ends]),
            sum(self.hard[begins:ends]),
            sum(self.soft[begins:ends]),
            sum(self.complaints[begins:ends]),
        )


def _spread(column: Sequence[int], places: Sequence[int], size: int) -> tuple[int, ...]:
    """A column of a size with the numbers at some places, and 0 at all others."""
    spread = [0] * size
    for place, number in zip(places, column, strict=True):
        spread[place] = number
    return tuple(spread)
