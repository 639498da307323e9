"""The list of the addresses that must not be mailed.

A person sends the filters by POST. The page that follows has them in its URL, sealed, so that no
history and no log shows for whom somebody searched.
"""

from datetime import UTC, datetime
from http import HTTPStatus

import msgspec
from starlette.responses import Response

from sesbounce.console.asking import SUPPRESSIONS, Ask, Console, onward, unsealed
from sesbounce.errors import AddressError
from sesbounce.feedback.address import parse
from sesbounce.feedback.reason import Reason
from sesbounce.privacy.keyed_hash import is_forgotten
from sesbounce.privacy.redaction import redact
from sesbounce.store.lookup import Answer, Filter, domain_key
from sesbounce.store.pages import ListPlace, suppressed_page

_ROWS = 50
# The time after which a page ends where few of the addresses match its filters.
_SECONDS = 0.04
_LONGEST_FILTER = 320
_SUPPRESSING = [
    reason for reason in Reason if reason.effect.is_evidence and reason is not Reason.DELIVERED
]
REASONS = [reason for reason in _SUPPRESSING if reason is not Reason.ALLOWED_BY_HAND]


class View(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """What a person sees of the list: the filters as they were typed, and the place.

    Attributes:
        reason: the reason of the suppressions; empty for all.
        domain: the domain of the addresses; empty for all.
        since: the first day (UTC) of the suppressions; empty for all.
        stream: the stream of the mail; empty for all.
        after: where the page before ended; None for the first page.
    """

    reason: str = ""
    domain: str = ""
    since: str = ""
    stream: str = ""
    after: ListPlace | None = None

    @property
    def is_filtered(self) -> bool:
        """Whether there is any filter."""
        return bool(self.words)

    @property
    def words(self) -> str:
        """The filters for the audit, as `name=value`; empty where there is none.

        A person may have typed an address in them, of which no local part is left.
        """
        values = {name: redact(getattr(self, name)) for name in _FILTERS}
        return " ".join(f"{name}={value}" for name, value in values.items() if value)


class Batch(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Decisions that were recorded together.

    Attributes:
        at: when they were made, UTC.
        by: who made them, as the events say.
        number: the number of addresses.
        view: the filters of the list.
        undone: whether they undo others.
    """

    at: datetime
    by: str
    number: int
    view: View
    undone: bool = False


class FilterError(Exception):
    """A filter can't be read; the text with the key `list.wrong_KEY` explains it."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def show(ask: Ask) -> Response:
    """Show a page of the list."""
    view, batch = View(), None
    if sealed := ask.query.get("batch"):
        batch = unsealed(ask, sealed, Batch)
        view = batch.view
    elif sealed := ask.query.get("view"):
        view = unsealed(ask, sealed, View)
    try:
        return _page(ask, view, batch)
    except FilterError as error:
        return _wrong(ask, view, error)


def choose(ask: Ask) -> Response:
    """Lead to the list under the filters of the form; an address leads to its page."""
    reason, domain, since, stream = (ask.form.get(name, "").strip() for name in _FILTERS)
    view = View(reason=reason, domain=domain, since=since, stream=stream)
    if "@" in view.domain.removeprefix("@") and parse(view.domain).parsed:
        return ask.go(ask.console.address_path(parse(view.domain).key))
    try:
        filter_of(view)
    except FilterError as error:
        return _wrong(ask, view, error)
    return ask.go(_path(ask.console, view) if view.is_filtered else SUPPRESSIONS)


_FILTERS = ("reason", "domain", "since", "stream")


def _page(ask: Ask, view: View, batch: Batch | None) -> Response:
    console = ask.console
    found, place = read_some(ask, view, _ROWS)
    rows = [(answer, _link(console, answer)) for answer in found]
    further = _path(console, msgspec.structs.replace(view, after=place)) if place else None
    first = _path(console, msgspec.structs.replace(view, after=None)) if view.after else None
    return ask.page(
        "suppressions",
        # Without an index of the filter, dozens of pages may find nothing: nobody clicks through.
        headers=onward(further) if further and not rows and batch is None else None,
        view=view,
        rows=rows,
        further=further,
        looked_until=place.since if place else None,
        first=first,
        reasons=REASONS,
        problem=None,
        sealed=console.views.seal(msgspec.structs.replace(view, after=None)),
        batch=batch,
        sealed_batch=ask.query.get("batch"),
        rejected="rejected" in ask.query,
    )


def _wrong(ask: Ask, view: View, error: FilterError) -> Response:
    return ask.page(
        "suppressions",
        HTTPStatus.UNPROCESSABLE_ENTITY,
        view=view,
        rows=[],
        further=None,
        first=None,
        reasons=REASONS,
        problem=error.key,
        batch=None,
    )


def read_some(ask: Ask, view: View, limit: int) -> tuple[list[Answer], ListPlace | None]:
    """Read suppressions from the place of a view on, for a moment.

    Args:
        ask: the request.
        view: the filters, and the place.
        limit: the maximum number of suppressions.

    Returns:
        The suppressions, and the place from which to continue; None where there are no more.

    Raises:
        FilterError: a filter can't be read.
    """
    console, wanted = ask.console, filter_of(view)
    return suppressed_page(
        console.engine, console.now(), wanted, limit, view.after, seconds=_SECONDS
    )


def filter_of(view: View) -> Filter:
    """The filter for the database.

    Raises:
        FilterError: a filter can't be read.
    """
    if view.reason and view.reason not in REASONS:
        raise FilterError("reason")
    domain = view.domain.removeprefix("@")
    try:
        domain = domain and domain_key(domain)
    except AddressError:
        raise FilterError("domain") from None
    if len(view.stream) > _LONGEST_FILTER or "\0" in view.stream:
        raise FilterError("stream")
    return Filter(
        reason=view.reason or None,
        domain=domain or None,
        since=_day(view.since),
        stream=view.stream or None,
    )


def _day(text: str) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise FilterError("since") from None


def _link(console: Console, answer: Answer) -> str | None:
    """The path of the page of an address; None for one that was forgotten."""
    return None if is_forgotten(answer.address) else console.address_path(answer.address)


def _path(console: Console, view: View) -> str:
    return f"{SUPPRESSIONS}?view={console.views.seal(view)}"
