"""What the contestants have in common: the durable work, and the way to the queue.

The work is that of `sesbounce run` itself: decode, insert the event, merge and judge the
address, in one transaction that SQLite has on the disk when it returns (`synchronous = FULL`).
"""

import os
import threading
from datetime import UTC, datetime

from sesbounce.feedback.decode import decode
from sesbounce.settings import load_settings
from sesbounce.store.engine import open_database
from sesbounce.store.store import Store
from sesbounce.store.strike_off import StrikeOff

QUEUE_URL = os.environ.get("SESBOUNCE_QUEUE_URL", "")
WAIT_SECONDS = 20
MOST_AT_ONCE = 10


class Durable:
    """Records messages, so that they may be deleted."""

    def __init__(self) -> None:
        settings = load_settings()
        self._store = Store(open_database(settings.database), settings.policy, StrikeOff())
        self._store.prepare()
        # SQLite takes one writer at a time, and has the others sleep and try again; to wait
        # for a lock of one's own is faster.
        self._turn = threading.Lock()

    def handle(self, *bodies: str) -> None:
        """Record the bodies of some messages in one transaction; returns when it is committed."""
        decoded = [decode(body) for body in bodies]
        with self._turn:
            self._store.record(decoded, datetime.now(UTC))
