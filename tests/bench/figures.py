"""What is made of the measurements: figures, ratios, and how they stand to the goals."""

import statistics
from collections.abc import Callable, Mapping, Sequence

import msgspec


class Sample(msgspec.Struct, frozen=True):
    """One contestant in one round, between two moments.

    Attributes:
        messages: how many were deleted from the queue.
        seconds: how long that took.
        cpu_seconds: processor time of its processes, user and system.
        calls: API calls.
        commits: database transactions that wrote.
        peak_bytes: most memory that its processes ever had resident, added up.
        stub_share: how much of its time the stub's process was running, 0 to 1.
    """

    messages: int
    seconds: float
    cpu_seconds: float
    calls: int
    commits: int
    peak_bytes: int
    stub_share: float

    @property
    def rate(self) -> float:
        """Messages a second."""
        return self.messages / self.seconds

    @property
    def cpu(self) -> float:
        """Processor microseconds a message."""
        return self.cpu_seconds / self.messages * 1e6

    @property
    def calls_per_1000(self) -> float:
        """API calls per 1,000 messages."""
        return self.calls / self.messages * 1000

    @property
    def commits_per_1000(self) -> float:
        """Commits per 1,000 messages."""
        return self.commits / self.messages * 1000


# The samples of each contestant by its letter, a sample a round.
Samples = Mapping[str, Sequence[Sample]]
Figure = Callable[[Sample], float]
WORKER = "h"
TWO = "h2"


def median(samples: Sequence[Sample], figure: Figure) -> float:
    """The median of a figure over the rounds."""
    return statistics.median(map(figure, samples))


def ratio(ours: Sequence[Sample], theirs: Sequence[Sample], figure: Figure) -> float:
    """Ours to theirs: the median of the rounds' own ratios.

    A machine that slows down halfway slows down both sides of a round.
    """
    return statistics.median(figure(a) / figure(b) for a, b in zip(ours, theirs, strict=True))


class Goal(msgspec.Struct, frozen=True):
    """What a figure of the worker, or its ratio to another contestant's, should be.

    Attributes:
        what: what is measured, in words.
        figure: of which figure.
        limit: what it should be at least, or at most.
        most: whether the limit is the most.
        ours: the letter of the contestant that is judged.
        theirs: whose figure it is divided by; nobody's if empty.
    """

    what: str
    figure: Figure
    limit: float
    most: bool = False
    ours: str = WORKER
    theirs: str = ""


GOALS = (
    Goal("messages/s, times (a)", lambda s: s.rate, 35, theirs="a"),
    Goal("messages/s, times (b)", lambda s: s.rate, 8, theirs="b"),
    Goal("messages/s, times (c)", lambda s: s.rate, 8, theirs="c"),
    Goal("messages/s, times (d)", lambda s: s.rate, 35, theirs="d"),
    Goal("messages/s, times (e)", lambda s: s.rate, 0.95, theirs="e"),
    Goal("messages/s, times (f)", lambda s: s.rate, 0.95, theirs="f"),
    Goal("messages/s, times (g)", lambda s: s.rate, 1.15, theirs="g"),
    Goal("CPU a message, times (g)", lambda s: s.cpu, 0.9, most=True, theirs="g"),
    Goal("API calls per 1,000 messages", lambda s: s.calls_per_1000, 210, most=True),
    Goal("commits per 1,000 messages", lambda s: s.commits_per_1000, 20, most=True),
    Goal("messages/s, two processes to one", lambda s: s.rate, 1.3, ours=TWO, theirs=WORKER),
)


class Standing(msgspec.Struct, frozen=True):
    """How a goal stands."""

    what: str
    value: float
    goal: str
    met: bool


def standing(samples: Samples) -> list[Standing]:
    """How the goals stand whose contestants took part."""
    return [
        _stands(goal, samples)
        for goal in GOALS
        if samples.get(goal.ours) and (not goal.theirs or samples.get(goal.theirs))
    ]


def _stands(goal: Goal, samples: Samples) -> Standing:
    ours = samples[goal.ours]
    value = median(ours, goal.figure)
    if goal.theirs:
        value = ratio(ours, samples[goal.theirs], goal.figure)
    met = value <= goal.limit if goal.most else value >= goal.limit
    return Standing(goal.what, value, f"{'≤' if goal.most else '≥'} {goal.limit:g}", met)
