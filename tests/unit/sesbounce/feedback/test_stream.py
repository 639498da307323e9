import json
from typing import Any

import pytest

from scripts.local.ses_messages import Scenario
from sesbounce.feedback.decode import decode
from sesbounce.feedback.stream import ONE_STREAM, StreamBy, read_stream_by, stream_name
from tests.support import TOPIC, in_sns, mail, said


def complaint(**mail_fields: Any) -> dict[str, Any]:
    message = said(Scenario.COMPLAINT, mail(configuration_set="news"), "event")
    message["mail"] |= mail_fields
    return message


def streams(message: Any, by: str) -> set[str | None]:
    body = message if isinstance(message, str) else json.dumps(message)
    return {event.stream for event in decode(body, stream_by=read_stream_by(by)).events}


@pytest.mark.parametrize(
    ("by", "stream"),
    [
        ("none", None),
        ("configuration-set", "news"),
        ("tenant", "acme"),
        ("tag:list", "Offers of May"),
        ("tag:ses:from-domain", "example.com"),
        ("tag:missing", None),
        ("topic", "sesbounce-feedback"),
    ],
)
def test_a_setting_says_what_names_the_stream(by: str, stream: str | None) -> None:
    message = complaint()
    message["mail"]["tags"] |= {"list": [" Offers of May ", "second"], "ses:tenant-name": ["acme"]}
    assert TOPIC.endswith(":sesbounce-feedback")
    assert streams(in_sns(message), by) == {stream}


def test_a_message_without_an_envelope_has_no_topic() -> None:
    assert streams(complaint(), "topic") == {None}


@pytest.mark.parametrize("tags", [None, [], "news", {"ses:configuration-set": 7}, {"x": [1]}])
def test_tags_that_can_t_be_read_cost_no_event(tags: Any) -> None:
    assert streams(complaint(tags=tags), "configuration-set") == {None}


def test_a_notification_of_an_identity_has_no_stream() -> None:
    assert streams(said(Scenario.COMPLAINT), "configuration-set") == {None}


@pytest.mark.parametrize("text", ["a", "news", "Offers of May", "x" * 256, "~!?A"])
def test_what_can_be_a_name(text: str) -> None:
    assert stream_name(f" {text}\n") == text


@pytest.mark.parametrize("text", ["", " ", "x" * 257, "jane@example.com", "a\0b", "a\nb", "é"])
def test_what_can_t_be_a_name(text: str) -> None:
    assert stream_name(text) is None


def test_the_default_has_one_stream() -> None:
    assert read_stream_by("none") == ONE_STREAM == StreamBy()
    assert {event.stream for event in decode(json.dumps(complaint())).events} == {None}


@pytest.mark.parametrize(
    "text", ["", "set", "tag", "tag:", "tag:a b", "topic:x", "none:x", "Topic"]
)
def test_a_wrong_setting_is_rejected(text: str) -> None:
    with pytest.raises(ValueError, match="should be none, configuration-set, tenant, topic or tag"):
        read_stream_by(text)
