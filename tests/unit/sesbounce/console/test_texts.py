"""The texts: none is missing, none is unused, and all languages say the same."""

import re
from pathlib import Path
from typing import get_args

import pytest

from sesbounce.console import texts
from sesbounce.console.asking import PLACES
from sesbounce.console.incident_changes import Action
from sesbounce.console.letters import WHICH
from sesbounce.console.roles import OTHER, ROLES
from sesbounce.console.texts import LANGUAGES, language_of, texts_of
from sesbounce.console.what_if import CHOICES, NUMBERS
from sesbounce.doctor.finding import Status, Weight
from sesbounce.feedback.kind import Kind
from sesbounce.feedback.reason import Effect, Reason
from sesbounce.policy.rates import Metric, SendingState
from sesbounce.store.acts import Act
from sesbounce.store.workers import WorkerStatus

STATES = {"suspected", "open", "closed", "withdrawn"}
PACKAGE = Path(texts.__file__).parent
# Keys whose last part is a value, by what comes before it.
VALUES: dict[str, set[str]] = {
    "reason": set(Reason),
    "effect": set(Effect),
    "kind": set(Kind),
    "role": {*ROLES, OTHER},
    "nav": {place.key for place in PLACES},
    "audit.act": set(Act),
    "doctor.status": {*Status, *Weight},
    "deliveries.state": {"ok", "waiting", "stopped", "removed"},
    "letters.queue": set(WHICH),
    "letters.about": set(WHICH),
    "letters.look": set(WHICH),
    "status": {"free", "suppressed", "limited"},
    "done": {"allowed", "suppressed", "undone", "forgotten"},
    "state": set(SendingState),
    "metric": set(Metric),
    "level": {"review", "pause"},
    "overview": {
        "mails",
        "hard",
        "soft",
        "complaints",
        "not_attempted",
        "rejected",
        "sender_faults",
    },
    "overview.incident": {"suspected", "open", "closed"},
    "workers.status": set(WorkerStatus),
    "difference": {"released", "suppressed", "changed"},
    **{f"incidents.{key}": STATES for key in ("state", "about", "set", "hint")},
    "what_if.number": set(NUMBERS),
    "what_if.possible": set(CHOICES),
    "incidents.plan": set(get_args(Action)),
    "list.wrong": {"domain", "reason", "since", "stream"},
}


def keys(language: str) -> dict[str, str]:
    return dict(texts_of(language)._texts)


def places(text: str) -> set[str]:
    return set(re.findall(r"\{(\w*)\}", text))


def test_each_language_has_each_text_with_the_same_values() -> None:
    english, *others = (keys(language) for language in LANGUAGES)
    assert others
    for other in others:
        assert set(other) == set(english)
        assert {k: places(text) for k, text in other.items()} == {
            k: places(text) for k, text in english.items()
        }
        same = [key for key, text in other.items() if text == english[key]]
        assert len(same) < 5, same


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_text_is_one_line_without_blanks_around(language: str) -> None:
    assert [key for key, text in keys(language).items() if text.split() != text.split(" ")] == []


def used() -> set[str]:
    """The keys that the templates and the code name."""
    found: set[str] = set()
    for template in PACKAGE.glob("templates/*.html"):
        source = template.read_text()
        found |= set(re.findall(r'\bt\("([\w.]+)"[,)]', source))
        found |= {
            f"{key}.{number}"
            for key in re.findall(r't\.counted\("([\w.]+)"', source)
            for number in ("one", "more")
        }
        for prefix in re.findall(r'\bt\("([\w.]+)" ~', source):
            head = prefix.rstrip("._")
            if head != "attribute":
                found |= {prefix + value for value in VALUES[head]}
    code = "\n".join(file.read_text() for file in PACKAGE.glob("*.py"))
    found |= set(
        re.findall(
            r'"((?:bulk|login|decide|undo|gate|chart|incidents|workers|letters)\.\w+)"', code
        )
    )
    errors = set(re.findall(r"PageError\(\s*HTTPStatus[\w.()]*, \"(\w+)\"", code))
    found |= {f"error.{key}.{part}" for key in errors for part in ("title", "text")}
    found |= {f"verdict.{effect}" for effect in Effect if effect.is_evidence}
    found |= {f"verdict.{key}" for key in re.findall(r'return "(\w+)", ', code)}
    found |= {"verdict.nothing", "verdict.unknown"}
    found |= {
        f"attribute.{key}" for key in re.findall(r'^            "(\w+)": ', code, re.MULTILINE)
    }
    return found | {"attribute.recorded_at"}


def test_each_text_is_used_and_each_that_is_used_exists() -> None:
    # A delivery, or a person who allows, suppresses nothing.
    assert used() - {"verdict.delivered"} == set(keys("en"))


@pytest.mark.parametrize(
    ("chosen", "accepted", "language"),
    [
        (None, "", "en"),
        (None, "ja", "ja"),
        (None, "ja-JP,ja;q=0.9,en;q=0.8", "ja"),
        (None, "fr-FR, en-GB;q=0.5, ja;q=0.7", "ja"),
        (None, "fr", "en"),
        (None, "ja;q=0", "en"),
        (None, "ja;q=x, *", "en"),
        ("ja", "en", "ja"),
        ("en", "ja", "en"),
        ("xx", "ja", "ja"),
    ],
)
def test_the_language_is_the_chosen_or_the_preferred_one(
    chosen: str | None, accepted: str, language: str
) -> None:
    assert language_of(chosen, accepted) == language


def test_a_text_escapes_its_values_and_shows_their_unsafe_characters() -> None:
    text = texts_of("en")("address.by", who="<b>\u202ex\0")
    assert text == r"by &lt;b&gt;\u202ex\x00"
    assert texts_of("en").counted("told.attempts", 1) == "1 attempt failed"
    assert texts_of("en").counted("told.attempts", 2345) == "2,345 attempts failed"
    assert "<code>sesbounce doctor</code>" in texts_of("en")("overview.none")
    with pytest.raises(KeyError):
        texts_of("en")("nothing")
