"""The simulation of the autoscaling: no message is lost, and the rules are those of Terraform."""

from functools import cache

import msgspec
import pytest

from tests.bench.autoscaling import (
    BURST,
    LARGE,
    LOADS,
    OUTAGE,
    STEADY,
    Load,
    Rules,
    Run,
    Tracking,
    deployed,
    simulate,
)

RATE = 860
RULES = deployed()
BACKLOG_ALONE = msgspec.structs.replace(RULES, cpu=None)


@cache
def run(load: Load, rules: Rules = RULES) -> Run:
    return simulate(rules, load, RATE)


def test_the_rules_are_those_that_terraform_declares() -> None:
    assert (RULES.min_tasks, RULES.max_tasks) == (1, 4)
    assert RULES.backlog == Tracking(5000, 60, 300)
    assert RULES.cpu == Tracking(60, 60, 300)


@pytest.mark.parametrize("load", LOADS, ids=lambda load: load.name)
@pytest.mark.parametrize("rules", [RULES, BACKLOG_ALONE], ids=["both", "backlog alone"])
def test_each_message_waits_or_was_handled_and_tasks_are_within_their_limits(
    load: Load, rules: Rules
) -> None:
    done = run(load, rules)
    assert done.arrived == sum(map(load.arrivals, range(round(load.hours * 3600))))
    assert done.arrived == done.handled + done.moments[-1].backlog
    assert {moment.wanted for moment in done.moments} <= set(range(1, rules.max_tasks + 1))
    assert all(moment.tasks <= rules.max_tasks for moment in done.moments)


@pytest.mark.parametrize("load", LOADS, ids=lambda load: load.name)
def test_no_task_goes_while_the_backlog_grows(load: Load) -> None:
    moments = run(load).moments
    gone = [n for n in range(1, len(moments)) if moments[n].wanted < moments[n - 1].wanted]
    for n in gone:
        seen = moments[n - 16 : n - 1]
        assert all(moment.backlog / moment.tasks < 4500 for moment in seen)
        assert all(moment.cpu < 54 for moment in seen)


def test_a_new_task_works_after_three_values_a_minute_of_delay_and_its_start() -> None:
    moments = run(Load("too much for one", lambda _: 2 * RATE, 0.2)).moments
    assert [moment.backlog for moment in moments[:4]] == [60 * RATE * n for n in range(1, 5)]
    assert [moment.wanted for moment in moments[:5]] == [1, 1, 1, 1, 4]
    # From second 279 on, four tasks work: a minute's end is its 59th second.
    assert moments[4].backlog == 279 * RATE - 21 * 2 * RATE


def test_the_same_load_takes_the_same_course() -> None:
    assert simulate(RULES, BURST, RATE) == run(BURST)


def test_what_one_task_handles_leaves_no_backlog_and_changes_nothing() -> None:
    done = run(Load("little", lambda _: RATE // 2, 1))
    assert (done.most_waiting, done.oldest, done.changes) == (0, 0, 0)
    assert done.task_seconds == 3600


def test_a_steady_load_keeps_its_tasks_by_the_cpu_and_would_lose_them_by_the_backlog() -> None:
    assert run(STEADY).changes <= 2
    assert run(STEADY).moments[-1].backlog == 0
    assert run(STEADY, BACKLOG_ALONE).changes > 10


def test_an_outage_ends_with_an_empty_queue() -> None:
    done = run(OUTAGE)
    last = done.moments[OUTAGE.outage.stop // 60 - 1]
    assert (last.cpu, last.backlog) == (0, 100 * 30 * 60)
    assert done.drained_after is not None
    assert done.moments[-1].tasks == 1


def test_a_burst_waits_no_longer_than_the_alarm_and_the_start_of_tasks() -> None:
    assert run(BURST).oldest < 240


def test_too_few_tasks_fall_behind_for_good() -> None:
    done = run(LARGE)
    assert done.drained_after is None
    assert {moment.tasks for moment in done.moments[6:]} == {RULES.max_tasks}
