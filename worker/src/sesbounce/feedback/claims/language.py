"""Short forms for the rows of a language, each of which has words for most of the reasons."""

from sesbounce.feedback.claims.claim import Claim, words
from sesbounce.feedback.reason import Reason

UNKNOWN = Reason.NO_SUCH_MAILBOX
DISABLED = Reason.MAILBOX_DISABLED
FULL = Reason.MAILBOX_FULL
DOMAIN = Reason.DOMAIN_NOT_FOUND
POLICY = Reason.RECIPIENT_POLICY
BLOCKED = Reason.SENDER_BLOCKED
FAST = Reason.RATE_LIMITED
LARGE = Reason.MESSAGE_TOO_LARGE
CONTENT = Reason.CONTENT_REJECTED
LATER = Reason.TEMPORARY_FAILURE


def row(match: str, reason: Reason) -> tuple[str, Reason]:
    """Make one row; in a bare tuple, a phrase of several lines looks like several values."""
    return match, reason


def in_language(language: str, source: str, *rows: tuple[str, Reason]) -> tuple[Claim, ...]:
    """The claims of a language."""
    return tuple(words(match, reason, language, source) for match, reason in rows)
