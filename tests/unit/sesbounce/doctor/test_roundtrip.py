"""A mail to SES's simulator is followed until its event is recorded."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
import sqlalchemy as sa
from botocore.stub import Stubber

from scripts.local.ses_messages import Scenario
from sesbounce.doctor.finding import Result, Status
from sesbounce.doctor.roundtrip import roundtrip
from sesbounce.feedback.decode import decode
from sesbounce.store.lookup import Lookup
from sesbounce.store.strike_off import StrikeOff
from tests.stored import store
from tests.support import mail, said

SES: Any = boto3.Session("test", "test", region_name="eu-west-1").client("ses")
MAILS = {"mail-b": (Scenario.BOUNCE, "bounce"), "mail-c": (Scenario.COMPLAINT, "complaint")}


def follow(engine: sa.Engine, arriving: dict[int, str], seconds: float = 5) -> list[Result]:
    """Follow both mails; before which question which of their events is recorded."""
    writer = store(engine, StrikeOff())
    waited = [0]

    def wait(_seconds: float) -> None:
        waited[0] += 1
        if mail_id := arriving.get(waited[0]):
            scenario, name = MAILS[mail_id]
            about = mail(f"{name}@simulator.amazonses.com", mail_id)
            writer.record([decode(json.dumps(said(scenario, about)))], datetime.now(UTC))

    with Stubber(SES) as stub:
        for mail_id in MAILS:
            stub.add_response("send_email", {"MessageId": mail_id})
        return list(roundtrip(SES, Lookup(engine), "me@example.com", None, seconds, wait))


def test_each_event_is_reported_when_it_is_recorded(engine: sa.Engine) -> None:
    second, first = follow(engine, {1: "mail-c", 3: "mail-b"})[::-1]
    assert (first.id, first.status) == ("roundtrip.complaint", Status.OK)
    assert (second.id, second.status) == ("roundtrip.bounce", Status.OK)
    assert first.title.startswith(
        "SES accepted the mail to complaint@simulator.amazonses.com after"
    )
    assert "the worker recorded it" in first.title


def test_an_event_that_does_not_come_is_broken(engine: sa.Engine) -> None:
    first, second = follow(engine, {1: "mail-b"}, seconds=3)
    assert first.status is Status.OK
    (finding,) = second.findings
    assert (second.id, second.status) == ("roundtrip.complaint", Status.BROKEN)
    assert finding.what == (
        "no complaint of the mail mail-c to complaint@simulator.amazonses.com was recorded within "
        "3 seconds"
    )


def test_an_event_of_an_earlier_mail_does_not_count(engine: sa.Engine) -> None:
    earlier = mail("bounce@simulator.amazonses.com", "mail-0")
    at = datetime.now(UTC) - timedelta(minutes=1)
    store(engine, StrikeOff()).record([decode(json.dumps(said(Scenario.BOUNCE, earlier)))], at)
    assert [r.status for r in follow(engine, {}, seconds=2)] == [Status.BROKEN, Status.BROKEN]


def test_a_sender_that_ses_rejects_is_broken(engine: sa.Engine) -> None:
    def never(_seconds: float) -> None:
        pytest.fail("there is nothing to wait for")

    with Stubber(SES) as stub:
        for _ in MAILS:
            stub.add_client_error("send_email", "MessageRejected", "not verified")
        results = list(roundtrip(SES, Lookup(engine), "me@example.com", "news", 5, never))
    assert [r.status for r in results] == [Status.BROKEN, Status.BROKEN]
    assert "SES rejects mail from me@example.com (MessageRejected: not verified)" in (
        results[0].findings[0].what
    )
