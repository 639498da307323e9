"""Records the facts of a list, in batches: what is recorded already changes nothing."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from sesbounce.errors import EntryError, RowError
from sesbounce.feedback.decode import Decoded
from sesbounce.feedback.extract import Feedback
from sesbounce.feedback.notification import Kind
from sesbounce.lists.files import ReadList, Told, fact_of
from sesbounce.lists.formats import Listing
from sesbounce.store.listing import known_facts
from sesbounce.store.result import Recorded
from sesbounce.store.store import Store

_BATCH = 500

# Is told the place of a row and what is wrong with it.
Complain = Callable[[str, str], None]


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What an import did, or would do.

    Attributes:
        format: whose list it was.
        list: which of that one's lists.
        dry_run: whether nothing was changed.
        rows: how many rows were read, those that were refused included.
        refused: rows that could not be understood or recorded.
        by_reason: how many facts the other rows told, by reason.
        recorded: what recording them did; of a dry run, how many are new and how many known.
    """

    format: str
    list: Listing | None
    dry_run: bool
    rows: int
    refused: int
    by_reason: dict[str, int]
    recorded: Recorded


class Fact(NamedTuple):
    """A fact, where in the list it stands, and whether the list says when it happened."""

    place: str
    feedback: Feedback
    dated: bool


class ToldFacts:
    """What a list tells, in batches.

    Args:
        read: the list.
        at: this moment.
        undated: when a row happened that does not say.
        note: why it is imported; kept with every fact.
        complain: is told the place and the problem of each row that can't be understood.

    Attributes:
        rows: how many rows have been read.
        refused: how many of them could not be understood.
        by_reason: how many facts the others told, by reason.
    """

    def __init__(
        self,
        read: ReadList,
        at: datetime,
        undated: datetime,
        note: str | None,
        complain: Complain,
    ) -> None:
        self._read = read
        self._at = at
        self._undated = undated
        self._note = note
        self._complain = complain
        self.rows = 0
        self.refused = 0
        self.by_reason: Counter[str] = Counter()

    def batches(self) -> Iterator[list[Fact]]:
        """The facts, a batch at a time."""
        batch: list[Fact] = []
        for row in self._read.rows:
            self.rows += 1
            try:
                batch += self._facts(row)
            except EntryError as problem:
                self.refused += 1
                self._complain(row.place, str(problem))
            if len(batch) >= _BATCH:
                yield batch
                batch = []
        yield batch

    def _facts(self, row: Told) -> list[Fact]:
        if row.problem:
            raise EntryError(row.problem)
        facts = [
            Fact(
                row.place,
                fact_of(entry, self._read.format, self._at, self._undated, self._note),
                entry.at is not None,
            )
            for entry in row.entries
        ]
        self.by_reason.update(fact.feedback.reason.value for fact in facts)
        return facts


class DryRun:
    """Counts which facts are new, and changes nothing.

    Attributes:
        recorded: how many facts are new, and how many are known.
        refused: none.
    """

    def __init__(self, engine: sa.Engine | None) -> None:
        self._engine = engine
        self.recorded = Recorded()
        self.refused = 0

    def __call__(self, batch: Sequence[Fact]) -> None:
        """Look them up."""
        keys = {fact.feedback.dedupe_key for fact in batch}
        known = set[str]() if self._engine is None else known_facts(self._engine, keys)
        self.recorded.events += len(keys) - len(known)
        self.recorded.duplicates += len(batch) - len(keys) + len(known)


class Recording:
    """Records facts like any other feedback.

    Attributes:
        recorded: what that did.
        refused: facts that the database refused.
    """

    def __init__(self, engine: sa.Engine, store: Store, at: datetime, complain: Complain) -> None:
        self._engine = engine
        self._store = store
        self._at = at
        self._complain = complain
        self.recorded = Recorded()
        self.refused = 0

    def __call__(self, batch: Sequence[Fact]) -> None:
        """Commit them.

        A fact without a time of its own that is known is left as it is: it would come again
        with another time.
        """
        undated = [fact.feedback.dedupe_key for fact in batch if not fact.dated]
        known = known_facts(self._engine, undated) if undated else set()
        new = [fact for fact in batch if fact.feedback.dedupe_key not in known]
        self.recorded.duplicates += len(batch) - len(new)
        self._record(new)

    def _record(self, facts: Sequence[Fact]) -> None:
        """Halve the batch around a fact that the database refuses, which costs only itself."""
        if not facts:
            return
        feedback = [fact.feedback for fact in facts]
        # Like a decision, the facts have no message of SES behind them.
        message = Decoded(Kind.MANUAL, "Import", feedback, None, None, b"", "")
        try:
            self.recorded.add(self._store.record([message], self._at))
        except RowError as error:
            if len(facts) > 1:
                middle = len(facts) // 2
                self._record(facts[:middle])
                self._record(facts[middle:])
                return
            self.refused += 1
            self._complain(facts[0].place, str(error))
