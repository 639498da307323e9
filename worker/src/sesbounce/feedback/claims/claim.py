"""One row of the table of claims, and the order in which sesbounce believes them."""

from enum import Enum
from typing import NamedTuple

from sesbounce.feedback.reason import Reason

# Stands for the host of a row that many hosts write.
ANY_HOST = "many"


class Level(Enum):
    """The kind of evidence that a claim rests on; the first one is the closest to the truth."""

    ACTION = "what SES did itself"
    WORDS = "the receiving host's words"
    STATUS = "an exact enhanced status code"
    MESSAGE = "SES blames the message"
    REPLY_CODE = "the reply code"
    SUBJECT = "the subject of the status code"
    SUB_TYPE = "SES's subtype"
    VAGUE_WORDS = "words with several meanings"
    TYPE = "SES's type"


class Claim(NamedTuple):
    """A row of the table: where this matches, the bounce has that reason.

    Attributes:
        level: the kind of evidence.
        match: what the row matches. For words, a phrase (`sesbounce.feedback.phrases`); for a
            status, subject and detail without the class (`2.2`, `7.606-649`); for a subject, its
            number; for a reply code, its three digits; else a type or subtype of SES.
        reason: the reason that it stands for.
        host: the provider or the software that writes it, or the language.
        source: the URL that documents it.
        clear: whether it counts as a hard bounce even where SES's type is not `Permanent`.
    """

    level: Level
    match: str
    reason: Reason
    host: str
    source: str
    clear: bool = True


def words(match: str, reason: Reason, host: str, source: str) -> Claim:
    """A row that rests on clear words of a host."""
    return Claim(Level.WORDS, match, reason, host, source)
