"""What alarms and dashboard watch is what the worker tells."""

import re

from sesbounce.telemetry import emf
from tests.terraform.conftest import SOURCE

MONITORING = SOURCE / "modules/monitoring"


def test_every_metric_of_the_dashboard_is_told() -> None:
    code = (MONITORING / "dashboard.tf").read_text("utf-8")
    of_worker = [line for line in code.splitlines() if "sesbounce" in line or "Seconds" in line]
    names = {name for line in of_worker for name in re.findall(r'"([A-Z]\w+)\\?"', line)}
    names -= {"Service", "Sum", "Maximum"}
    assert len(names) >= 10
    assert names <= set(emf.UNITS)


def test_every_metric_of_an_alarm_is_told() -> None:
    code = (MONITORING / "alarms.tf").read_text("utf-8")
    names = set(re.findall(r'merge\(local\.worker, \{ name = "(\w+)" \}\)', code))
    assert names == {
        "Healthy",
        "RunsSucceeded",
        "Failed",
        "StatementsRejected",
        "SuspectedIncidents",
        "StoppedSenders",
        "SenderFaults",
    }
    assert names <= set(emf.UNITS)


def test_the_namespace_is_the_worker_s() -> None:
    for file in ("alarms.tf", "dashboard.tf"):
        assert f'"{emf.NAMESPACE}"' in (MONITORING / file).read_text("utf-8")
