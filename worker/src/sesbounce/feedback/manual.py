"""What a person decides about an address, as a event like any other."""

import hashlib
from datetime import datetime

import msgspec

from sesbounce.errors import AddressError
from sesbounce.feedback.address import parse
from sesbounce.feedback.extract import Event
from sesbounce.feedback.notification import Kind
from sesbounce.feedback.reason import Reason
from sesbounce.feedback.recording import Recording


def decide(
    address: str, reason: Reason, at: datetime, *, by: str | None = None, note: str | None = None
) -> Recording:
    """A decision, ready to be recorded.

    Args:
        address: whom it is about, written in any way.
        reason: `SUPPRESSED_BY_HAND` or `ALLOWED_BY_HAND`.
        at: when it was made.
        by: who made it.
        note: why.

    Raises:
        AddressError: the text is no address.
    """
    parsed = parse(address)
    if not parsed.parsed:
        raise AddressError(f"{address!r} is no address")
    # A terminal may hand over bytes that are no UTF-8.
    note = note and note.encode(errors="replace").decode()
    identity = [Kind.MANUAL, reason, at.isoformat(), parsed.key, by, note]
    event = Event(
        kind=Kind.MANUAL,
        reason=reason,
        effect=reason.effect,
        address=parsed.key,
        original=parsed.original,
        occurred_at=at,
        source=by,
        diagnostic=note,
        basis="a person's decision",
        dedupe_key=hashlib.sha256(msgspec.json.encode(identity)).hexdigest(),
    )
    return Recording([event])
