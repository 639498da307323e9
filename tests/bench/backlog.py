"""The messages that the SQS stub gives out: hard bounces, as SNS delivers them to a queue.

Each has a mail, a recipient and a receipt handle of its own, so that recording one always
inserts; all are of the same length. A body has the fields of SES's documented bounce
notification and a signature of the usual length.
"""

import base64
import hashlib
import json
import time

from scripts.local.ses_messages import Scenario
from tests.support import in_sns, mail, said

# Where the number of the message goes.
_MARK = b"NNNNNNNN"
_DIGITS = len(_MARK)
ENDLESS = 10**_DIGITS


def _body() -> str:
    """The body of a message, with marks in place of its number."""
    mark = _MARK.decode()
    # SES's ids begin with the time in milliseconds: here each mail has another one.
    about = mail(f"jane.doe.{mark}@example.com", f"0100019a{mark}-{mark}-4a5f-9d31-6b7c8d9e0f1a")
    region = "https://sns.us-east-1.amazonaws.com"
    return in_sns(
        said(Scenario.BOUNCE, about),
        MessageId=f"22b80b92-fdea-4c2c-8f9d-bdfb{mark}",
        Signature=base64.b64encode(bytes(range(256))).decode(),
        SigningCertURL=f"{region}/SimpleNotificationService-9c6465fa7f48f5cacd23014631ec1136.pem",
    )


def _around(body: str) -> tuple[bytes, bytes]:
    """What stands before and after the MD5 digest in a received message's JSON."""
    mark = _MARK.decode()
    message = {
        "MessageId": f"d2a6e1c0-5a0b-4c39-8f0a-77aa{mark}",
        "ReceiptHandle": base64.b64encode(bytes(range(192))).decode() + mark,
        "MD5OfBody": "DIGEST",
        "Body": body,
        "Attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": str(int(time.time() * 1000)),
        },
    }
    before, _, after = json.dumps(message).encode().partition(b"DIGEST")
    return before, after


class Backlog:
    """A queue's messages, made as they are received; nothing of them is kept.

    Attributes:
        total: how many there are to be received.
        received: how many have been.
    """

    def __init__(self, total: int = ENDLESS, *, same: bool = False) -> None:
        """Prepare what the messages have in common.

        Args:
            total: how many there are to be received.
            same: give out the first message again and again.
        """
        self.total = total
        self.received = 0
        self._same = same
        body = _body()
        self._body = body.encode()
        self._before, self._after = _around(body)

    def take(self, most: int) -> bytes:
        """The answer to a receive of at most `most` messages, JSON; `{}` when none is left."""
        first = self.received
        self.received = min(self.total, first + most)
        if first == self.received:
            return b"{}"
        messages = b",".join(map(self._message, range(first, self.received)))
        return b'{"Messages":[%b]}' % messages

    def _message(self, number: int) -> bytes:
        digits = b"%0*d" % (_DIGITS, 0 if self._same else number)
        body = self._body.replace(_MARK, digits)
        digest = hashlib.md5(body, usedforsecurity=False).hexdigest().encode()
        return (self._before + digest + self._after).replace(_MARK, digits)
