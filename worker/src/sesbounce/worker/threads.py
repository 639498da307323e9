"""Threads without which the process must not go on: if one of them fails, the process ends."""

import threading
import time
from collections.abc import Callable


class Threads:
    """Threads whose failure `check` raises. They are daemons: the process may end before them."""

    def __init__(self, on_failure: Callable[[], None] = lambda: None) -> None:
        """Begin without threads.

        Args:
            on_failure: called in the thread that fails, when `check` can raise its error.
        """
        self._on_failure = on_failure
        self._threads: list[threading.Thread] = []
        self._failure: BaseException | None = None

    def start(self, name: str, work: Callable[[], None]) -> None:
        """Start a thread of that name, which does the work."""

        def run() -> None:
            try:
                work()
            except BaseException as error:  # noqa: BLE001  `check` raises it in the main thread
                self._failure = self._failure or error
                self._on_failure()

        thread = threading.Thread(target=run, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def check(self) -> None:
        """Raise the first error that has ended a thread."""
        if self._failure:
            raise self._failure

    @property
    def running(self) -> bool:
        """Whether any of the threads is running."""
        return any(thread.is_alive() for thread in self._threads)

    def join(self, timeout: float) -> bool:
        """Wait for all threads; false where some are still running after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not self.running
