import logging
from typing import Any

import pytest
import sqlalchemy as sa

from sesbounce import client, guard
from sesbounce.errors import ConfigurationError
from sesbounce.feedback.manual import decide
from sesbounce.feedback.reason import Reason
from sesbounce.guard.cache import Cache
from tests import stored
from tests.support import AT
from tests.unit.sesbounce.guard.asked import Said, Suppressing

JANE, MARY = "jane@example.com", "mary@example.com"


def test_the_database_answers(engine: sa.Engine) -> None:
    suppress = decide(JANE, Reason.SUPPRESSED_BY_HAND, AT)
    stored.store(engine).record([suppress], AT)
    found = guard.Guard(on_error="refuse", database=engine).refused([JANE, MARY])
    assert found == {JANE: client.answers([JANE], engine)[JANE].why}


def test_an_answer_counts_for_some_seconds() -> None:
    now = 0.0
    cache: Cache[Said] = Cache(10, 2, lambda: (now,))
    yes, no = Said(True, "yes"), Said(False, "no")
    cache.put({"a": yes, "b": no}, cache.clock())
    now = 9.9
    assert cache.get(["a", "b", "c"]) == {"a": yes, "b": no}
    cache.put({"c": yes}, cache.clock())
    assert cache.get(["a", "b", "c"]) == {"b": no, "c": yes}, "of three, the oldest goes"
    now = 10
    assert cache.get(["a", "b", "c"]) == {"c": yes}


def test_an_answer_that_was_long_under_way_counts_from_the_question() -> None:
    now = 0.0
    cache: Cache[Said] = Cache(10, clock=lambda: (now,))
    asked, now = cache.clock(), 8.0
    cache.put({"a": Said(True, "yes")}, asked)
    now = 10.0
    assert cache.get(["a"]) == {}
    cache.put({"a": Said(True, "yes")}, asked)
    now = 5.0
    assert cache.get(["a"]) == {"a": Said(True, "yes")}, "the answer that came too late is not kept"


def test_the_answer_to_a_later_question_stays() -> None:
    """Of two threads the one whose answer is older may be the last to have it."""
    now = 0.0
    cache: Cache[Said] = Cache(10, clock=lambda: (now,))
    yes, no = Said(True, "yes"), Said(False, "no")
    first, now = cache.clock(), 1.0
    cache.put({"a": no}, cache.clock())
    cache.put({"a": yes, "b": yes}, first)
    assert cache.get(["a", "b"]) == {"a": no, "b": yes}


def test_an_answer_ends_while_the_machine_sleeps_or_its_clock_is_set() -> None:
    running, of_day = 100.0, 1_000.0
    cache: Cache[Said] = Cache(10, clock=lambda: (running, of_day))
    yes = Said(True, "yes")
    cache.put({"a": yes}, cache.clock())
    of_day = 1_011.0
    assert cache.get(["a"]) == {}
    cache.put({"a": yes}, cache.clock())
    of_day = 500.0
    assert cache.get(["a"]) == {"a": yes}
    running = 110.0
    assert cache.get(["a"]) == {}


@pytest.mark.parametrize(
    ("passed", "problem"),
    [
        (JANE, "this is one str"),
        ([None], "number 1 is a NoneType"),
        ([MARY, b"x"], "number 2 is a bytes"),
        ([("Jane", JANE)], "number 1 is a tuple"),
    ],
)
def test_recipients_are_texts_and_never_letters(passed: Any, problem: str) -> None:
    with pytest.raises(TypeError, match=problem):
        guard.Guard(on_error="send", answers=Suppressing()).refused(passed)


@pytest.mark.parametrize(("seconds", "questions"), [(10.0, 1), (0.0, 2)])
def test_spellings_share_an_answer(seconds: float, questions: int) -> None:
    answers = Suppressing(JANE)
    asking = guard.Guard(on_error="refuse", answers=answers, cache_seconds=seconds)
    assert asking.refused([JANE, "Jane <JANE@example.com>"]).keys() == {
        JANE,
        "Jane <JANE@example.com>",
    }
    assert asking.refused([JANE]) == {JANE: "hard bounce"}
    assert len(answers.asked) == questions


def test_what_is_dropped_is_logged_without_the_address(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        guard.Guard(on_error="refuse", answers=Suppressing(JANE)).refused([JANE, MARY])
    assert caplog.messages == ["The guard drops 1 of 2 recipients."]


def test_a_callback_gets_it_instead(caplog: pytest.LogCaptureFixture) -> None:
    dropped: list[tuple[str, str]] = []
    answers = Suppressing(JANE)
    asking = guard.Guard(
        on_error="refuse", answers=answers, on_dropped=lambda *one: dropped.append(one)
    )
    asking.refused([JANE, MARY])
    assert dropped == [(JANE, "hard bounce")]
    assert not caplog.messages


def test_a_wrong_setting_is_an_error_even_if_mail_is_sent_on_errors(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SESBOUNCE_HASH_KEY", "short")
    with pytest.raises(ConfigurationError, match="too short"):
        guard.Guard(on_error="send").refused([JANE])
    with pytest.raises(ConfigurationError, match="answers alone"):
        guard.Guard(on_error="send", answers=Suppressing(), stream="news")
