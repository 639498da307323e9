"""Simulates the autoscaling of the worker's tasks, second by second, with the rules as deployed.

The rules are read from Terraform. What AWS does with them:

- A target tracking policy adds tasks when its metric was above the target for three minutes in a
  row, in proportion, and takes tasks away when it was below 90 % of it for fifteen. With several
  policies, the one that wants most tasks wins, and tasks go only when all of them agree:
  https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html
- CloudWatch has a value a minute, and here it takes a minute more until an alarm sees it.
- AWS does not say how gradually it takes tasks away. Here it does so in proportion as well, the
  hard case: all at once where the backlog is gone.

A new task starts in 40 seconds. A task that ends returns its messages at once.
"""

import itertools
import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from scripts.terraform.docs import blocks, parsed, plain

SERVICE = Path(__file__).parents[2] / "terraform/modules/worker_service"
START_SECONDS = 40
MINUTE = 60
_DELAY_MINUTES = 1
_MINUTES_TO_ADD, _MINUTES_TO_REMOVE = 3, 15
_LOW = 0.9


class Tracking(msgspec.Struct, frozen=True):
    """One target tracking policy.

    Attributes:
        target: the target of its metric.
        out_cooldown: seconds between two steps that add tasks.
        in_cooldown: seconds between two steps that take tasks away.
    """

    target: float
    out_cooldown: int
    in_cooldown: int


class Rules(msgspec.Struct, frozen=True):
    """What decides the number of tasks.

    Attributes:
        min_tasks: the fewest tasks.
        max_tasks: the most tasks.
        backlog: follows the number of waiting messages a task.
        cpu: follows the percentage of its CPU that a task uses; None: there is no such policy.
    """

    min_tasks: int
    max_tasks: int
    backlog: Tracking
    cpu: Tracking | None = None


class Load(msgspec.Struct, frozen=True):
    """What comes, and what does not work.

    Attributes:
        name: the load in a few words.
        arrivals: how many messages come in a second.
        hours: for how long.
        outage: the seconds in which no task can commit.
    """

    name: str
    arrivals: Callable[[int], int]
    hours: float = 3.0
    outage: range = range(0)


class Moment(msgspec.Struct, frozen=True):
    """What there is at the end of a minute.

    Attributes:
        backlog: messages that wait.
        age: seconds since the oldest of them came; 0 if there is none.
        tasks: tasks that run.
        wanted: tasks that should run.
        cpu: the percentage of its CPU that a task has used in the minute.
    """

    backlog: int
    age: int
    tasks: int
    wanted: int
    cpu: float


class Run(msgspec.Struct):
    """How a simulation went.

    Attributes:
        arrived: messages that have come.
        handled: messages that were handled.
        moments: one for each minute.
        oldest: the age of the oldest message at any second.
        task_seconds: for how long tasks ran, all together.
    """

    arrived: int = 0
    handled: int = 0
    moments: list[Moment] = msgspec.field(default_factory=list)
    oldest: int = 0
    task_seconds: int = 0

    @property
    def most_waiting(self) -> int:
        """The largest backlog."""
        return max(moment.backlog for moment in self.moments)

    @property
    def changes(self) -> int:
        """How often the number of tasks that should run changed."""
        wanted = [moment.wanted for moment in self.moments]
        return sum(before != after for before, after in itertools.pairwise(wanted))

    @property
    def drained_after(self) -> int | None:
        """In which minute the backlog was last not empty; None where it never is again."""
        waiting = [n for n, moment in enumerate(self.moments) if moment.age > 1]
        if waiting and waiting[-1] == len(self.moments) - 1:
            return None
        return waiting[-1] + 1 if waiting else 0


class Policy:
    """Target tracking of one metric."""

    def __init__(self, tracking: Tracking, metric: Callable[[Moment], float]) -> None:
        self._tracking = tracking
        self._metric = metric

    def more(self, known: Sequence[Moment]) -> int | None:
        """How many tasks it wants in place of fewer; None where it wants no more."""
        last = known[-_MINUTES_TO_ADD:]
        above = [moment for moment in last if self._metric(moment) > self._tracking.target]
        return self._proportional(last[-1]) if len(above) == _MINUTES_TO_ADD else None

    def fewer(self, known: Sequence[Moment]) -> int | None:
        """How many tasks it wants in place of more; None where it lets none go."""
        last = known[-_MINUTES_TO_REMOVE:]
        low = self._tracking.target * _LOW
        below = [moment for moment in last if self._metric(moment) < low]
        return self._proportional(last[-1]) if len(below) == _MINUTES_TO_REMOVE else None

    def _proportional(self, moment: Moment) -> int:
        return math.ceil(moment.tasks * self._metric(moment) / self._tracking.target)


class Scaler:
    """Application Auto Scaling: decides once a minute how many tasks there should be."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._policies = [Policy(rules.backlog, lambda m: m.backlog / m.tasks)]
        if rules.cpu:
            self._policies.append(Policy(rules.cpu, lambda m: m.cpu))
        trackings = [rules.backlog, *([rules.cpu] if rules.cpu else [])]
        self._out_cooldown = max(tracking.out_cooldown for tracking in trackings)
        self._in_cooldown = max(tracking.in_cooldown for tracking in trackings)
        self._added_at = self._removed_at = -math.inf

    def wanted(self, moments: Sequence[Moment], wanted: int, second: int) -> int:
        """How many tasks there should be, after so many until now."""
        known = moments[: len(moments) - _DELAY_MINUTES]
        if len(known) < _MINUTES_TO_ADD:
            return wanted
        more = max((policy.more(known) or 0 for policy in self._policies), default=0)
        if more > wanted and second - self._added_at >= self._out_cooldown:
            self._added_at = second
            return min(more, self._rules.max_tasks)
        fewer = [policy.fewer(known) for policy in self._policies]
        if more or None in fewer or second - self._removed_at < self._in_cooldown:
            return wanted
        least = max(*(number or 0 for number in fewer), self._rules.min_tasks)
        if least < wanted:
            self._removed_at = second
        return min(least, wanted)


def simulate(rules: Rules, load: Load, rate: int) -> Run:
    """Simulate a load.

    Args:
        rules: what decides the number of tasks.
        load: what comes.
        rate: how many messages a task handles in a second.
    """
    run, scaler = Run(), Scaler(rules)
    wanted = rules.min_tasks
    # When each task begins to work, and how many messages came in which second.
    tasks = [0] * wanted
    waiting: deque[tuple[int, int]] = deque()
    backlog = busy = able = 0
    for second in range(round(load.hours * 3600)):
        came = load.arrivals(second)
        run.arrived += came
        backlog += came
        if came:
            waiting.append((second, came))
        working = sum(ready <= second for ready in tasks)
        most = 0 if second in load.outage else working * rate
        handled = _take(waiting, min(most, backlog))
        backlog -= handled
        run.handled += handled
        busy += handled
        able += working * rate
        run.task_seconds += len(tasks)
        age = second - waiting[0][0] if waiting else 0
        run.oldest = max(run.oldest, age)
        if second % MINUTE == MINUTE - 1:
            run.moments.append(Moment(backlog, age, working, wanted, 100 * busy / able))
            busy = able = 0
            wanted = scaler.wanted(run.moments, wanted, second)
            # The youngest go first.
            tasks = tasks[:wanted] + [second + START_SECONDS] * (wanted - len(tasks))
    return run


def _take(waiting: deque[tuple[int, int]], count: int) -> int:
    """Take so many messages, the oldest first."""
    left = count
    while left:
        second, messages = waiting.popleft()
        if messages > left:
            waiting.appendleft((second, messages - left))
            messages = left
        left -= messages
    return count


@cache
def deployed() -> Rules:
    """The rules that Terraform deploys by default."""
    variables = blocks(SERVICE, "variable")
    policies: dict[str, Any] = {
        plain(name): policy
        for resource in parsed(SERVICE / "autoscaling.tf")["resource"]
        for type_, named in resource.items()
        if plain(type_) == "aws_appautoscaling_policy"
        for name, policy in named.items()
    }

    def tracking(name: str) -> Tracking:
        (found,) = policies[name]["target_tracking_scaling_policy_configuration"]
        target = found["target_value"]
        if target == "${var.backlog_per_task}":
            target = variables["backlog_per_task"]["default"]
        return Tracking(float(target), found["scale_out_cooldown"], found["scale_in_cooldown"])

    return Rules(
        min_tasks=variables["min_tasks"]["default"],
        max_tasks=variables["max_tasks"]["default"],
        backlog=tracking("backlog"),
        cpu=tracking("cpu") if "cpu" in policies else None,
    )


def _between(first: int, last: int, inside: int, outside: int) -> Callable[[int], int]:
    return lambda second: inside if first <= second < last else outside


HOUR = 3600
BURST = Load("100/s, for ten minutes 3,000/s", _between(HOUR, HOUR + 600, 3000, 100))
CAMPAIGN = Load("10/s, each hour 5 minutes of 2,000/s", lambda s: 2000 if s % HOUR < 300 else 10)
# After its retries a worker waits up to 30 seconds for the next one.
OUTAGE = Load(
    "100/s, the database is away for 30 minutes", lambda _: 100, 3, range(HOUR, HOUR + 1830)
)
STEADY = Load("1,200/s", lambda _: 1200)
LARGE = Load("10,000/s", lambda _: 10_000)
LOADS = (BURST, CAMPAIGN, OUTAGE, STEADY, LARGE)


def rows(rules: Rules, rate: int, loads: Sequence[Load] = LOADS) -> Iterator[list[str]]:
    """A row for each load: what waited, for how long, and what tasks there were."""
    for load in loads:
        run = simulate(rules, load, rate)
        drained = run.drained_after
        yield [
            load.name,
            f"{run.most_waiting:,}",
            f"{run.oldest:,} s",
            "never" if drained is None else f"minute {drained}",
            f"{max(moment.tasks for moment in run.moments)}",
            f"{run.changes}",
            f"{run.task_seconds / 3600 / load.hours:.2f}",
        ]
