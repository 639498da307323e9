"""One suppressed address, as lists hold it."""

from datetime import datetime

import msgspec

from sesbounce.feedback.notification import Kind
from sesbounce.feedback.reason import Reason


class Suppressed(msgspec.Struct, frozen=True):
    """One suppressed address, as sesbounce's own lists hold it; the columns of its CSV.

    Attributes:
        address: the key.
        original: as SES wrote it.
        reason: why it is suppressed.
        kind: what told of it.
        since: since when.
        until: until when; None for good.
        why: the verdict in one sentence.
        strikes: what a suppression for a time rests on, as `formats.strike_text` writes it.
    """

    address: str
    original: str
    reason: Reason
    kind: Kind
    since: datetime
    until: datetime | None
    why: str
    strikes: tuple[str, ...] = ()


def strike_text(at: datetime, reason: Reason) -> str:
    """A strike as sesbounce's own lists hold it: `2026-11-20T12:00:00+00:00 mailbox_full`."""
    return f"{at.isoformat()} {reason}"
