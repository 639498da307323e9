"""Measures the CPU time of stages: the functions of the worker, at the boundaries that they have.

A reading of the thread's CPU clock is a system call: it takes half a microsecond, as much as many
a stage of decoding. So there are two ways to measure:

* `Clock`, for functions that run once or a few times for each batch: a function that is watched
  reads the clock when it begins and when it ends. Each moment counts for the innermost of the
  functions that are watched. This adds about a microsecond for each call, 0.2 µs a message.
* `Replay`, for functions that run for each message and have no effect: the calls of one run are
  kept with their arguments, and made once more in a row, between two readings of the clock. So
  nothing is measured but the calls. The time of a function itself is what is left without the
  calls that it makes.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any, NamedTuple
from unittest.mock import patch


class Stage(NamedTuple):
    """A function, and what it does.

    Attributes:
        name: what it does; several functions may have one name.
        owner: the module, class or object where its callers find it.
        function: its name there.
        within: of `Replay`: the name of the stage that calls it; empty for the outermost.
    """

    name: str
    owner: Any
    function: str
    within: str = ""


class Clock:
    """Counts the CPU time of this thread by stage.

    Attributes:
        own: nanoseconds by the name of a stage, without those of the stages that it runs.
    """

    def __init__(self) -> None:
        """Begin without stages."""
        self.own: dict[str, int] = defaultdict(int)
        self._running: list[str] = []
        self._since = 0

    @contextmanager
    def watching(self, stages: Iterable[Stage]) -> Iterator[None]:
        """Watch these functions while the block runs."""
        with ExitStack() as stack:
            for stage in stages:
                watched = self._watched(stage.name, getattr(stage.owner, stage.function))
                stack.enter_context(patch.object(stage.owner, stage.function, watched))
            yield

    def _watched(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def watched(*arguments: Any, **named: Any) -> Any:
            self._lap()
            self._running.append(name)
            try:
                return function(*arguments, **named)
            finally:
                self._lap()
                self._running.pop()

        return watched

    def _lap(self) -> None:
        """Count the time since the last lap for the innermost stage."""
        now = time.thread_time_ns()
        if self._running:
            self.own[self._running[-1]] += now - self._since
        self._since = now


class Replay:
    """Keeps calls, and measures them when they are made once more."""

    def __init__(self, stages: Iterable[Stage]) -> None:
        """Keep the calls of these functions, which have no effect."""
        self._kept = [_Kept(stage) for stage in stages]

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Keep the calls that are made while the block runs."""
        with ExitStack() as stack:
            for kept in self._kept:
                stack.enter_context(patch.object(kept.stage.owner, kept.stage.function, kept.call))
            yield

    def own(self) -> dict[str, int]:
        """Make the calls once more: nanoseconds by stage, without those of the stages within."""
        spent: dict[str, int] = defaultdict(int)
        for kept in self._kept:
            nanoseconds = kept.replayed()
            spent[kept.stage.name] += nanoseconds
            if kept.stage.within:
                spent[kept.stage.within] -= nanoseconds
        return spent


class _Kept:
    """The calls of one function."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self._function: Callable[..., Any] = getattr(stage.owner, stage.function)
        self._calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
        # A function, which a class binds to its objects.
        self.call = wraps(self._function)(lambda *a, **named: self._keep(a, named))

    def _keep(self, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        self._calls.append((arguments, named))
        return self._function(*arguments, **named)

    def replayed(self) -> int:
        """Make the calls once more: how many nanoseconds they take."""
        function = self._function
        began = time.thread_time_ns()
        for arguments, named in self._calls:
            function(*arguments, **named)
        return time.thread_time_ns() - began
