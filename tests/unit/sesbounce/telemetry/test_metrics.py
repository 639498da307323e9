import re
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from sesbounce.aws.depth import Depth
from sesbounce.store.result import Recorded
from sesbounce.telemetry.emf import UNITS
from sesbounce.telemetry.health import Status
from sesbounce.telemetry.metrics import MOST_FINGERPRINTS, Metrics
from sesbounce.telemetry.reports import Acknowledged, BatchDone, Polled, Report, Stalled, Swept
from tests.unit.sesbounce.reported import BATCH, RECORDED

PAGE = (Path(__file__).parents[4] / "docs/metrics.md").read_text()


class Scraped:
    """Metrics as Prometheus reads them."""

    def __init__(self, *reports: Report, healthy: bool = True) -> None:
        self.status = Status(healthy, [], 4.0, 5.0)
        self.metrics = Metrics(lambda: self.status, lambda: 90.0)
        for report in reports:
            self.metrics.add(report)

    @property
    def text(self) -> str:
        return generate_latest(self.metrics.registry).decode()

    def __getitem__(self, sample: str) -> float:
        (value,) = re.findall(rf"^{re.escape(sample)} (\S+)$", self.text, re.MULTILINE)
        return float(value)


def test_messages_are_counted() -> None:
    acknowledged = Acknowledged(deleted=5, returned=4, failed=3, expired=2)
    scraped = Scraped(Polled(10), Polled(0), Polled(3), BATCH, BATCH, acknowledged, acknowledged)
    assert scraped["sesbounce_messages_received_total"] == 13
    assert scraped['sesbounce_messages_undecodable_total{fingerprint="abc"}'] == 4
    assert scraped['sesbounce_messages_undecodable_total{fingerprint="def"}'] == 2
    assert scraped["sesbounce_messages_failed_total"] == 2
    assert scraped["sesbounce_messages_unknown_total"] == 4
    assert scraped["sesbounce_recipients_unreadable_total"] == 6
    assert scraped["sesbounce_messages_deleted_total"] == 10
    assert scraped["sesbounce_messages_returned_total"] == 8
    assert scraped["sesbounce_delete_failures_total"] == 6
    assert scraped["sesbounce_messages_expired_total"] == 4


@pytest.mark.parametrize("reports", [(BATCH,), (Swept(RECORDED),)])
def test_what_was_recorded_is_counted_in_batches_and_sweeps(reports: tuple[Report]) -> None:
    scraped = Scraped(*reports)
    assert scraped['sesbounce_events_recorded_total{kind="bounce"}'] == 2
    assert scraped['sesbounce_events_recorded_total{kind="complaint"}'] == 1
    assert scraped['sesbounce_sender_faults_total{reason="rate_limited"}'] == 2
    assert scraped["sesbounce_duplicates_total"] == 2
    assert scraped['sesbounce_addresses_suppressed_total{reason="no_such_mailbox"}'] == 1
    assert scraped["sesbounce_addresses_released_total"] == 1
    assert scraped["sesbounce_rows_struck_off_total"] == 5
    assert scraped["sesbounce_rows_restored_total"] == 4
    assert scraped["sesbounce_statements_rejected_total"] == 3


def test_batches_are_measured() -> None:
    scraped = Scraped(BATCH, BATCH)
    assert scraped["sesbounce_batch_seconds_sum"] == pytest.approx(0.4)
    assert scraped['sesbounce_batch_seconds_bucket{le="0.1"}'] == 0
    assert scraped['sesbounce_batch_seconds_bucket{le="0.25"}'] == 2
    assert scraped["sesbounce_commit_seconds_sum"] == pytest.approx(0.08)
    assert scraped["sesbounce_batch_messages_count"] == 2
    assert scraped["sesbounce_batch_messages_sum"] == 16


def test_gauges_show_the_last_value() -> None:
    scraped = Scraped(Depth(5, 6, 7), Depth(1, 2, 3), Stalled("queue", "down"))
    assert scraped['sesbounce_queue_messages{state="visible"}'] == 1
    assert scraped['sesbounce_queue_messages{state="in_flight"}'] == 2
    assert scraped['sesbounce_queue_messages{state="delayed"}'] == 3
    assert scraped["sesbounce_oldest_message_age_seconds"] == 90
    assert scraped["sesbounce_last_poll_age_seconds"] == 4
    assert scraped["sesbounce_last_commit_age_seconds"] == 5
    assert scraped["sesbounce_healthy"] == 1
    scraped.status = Status(False, ["The worker hangs."], 400.0, 500.0)
    assert scraped["sesbounce_healthy"] == 0
    assert scraped["sesbounce_last_poll_age_seconds"] == 400


def test_incidents_are_those_of_the_last_sweep_and_are_not_added_up() -> None:
    counted = [Swept(Recorded(), incidents=number) for number in (3, 2, 2)]
    assert Scraped(*counted, Swept(Recorded()))["sesbounce_suspected_incidents"] == 2
    assert Scraped()["sesbounce_suspected_incidents"] == 0


def test_stopped_senders_are_those_of_the_last_sweep_that_looked() -> None:
    counted = [Swept(Recorded(), stopped=number) for number in (3, 2)]
    assert Scraped(*counted, Swept(Recorded()))["sesbounce_stopped_senders"] == 2


def test_counters_by_kind_and_reason_exist_before_the_first_event() -> None:
    scraped = Scraped()
    assert scraped['sesbounce_events_recorded_total{kind="complaint"}'] == 0
    assert scraped['sesbounce_addresses_suppressed_total{reason="complaint_abuse"}'] == 0
    assert scraped['sesbounce_sender_faults_total{reason="sender_blocked"}'] == 0
    assert 'reason="delivered"' not in scraped.text


def test_fingerprints_are_bounded() -> None:
    batches = [BatchDone(1, {f"f{n}": 1}, 0, Recorded(), 0, 0, 0) for n in range(150)]
    scraped = Scraped(*batches, *batches)
    series = re.findall(
        r'^sesbounce_messages_undecodable_total{fingerprint="', scraped.text, re.MULTILINE
    )
    assert len(series) == MOST_FINGERPRINTS + 1
    assert scraped['sesbounce_messages_undecodable_total{fingerprint="f99"}'] == 2
    assert scraped['sesbounce_messages_undecodable_total{fingerprint="other"}'] == 100


def test_two_workers_in_one_process_count_apart() -> None:
    one, other = Scraped(Polled(10)), Scraped(Polled(1))
    assert one["sesbounce_messages_received_total"] == 10
    assert other["sesbounce_messages_received_total"] == 1


def test_a_depth_that_is_not_known_is_absent() -> None:
    scraped = Scraped(Depth(5, 6, 7), Depth(1, None, 3))
    assert scraped['sesbounce_queue_messages{state="visible"}'] == 1
    assert 'state="in_flight"' not in scraped.text
    assert "sesbounce_queue_messages{" not in Scraped(Depth()).text


def test_names_types_and_help_texts_follow_the_conventions() -> None:
    for family in text_string_to_metric_families(Scraped(BATCH, Depth(0, 0, 0)).text):
        assert family.name.startswith("sesbounce_")
        assert family.documentation.endswith(".")
        assert family.type in {"counter", "histogram", "gauge"}
        assert not family.name.endswith("_created")


def test_the_page_names_every_metric_and_no_other() -> None:
    families = text_string_to_metric_families(Scraped(BATCH, Depth(0, 0, 0)).text)
    prometheus = {f.name + ("_total" if f.type == "counter" else "") for f in families}
    assert set(re.findall(r"^\| `(sesbounce_\w+)", PAGE, re.MULTILINE)) == prometheus
    table = dict(re.findall(r"^\| `([A-Z]\w+)` \| (\w+) \|", PAGE, re.MULTILINE))
    assert table == dict(UNITS)
    named = set(re.findall(r"\bsesbounce_\w+", PAGE))
    assert {name.removesuffix("_bucket") for name in named} == prometheus
