"""To undo a decision is as if it had never been made."""

from collections.abc import Sequence
from datetime import timedelta

import pytest
import sqlalchemy as sa

from scripts.local.ses_messages import Scenario
from sesbounce.feedback.manual import decide
from sesbounce.feedback.reason import Reason
from sesbounce.feedback.recording import Recording
from sesbounce.operations.rebuild import Rebuild
from sesbounce.operations.undo import Undoing, Undone, undo
from sesbounce.store.acts import Act, Done
from sesbounce.store.store import Store
from sesbounce.store.strike_off import StrikeOff
from tests import stored
from tests.stored import DAY, decoded, rows, table
from tests.support import AT

JANE = "jane@example.com"
NOW = AT + 3 * DAY
ROWS = "SELECT address, state, suppressed_since, suppressed_until, reason, why, struck_off"


@pytest.fixture
def store(engine: sa.Engine) -> Store:
    return stored.store(engine, StrikeOff())


def soft(number: int) -> list[Recording]:
    return [decoded(Scenario.MAILBOX_FULL, day, JANE) for day in range(number)]


def decision(reason: Reason, days: float, address: str = JANE) -> Recording:
    return decide(address, reason, AT + timedelta(days=days), by="ann", note="n")


def key_of(recording: Recording) -> str:
    (event,) = recording.events
    return event.dedupe_key


def addresses(engine: sa.Engine) -> list[object]:
    return rows(engine, f"{ROWS} FROM feedback_address ORDER BY address")


ALLOW, SUPPRESS = Reason.ALLOWED_BY_HAND, Reason.SUPPRESSED_BY_HAND


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        pytest.param(soft(3), ALLOW, id="a probation keeps its end"),
        pytest.param([decoded(Scenario.SUPPRESSIONLIST, 0, JANE)], ALLOW, id="not attempted"),
        pytest.param([decoded(Scenario.BOUNCE, 0, JANE)], ALLOW, id="hard bounce"),
        pytest.param(soft(2), SUPPRESS, id="strikes still count"),
        pytest.param([decoded(Scenario.SUCCESS, 0, JANE)], SUPPRESS, id="delivered"),
        pytest.param(
            [decoded(Scenario.COMPLAINT, 0, JANE), decision(ALLOW, 1)],
            SUPPRESS,
            id="allowed before",
        ),
        pytest.param([decision(SUPPRESS, 1)], ALLOW, id="suppressed before"),
        pytest.param(
            [decision(ALLOW, 0.5), decision(SUPPRESS, 1)], ALLOW, id="suppressed after allowed"
        ),
    ],
)
def test_the_row_is_as_before_also_after_a_rebuild(
    store: Store, engine: sa.Engine, before: Sequence[Recording], reason: Reason
) -> None:
    store.record(before, AT)
    was = addresses(engine)
    made = decision(reason, 2.5)
    store.record([made], NOW)
    assert addresses(engine) != was
    undone = undo(
        store, Undoing(decisions={JANE: key_of(made)}, at=NOW + DAY, by="ben", note="a mistake")
    )
    assert undone == Undone([JANE], {})
    assert addresses(engine) == was
    assert list(Rebuild(store, NOW + DAY).apply()) == []
    assert addresses(engine) == was
    log = "SELECT reason, effect, source, diagnostic, basis FROM feedback_event ORDER BY id"
    opposite = SUPPRESS if reason is ALLOW else ALLOW
    assert rows(engine, log)[-2:] == [
        (reason, "none", "ann", "n", "a person's decision"),
        (opposite, "none", "ben", "a mistake", "undoes a decision"),
    ]


def test_evidence_that_came_meanwhile_counts(store: Store, engine: sa.Engine) -> None:
    made = decision(SUPPRESS, 1)
    store.record([made], NOW)
    store.record([decoded(Scenario.BOUNCE, 2, JANE)], NOW)
    undo(store, Undoing(decisions={JANE: key_of(made)}, at=NOW, by="ben", note=""))
    assert rows(engine, "SELECT address, reason FROM suppressed") == [(JANE, "no_such_mailbox")]


def test_only_decisions_that_count_are_undone(store: Store, engine: sa.Engine) -> None:
    first, second = decision(ALLOW, 1), decision(SUPPRESS, 2)
    other = decision(SUPPRESS, 1, "joe@example.com")
    store.record([first, second, other], NOW)
    was = table(engine, "feedback_address"), table(engine, "feedback_event")
    done = Done(act=Act.BULK_UNDONE, at=NOW, by="ben")
    for decisions in ({JANE: key_of(first)}, {"nobody@example.com": key_of(first)}, {JANE: "x"}):
        assert undo(
            store, Undoing(decisions=decisions, at=NOW, by="ben", note="", done=done)
        ) == Undone([], {})
    assert (table(engine, "feedback_address"), table(engine, "feedback_event")) == was
    both = {JANE: key_of(first), "joe@example.com": key_of(other)}
    assert undo(store, Undoing(decisions=both, at=NOW, by="ben", note="", done=done)).addresses == [
        "joe@example.com"
    ]
    assert rows(engine, "SELECT act, number FROM feedback_act") == [("bulk_undone", 1)]
    # Nothing is undone twice.
    assert undo(store, Undoing(decisions=both, at=NOW, by="ben", note="")).addresses == []


def test_the_same_may_be_decided_once_more(store: Store, engine: sa.Engine) -> None:
    made = decision(SUPPRESS, 1)
    store.record([made], NOW)
    undo(store, Undoing(decisions={JANE: key_of(made)}, at=NOW, by="ben", note=""))
    assert rows(engine, "SELECT * FROM suppressed") == []
    store.record([decision(SUPPRESS, 2)], NOW)
    assert rows(engine, "SELECT address FROM suppressed") == [(JANE,)]
