"""The figures of docs/scale.md are computed."""

import pytest

from tests.bench import scale
from tests.unit.test_docs import ROOT

TIMES = " \N{MULTIPLICATION SIGN} "

PAGE = scale.PAGE.read_text("utf-8")


def cells(line: str) -> list[str]:
    return [cell.strip(" *") for cell in line.strip("|").split("|")]


def test_the_tables_of_the_document_are_those_that_are_computed() -> None:
    assert scale.with_tables(PAGE) == PAGE, "python -m tests.bench.scale --write"


def test_the_sums_are_those_of_the_rows_that_are_shown() -> None:
    _head, _rule, *rows = map(cells, scale.tables()["costs"].splitlines())
    names = [name for name, *_ in rows]
    sum_ = names.index("Sum")
    for column in range(1, len(scale.CASES) + 1):
        shown = [float(row[column].replace(",", "")) for row in rows]
        assert abs(sum(shown[:sum_]) - shown[sum_]) < 0.005


def test_one_task_handles_a_hundred_a_second_and_the_limits_of_aws_are_far() -> None:
    one, hundred, most = scale.CASES
    assert (one.tasks, hundred.tasks) == (1, 1)
    for case in scale.CASES:
        assert case.rate * scale.CPU_MICROSECONDS / 1e6 <= case.tasks * case.vcpu * scale.BUSY
        assert case.database.vcpus > 3 * case.rate * scale.DATABASE_CPU_MICROSECONDS / 1e6
    assert most.tasks > 1
    assert most.iops < 64_000
    assert most.disk_gb < 65_536


def test_prices_are_those_of_the_document_about_costs() -> None:
    costs = (ROOT / "docs/costs.md").read_text("utf-8")
    for text in (
        f"{scale.VCPU_HOUR} a vCPU and {scale.GB_HOUR} a GB an hour",
        f"({scale.IPV4_HOUR} an hour",
        f"{scale.MICRO.hour} an hour for `{scale.MICRO.name}`",
        f"{scale.DISK_GB} a GB of gp3",
        f"**SNS** takes {scale.SNS_MILLION:.2f} for a million publishes",
        f"**SQS** takes {scale.SQS_MILLION:.2f} for a million requests",
        f"({scale.CALLS_A_MESSAGE}{TIMES}100.05",
    ):
        assert text in costs
    service = [
        line.rpartition(" = ")[2].strip(" |")
        for line in costs.partition("\n## The stack")[0].splitlines()
        if line.startswith(("| CloudWatch, metrics", "| CloudWatch, alarms", "| Secrets", "| ECR"))
    ]
    assert sum(map(float, service)) == pytest.approx(scale.REST)
