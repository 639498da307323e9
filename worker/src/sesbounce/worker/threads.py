"""The threads that a process can't do without: if one of them fails, all of it fails."""

import threading
import time
from collections.abc import Callable


class Threads:
    """Threads that are watched. They are daemons: the process may end without them."""

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []
        self._failure: BaseException | None = None

    def start(self, name: str, work: Callable[[], None]) -> None:
        """Do some work in a thread of its own."""

        def run() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001  `check` raises it where it is heard
                self._failure = self._failure or error

        thread = threading.Thread(target=run, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def check(self) -> None:
        """Raise what has ended a thread, so that the process does not go on without it."""
        if self._failure:
            raise self._failure

    @property
    def at_work(self) -> bool:
        """Whether any of the threads is."""
        return any(thread.is_alive() for thread in self._threads)

    def join(self, patience: float) -> bool:
        """Wait for all of them; false where some are still at work after so many seconds."""
        deadline = time.monotonic() + patience
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not self.at_work
