"""What a row of a list of suppressed addresses means; one function for each who writes such lists.

A row comes as texts by column name, names in lower case. Sources of the columns:

* SES: https://docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html and
  https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_ListSuppressedDestinations.html
* SendGrid: https://www.twilio.com/docs/sendgrid/api-reference/bounces-api, and the files that
  its console exports, which have the same columns
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
from sesbounce.feedback.notification import Bounce, BouncedRecipient, Kind
from sesbounce.feedback.reason import Effect, Reason
from sesbounce.feedback.times import parse_time

Row = Mapping[str, str]
_W = TypeVar("_W", bound=StrEnum)


class Listing(StrEnum):
    """Which of its lists a provider wrote."""

    BOUNCES = "bounces"
    BLOCKS = "blocks"  # rejected for the sender's reputation: no fault of the address
    COMPLAINTS = "complaints"
    UNSUBSCRIBES = "unsubscribes"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One event that a row tells.

    Attributes:
        written: the address as it stands in the list.
        kind: what was told.
        reason: why.
        basis: the evidence that the reason rests on.
        at: when it happened, UTC; None where the list does not say.
        shared: true for a complaint that others may have made.
        status: the enhanced status code.
        text: what the receiving side said, or a person wrote.
    """

    written: str
    kind: Kind
    reason: Reason
    basis: str
    at: datetime | None = None
    shared: bool = False
    status: str | None = None
    text: str | None = None


class Format(NamedTuple):
    """How somebody writes lists.

    Attributes:
        known_by: sets of columns; a list that has one of them is taken to be of this format.
        address: the column without which nothing can be read.
        listings_of: which lists it may be, by its columns; none where there is but one.
        entries_of: what a row means.
    """

    known_by: tuple[frozenset[str], ...]
    address: str
    listings_of: Callable[[Collection[str]], tuple[Listing, ...]]
    entries_of: Callable[[Row, Listing], list[Entry]]


def moment(text: str) -> datetime | None:
    """A time as providers write it: ISO 8601, RFC 2822 or seconds since 1970. Empty: None.

    Raises:
        EntryError: it is no time.
    """
    if not text:
        return None
    try:
        if re.fullmatch(r"\d{9,11}(\.\d+)?", text, re.ASCII):
            return datetime.fromtimestamp(float(text), UTC)
        if text[0].isalpha():
            return parse_time(parsedate_to_datetime(text).isoformat())
        # Go's way to print a time says the zone twice: `2024-10-18 18:28:14 +0000 UTC`.
        return parse_time(text.removesuffix(" UTC"))
    except (ValueError, OverflowError, NotificationError):
        raise EntryError(f"{text!r} is no time that can be read") from None


def _own(row: Row, listing: Listing) -> list[Entry]:
    """A row that `sesbounce export` wrote, or somebody by its example.

    What suppresses for a time rests on strikes; they come one by one, and are judged anew.
    """
    del listing
    reason = _one_of(Reason, row.get("reason") or Reason.SUPPRESSED_BY_HAND, "reason")
    strikes = [text.strip() for text in row.get("strikes", "").split(";") if text.strip()]
    if strikes:
        return [_own_strike(_spelled(row), text) for text in strikes]
    if reason.effect in (Effect.NONE, Effect.DELIVERED):
        raise EntryError(f"the reason {reason.value} suppresses nothing")
    told = row.get("kind")
    kind = _one_of(Kind, told, "kind") if told else _kind_of(reason)
    if (kind is Kind.MANUAL) != (reason.effect is Effect.MANUAL):
        raise EntryError(f"the reason {reason.value} does not go with the kind {kind.value}")
    return [
        Entry(
            written=_spelled(row),
            kind=kind,
            reason=reason,
            basis="a list of sesbounce",
            at=moment(row.get("since", "")),
        )
    ]


def _spelled(row: Row) -> str:
    """The address as SES wrote it, where that is the same one."""
    address, original = row["address"], row.get("original", "")
    return original if parse(original).key == parse(address).key else address


def _own_strike(written: str, text: str) -> Entry:
    at, _, word = text.partition(" ")
    reason = _one_of(Reason, word.strip(), "reason")
    if reason.effect not in (Effect.SOFT, Effect.COMPLAINT):
        raise EntryError(f"the reason {reason.value} is no strike")
    return Entry(
        written=written,
        kind=_kind_of(reason),
        reason=reason,
        basis="a list of sesbounce: a strike",
        at=moment(at),
        shared=reason.effect is Effect.COMPLAINT,
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


def _ses(row: Row, listing: Listing) -> list[Entry]:
    """SES's account suppression list knows two reasons: BOUNCE, a hard one, and COMPLAINT."""
    del listing
    by_reason = {"bounce": Listing.BOUNCES, "complaint": Listing.COMPLAINTS}
    listed = by_reason.get(row.get("reason", "").lower())
    if listed is None:
        raise EntryError(f"the reason {row.get('reason', '')!r} is neither BOUNCE nor COMPLAINT")
    at = moment(row.get("lastupdatetime", ""))
    return [_listed(listed, row["emailaddress"], at, "SES's suppression list")]


def _sendgrid(row: Row, listing: Listing) -> list[Entry]:
    at = moment(row.get("created", ""))
    status, text = row.get("status"), row.get("reason")
    return [_listed(listing, row["email"], at, f"SendGrid's {listing}", status, text)]


def _mailgun(row: Row, listing: Listing) -> list[Entry]:
    """Somebody may have left the mails of one tag only; which ones is the sender's affair."""
    at = moment(row.get("created_at", ""))
    code, error = row.get("code", ""), row.get("error", "")
    text = error if error.startswith(code) else f"{code} {error}".strip()
    entry = _listed(listing, row["address"], at, f"Mailgun's {listing}", None, text)
    tags = row.get("tags") or row.get("tag") or "*"
    if listing is Listing.UNSUBSCRIBES and "*" not in tags:
        reason = Reason.NOT_ABOUT_THE_MAILBOX
        return [msgspec.structs.replace(entry, reason=reason, basis=f"left the tag {tags}")]
    return [entry]


def _mailchimp(row: Row, listing: Listing) -> list[Entry]:
    """Cleaned contacts have bounced hard, or softly again and again."""
    at = moment(row.get("unsub_time") or row.get("clean_time") or "")
    return [_listed(listing, row["email address"], at, f"Mailchimp's {listing}")]


def _listed(
    listing: Listing,
    written: str,
    at: datetime | None,
    whose: str,
    status: str | None = None,
    text: str | None = None,
) -> Entry:
    """The event that an address stands on one of a provider's lists."""
    if listing is Listing.COMPLAINTS:
        reason, kind, basis = Reason.COMPLAINT_OTHER, Kind.COMPLAINT, whose
    elif listing is Listing.UNSUBSCRIBES:
        reason, kind, basis = Reason.UNSUBSCRIBED, Kind.SUBSCRIPTION, whose
    else:
        recipient = BouncedRecipient(written, status=status or None, diagnostic_code=text or None)
        bounce_type = "Transient" if listing is Listing.BLOCKS else "Permanent"
        reason, basis = classify_bounce(Bounce([recipient], bounce_type), recipient)
        kind = Kind.BOUNCE
        basis = whose if basis.startswith("type ") else f"{whose}: {basis}"
    return Entry(
        written=written,
        kind=kind,
        reason=reason,
        basis=basis,
        at=at,
        status=status or None,
        text=text or None,
    )


def _one_of(words: type[_W], text: str, what: str) -> _W:
    try:
        return words(text)
    except ValueError:
        raise EntryError(f"{text!r} is no {what} of sesbounce's") from None


def _one_list(_columns: Collection[str]) -> tuple[Listing, ...]:
    """For those who write but one."""
    return ()


def _sendgrid_lists(columns: Collection[str]) -> tuple[Listing, ...]:
    if "status" in columns or "reason" in columns:
        return (Listing.BOUNCES, Listing.BLOCKS)
    if "ip" in columns:
        return (Listing.COMPLAINTS,)
    return (Listing.COMPLAINTS, Listing.UNSUBSCRIBES)


def _mailgun_lists(columns: Collection[str]) -> tuple[Listing, ...]:
    if "code" in columns or "error" in columns:
        return (Listing.BOUNCES,)
    if "tags" in columns or "tag" in columns:
        return (Listing.UNSUBSCRIBES,)
    return (Listing.COMPLAINTS,)


def _mailchimp_lists(columns: Collection[str]) -> tuple[Listing, ...]:
    return (Listing.UNSUBSCRIBES,) if "unsub_time" in columns else (Listing.BOUNCES,)


# The first that knows its columns in a list is taken.
FORMATS = {
    "sesbounce": Format((frozenset({"address", "reason"}),), "address", _one_list, _own),
    "ses": Format((frozenset({"emailaddress", "reason"}),), "emailaddress", _one_list, _ses),
    "sendgrid": Format((frozenset({"email", "created"}),), "email", _sendgrid_lists, _sendgrid),
    "mailgun": Format(
        (frozenset({"address", "created_at"}), frozenset({"address", "code", "error"})),
        "address",
        _mailgun_lists,
        _mailgun,
    ),
    "mailchimp": Format(
        (frozenset({"email address", "clean_time"}), frozenset({"email address", "unsub_time"})),
        "email address",
        _mailchimp_lists,
        _mailchimp,
    ),
}
