"""Whatever a message holds, the decoder decodes it or raises a `MessageError`."""

import contextlib
import copy
import json
from datetime import UTC, datetime
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.local.ses_messages import SCHEMAS, Scenario
from sesbounce.errors import MessageError
from sesbounce.feedback.decode import decode, decode_all
from sesbounce.feedback.envelope import MAX_BYTES
from tests.support import AT, in_sns, mail, said

NOW = datetime(2026, 11, 20, tzinfo=UTC)

anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["Bounce", "Complaint", "Delivery", "Notification", "2026-11-20T12:00:00Z"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text()
            | st.sampled_from(["notificationType", "eventType", "bounce", "mail", "Type"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=20,
)


def decode_or_message_error(body: str | bytes) -> None:
    decode_all(body, NOW)
    with contextlib.suppress(MessageError):
        decode(body, NOW)


@given(st.binary(max_size=2000))
def test_any_bytes(body: bytes) -> None:
    decode_or_message_error(body)


@given(anything)
def test_any_json(value: Any) -> None:
    decode_or_message_error(json.dumps(value))
    decode_or_message_error(in_sns(json.dumps(value)))


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of everything in a JSON value."""
    items: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    return [path, *(p for key, inner in items for p in places(inner, (*path, key)))]


@given(anything)
def test_anything_in_a_wrapper(value: Any) -> None:
    for record in (value, {"Sns": value}, {"body": value}, {"body": json.dumps(value)}):
        decode_or_message_error(json.dumps({"Records": [record]}))
    decode_or_message_error(json.dumps({"requestPayload": value}))


@settings(max_examples=500)
@given(st.data(), anything)
def test_anything_in_the_place_of_anything(data: st.DataObject, value: Any) -> None:
    scenario = data.draw(st.sampled_from(list(Scenario)))
    message = copy.deepcopy(said(scenario, schema=data.draw(st.sampled_from(SCHEMAS))))
    path = data.draw(st.sampled_from(places(message)[1:]))
    target = message
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    decode_or_message_error(json.dumps(message))


def test_the_largest_message_there_can_be() -> None:
    message = said()
    recipients = message["bounce"]["bouncedRecipients"]
    recipients *= 8000
    padding = MAX_BYTES - len(json.dumps(message))
    message["mail"]["subject"] = "x" * (padding - len(', "subject": ""'))
    body = json.dumps(message)
    assert len(body) == MAX_BYTES
    assert len(decode(body).events) == 8000
    decode_or_message_error(body + " x")


@given(st.text(), st.text())
def test_any_address_and_any_mail_id(address: str, mail_id: str) -> None:
    message = said(about=mail(address, mail_id), at=AT)
    (event,) = decode(json.dumps(message)).events
    assert event.original == address
