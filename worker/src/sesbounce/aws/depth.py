"""The depth of a queue: the number of its messages."""

import msgspec


class Depth(msgspec.Struct, frozen=True):
    """The approximate number of messages in a queue.

    Attributes:
        visible: messages that can be received now.
        in_flight: messages that were received and are not yet deleted.
        delayed: messages that can't be received before a time.
    """

    visible: int
    in_flight: int
    delayed: int

    @property
    def total(self) -> int:
        """The number of all messages."""
        return self.visible + self.in_flight + self.delayed
