"""Interprets the rows of lists of suppressed addresses, with one function for each format.

A row maps the names of columns, in lower case, to texts. Sources of the columns:

* SES: https://docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html and
  https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_ListSuppressedDestinations.html
* SendGrid: https://www.twilio.com/docs/sendgrid/api-reference/bounces-api; the files that its
  console exports have the same columns
* Mailgun: https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun/bounces
* Mailchimp: https://mailchimp.com/help/view-export-contacts/
"""

import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import NamedTuple, TypeVar

import msgspec

from sesbounce.errors import EntryError, NotificationError
from sesbounce.feedback.address import parse
from sesbounce.feedback.classify import classify_bounce
from sesbounce.feedback.kind import Kind
from sesbounce.feedback.notification import Bounce, BouncedRecipient
from sesbounce.feedback.reason import LIMITED_TO_STREAM, Effect, Reason
from sesbounce.feedback.stream import stream_name
from sesbounce.feedback.times import parse_time

Row = Mapping[str, str]
_W = TypeVar("_W", bound=StrEnum)


class ListKind(StrEnum):
    """The kinds of lists that a provider has."""

    BOUNCES = "bounces"
    BLOCKS = "blocks"  # rejected for the sender's reputation, not for the address
    COMPLAINTS = "complaints"
    UNSUBSCRIBES = "unsubscribes"


# What the entries of SES's list are, by SES's words for their reasons.
SES_LISTS: Mapping[str, ListKind] = {
    "BOUNCE": ListKind.BOUNCES,
    "COMPLAINT": ListKind.COMPLAINTS,
}


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One event in a row of a list.

    Attributes:
        address: the address as it stands in the list.
        kind: the kind of the event.
        reason: the reason of the event.
        basis: the evidence that the reason rests on.
        at: when it happened, UTC; None if the list does not say.
        shared: whether another recipient of the same mail may have complained instead.
        status: the enhanced status code.
        text: the receiving host's reply, or a person's note.
        stream: the stream to which a complaint or an opt-out is limited; None if it counts for all.
    """

    address: str
    kind: Kind
    reason: Reason
    basis: str
    at: datetime | None = None
    shared: bool = False
    status: str | None = None
    text: str | None = None
    stream: str | None = None


class Format(NamedTuple):
    """The format of a provider's lists.

    Attributes:
        known_by: sets of columns; a list with all columns of one set is in this format.
        address: the column of the address, which each list must have.
        kinds_of: returns the kinds that a list with these columns may be of; empty if the provider
            has only one list.
        entries_of: returns the events in a row of a list of this kind.
    """

    known_by: tuple[frozenset[str], ...]
    address: str
    kinds_of: Callable[[Collection[str]], tuple[ListKind, ...]]
    entries_of: Callable[[Row, ListKind], list[Entry]]


def moment(text: str) -> datetime | None:
    """Parse a time in ISO 8601, RFC 2822 or seconds since 1970; None if the text is empty.

    Raises:
        EntryError: the text is not a time.
    """
    if not text:
        return None
    try:
        if re.fullmatch(r"\d{9,11}(\.\d+)?", text, re.ASCII):
            return datetime.fromtimestamp(float(text), UTC)
        if text[0].isalpha():
            return parse_time(parsedate_to_datetime(text).isoformat())
        # Go prints the zone of a time twice: `2024-10-18 18:28:14 +0000 UTC`.
        return parse_time(text.removesuffix(" UTC"))
    except (ValueError, OverflowError, NotificationError):
        raise EntryError(
            f"{text!r} is not a time in a known format: write 2026-11-20 or 2026-11-20T12:30:00Z"
        ) from None


def _own(row: Row, kind: ListKind) -> list[Entry]:
    """Interpret a row from `sesbounce export`, or of a list that a person wrote in this format.

    A suppression for a time rests on strikes: each strike is an event, and the policy here judges
    them.
    """
    del kind
    reason = _one_of(Reason, row.get("reason") or Reason.SUPPRESSED_BY_HAND, "reason")
    strikes = [text.strip() for text in row.get("strikes", "").split(";") if text.strip()]
    stream = _stream(row.get("stream", ""))
    if strikes:
        return [_own_strike(_original(row), text, stream) for text in strikes]
    if reason.effect is Effect.DELIVERED or not reason.effect.is_evidence:
        raise EntryError(f"the reason {reason.value} suppresses nothing")
    if stream and reason.effect not in LIMITED_TO_STREAM:
        raise EntryError(f"the reason {reason.value} counts for all streams: leave out the stream")
    word = row.get("kind")
    event_kind = _one_of(Kind, word, "kind") if word else _kind_of(reason)
    if (event_kind is Kind.MANUAL) != (reason.effect is Effect.MANUAL):
        raise EntryError(f"the reason {reason.value} does not fit the kind {event_kind.value}")
    return [
        Entry(
            address=_original(row),
            kind=event_kind,
            reason=reason,
            basis="a list of sesbounce",
            at=moment(row.get("since", "")),
            stream=stream,
        )
    ]


def _stream(text: str) -> str | None:
    stream = stream_name(text)
    if text and not stream:
        raise EntryError(f"{text!r} can't be the name of a stream")
    return stream


def _original(row: Row) -> str:
    """The address as SES wrote it, if the row has it and both columns hold the same address."""
    address, original = row["address"], row.get("original", "")
    return original if parse(original).key == parse(address).key else address


def _own_strike(address: str, text: str, stream: str | None) -> Entry:
    at, _, word = text.partition(" ")
    reason = _one_of(Reason, word.strip(), "reason")
    if reason.effect not in (Effect.SOFT, Effect.COMPLAINT):
        raise EntryError(f"the reason {reason.value} is not a strike")
    return Entry(
        address=address,
        kind=_kind_of(reason),
        reason=reason,
        basis="a list of sesbounce: a strike",
        at=moment(at),
        shared=reason.effect is Effect.COMPLAINT,
        stream=stream if reason.effect in LIMITED_TO_STREAM else None,
    )


def _kind_of(reason: Reason) -> Kind:
    match reason.effect:
        case Effect.MANUAL:
            return Kind.MANUAL
        case Effect.COMPLAINT:
            return Kind.COMPLAINT
        case Effect.CONSENT:
            return Kind.SUBSCRIPTION
        case _:
            return Kind.BOUNCE


def _ses(row: Row, kind: ListKind) -> list[Entry]:
    """Interpret a row of SES's account suppression list, which has BOUNCE (hard) and COMPLAINT."""
    del kind
    listed_as = SES_LISTS.get(row.get("reason", "").upper())
    if listed_as is None:
        raise EntryError(f"the reason {row.get('reason', '')!r} is neither BOUNCE nor COMPLAINT")
    at = moment(row.get("lastupdatetime", ""))
    return [_listed(listed_as, row["emailaddress"], at, "SES's suppression list")]


def _sendgrid(row: Row, kind: ListKind) -> list[Entry]:
    at = moment(row.get("created", ""))
    status, text = row.get("status"), row.get("reason")
    return [_listed(kind, row["email"], at, f"SendGrid's {kind}", status, text)]


def _mailgun(row: Row, kind: ListKind) -> list[Entry]:
    """Interpret a row of Mailgun: an unsubscription may concern the mails of one tag only.

    sesbounce does not know tags, so such a row does not suppress the address.
    """
    at = moment(row.get("created_at", ""))
    code, error = row.get("code", ""), row.get("error", "")
    text = error if error.startswith(code) else f"{code} {error}".strip()
    entry = _listed(kind, row["address"], at, f"Mailgun's {kind}", None, text)
    tags = row.get("tags") or row.get("tag") or "*"
    if kind is ListKind.UNSUBSCRIBES and "*" not in tags:
        reason = Reason.NOT_ABOUT_THE_MAILBOX
        return [msgspec.structs.replace(entry, reason=reason, basis=f"left the tag {tags}")]
    return [entry]


def _mailchimp(row: Row, kind: ListKind) -> list[Entry]:
    """Interpret a row of Mailchimp: a cleaned contact has bounced hard, or softly many times."""
    at = moment(row.get("unsub_time") or row.get("clean_time") or "")
    return [_listed(kind, row["email address"], at, f"Mailchimp's {kind}")]


def _listed(
    list_kind: ListKind,
    address: str,
    at: datetime | None,
    list_name: str,
    status: str | None = None,
    text: str | None = None,
) -> Entry:
    """The event that an address is on one of a provider's lists."""
    if list_kind is ListKind.COMPLAINTS:
        reason, kind, basis = Reason.COMPLAINT_OTHER, Kind.COMPLAINT, list_name
    elif list_kind is ListKind.UNSUBSCRIBES:
        reason, kind, basis = Reason.UNSUBSCRIBED, Kind.SUBSCRIPTION, list_name
    else:
        recipient = BouncedRecipient(address, status=status or None, diagnostic_code=text or None)
        bounce_type = "Transient" if list_kind is ListKind.BLOCKS else "Permanent"
        reason, basis = classify_bounce(Bounce([recipient], bounce_type), recipient)
        kind = Kind.BOUNCE
        basis = list_name if basis.startswith("type ") else f"{list_name}: {basis}"
    return Entry(
        address=address,
        kind=kind,
        reason=reason,
        basis=basis,
        at=at,
        status=status or None,
        text=text or None,
    )


def _one_of(words: type[_W], text: str, column: str) -> _W:
    try:
        return words(text)
    except ValueError:
        raise EntryError(f"{text!r} is not a {column} of sesbounce") from None


def _only_list(_columns: Collection[str]) -> tuple[ListKind, ...]:
    """The kinds of a provider that has only one list."""
    return ()


def _sendgrid_kinds(columns: Collection[str]) -> tuple[ListKind, ...]:
    if "status" in columns or "reason" in columns:
        return (ListKind.BOUNCES, ListKind.BLOCKS)
    if "ip" in columns:
        return (ListKind.COMPLAINTS,)
    return (ListKind.COMPLAINTS, ListKind.UNSUBSCRIBES)


def _mailgun_kinds(columns: Collection[str]) -> tuple[ListKind, ...]:
    if "code" in columns or "error" in columns:
        return (ListKind.BOUNCES,)
    if "tags" in columns or "tag" in columns:
        return (ListKind.UNSUBSCRIBES,)
    return (ListKind.COMPLAINTS,)


def _mailchimp_kinds(columns: Collection[str]) -> tuple[ListKind, ...]:
    return (ListKind.UNSUBSCRIBES,) if "unsub_time" in columns else (ListKind.BOUNCES,)


# The first format that is known by a list's columns is the list's format.
FORMATS = {
    "sesbounce": Format((frozenset({"address", "reason"}),), "address", _only_list, _own),
    "ses": Format((frozenset({"emailaddress", "reason"}),), "emailaddress", _only_list, _ses),
    "sendgrid": Format((frozenset({"email", "created"}),), "email", _sendgrid_kinds, _sendgrid),
    "mailgun": Format(
        (frozenset({"address", "created_at"}), frozenset({"address", "code", "error"})),
        "address",
        _mailgun_kinds,
        _mailgun,
    ),
    "mailchimp": Format(
        (frozenset({"email address", "clean_time"}), frozenset({"email address", "unsub_time"})),
        "email address",
        _mailchimp_kinds,
        _mailchimp,
    ),
}
