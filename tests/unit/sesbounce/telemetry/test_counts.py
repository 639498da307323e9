import pytest

from sesbounce.aws.depth import Depth
from sesbounce.telemetry.counts import Counts, count
from sesbounce.telemetry.emf import COUNTS
from sesbounce.telemetry.metrics import COUNTERS
from sesbounce.telemetry.reports import Acknowledged, Polled, Report, Stalled, Swept
from tests.unit.sesbounce.reported import BATCH, RECORDED

KINDS = {"bounce": 2, "complaint": 1}
REASONS = {"no_such_mailbox": 1, "complaint_abuse": 1}
OF_RECORDED = Counts(
    events=3,
    kinds=KINDS,
    sender_faults=3,
    fault_reasons={"rate_limited": 2, "sender_blocked": 1},
    duplicates=2,
    suppressed=2,
    reasons=REASONS,
    released=1,
    struck_rows=5,
    restored_rows=4,
    rejected=3,
)
# The totals of these fields are published as their shares.
SHARES = {
    "undecodable": "fingerprints",
    "events": "kinds",
    "suppressed": "reasons",
    "sender_faults": "fault_reasons",
}


@pytest.mark.parametrize(
    ("report", "counts"),
    [
        (Polled(10), Counts(received=10)),
        (Swept(RECORDED), OF_RECORDED),
        (
            Acknowledged(deleted=5, returned=4, failed=3, expired=2),
            Counts(deleted=5, returned=4, delete_failures=3, expired=2),
        ),
        (Depth(1, 2, 3), Counts()),
        (Stalled("queue", "down"), Counts()),
    ],
)
def test_each_report_counts_what_it_says(report: Report, counts: Counts) -> None:
    assert count(report) == counts


def test_a_batch_counts_what_it_recorded_and_what_it_did_not() -> None:
    expected = Counts(
        fingerprints={"abc": 2, "def": 1}, undecodable=3, failed=1, unknown=2, unreadable=3
    )
    expected.add(OF_RECORDED)
    assert count(BATCH) == expected


def test_counts_add_up_and_leave_the_reports_as_they_are() -> None:
    totals = Counts()
    for _ in range(3):
        totals.add(count(BATCH))
    totals.add(count(Polled(7)))
    assert (totals.received, totals.events, totals.undecodable, totals.rejected) == (7, 9, 9, 9)
    assert totals.kinds == {"bounce": 6, "complaint": 3}
    assert totals.fingerprints == {"abc": 6, "def": 3}
    assert (RECORDED.kinds, RECORDED.reasons) == (KINDS, REASONS)
    assert BATCH.undecodable == {"abc": 2, "def": 1}


def test_every_number_is_published_for_prometheus_and_for_cloudwatch() -> None:
    fields = set(Counts.__struct_fields__)
    assert set(COUNTERS) == fields - set(SHARES)
    assert sorted(COUNTS.values()) == sorted(fields - set(SHARES.values()))
