"""The answer to the question whether an address may be mailed."""

from datetime import datetime

import msgspec


class Answer(msgspec.Struct, frozen=True):
    """Whether one address may be mailed at a time.

    Attributes:
        address: the key of the address.
        may_mail: whether it may be mailed.
        reason: the reason of the suppression; None if it may be mailed.
        since: when the suppression began, UTC; None if it may be mailed.
        until: when the suppression ends, UTC; None if it has no end.
        why: the verdict in one sentence.
        streams: the streams to which the suppression is limited, the latest one first; empty if it
            counts for all, or the address may be mailed.
    """

    address: str
    may_mail: bool
    reason: str | None
    since: datetime | None
    until: datetime | None
    why: str
    streams: tuple[str, ...] = ()


def no_address(key: str) -> Answer:
    """The answer for a text that is no address, by the key of the text."""
    return Answer(key, False, None, None, None, "it is no address")
