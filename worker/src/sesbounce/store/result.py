"""Counts what recording a batch did."""

from collections.abc import Iterable
from typing import Self

import msgspec


class Numbers(msgspec.Struct):
    """Numbers by name, and numbers by name and share."""

    def add(self, other: Self) -> None:
        """Add the numbers of the other one to these."""
        for name, theirs in msgspec.structs.asdict(other).items():
            if not theirs:  # as most of them
                continue
            mine = getattr(self, name)
            if isinstance(theirs, dict):
                for share, number in theirs.items():
                    mine[share] = mine.get(share, 0) + number
            else:
                setattr(self, name, mine + theirs)


class Recorded(Numbers):
    """The numbers of events, addresses and rows that recording a batch changed.

    Attributes:
        events: new events.
        duplicates: events that the log held already.
        suppressed: addresses that became suppressed.
        released: addresses that were released.
        struck_rows: rows of the sender's tables that the strike-off statements changed.
        restored_rows: rows of the sender's tables that the restore statements changed.
        pending: addresses whose statements have not run; the sweep runs them.
        rejected: addresses for which the database rejected a statement, by its error message.
        kinds: new events, by kind.
        sender_faults: new events that show a fault of the sender, by reason.
        reasons: addresses that became suppressed, by reason.
    """

    events: int = 0
    duplicates: int = 0
    suppressed: int = 0
    released: int = 0
    struck_rows: int = 0
    restored_rows: int = 0
    pending: int = 0
    rejected: dict[str, int] = msgspec.field(default_factory=dict)
    kinds: dict[str, int] = msgspec.field(default_factory=dict)
    sender_faults: dict[str, int] = msgspec.field(default_factory=dict)
    reasons: dict[str, int] = msgspec.field(default_factory=dict)

    def count_reason(self, reason: str | None) -> None:
        """Count an address that became suppressed."""
        name = str(reason)
        self.reasons[name] = self.reasons.get(name, 0) + 1

    def count_rejected(self, problems: Iterable[str]) -> None:
        """Count an address for each error message."""
        for problem in problems:
            self.rejected[problem] = self.rejected.get(problem, 0) + 1
