"""Digests that come in the order of time, where the id of the mail tells it.

SES's message ids begin with 16 hex digits, of the region and of the time in milliseconds. A
digest that begins with them lies beside those of the same day: an index of millions of them
takes each new one at its end, where digests without an order are written all over it, a page
for each. Where ids do not begin like that, nothing is lost but this.
"""

import hashlib
import re

_TIMED = re.compile("[0-9a-f]{16}-")
TIMED_DIGITS = 16


def digest(content: bytes, mail_id: str | None) -> str:
    """64 hex digits: of the mail's time, if its id has it, and of the SHA-256 of the content.

    Args:
        content: what tells the thing apart, the mail included.
        mail_id: the SES message id, if there is one.
    """
    digits = hashlib.sha256(content).hexdigest()
    return in_time(digits, mail_id)


def in_time(digits: str, mail_id: str | None) -> str:
    """64 hex digits with the mail's time in front, if its id has it; done twice it is the same."""
    if mail_id and _TIMED.match(mail_id):
        return mail_id[:TIMED_DIGITS] + digits[TIMED_DIGITS:]
    return digits
