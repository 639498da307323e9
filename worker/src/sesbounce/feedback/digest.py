"""Digests that sort by the time of their mail.

SES's message ids begin with 16 hex digits that encode the region and the time in milliseconds. A
digest that begins with the same digits sorts beside the digests of the same day. So a database
index appends each new digest at its end; random digests would change a page anywhere in the
index for each row. Digests of mails with other ids are random, and equally correct.
"""

import hashlib
import re

_TIMED = re.compile("[0-9a-f]{16}-")
TIMED_DIGITS = 16


def digest(content: bytes, mail_id: str | None) -> str:
    """64 hex digits: the SHA-256 of the content, with the mail's time in front where it is known.

    Args:
        content: the bytes that identify the thing, the mail's id among them.
        mail_id: the SES message id, if there is one.
    """
    return time_ordered(hashlib.sha256(content).hexdigest(), mail_id)


def time_ordered(digits: str, mail_id: str | None) -> str:
    """Replace the first 16 of 64 hex digits by the time in the mail's id, if it holds one.

    The function is idempotent.
    """
    if mail_id and _TIMED.match(mail_id):
        return mail_id[:TIMED_DIGITS] + digits[TIMED_DIGITS:]
    return digits
