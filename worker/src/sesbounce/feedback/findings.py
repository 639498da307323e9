"""Finds the claims that apply to one recipient of a bounce, in the order of belief."""

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

import msgspec

from sesbounce.feedback.claims.claim import Claim, Level
from sesbounce.feedback.claims.codes import CODES, DELAYS
from sesbounce.feedback.claims.table import WORDS
from sesbounce.feedback.claims.vocabulary import VOCABULARY
from sesbounce.feedback.phrases import Phrases
from sesbounce.feedback.reply import Reply

# Blanks around a status and a comment after it are usual; longer numbers have no meaning. Text
# after so many characters can only be a comment.
_LONGEST_STATUS = 80
_STATUS = re.compile(r"\s*([245])\.(\d{1,4})\.(\d{1,4})(?!\S)", re.ASCII)

# RFC 3463, 2.
_SUCCESS = 2
_PERSISTENT_TRANSIENT = 4

_PHRASES = Phrases((claim.match for claim in WORDS), VOCABULARY)


class Status(NamedTuple):
    """An enhanced status code (RFC 3463): class (2, 4 or 5), subject, detail."""

    status_class: int
    subject: int
    detail: int

    def __str__(self) -> str:
        return ".".join(map(str, self))

    @property
    def is_temporary(self) -> bool:
        """Whether the mail may be delivered later: class 4."""
        return self.status_class == _PERSISTENT_TRANSIENT


class Facts(msgspec.Struct, frozen=True, gc=False):
    """What SES reports about one recipient, as far as the reason may rest on it.

    Attributes:
        type: the type of the bounce.
        sub_type: its subtype.
        status: the recipient's status code, as SES writes it.
        action: the recipient's action (RFC 3464), in lower case.
        reply: the first reply of the receiving host.
        delay: the type of a delivery delay, which has no type of a bounce.
    """

    type: str | None
    sub_type: str | None
    status: str | None
    action: str | None
    reply: Reply
    delay: str | None = None


class Finding(NamedTuple):
    """A claim that applies, and the text that it rests on: `status 5.1.1`."""

    claim: Claim
    text: str


def find(facts: Facts, words: int | None = None) -> Iterator[Finding]:
    """The claims that apply, the closest to the truth first; at least one.

    Args:
        facts: what SES reports about the recipient.
        words: how many of the claims that rest on words are looked for; None for all.
    """
    statuses = statuses_of(facts)
    vague: list[Finding] = []
    yield from _by_name(Level.ACTION, facts.sub_type, f"subtype {facts.sub_type}")
    for finding in islice(_by_words(facts.reply), words):
        if finding.claim.level is Level.VAGUE_WORDS:
            vague.append(finding)
        else:
            yield finding
    for status in statuses:
        yield from _by_name(Level.STATUS, f"{status.subject}.{status.detail}", f"status {status}")
    type_text = f"type {facts.type}/{facts.sub_type}"
    yield from _by_name(Level.MESSAGE, facts.sub_type, type_text)
    yield from _by_name(Level.REPLY_CODE, facts.reply.code, f"reply {facts.reply.code}")
    for status in statuses:
        if (Level.STATUS, f"{status.subject}.{status.detail}") not in _CODES:
            yield from _by_name(Level.SUBJECT, str(status.subject), f"status {status}")
    yield from _by_name(Level.SUB_TYPE, facts.sub_type, type_text)
    yield from vague
    if facts.delay is not None:
        yield Finding(_DELAYS.get(facts.delay, _DELAYS[""]), f"type {facts.delay or None}")
    else:
        any_type = _CODES[Level.TYPE, ""]
        yield Finding(_CODES.get((Level.TYPE, facts.type or ""), any_type), type_text)


def statuses_of(facts: Facts) -> list[Status]:
    """The recipient's status code, then those that the reply quotes; only failures."""
    found = map(parse_status, (facts.status, *facts.reply.statuses))
    return list(dict.fromkeys(s for s in found if s and s.status_class != _SUCCESS))


def parse_status(status: str | None) -> Status | None:
    """Parse `5.1.1`, also with a comment after it; None for a text that is no such status."""
    return _read_status((status or "")[:_LONGEST_STATUS])


@lru_cache(maxsize=1024)  # few different statuses occur
def _read_status(status: str) -> Status | None:
    found = _STATUS.match(status)
    return Status(*map(int, found.groups())) if found else None


def _by_name(level: Level, name: str | None, text: str) -> Iterator[Finding]:
    claim = _CODES.get((level, name or ""))
    if claim:
        yield Finding(claim, text)


def _by_words(reply: Reply) -> Iterator[Finding]:
    for number, words in _PHRASES.find(reply.words):
        yield Finding(WORDS[number], f'words "{words}"')


def _names(match: str) -> Iterator[str]:
    """The names that a row stands for: `7.20-21` for `7.20` and `7.21`."""
    first, _, last = match.partition("-")
    yield first
    if last:
        subject, _, detail = first.partition(".")
        yield from (f"{subject}.{number}" for number in range(int(detail) + 1, int(last) + 1))


_CODES = {(claim.level, name): claim for claim in CODES for name in _names(claim.match)}
_DELAYS = {claim.match: claim for claim in DELAYS}
