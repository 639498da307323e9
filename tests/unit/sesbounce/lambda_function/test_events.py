from typing import Any

import pytest

from sesbounce.errors import InvocationError
from sesbounce.lambda_function.events import read_event
from tests.invoking import SWEEP, messages, record
from tests.support import AT


def test_the_messages_of_an_event_as_aws_documents_it() -> None:
    event = {"Records": [record(0, "Test message."), record(1, "Another one.", times=3)]}
    read = read_event(event)
    assert isinstance(read, list)
    first, second = read
    assert first.id == event["Records"][0]["messageId"]
    assert (first.body, first.times, first.sent_at) == ("Test message.", 1, AT)
    assert (second.body, second.times) == ("Another one.", 3)


def test_the_time_of_a_sweep() -> None:
    assert read_event(SWEEP) == "sweep"


@pytest.mark.parametrize(
    ("event", "problem"),
    [
        ({}, "missing required field `sesbounce`"),
        (None, "Expected `object`, got `null`"),
        ([], "Expected `object`, got `array`"),
        ({"sesbounce": "rebuild"}, r"'rebuild' - at `\$.sesbounce`"),
        ({"Records": []}, "holds no message"),
        ({"Records": {}}, r"Expected `array`, got `object` - at `\$.Records`"),
        (
            {"Records": [{"Sns": {}, "EventSource": "aws:sns"}]},
            "missing required field `messageId`",
        ),
        (messages("x")["Records"], "Expected `object`, got `array`"),
        ({"Records": [record(0, "x") | {"eventSource": "aws:kafka"}]}, "eventSource"),
        ({"source": "aws.ses", "detail-type": "Bounce"}, "missing required field `sesbounce`"),
    ],
)
def test_another_event_is_an_error(event: Any, problem: str) -> None:
    with pytest.raises(InvocationError, match=problem):
        read_event(event)
