"""How many messages a queue holds."""

import msgspec


class Depth(msgspec.Struct, frozen=True):
    """How many messages the queue holds, approximately.

    Attributes:
        visible: waiting to be received.
        in_flight: received by somebody and not yet deleted.
        delayed: not yet to be received.
    """

    visible: int
    in_flight: int
    delayed: int

    @property
    def total(self) -> int:
        """All of them."""
        return self.visible + self.in_flight + self.delayed
