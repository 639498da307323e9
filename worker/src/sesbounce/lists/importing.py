"""Records the events of a list, in batches: what is recorded already changes nothing."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from sesbounce.errors import EntryError, RowError
from sesbounce.feedback.extract import Event
from sesbounce.feedback.recording import Recording
from sesbounce.lists.files import ListRow, ReadList, event_of
from sesbounce.lists.formats import Listing
from sesbounce.store.listing import known_events
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
        rows: how many rows were read, those that were rejected included.
        rejected: rows that could not be understood or recorded.
        by_reason: how many events the other rows told, by reason.
        recorded: what recording them did; of a dry run, how many are new and how many known.
    """

    format: str
    list: Listing | None
    dry_run: bool
    rows: int
    rejected: int
    by_reason: dict[str, int]
    recorded: Recorded


class ListEvent(NamedTuple):
    """A event, where in the list it stands, and whether the list says when it happened."""

    place: str
    event: Event
    dated: bool


class ListEvents:
    """What a list tells, in batches.

    Args:
        read: the list.
        at: this moment.
        undated: when a row happened that does not say.
        note: why it is imported; kept with every event.
        complain: is told the place and the problem of each row that can't be understood.

    Attributes:
        rows: how many rows have been read.
        rejected: how many of them could not be understood.
        by_reason: how many events the others told, by reason.
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
        self.rejected = 0
        self.by_reason: Counter[str] = Counter()

    def batches(self) -> Iterator[list[ListEvent]]:
        """The events, a batch at a time."""
        batch: list[ListEvent] = []
        for row in self._read.rows:
            self.rows += 1
            try:
                batch += self._events(row)
            except EntryError as problem:
                self.rejected += 1
                self._complain(row.place, str(problem))
            if len(batch) >= _BATCH:
                yield batch
                batch = []
        yield batch

    def _events(self, row: ListRow) -> list[ListEvent]:
        if row.problem:
            raise EntryError(row.problem)
        events = [
            ListEvent(
                row.place,
                event_of(entry, self._read.format, self._at, self._undated, self._note),
                entry.at is not None,
            )
            for entry in row.entries
        ]
        self.by_reason.update(listed.event.reason.value for listed in events)
        return events


class DryRun:
    """Counts which events are new, and changes nothing.

    Attributes:
        recorded: how many events are new, and how many are known.
        rejected: none.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self.recorded = Recorded()
        self.rejected = 0

    def __call__(self, batch: Sequence[ListEvent]) -> None:
        """Look them up."""
        keys = {listed.event.dedupe_key for listed in batch}
        known = known_events(self._engine, keys)
        self.recorded.events += len(keys) - len(known)
        self.recorded.duplicates += len(batch) - len(keys) + len(known)


class Importer:
    """Records the events of a list like any other.

    Attributes:
        recorded: what that did.
        rejected: events that the database rejected.
    """

    def __init__(self, engine: sa.Engine, store: Store, at: datetime, complain: Complain) -> None:
        self._engine = engine
        self._store = store
        self._at = at
        self._complain = complain
        self.recorded = Recorded()
        self.rejected = 0

    def __call__(self, batch: Sequence[ListEvent]) -> None:
        """Commit the events of a batch.

        An event without a time of its own that is known is left as it is: it would come again
        with another time.
        """
        undated = [listed.event.dedupe_key for listed in batch if not listed.dated]
        known = known_events(self._engine, undated) if undated else set()
        new = [listed for listed in batch if listed.event.dedupe_key not in known]
        self.recorded.duplicates += len(batch) - len(new)
        self._record(new)

    def _record(self, batch: Sequence[ListEvent]) -> None:
        """Halve the batch around an event that the database rejects, which costs only itself."""
        if not batch:
            return
        recording = Recording([listed.event for listed in batch])
        try:
            self.recorded.add(self._store.record([recording], self._at))
        except RowError as error:
            if len(batch) > 1:
                middle = len(batch) // 2
                self._record(batch[:middle])
                self._record(batch[middle:])
                return
            self.rejected += 1
            self._complain(batch[0].place, str(error))
