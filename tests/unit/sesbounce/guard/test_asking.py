import logging

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
    cache: Cache[Said] = Cache(10, 2, lambda: now)
    yes, no = Said(True, "yes"), Said(False, "no")
    cache.put({"a": yes, "b": no})
    now = 9.9
    assert cache.get(["a", "b", "c"]) == {"a": yes, "b": no}
    cache.put({"c": yes})
    assert cache.get(["a", "b", "c"]) == {"b": no, "c": yes}, "of three, the oldest goes"
    now = 10
    assert cache.get(["a", "b", "c"]) == {"c": yes}


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
