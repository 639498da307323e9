"""Records the events of a list in batches; events that are recorded already change nothing."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec
import sqlalchemy as sa

from sesbounce.errors import EntryError, RowError
from sesbounce.feedback.extract import Event
from sesbounce.feedback.recording import Recording
from sesbounce.lists.files import ListRow, event_of
from sesbounce.lists.formats import ListKind
from sesbounce.store.listing import known_events
from sesbounce.store.result import Recorded
from sesbounce.store.store import Store

_BATCH = 500

# Called with the place of a row and the problem with it.
OnProblem = Callable[[str, str], None]


class Imported(msgspec.Struct, frozen=True, kw_only=True):
    """What an import did, or would do.

    Attributes:
        format: the format of the list.
        list: which of the provider's lists it is; None if the provider has only one.
        dry_run: whether it only counted, and changed nothing.
        rows: how many rows were read, including the rejected ones.
        rejected: how many rows could not be interpreted or recorded.
        by_reason: how many events the other rows hold, by reason.
        recorded: what recording them did; for a dry run, only the new and the known events.
        by_region: how many rows SES's list had in each region; absent for a file.
    """

    format: str
    list: ListKind | None
    dry_run: bool
    rows: int
    rejected: int
    by_reason: dict[str, int]
    recorded: Recorded
    by_region: dict[str, int] | msgspec.UnsetType = msgspec.UNSET


class ListEvent(NamedTuple):
    """An event of a list.

    Attributes:
        place: the place of its row in the list: `line 17`.
        event: the event.
        dated: whether the list says when it happened.
    """

    place: str
    event: Event
    dated: bool


class ListEvents:
    """The events of a list, in batches.

    Args:
        format_name: the name of the list's format.
        now: the current time, UTC.
        undated: the time of events that have none in the list.
        note: a person's note about the import, kept with each event.
        on_problem: called with the place and the problem of each row that can't be interpreted.

    Attributes:
        rows: how many rows have been read.
        rejected: how many of them could not be interpreted.
        by_reason: how many events the others hold, by reason.
    """

    def __init__(
        self,
        format_name: str,
        now: datetime,
        undated: datetime,
        note: str | None,
        on_problem: OnProblem,
    ) -> None:
        self._format = format_name
        self._now = now
        self._undated = undated
        self._note = note
        self._on_problem = on_problem
        self.rows = 0
        self.rejected = 0
        self.by_reason: Counter[str] = Counter()

    def batches(self, rows: Iterable[ListRow]) -> Iterator[list[ListEvent]]:
        """Yield the events in rows of the list, a batch at a time."""
        batch: list[ListEvent] = []
        for row in rows:
            self.rows += 1
            try:
                batch += self._events(row)
            except EntryError as problem:
                self.rejected += 1
                self._on_problem(row.place, str(problem))
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
                event_of(entry, self._format, self._now, self._undated, self._note),
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
        rejected: always 0.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine
        self.recorded = Recorded()
        self.rejected = 0

    def __call__(self, batch: Sequence[ListEvent]) -> None:
        """Look up the events of a batch."""
        keys = {listed.event.dedupe_key for listed in batch}
        known = known_events(self._engine, keys)
        self.recorded.events += len(keys) - len(known)
        self.recorded.duplicates += len(batch) - len(keys) + len(known)


class Importer:
    """Records the events of a list.

    Attributes:
        recorded: what recording them did.
        rejected: how many events the database rejected.
    """

    def __init__(
        self, engine: sa.Engine, store: Store, now: datetime, on_problem: OnProblem
    ) -> None:
        self._engine = engine
        self._store = store
        self._now = now
        self._on_problem = on_problem
        self.recorded = Recorded()
        self.rejected = 0

    def __call__(self, batch: Sequence[ListEvent]) -> None:
        """Record the events of a batch, and commit them.

        A known event that has no time in the list is left out: it would be recorded with another
        time than before.
        """
        undated = [listed.event.dedupe_key for listed in batch if not listed.dated]
        known = known_events(self._engine, undated) if undated else set()
        new = [listed for listed in batch if listed.event.dedupe_key not in known]
        self.recorded.duplicates += len(batch) - len(new)
        self._record(new)

    def _record(self, batch: Sequence[ListEvent]) -> None:
        """Record a batch; if the database rejects a row, halve it until only that event is left."""
        if not batch:
            return
        recording = Recording([listed.event for listed in batch])
        try:
            self.recorded.add(self._store.record([recording], self._now))
        except RowError as error:
            if len(batch) > 1:
                middle = len(batch) // 2
                self._record(batch[:middle])
                self._record(batch[middle:])
                return
            self.rejected += 1
            self._on_problem(batch[0].place, str(error))
