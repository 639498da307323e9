import pytest

from tests.bench.figures import GOALS, Sample, median, ratio, standing


def sample(messages: int, *, seconds: float = 1.0, calls: int = 0, commits: int = 0) -> Sample:
    return Sample(messages, seconds, 0.5, calls, commits, 0, 0.0)


def test_a_sample_tells_what_a_message_takes() -> None:
    told = sample(2000, seconds=4, calls=400, commits=10)
    figures = (told.rate, told.cpu, told.calls_per_1000, told.commits_per_1000)
    assert figures == (500, 250, 200, 5)


def test_a_ratio_is_taken_within_each_round() -> None:
    # The machine was slow in the second round, and nobody's fault it was.
    ours = [sample(100), sample(50), sample(100)]
    theirs = [sample(50), sample(25), sample(50)]
    assert ratio(ours, theirs, lambda s: s.rate) == 2
    assert median(ours, lambda s: s.rate) == 100


@pytest.mark.parametrize(("messages", "met"), [(3500, True), (3499, False)])
def test_a_goal_is_met_from_its_limit_on(messages: int, met: bool) -> None:
    (first, *_) = standing({"a": [sample(100)], "h": [sample(messages)]})
    assert (first.goal, first.met) == ("≥ 35", met)


@pytest.mark.parametrize(("calls", "met"), [(210, True), (211, False)])
def test_a_goal_may_be_the_most(calls: int, met: bool) -> None:
    told = standing({"h": [sample(1000, calls=calls)]})
    (found,) = [goal for goal in told if goal.what.startswith("API calls")]
    assert (found.goal, found.met) == ("≤ 210", met)


def test_two_processes_are_compared_to_one() -> None:
    told = standing({"h": [sample(1000)], "h2": [sample(1500)]})
    assert told[-1].value == 1.5


def test_goals_of_whom_did_not_take_part_are_left_out() -> None:
    samples = {"h": [sample(1000)], "g": [sample(1000)]}
    whats = [goal.what for goal in standing(samples)]
    assert whats == [goal.what for goal in GOALS if goal.ours == "h" and goal.theirs in ("", "g")]
    assert standing({"a": [sample(1)], "h": []}) == []
