import json
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from scripts.local.ses_messages import Scenario
from sesbounce.cli import main
from sesbounce.feedback.decode import decode
from sesbounce.feedback.manual import decide
from sesbounce.feedback.reason import Reason
from sesbounce.feedback.recording import Recording
from sesbounce.operations.retention import Pruned, age, prunable, prune
from sesbounce.store.store import Store
from sesbounce.store.strike_off import StrikeOff
from tests import stored
from tests.stored import DAY, table
from tests.support import mail, said

NOW = datetime.now(UTC)


def sesbounce(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, [*arguments], input=stdin, catch_exceptions=False)


@pytest.fixture
def store(engine: sa.Engine, url: str, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", url)
    return stored.store(engine, StrikeOff())


def told(days_ago: int) -> list[Recording]:
    """A little of everything that makes a state."""
    at = NOW - days_ago * DAY
    scenarios = [
        (Scenario.BOUNCE, "Hard@example.com", 0),
        (Scenario.COMPLAINT, "spam@example.com", 0),
        (Scenario.SUCCESS, "fine@example.com", 0),
        (Scenario.SUPPRESSIONLIST, "refused@example.com", 0),
        *((Scenario.MAILBOX_FULL, "full@example.com", hours) for hours in range(4)),
    ]
    return [
        decode(
            json.dumps(
                said(
                    scenario,
                    mail(who, f"{scenario}-{days_ago}-{hours}"),
                    at=at + timedelta(hours=hours),
                )
            )
        )
        for scenario, who, hours in scenarios
    ] + [decide("phone@example.com", Reason.SUPPRESSED_BY_HAND, at, by="ann", note="phone")]


@pytest.fixture
def recorded(store: Store) -> list[Recording]:
    """What SES told a hundred days ago, and what it told today."""
    long_ago = told(100)
    store.record(long_ago, NOW - 100 * DAY)
    store.record(told(1), NOW)
    return long_ago


@pytest.mark.usefixtures("recorded")
def test_no_verdict_changes_and_a_repeated_event_changes_no_state(
    store: Store, engine: sa.Engine, recorded: list[Recording]
) -> None:
    addresses = table(engine, "feedback_address")
    assert prune(engine, NOW - 90 * DAY) == Pruned(NOW - 90 * DAY, messages=8, events=9)
    assert len(table(engine, "feedback_event")) == 9
    assert len(table(engine, "feedback_message")) == 8
    assert table(engine, "feedback_address") == addresses
    # Everything goes, and all of it comes again.
    prune(engine, NOW + DAY)
    assert table(engine, "feedback_event") == table(engine, "feedback_message") == []
    again = store.record([*recorded, *told(1)], NOW)
    assert (again.events, again.suppressed, again.released) == (18, 0, 0)
    assert table(engine, "feedback_address") == addresses


@pytest.mark.usefixtures("recorded")
def test_chunks_leave_out_what_is_too_young(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sesbounce.operations.retention._CHUNK", 2)
    assert prunable(engine, NOW - 90 * DAY) == Pruned(NOW - 90 * DAY, 8, 9)
    assert prune(engine, NOW - 90 * DAY) == Pruned(NOW - 90 * DAY, 8, 9)
    assert prunable(engine, NOW - 90 * DAY) == Pruned(NOW - 90 * DAY, 0, 0)
    assert prunable(engine, NOW + DAY) == Pruned(NOW + DAY, 8, 9)


@pytest.mark.usefixtures("recorded")
class TestCommand:
    def test_a_dry_run_deletes_nothing(self, engine: sa.Engine) -> None:
        before = table(engine, "feedback_event")
        result = sesbounce("prune", "--older-than", "90d", "--dry-run")
        assert result.exit_code == 0
        assert result.stdout.startswith("8 messages and 9 events recorded before ")
        assert result.stdout.endswith(" would be deleted.\n")
        as_json = sesbounce("prune", "--older-than", "90d", "--dry-run", "--json")
        assert json.loads(as_json.stdout)["dry_run"] is True
        assert table(engine, "feedback_event") == before

    def test_it_asks_and_a_no_deletes_nothing(self, engine: sa.Engine) -> None:
        before = table(engine, "feedback_event")
        for answer in ("n\n", ""):
            result = sesbounce("prune", "--older-than", "90d", stdin=answer)
            assert result.exit_code == 4
            assert "Delete 8 messages and 9 events" in result.stderr
        assert table(engine, "feedback_event") == before

    @pytest.mark.parametrize(("options", "stdin"), [(["--yes"], None), ([], "y\n")])
    def test_and_deletes(self, engine: sa.Engine, options: list[str], stdin: str | None) -> None:
        result = sesbounce("prune", "--older-than", "12w", "--json", *options, stdin=stdin)
        assert result.exit_code == 0
        done = json.loads(result.stdout)
        assert (done["messages"], done["events"]) == (8, 9)
        assert len(table(engine, "feedback_event")) == 9


def test_ages() -> None:
    assert age("90d") == 90 * DAY
    assert age(" 12W ") == 84 * DAY
    for text in ("90", "0d", "-1d", "1.5d", "d", "", "90 days", "999999d"):
        with pytest.raises(ValueError, match="not an age"):
            age(text)
    assert sesbounce("prune", "--older-than", "soon").exit_code == 2
