"""Checks run one after the other; what stops one of them stops no other."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from sesbounce.doctor import report
from sesbounce.doctor.examine import Check, Group, examine, is_wanted
from sesbounce.doctor.finding import Finding, Status, broken, hint, setting
from sesbounce.errors import NotCheckedError, StoreError

FAULT = broken("a", "b", "Do c")
HINT = hint("d", "e", "Do f")
SETTING = setting("g", "h", "Change i")


def check(name: str, *findings: Finding, error: Exception | None = None, skip: str = "") -> Check:
    def run(_subject: str) -> Iterator[Finding]:
        yield from findings
        if error:
            raise error

    return Check(name, f"{name} is right", run, lambda _: skip)


def group(*checks: Check) -> Group:
    return Group(checks, lambda: ("subject",))


def test_the_worst_finding_is_the_status() -> None:
    checks = [check("a.all", SETTING, HINT, FAULT), check("a.hint", HINT), check("a.set", SETTING)]
    found = {r.id: (r.status, len(r.findings)) for r in examine([group(*checks)])}
    assert found == {
        "a.all": (Status.BROKEN, 3),
        "a.hint": (Status.HINT, 1),
        "a.set": (Status.OK, 1),
    }


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (NotCheckedError("there is none"), "there is none"),
        (StoreError("no table"), "no table"),
        (EndpointConnectionError(endpoint_url="https://sqs"), "Could not connect"),
        (
            ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetAccount"),
            "GetAccount failed (AccessDenied: no): allow these credentials to call it",
        ),
    ],
)
def test_what_can_t_be_read_is_skipped_and_the_rest_goes_on(error: Exception, reason: str) -> None:
    # A finding before the error says nothing for sure.
    first, second = examine([group(check("a.one", HINT, error=error), check("a.two"))])
    assert (first.status, first.findings) == (Status.SKIPPED, ())
    assert first.reason.startswith(reason)
    assert second.status is Status.OK

    def missing() -> tuple[Any, ...]:
        raise error

    first, second = examine([Group([check("a.one")], missing), group(check("b.one"))])
    assert first.status is Status.SKIPPED
    assert first.reason.startswith(reason)
    assert second.status is Status.OK

    unknown = check("a.one")._replace(skip=lambda *_: str(missing()))
    first, second = examine([group(unknown, check("a.two"))])
    assert first.status is Status.SKIPPED
    assert first.reason.startswith(reason)
    assert second.status is Status.OK


def test_a_resource_that_is_gone_is_broken() -> None:
    gone = ClientError({"Error": {"Code": "NotFound", "Message": "no"}}, "GetTopicAttributes")
    (found,) = examine([group(check("sns.topic", error=gone))])
    assert found.status is Status.BROKEN


def test_there_may_be_nothing_to_check() -> None:
    (found,) = examine([group(check("a.one", FAULT, skip="there is no a"))])
    assert (found.status, found.reason) == (Status.SKIPPED, "there is no a")


def test_the_subject_of_unwanted_checks_is_not_looked_for() -> None:
    def expensive() -> tuple[Any, ...]:
        raise AssertionError

    groups = [Group([check("a.one")], expensive), group(check("b.one"), check("b.two"))]
    assert [r.id for r in examine(groups, {"b.two"}.__contains__)] == ["b.two"]


def test_no_check_begins_after_the_time() -> None:
    times = iter([True, False])
    first, second = examine([group(check("a.one"), check("a.two"))], in_time=lambda: next(times))
    assert first.status is Status.OK
    assert second.status is Status.SKIPPED
    assert "--timeout" in second.reason


@pytest.mark.parametrize(
    ("only", "ignored", "wanted"),
    [
        ([], [], True),
        (["sqs"], [], True),
        (["sqs.queue"], [], True),
        (["sns"], [], False),
        (["sq"], [], False),
        ([], ["sqs"], False),
        ([], ["sqs.queue"], False),
        (["sqs"], ["sqs.queue"], False),
    ],
)
def test_checks_are_chosen_by_name_and_group(
    only: list[str], ignored: list[str], wanted: bool
) -> None:
    assert is_wanted("sqs.queue", only, ignored) is wanted


def test_results_are_shown() -> None:
    checks = [
        check("a.one", FAULT, SETTING),
        check("a.two"),
        check("a.three", skip="there is no a"),
        check("a.four", HINT),
        check("a.five", skip="there is no b"),
        check("a.six", skip="there is no a"),
        check("a.seven", HINT),
    ]
    results = list(examine([group(*checks)]))
    assert list(report.lines(results)) == [
        "broken   a.one: a: b. Do c.",
        "setting  a.one: g: h. Change i.",
        "ok       a.two: a.two is right",
        "hint     a.four: d: e. Do f.",
        "hint     a.seven: d: e. Do f.",
        "skipped  a.three, a.six: there is no a",
        "skipped  a.five: there is no b",
    ]
    assert report.total(results) == "1 broken, 2 hints, 3 skipped, 1 ok."
    assert report.total(results[1:]) == "nothing broken, 2 hints, 3 skipped, 1 ok."
    assert report.total([]) == "nothing broken."
    shown = report.shown(results[0])
    assert (shown.id, shown.status) == ("a.one", "broken")
    assert shown.findings[0] == {"weight": "broken", "what": "a", "why": "b", "remedy": "Do c"}
