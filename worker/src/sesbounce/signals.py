"""Hears SIGTERM and SIGINT in a thread. It imports little: the command installs it first of all.

Linux ignores signals that process 1 of a container has no handler for, so a handler has to be
there before the slow imports. A thread hears them, because Python runs a handler of its own only
when the main thread returns from its call, and a database may take its time.
"""

import os
import signal
import threading
from collections.abc import Callable

Action = Callable[[int], None]

# What shells add to the number of the signal that has ended a process.
SIGNALLED = 128


def end_at_once(number: int) -> None:
    """End the process without more ado, with the exit code that shells give to the signal."""
    os._exit(SIGNALLED + number)


class Signals:
    """Calls `first` with the number of the first signal, and `later` with that of each later one.

    Until `act` sets others, both end the process at once.
    """

    def __init__(self) -> None:
        self._first: Action = end_at_once
        self._later: Action = end_at_once
        self._numbers: frozenset[int] = frozenset()

    def hear(self, *numbers: int) -> None:
        """Hear these signals from now on. Call it in the main thread."""
        if not self._numbers:
            heard, hears = os.pipe()
            os.set_blocking(hears, False)
            signal.set_wakeup_fd(hears, warn_on_full_buffer=False)
            threading.Thread(
                target=self._listen, args=(heard,), name="signals", daemon=True
            ).start()
        self._numbers |= set(numbers)
        for number in numbers:
            signal.signal(number, lambda *_: None)

    def act(self, first: Action, later: Action) -> None:
        """Set what to do on the first signal and on later ones."""
        self._later = later
        self._first = first

    def _listen(self, heard: int) -> None:
        number = self._next(heard)
        self._first(number)  # what it is by now
        while True:
            number = self._next(heard)
            self._later(number)

    def _next(self, heard: int) -> int:
        """Wait for the next signal. Those that have a handler of their own arrive here, too."""
        while (number := os.read(heard, 1)[0]) not in self._numbers:
            pass
        return number


signals = Signals()
