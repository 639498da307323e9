"""The examples of docs/decisions.md: the real classifier and the real policy say what it says."""

import json
import re
import shlex
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from scripts.local.ses_messages import Scenario
from sesbounce.feedback.decode import decode
from sesbounce.feedback.extract import Event
from sesbounce.feedback.manual import decide
from sesbounce.feedback.reason import Reason
from sesbounce.policy.incident import Incident
from sesbounce.policy.merge import learn, merge
from sesbounce.policy.state import State
from sesbounce.policy.verdict import judge
from sesbounce.settings import Settings
from tests.support import mail, said

PAGE = Path(__file__).parents[2] / "docs/decisions.md"
SECTIONS = {
    section.partition("\n")[0]: section
    for section in PAGE.read_text("utf-8").split("\n## ")
    if "| day |" in section
}
MINUTE = timedelta(minutes=1)


def rows(section: str) -> list[list[str]]:
    """The rows of the section's table, without its head."""
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:]]


def happened(what: str, address: str, at: datetime) -> Event | None:
    """The event that a row describes; None where time alone passes."""
    about = mail(address, f"mail-{at.isoformat()}")
    quoted = re.findall(r"`([^`]*)`", what)
    match what.split(maxsplit=1)[0].rstrip(":"):
        case "delivery":
            message = said(Scenario.SUCCESS, about, at=at)
        case "complaint":
            message = said(Scenario.COMPLAINT, about, at=at - timedelta(seconds=1))
            message["complaint"]["complaintFeedbackType"] = quoted[0]
        case "bounce":
            bounce_type, sub_type, status, words = quoted
            message = said(Scenario.BOUNCE, about, at=at)
            message["bounce"] |= {"bounceType": bounce_type, "bounceSubType": sub_type}
            message["bounce"]["bouncedRecipients"] = [recipient(address, status, words)]
        case "delay":
            delay, status, words = quoted
            message = delayed(said(Scenario.BOUNCE, about, "event", at), delay)
            message["deliveryDelay"]["delayedRecipients"] = [recipient(address, status, words)]
        case "person":
            _, command, named, option, note = shlex.split(quoted[0])
            assert (command, named, option) == ("allow", address, "--note")
            return decide(address, Reason.ALLOWED_BY_HAND, at, note=note).events[0]
        case "no":
            return None
        case other:
            pytest.fail(f"{other}: {what}")
    (event,) = decode(json.dumps(message)).events
    return event


def recipient(address: str, status: str, words: str) -> dict[str, str]:
    return {"emailAddress": address, "status": status, "diagnosticCode": f"smtp; {words}"}


def delayed(message: dict[str, Any], delay: str) -> dict[str, Any]:
    bounce = message.pop("bounce")
    detail = {"timestamp": bounce["timestamp"], "delayType": delay}
    return message | {"eventType": "DeliveryDelay", "deliveryDelay": detail}


def incidents(section: str) -> list[Incident]:
    found = re.findall(r"for `(\w+)` from (\S+Z) to (\S+Z)", section)
    return [
        Incident(provider=name, begins=moment(begins), ends=moment(ends))
        for name, begins, ends in found
    ]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize("name", SECTIONS)
def test_the_page_says_what_is_decided(name: str) -> None:
    section = SECTIONS[name]
    (address,) = set(re.findall(r"^`(\S+@\S+)`:", section, re.MULTILINE))
    policy, state = Settings().policy, State()
    decided = []
    for minute, (day, what, *_) in enumerate(rows(section)):
        at = datetime.fromisoformat(f"{day}T12:00:00+00:00") + minute * MINUTE
        event = happened(what, address, at)
        if event:
            state = merge(state, learn(event))
        verdict = judge(state, policy, incidents(section), address)
        answer = "no" if verdict.suppressed_at(at) else "yes"
        classified = f"`{event.reason}`, `{event.effect}`" if event else ""
        decided.append([day, what, classified, f"{answer}: {verdict.why}"])
    assert rows(section) == decided


def test_the_page_follows_five_mailboxes() -> None:
    assert PAGE.read_text("utf-8").count("five mailboxes") == 1
    assert len(SECTIONS) == 5
