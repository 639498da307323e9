"""Turns a person's decision about an address (suppress or allow) into an event."""

import hashlib
from datetime import datetime

import msgspec

from sesbounce.errors import AddressError
from sesbounce.feedback.address import parse
from sesbounce.feedback.extract import Event
from sesbounce.feedback.kind import Kind
from sesbounce.feedback.reason import Reason
from sesbounce.feedback.recording import Recording

# The basis of the event that undoes a decision: see `sesbounce.operations.undo`.
UNDOES = "undoes a decision"


def decide(
    address: str,
    reason: Reason,
    at: datetime,
    *,
    by: str | None = None,
    note: str | None = None,
    request: str | None = None,
) -> Recording:
    """Make the recording of a manual decision.

    Args:
        address: the address in any spelling.
        reason: `SUPPRESSED_BY_HAND` or `ALLOWED_BY_HAND`.
        at: when the decision was made, UTC.
        by: the person who made it.
        note: the person's note on it.
        request: the identity of the request that brings the decision. Two decisions about an
            address with one identity are one event.

    Raises:
        AddressError: the text is no address.
    """
    parsed = parse(address)
    if not parsed.parsed:
        raise AddressError(f"{address!r} is no address")
    # The note may hold bytes of a terminal that are not UTF-8.
    note = note and note.encode(errors="replace").decode()
    identity = [Kind.MANUAL, reason, at.isoformat(), parsed.key, by, note]
    if request is not None:
        identity = [Kind.MANUAL, reason, parsed.key, request]
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
