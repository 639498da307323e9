"""One suppressed address, as sesbounce lists and exports it."""

from datetime import datetime

import msgspec

from sesbounce.feedback.kind import Kind
from sesbounce.feedback.reason import Reason


class Suppressed(msgspec.Struct, frozen=True):
    """One suppressed address; the fields are the columns of sesbounce's own CSV format.

    Attributes:
        address: the key of the address; see `sesbounce.feedback.address`.
        original: the address as SES wrote it.
        reason: the reason of the suppression.
        kind: the kind of the event that suppressed it.
        since: when the suppression began, UTC.
        until: when it ends, UTC; None where it has no end.
        why: the verdict in one sentence.
        stream: the stream to which the suppression is limited; empty if it counts for all.
        strikes: the strikes that a suppression with an end rests on, oldest first, each as
            `strike_text` writes it.
    """

    address: str
    original: str
    reason: Reason
    kind: Kind
    since: datetime
    until: datetime | None
    why: str
    stream: str = ""
    strikes: tuple[str, ...] = ()


def strike_text(at: datetime, reason: Reason) -> str:
    """A strike in sesbounce's own list format: `2026-11-20T12:00:00+00:00 mailbox_full`."""
    return f"{at.isoformat()} {reason}"
