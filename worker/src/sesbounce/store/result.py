"""What recording did, in numbers."""

from collections.abc import Iterable

import msgspec


class Recorded(msgspec.Struct):
    """What recording a batch did, in numbers of events, addresses and rows.

    Attributes:
        events: events that were new.
        duplicates: events that were known.
        suppressed: addresses that became suppressed.
        released: addresses that ceased to be.
        struck_rows: rows of the sender's own tables that the strike-off statement changed.
        restored_rows: rows that the restore statement changed.
        rejected: addresses for which a statement was rejected, by the problem.
        kinds: events that were new, by kind.
        reasons: addresses that became suppressed, by reason.
    """

    events: int = 0
    duplicates: int = 0
    suppressed: int = 0
    released: int = 0
    struck_rows: int = 0
    restored_rows: int = 0
    rejected: dict[str, int] = msgspec.field(default_factory=dict)
    kinds: dict[str, int] = msgspec.field(default_factory=dict)
    reasons: dict[str, int] = msgspec.field(default_factory=dict)

    def count_reason(self, reason: str | None) -> None:
        """Count an address that became suppressed."""
        name = str(reason)
        self.reasons[name] = self.reasons.get(name, 0) + 1

    def count_rejected(self, problems: Iterable[str]) -> None:
        """Count an address for each problem."""
        for problem in problems:
            self.rejected[problem] = self.rejected.get(problem, 0) + 1

    def add(self, other: "Recorded") -> None:
        """Count the other one in."""
        for name in self.__struct_fields__:
            mine, theirs = getattr(self, name), getattr(other, name)
            if isinstance(mine, dict):
                for key, times in theirs.items():
                    mine[key] = mine.get(key, 0) + times
            else:
                setattr(self, name, mine + theirs)
