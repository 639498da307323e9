"""The arithmetic of docs/costs.md."""

import re
from math import prod
from pathlib import Path

import pytest

from scripts.terraform.docs import blocks, parsed, plain
from sesbounce.telemetry.emf import UNITS
from tests.terraform.conftest import SOURCE

ROOT = Path(__file__).parents[2]
COSTS = (ROOT / "docs/costs.md").read_text("utf-8")
DEFAULT = "The stack as it is by default"
OWN_DATABASE = "With a database of your own"
TIMES = " \N{MULTIPLICATION SIGN} "


def rows(heading: str) -> list[list[str]]:
    section = COSTS.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip(" *") for cell in line.strip("|").split("|")] for line in lines]


def amount(cell: str) -> float:
    """Return what a cell comes to, having done its sum again."""
    sum_, equals, result = cell.rpartition(" = ")
    if equals:
        factors = (difference(factor.strip("()")) for factor in re.split(TIMES, sum_))
        assert abs(prod(factors) - float(result)) < 0.0051, cell
    return float(result)


def difference(term: str) -> float:
    first, _, second = term.partition(" - ")
    return float(first) - float(second or 0)


def table(heading: str) -> dict[str, list[float]]:
    _head, _rule, *body = rows(heading)
    return {name: [amount(cell) for cell in cells] for name, *cells in body}


@pytest.mark.parametrize(("heading", "scenarios"), [(OWN_DATABASE, 3), (DEFAULT, 5)])
def test_each_row_and_the_sums_are_right(heading: str, scenarios: int) -> None:
    sums = table(heading)
    total = sums.pop("Sum, USD a month")
    assert len(sums) >= 10
    for scenario in range(scenarios):
        assert abs(sum(row[scenario] for row in sums.values()) - total[scenario]) < 0.0001


def test_a_small_sender_with_a_database_pays_a_dollar() -> None:
    assert rows(OWN_DATABASE)[0][1] == "`scheduled`"
    assert table(OWN_DATABASE)["Sum, USD a month"][0] < 1.05


def test_the_page_about_aws_rounds_the_sums_of_the_three_modes() -> None:
    page = (ROOT / "docs/aws.md").read_text("utf-8")
    idle = {name: row[0] for name, row in table(DEFAULT).items()}
    rds = idle["RDS, instance"] + idle["RDS, disk"]
    modes = [cell.strip("`") for cell in rows(OWN_DATABASE)[0][1:]]
    for mode, own in zip(modes, table(OWN_DATABASE)["Sum, USD a month"], strict=True):
        ((mine, made),) = re.findall(rf"^\| `{mode}`.*\| (.+) \| (.+) \|$", page, re.MULTILINE)
        assert float(mine) == pytest.approx(own, rel=0.02)
        if mode == "lambda":
            assert made == "not possible"
        else:
            assert float(made) == pytest.approx(own + rds, rel=0.02)
            assert f"{own + rds:.2f}" in COSTS


def test_the_hours_of_the_runs_are_those_of_a_minute_every_quarter_of_an_hour() -> None:
    runs = 730 * 4
    assert f"{runs:,} a month" in COSTS
    (hours,) = {float(found) for found in re.findall(rf"\| (\d+\.\d+){TIMES}0\.", COSTS)}
    assert abs(hours - runs / 60) < 0.005


def test_the_metrics_of_a_run_are_as_many_as_are_free() -> None:
    (local,) = parsed(SOURCE / "modules/worker_service/schedule.tf")["locals"]
    names = {plain(name) for name in local["run_metrics"]}
    assert len(names) == 10
    assert names <= UNITS.keys()


def test_the_metrics_of_a_service_are_all_but_that_of_runs() -> None:
    number = len(UNITS.keys() - {"RunsSucceeded"})
    assert f"the worker sends {number}, " in COSTS
    assert f"these are {number}, " in (ROOT / "docs/metrics.md").read_text("utf-8")
    (row,) = [cells for name, *cells in rows(DEFAULT) if name == "CloudWatch, metrics"]
    assert row[0].startswith(f"({number} - 10)")


def test_what_is_saved_is_what_the_rows_say() -> None:
    idle = {name: row[0] for name, row in table(DEFAULT).items()}
    run = {name: row[0] for name, row in table(OWN_DATABASE).items()}
    saved = {row[0]: row[1] for row in rows("Less")[2:]}
    task = idle["Fargate, ARM, ¼ vCPU"] + idle["Fargate, ARM, ½ GB"]
    rds = idle["RDS, instance"] + idle["RDS, disk"]
    expected = {
        "database_url_secret_arn": rds,
        'mode = "scheduled"': sum(
            value - run.get(name, 0)
            for name, value in idle.items()
            if name.startswith(("Fargate", "Public", "CloudWatch"))
        ),
        "min_tasks = 0": task + idle["Public IPv4 address"],
        "use_spot": task * 0.7,
        "worker = null": idle["Sum, USD a month"],
    }
    for what, value in expected.items():
        (said,) = [cell for name, cell in saved.items() if what in name]
        assert abs(float(said.removeprefix("up to ")) - value) < 0.0051, what


def test_two_tasks_of_the_api_cost_twice_what_one_of_the_worker_does() -> None:
    idle = {name: row[0] for name, row in table(DEFAULT).items()}
    more = {row[0]: float(row[1]) for row in rows("More")[2:] if row[1].replace(".", "").isdigit()}
    (tasks,) = [value for name, value in more.items() if name.startswith("`api = ")]
    (addresses,) = [value for name, value in more.items() if name.startswith("a public address")]
    assert tasks == pytest.approx(2 * (idle["Fargate, ARM, ¼ vCPU"] + idle["Fargate, ARM, ½ GB"]))
    assert addresses == pytest.approx(2 * idle["Public IPv4 address"])


def test_the_variable_says_what_deliveries_cost() -> None:
    (publish,) = re.findall(r"takes ([\d.]+) for a million publishes", COSTS)
    (request,) = re.findall(r"takes ([\d.]+) for a million requests", COSTS)
    described = blocks(SOURCE, "variable")["feedback_types"]["description"]
    assert f"a million, {publish} USD of SNS and 3{TIMES}{request} USD of SQS" in described
    example = (SOURCE / "terraform.tfvars.example").read_text("utf-8")
    assert f"{float(publish) + 3 * float(request):.2f} USD a million" in example
