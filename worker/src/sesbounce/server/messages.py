"""What the routes take and answer; the OpenAPI document is made of these structs."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from sesbounce.feedback.kind import Kind
from sesbounce.feedback.reason import Reason
from sesbounce.operations.statistics import Counts
from sesbounce.store.incidents import IncidentRow
from sesbounce.store.lookup import Answer
from sesbounce.store.pages import LoggedEvent

MOST_ADDRESSES = 10_000
_MOST_ROWS = 1000

Text = Annotated[str, Meta(min_length=1, max_length=320, pattern=r"^[^\x00]*$")]
Note = Annotated[str, Meta(min_length=1, max_length=2000)]
Time = Annotated[datetime, Meta(tz=True, description="A time with its offset from UTC.")]
Limit = Annotated[int, Meta(ge=1, le=_MOST_ROWS, description="The maximum number of rows.")]
Cursor = Annotated[str, Meta(description="`next_cursor` of the page before, with its filters.")]
Stream = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=256,
        pattern=r"^[^\x00]*$",
        description="The stream of the mail: suppressions in other streams alone do not count.",
    ),
]


class _Query(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The parameters of a query: a misspelt filter must not select everything."""


class NoQuery(_Query, frozen=True):
    """No parameters."""


class StreamQuery(_Query, frozen=True):
    """In which stream the mail is to be sent."""

    stream: Stream | UnsetType = UNSET


class DecisionQuery(_Query, frozen=True):
    """The person who decides, and the reason."""

    note: Annotated[Note, Meta(description="The reason for the decision.")] | UnsetType = UNSET
    by: Annotated[Text, Meta(description="The person who decides.")] | UnsetType = UNSET


_Sender = Annotated[Text, Meta(description="The address or domain that the mail is from.")]
_PassingStream = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=256,
        pattern=r"^[^\x00]*$",
        description="The stream of the mail: `critical` passes a stop.",
    ),
]


class SendingQuery(_Query, frozen=True):
    """Which mail is to be sent."""

    identity: _Sender | UnsetType = UNSET
    stream: _PassingStream | UnsetType = UNSET


class _Page(_Query, frozen=True):
    limit: Limit = 100
    cursor: Cursor | UnsetType = UNSET


class ListQuery(_Page, frozen=True):
    """Selects suppressed addresses."""

    reason: Reason | UnsetType = UNSET
    domain: Annotated[Text, Meta(description="A domain of addresses.")] | UnsetType = UNSET
    since: Time | UnsetType = UNSET
    stream: Stream | UnsetType = UNSET


class AddressEventsQuery(_Page, frozen=True):
    """Selects a page of the events of one address."""


Tag = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.:-]{1,256}=[^\x00]*$", max_length=600)]


class _Attribution(_Query, frozen=True):
    configuration_set: Text | UnsetType = UNSET
    identity: Text | UnsetType = UNSET
    region: Text | UnsetType = UNSET
    account_id: Text | UnsetType = UNSET
    tenant: Text | UnsetType = UNSET
    sender: Text | UnsetType = UNSET
    tag: Annotated[
        tuple[Tag, ...],
        Meta(max_length=10, description="A tag of the mail, NAME=VALUE; it may be repeated."),
    ] = ()
    since: Time | UnsetType = UNSET
    until: Time | UnsetType = UNSET


class EventsQuery(_Attribution, frozen=True):
    """Selects a page of the event log."""

    limit: Limit = 100
    cursor: Cursor | UnsetType = UNSET

    kind: Kind | UnsetType = UNSET
    reason: Reason | UnsetType = UNSET


class StatsQuery(_Attribution, frozen=True):
    """Selects and groups the events that are counted."""

    by: Annotated[
        str,
        Meta(
            pattern=r"^(day|reason|domain|sender|configuration-set|identity|region|account|tenant"
            r"|tag:[A-Za-z0-9_.:-]{1,256})$",
            description="What the events of a group have in common.",
        ),
    ] = "day"
    limit: Limit = 100


class CheckBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The addresses to check, in any spelling.

    Attributes:
        addresses: the addresses.
        stream: the stream of the mail; without it, a suppression in any stream counts.
    """

    addresses: Annotated[list[str], Meta(max_length=MOST_ADDRESSES)]
    stream: Stream | None = None


class DecisionBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The person who decides, and the reason.

    Attributes:
        note: the reason for the decision.
        by: the person who decides; the name of the token is recorded in any case.
    """

    note: Note | None = None
    by: Text | None = None


class Checked(Answer, frozen=True, kw_only=True):
    """The answer for one of several addresses.

    Attributes:
        given: the address as it was given.
        problem: why the text can't be read as an address; None if it can.
    """

    given: str
    problem: str | None = None


class Answers(msgspec.Struct, frozen=True):
    """The answers, in the order of the addresses; one that was given twice has two."""

    answers: list[Checked]


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """What a decision led to.

    Attributes:
        answer: whether the address may be mailed now.
        recorded: whether this request recorded the decision; false if an earlier request with the
            same Idempotency-Key did.
        statements_rejected: whether your database rejected a strike-off or restore statement of
            yours, which the worker then retries.
    """

    answer: Answer
    recorded: bool
    statements_rejected: bool


class SuppressionPage(msgspec.Struct, frozen=True):
    """Suppressed addresses, the latest suppression first; those of single streams come last.

    Attributes:
        suppressions: the answers for the addresses.
        next_cursor: where the next page begins; null behind the last page.
    """

    suppressions: list[Answer]
    next_cursor: str | None


class EventPage(msgspec.Struct, frozen=True):
    """Events of the log, the one that was recorded last first.

    Attributes:
        events: the events.
        next_cursor: where the next page begins; null behind the last page.
    """

    events: list[LoggedEvent]
    next_cursor: str | None


class Statistics(msgspec.Struct, frozen=True):
    """The counts of events by group."""

    counts: list[Counts]


class IncidentList(msgspec.Struct, frozen=True):
    """The incidents of providers, the latest first, with the withdrawn ones."""

    incidents: list[IncidentRow]


class Health(msgspec.Struct, frozen=True):
    """That the server and its database answer."""

    status: str = "ok"
