"""The depth of a queue: the number of its messages."""

import msgspec


class Depth(msgspec.Struct, frozen=True):
    """The approximate number of messages in a queue; None for a number that is not known.

    SQS knows all of them; emulators leave some out.

    Attributes:
        visible: messages that can be received now.
        in_flight: messages that were received and are not yet deleted.
        delayed: messages that can't be received before a time.
    """

    visible: int | None = None
    in_flight: int | None = None
    delayed: int | None = None

    @property
    def known(self) -> bool:
        """Whether all numbers are known."""
        return None not in (self.visible, self.in_flight, self.delayed)

    @property
    def at_least(self) -> int:
        """The number of all messages that are known of."""
        return (self.visible or 0) + (self.in_flight or 0) + (self.delayed or 0)

    @property
    def total(self) -> int | None:
        """The number of all messages; None where a number is not known."""
        return self.at_least if self.known else None
