"""Which letters are understood, how they are grouped, and which ones are selected."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sesbounce.aws.dead_letters import Letter
from sesbounce.aws.sns_trust import Trust
from sesbounce.dead_letters.examining import Examiner, Wanted
from sesbounce.dead_letters.grouping import Diagnosis, Groups, expires_at
from sesbounce.errors import CertificateError
from sesbounce.feedback.decode import decode_all
from tests.support import AT, TOPIC, in_sns, said

DAY = timedelta(days=1)
GOOD = in_sns(said())


def letter(body: str = "", at: datetime | None = AT, **attributes: str) -> Letter:
    values = {name: {"DataType": "String", "StringValue": v} for name, v in attributes.items()}
    return Letter(f"id-{body[:5]}-{at}", "r", body, 1, at, values)


def examined(body: str, trust: Trust | None = None) -> Diagnosis:
    return Examiner(trust or Trust()).examine(letter(body))


def test_a_letter_that_the_worker_would_record_is_understood_and_named_by_its_type() -> None:
    assert examined(GOOD).understood
    assert examined(GOOD).problem == "Bounce"
    assert examined(GOOD).fingerprint == examined(json.dumps(said())).fingerprint


def test_the_fingerprint_of_a_problem_is_that_of_the_workers_log() -> None:
    (error,) = decode_all("no JSON")
    found = examined("no JSON")
    assert (found.understood, found.fingerprint) == (False, error.fingerprint)  # type: ignore[union-attr]
    assert examined("no JSON at all").fingerprint == found.fingerprint


def test_a_letter_of_several_messages_is_understood_only_as_a_whole() -> None:
    records = [{"body": json.dumps(said())}, {"body": "no JSON"}]
    assert not examined(json.dumps({"Records": records})).understood
    assert examined(json.dumps({"Records": records[:1] * 2})).understood


def test_a_letter_that_must_not_be_trusted_is_not_understood() -> None:
    assert examined(GOOD, Trust([TOPIC])).understood
    found = examined(GOOD, Trust([f"{TOPIC}2"]))
    assert not found.understood
    assert "SESBOUNCE_TOPIC_ARNS" in found.problem


def test_a_certificate_that_can_not_be_fetched_is_a_problem_of_its_own() -> None:
    def fetch(_: str) -> bytes:
        raise CertificateError("no route")

    found = examined(GOOD, Trust(signatures=True, fetch=fetch))
    assert (found.understood, found.problem) == (
        False,
        "the certificate of its signature can't be fetched",
    )


def test_groups_count_letters_by_the_code_of_sns_or_else_by_fingerprint() -> None:
    groups = Groups(14 * DAY)
    for one in (
        letter(GOOD),
        letter("no", AT - DAY),
        letter("no!", AT + DAY),
        letter("no", None),
        letter(GOOD, AT - 2 * DAY, ErrorCode="AccessDenied", ErrorMessage="not jane@example.com"),
        letter("no", AT - 3 * DAY, ErrorCode="AccessDenied", ErrorMessage="another"),
    ):
        groups.add(one, Examiner(Trust()).examine(one))
    newest, good, denied = groups.all()
    assert (newest.code, newest.count, newest.understood) == (None, 3, 0)
    assert (newest.first, newest.last) == (AT - DAY, AT + DAY)
    assert newest.expires_at == AT + 13 * DAY
    assert (good.problem, good.count, good.understood) == ("Bounce", 1, 1)
    assert (denied.code, denied.count, denied.understood) == ("AccessDenied", 2, 1)
    assert (denied.problem, denied.place) == ("not jane@example.com", None)
    assert denied.expires_at == expires_at(AT - 3 * DAY, 14 * DAY) == AT + 11 * DAY


@pytest.mark.parametrize(
    ("wanted", "selected"),
    [
        ({}, True),
        ({"before": AT}, False),
        ({"before": AT + DAY}, True),
        ({"since": AT}, True),
        ({"since": AT + DAY}, False),
        ({"codes": ["AccessDenied"]}, True),
        ({"codes": ["AccessDenied2"]}, False),
        ({"understood": True}, True),
        ({"understood": False}, False),
        ({"ids": [letter(GOOD).id]}, True),
        ({"ids": ["another"]}, False),
        ({"fingerprints": [examined(GOOD).fingerprint]}, True),
        ({"fingerprints": [examined("no").fingerprint]}, False),
        ({"fingerprints": [examined(GOOD).fingerprint], "before": AT}, False),
    ],
)
def test_a_letter_is_selected_by_all_that_is_wanted(
    wanted: dict[str, Any], *, selected: bool
) -> None:
    chosen = Wanted(**wanted)
    assert chosen.everything is (wanted == {})
    assert chosen.selects(letter(GOOD, ErrorCode="AccessDenied"), examined(GOOD)) is selected


def test_a_letter_whose_time_is_not_known_has_any_age() -> None:
    now = datetime.now(UTC)
    assert Wanted(before=AT, since=now).selects(letter(GOOD, None), examined(GOOD))
