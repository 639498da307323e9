"""Records SES's own suppression list of the account, page by page, from one or more regions."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from sesbounce.aws.suppression_list import Page, Wanted, open_suppression_list
from sesbounce.cli.common import counted, now
from sesbounce.cli.group import InterruptedCommandError
from sesbounce.cli.progress import reporting
from sesbounce.cli.recording import complain, recording
from sesbounce.errors import SesError, StoreError
from sesbounce.lists.files import ListRow, interpreted
from sesbounce.lists.formats import ListKind
from sesbounce.lists.importing import Imported, ListEvents
from sesbounce.lists.tables import json_row

if TYPE_CHECKING:
    from types_boto3_sesv2.literals import SuppressionListReasonType

_FORMAT = "ses"
# As the options take it.
_TIME = "%Y-%m-%dT%H:%M:%S"
_REASONS: "Mapping[ListKind, SuppressionListReasonType]" = {
    ListKind.BOUNCES: "BOUNCE",
    ListKind.COMPLAINTS: "COMPLAINT",
}


class SesImport(NamedTuple):
    """What to import from SES.

    Attributes:
        regions: the regions; none for the one in boto3's settings.
        kind: bounces or complaints; None for both.
        since: reads only entries that SES has put on the list since this time, UTC.
        until: reads only entries that SES has put on the list before this time, UTC.
        token: continues the list of the first region; None to begin.
        note: a person's note, kept with each event.
        by: the person who imports; None for the user who runs the command.
        dry_run: whether to change nothing.
        as_json: whether the command prints JSON.
    """

    regions: Sequence[str]
    kind: ListKind | None
    since: datetime | None
    until: datetime | None
    token: str | None
    note: str | None
    by: str | None
    dry_run: bool
    as_json: bool


class _Position:
    """How far an import has come.

    Attributes:
        rest: the regions whose lists have not been read to their end, the present one first.
        token: continues the list of the present region; None at its beginning.
        by_region: how many rows have been read and recorded, by region.
    """

    def __init__(self, asked: SesImport, regions: Sequence[str]) -> None:
        self._asked = asked
        self.rest = list(regions)
        self.token = asked.token
        self.by_region = dict.fromkeys(regions, 0)

    @property
    def rows(self) -> int:
        """How many rows have been read and recorded."""
        return sum(self.by_region.values())

    def advance(self, page: Page) -> None:
        """Count a page that has been recorded."""
        self.by_region[self.rest[0]] += len(page.entries)
        self.token = page.next_token
        if self.token is None:
            del self.rest[0]

    def so_far(self) -> str:
        """The line that shows the progress."""
        rows = counted(self.rows, "row")
        where = f" (reading the list in {self.rest[0]})" if self.rest else ""
        return f"importing from SES: {rows}{where}"

    def how_far(self) -> str:
        """How far a stopped import has come, and how to continue it."""
        read = counted(self.rows, "row")
        if self._asked.dry_run:
            return f"{read} read; nothing was changed"
        if not self.rows and self.token == self._asked.token:
            return "Nothing was recorded"
        return f"{read} recorded. To continue, run: {self._command()}"

    def _command(self) -> str:
        asked = self._asked
        options = {
            "--list": asked.kind,
            "--since": asked.since and f"{asked.since:{_TIME}}",
            "--until": asked.until and f"{asked.until:{_TIME}}",
            "--note": asked.note,
            "--by": asked.by,
            "--resume": self.token,
        }
        words = ["sesbounce", "import", "--from-ses"]
        words += [f"--region={region}" for region in self.rest]
        words += [f"{option}={value}" for option, value in options.items() if value]
        return shlex.join([*words, *(["--json"] if asked.as_json else [])])


def import_from_ses(asked: SesImport) -> Imported:
    """Record SES's list. Each page is committed before the next one is read.

    Raises:
        ConfigurationError: a region is missing or wrong, or a setting is.
        InterruptedCommandError: Ctrl-C; the message holds the command that continues.
        SesError: SES rejects a call or can't be reached; the message holds that command, too.
        StoreError: the database fails; likewise.
    """
    wanted = Wanted(_REASONS[asked.kind] if asked.kind else None, asked.since, asked.until)
    opened = [open_suppression_list(region, wanted) for region in asked.regions or (None,)]
    lists = {one.region: one for one in opened}
    this_moment = now()
    events = ListEvents(_FORMAT, this_moment, this_moment, asked.note, complain)
    source = " ".join([_FORMAT, *lists])
    with recording(this_moment, source, asked.by, asked.note, dry_run=asked.dry_run) as record:
        position = _Position(asked, list(lists))
        with reporting(position.so_far), _saying_how_far(position):
            while position.rest:
                region = position.rest[0]
                for page in lists[region].pages(position.token):
                    rows = _rows(page, region, position.by_region[region])
                    for batch in events.batches(rows):
                        record(batch)
                    position.advance(page)
    return Imported(
        format=_FORMAT,
        list=asked.kind,
        dry_run=asked.dry_run,
        rows=events.rows,
        rejected=events.rejected + record.rejected,
        by_reason=dict(events.by_reason),
        recorded=record.recorded,
        by_region=position.by_region,
    )


def _rows(page: Page, region: str, before: int) -> Iterator[ListRow]:
    """Interpret the rows of a page as those of a file with the same list."""
    for number, entry in enumerate(page.entries, before + 1):
        yield interpreted(json_row(f"{region}, entry {number}", entry), _FORMAT, None)


@contextmanager
def _saying_how_far(position: _Position) -> Iterator[None]:
    """Let errors say how far the import has come."""
    try:
        yield
    except KeyboardInterrupt:
        raise InterruptedCommandError(f"interrupted. {position.how_far()}") from None
    except SesError as error:
        if error.wrong_token:
            position.token = None
        raise SesError(f"{error}. {position.how_far()}") from error
    except StoreError as error:
        raise type(error)(f"{error}. {position.how_far()}") from error
