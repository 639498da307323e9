"""What a person decides about an address, as a fact like any other."""

import hashlib
from datetime import datetime

import msgspec

from sesbounce.errors import AddressError
from sesbounce.feedback.address import parse
from sesbounce.feedback.decode import Decoded
from sesbounce.feedback.extract import Feedback
from sesbounce.feedback.notification import Kind
from sesbounce.feedback.reason import Reason


def decide(
    address: str, reason: Reason, at: datetime, *, by: str | None = None, note: str | None = None
) -> Decoded:
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
    fact = [Kind.MANUAL, reason, at.isoformat(), parsed.key, by, note]
    feedback = Feedback(
        kind=Kind.MANUAL,
        reason=reason,
        effect=reason.effect,
        address=parsed.key,
        original=parsed.original,
        occurred_at=at,
        source=by,
        diagnostic=note,
        basis="a person's decision",
        dedupe_key=hashlib.sha256(msgspec.json.encode(fact)).hexdigest(),
    )
    return Decoded(Kind.MANUAL, "Manual", [feedback], None, None, b"", "")
