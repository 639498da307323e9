"""Lines of the Embedded Metric Format, checked by the rules that AWS has published.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import json
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sesbounce.aws.depth import Depth
from sesbounce.store.result import Recorded
from sesbounce.telemetry.emf import COUNTS, UNITS, Tally
from sesbounce.telemetry.reports import (
    Acknowledged,
    BatchDone,
    Polled,
    Report,
    RunDone,
    Stalled,
    Swept,
)
from tests.unit.sesbounce.reported import BATCH, RECORDED

AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
CLOUDWATCH_UNITS = {"Seconds", "Count", "None"}
LIMIT = 16 * 1024  # where container runtimes cut a line


def lines(
    *reports: Report, healthy: bool = True, metrics: Collection[str] = ()
) -> list[dict[str, Any]]:
    tally = Tally("feedback", metrics)
    for report in reports:
        tally.add(report)
    return [checked(line) for line in tally.take(AT, healthy=healthy)]


def checked(line: str) -> dict[str, Any]:
    """Check that CloudWatch can make metrics from a line, and return it."""
    assert "\n" not in line
    assert len(line.encode()) < LIMIT
    document: dict[str, Any] = json.loads(line)
    metadata = document["_aws"]
    assert metadata.keys() == {"Timestamp", "CloudWatchMetrics"}
    assert type(metadata["Timestamp"]) is int
    assert abs(metadata["Timestamp"] - AT.timestamp() * 1000) < timedelta(days=14) / timedelta(
        milliseconds=1
    )
    (directive,) = metadata["CloudWatchMetrics"]
    assert directive.keys() == {"Namespace", "Dimensions", "Metrics"}
    assert 1 <= len(directive["Namespace"]) <= 255
    assert len(directive["Dimensions"]) >= 1
    for dimensions in directive["Dimensions"]:
        assert len(dimensions) <= 9
        for name in dimensions:
            assert 1 <= len(name) <= 255
            assert isinstance(document[name], str)
            assert document[name].isascii()
            assert 1 <= len(document[name]) <= 255
    assert 1 <= len(directive["Metrics"]) <= 100
    for metric in directive["Metrics"]:
        assert metric.keys() == {"Name", "Unit"}
        assert 1 <= len(metric["Name"]) <= 255
        assert metric["Unit"] in CLOUDWATCH_UNITS
        value = document[metric["Name"]]
        numbers = value if isinstance(value, list) else [value]
        assert 1 <= len(numbers) <= 100
        assert all(type(number) in {int, float} for number in numbers)
    names = [metric["Name"] for metric in directive["Metrics"]]
    assert len(set(names)) == len(names)
    return document


def names(line: dict[str, Any]) -> set[str]:
    return {metric["Name"] for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]}


def dimensions(line: dict[str, Any]) -> list[str]:
    (found,) = line["_aws"]["CloudWatchMetrics"][0]["Dimensions"]
    return list(found)


def test_a_minute_is_one_line_and_one_for_each_reason_and_kind() -> None:
    acknowledged = Acknowledged(deleted=5, returned=4, failed=3, expired=2)
    whole, *rest = lines(Polled(10), BATCH, Swept(RECORDED), acknowledged, Depth(1, 2, 3))
    assert whole["_aws"]["Timestamp"] == 1795176000000
    assert dimensions(whole) == ["Service"]
    assert whole["Service"] == "feedback"
    assert {name: whole[name] for name in names(whole)} == {
        "MessagesReceived": 10,
        "EventsRecorded": 6,
        "SenderFaults": 6,
        "Duplicates": 4,
        "AddressesSuppressed": 4,
        "AddressesReleased": 2,
        "RowsStruckOff": 10,
        "RowsRestored": 8,
        "StatementsRejected": 6,
        "Undecodable": 3,
        "Failed": 1,
        "MessagesUnknown": 2,
        "RecipientsUnreadable": 3,
        "MessagesDeleted": 5,
        "MessagesReturned": 4,
        "MessagesExpired": 2,
        "DeleteFailures": 3,
        "BatchSeconds": [0.2],
        "CommitSeconds": [0.04],
        "OldestMessageAge": 90,
        "QueueDepth": 6,
        "Healthy": 1,
    }
    assert whole["UndecodableFingerprints"] == {"abc": 2, "def": 1}
    assert whole["SenderFaultReasons"] == {"rate_limited": 4, "sender_blocked": 2}
    shares = [(line.get("Reason"), line.get("Kind"), names(line)) for line in rest]
    assert shares == [
        ("complaint_abuse", None, {"AddressesSuppressed"}),
        ("no_such_mailbox", None, {"AddressesSuppressed"}),
        (None, "bounce", {"EventsRecorded"}),
        (None, "complaint", {"EventsRecorded"}),
    ]
    assert [dimensions(line) for line in rest] == [["Service", "Reason"]] * 2 + [
        ["Service", "Kind"]
    ] * 2
    assert [line["EventsRecorded"] for line in rest[2:]] == [4, 2]


def test_an_idle_minute_is_one_line_of_zeros() -> None:
    (line,) = lines()
    assert {name: line[name] for name in names(line)} == {
        **dict.fromkeys(COUNTS, 0),
        "OldestMessageAge": 0,
        "Healthy": 1,
    }
    assert "UndecodableFingerprints" not in line
    assert "SenderFaultReasons" not in line


def test_every_metric_with_a_unit_has_a_value() -> None:
    swept = (Swept(Recorded(), incidents=0), Swept(Recorded(), stopped=0))
    assert names(lines(BATCH, Depth(0, 0, 0), *swept, RunDone())[0]) == set(UNITS)


def test_a_run_that_has_not_ended_well_is_no_metric() -> None:
    (line,) = lines(Polled(0))
    assert "RunsSucceeded" not in line


def test_the_chosen_metrics_are_made_and_the_line_holds_the_others() -> None:
    (line,) = lines(BATCH, RunDone(), metrics=["Failed", "RunsSucceeded", "SuspectedIncidents"])
    assert names(line) == {"Failed", "RunsSucceeded"}  # no sweep has looked for incidents
    assert (line["EventsRecorded"], line["BatchSeconds"]) == (3, [0.2])
    assert line["SuppressedByReason"] == {"no_such_mailbox": 1, "complaint_abuse": 1}
    assert line["RecordedByKind"] == {"bounce": 2, "complaint": 1}


def test_a_line_without_a_chosen_metric_is_a_line_of_the_log() -> None:
    tally = Tally("feedback", ["RunsSucceeded"])
    (line,) = map(json.loads, tally.take(AT, healthy=True))
    assert line["_aws"]["CloudWatchMetrics"] == []
    assert line["Healthy"] == 1


def test_the_number_of_incidents_holds_until_the_next_sweep() -> None:
    tally = Tally("feedback")
    # Two processes look at the same incidents; a sweep of the store says nothing about them.
    for report in (Swept(Recorded(), incidents=2), Swept(Recorded(), incidents=2)):
        tally.add(report)
    tally.add(Swept(Recorded()))
    for _ in range(2):
        (line,) = tally.take(AT, healthy=True)
        assert checked(line)["SuspectedIncidents"] == 2


def test_a_worker_that_is_not_healthy_is_zero() -> None:
    assert lines(Stalled("queue", "down"), healthy=False)[0]["Healthy"] == 0


def test_the_oldest_message_and_the_last_depth_count() -> None:
    ages = [BatchDone(1, {}, 0, Recorded(), 0.1, 0.1, age) for age in (5.0, 700.0, 3.0)]
    (line,) = lines(*ages, Depth(9, 9, 9), Depth(1, 0, 0))
    assert (line["OldestMessageAge"], line["QueueDepth"]) == (700, 1)


def test_a_depth_that_is_not_known_is_absent() -> None:
    (line,) = lines(Depth(9, 9, 9), Depth(1, None, 0))
    assert "QueueDepth" not in names(line)


def test_reports_count_once() -> None:
    tally = Tally("feedback")
    tally.add(BATCH)
    tally.add(Depth(1, 2, 3))
    tally.take(AT, healthy=True)
    (line,) = (checked(line) for line in tally.take(AT, healthy=True))
    assert line["EventsRecorded"] == 0
    assert "BatchSeconds" not in line
    assert "QueueDepth" not in line


def test_more_than_a_hundred_batches_need_further_lines() -> None:
    batches = [BatchDone(1, {}, 0, Recorded(events=1), n / 7, n / 70, 1.0) for n in range(250)]
    first, second, third = lines(*batches)
    assert [len(line["BatchSeconds"]) for line in (first, second, third)] == [100, 100, 50]
    assert names(second) == names(third) == {"BatchSeconds", "CommitSeconds"}
    assert first["EventsRecorded"] == 250
    seconds = first["BatchSeconds"] + second["BatchSeconds"] + third["BatchSeconds"]
    assert seconds == [round(n / 7, 6) for n in range(250)]


def test_of_many_fingerprints_a_line_holds_the_most_frequent() -> None:
    many = {f"{n:012x}": n for n in range(1, 1001)}
    (line,) = lines(BatchDone(500500, many, 0, Recorded(), 0.1, 0.1, 1.0))
    assert line["Undecodable"] == 500500
    assert len(line["UndecodableFingerprints"]) == 50
    assert min(line["UndecodableFingerprints"].values()) == 951


COUNTED = st.dictionaries(st.sampled_from(["bounce", "complaint", "abuse"]), st.integers(0, 99))
BATCHES = st.builds(
    BatchDone,
    st.integers(0, 1000),
    st.dictionaries(st.text("abcdef0123456789", min_size=12, max_size=12), st.integers(1, 99)),
    st.integers(0, 99),
    st.builds(Recorded, st.integers(0, 99), kinds=COUNTED, reasons=COUNTED, rejected=COUNTED),
    st.floats(0, 1e5),
    st.floats(0, 1e5),
    st.floats(0, 1e7),
)


@given(st.lists(st.one_of(BATCHES, st.builds(Polled, st.integers(0, 10))), max_size=300))
def test_any_reports_are_printed_once_and_by_the_rules(reports: list[Report]) -> None:
    printed = lines(*reports)
    batches = [report for report in reports if isinstance(report, BatchDone)]
    assert sum(len(line.get("BatchSeconds", [])) for line in printed) == len(batches)
    for dimension, name, by in (
        ("Kind", "EventsRecorded", "kinds"),
        ("Reason", "AddressesSuppressed", "reasons"),
    ):
        split = sum(line[name] for line in printed if dimension in line)
        assert split == sum(sum(getattr(batch.recorded, by).values()) for batch in batches)
    assert printed[0]["EventsRecorded"] == sum(batch.recorded.events for batch in batches)
