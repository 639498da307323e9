"""Lets a command end in order on the first SIGINT or SIGTERM."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from sesbounce.dead_letters.stopping import Stop
from sesbounce.signals import end_at_once, signals


@contextmanager
def stopping() -> Iterator[Stop]:
    """What the first signal sets while the block runs; a second signal ends the process at once.

    Where signals are deferred, Python must not raise KeyboardInterrupt, which it may do at any
    line, also between a call and the line that keeps what it has returned.
    """
    stop = Stop()

    def terminate(number: int) -> None:
        if stop.is_set or not stop.in_order:
            end_at_once(number)
        stop.number = number

    def interrupt(number: int, _frame: object) -> None:
        if not stop.in_order:
            raise KeyboardInterrupt
        terminate(number)

    # The start of the command has installed what hears SIGTERM.
    signals.act(terminate, end_at_once)
    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
        signals.act(end_at_once, end_at_once)
