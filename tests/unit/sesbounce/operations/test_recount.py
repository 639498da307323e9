"""The counts equal the log, whatever is done to it."""

import json
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from scripts.local.ses_messages import SCHEMAS, Scenario
from sesbounce.cli import main
from sesbounce.feedback.address import parse
from sesbounce.feedback.decode import decode
from sesbounce.feedback.recording import Recording
from sesbounce.operations.erasure import forget
from sesbounce.operations.rebuild import Rebuild
from sesbounce.operations.recount import Recounted, recount
from sesbounce.operations.retention import prune
from sesbounce.policy.gate import SenderName
from sesbounce.policy.sending import Resume
from sesbounce.privacy.keyed_hash import HashKeys
from sesbounce.store import migrate
from sesbounce.store.engine import write
from sesbounce.store.sending import insert_resume
from sesbounce.store.store import Store
from sesbounce.store.strike_off import StrikeOff
from tests import stored
from tests.counts import numbers, numbers_of_the_log, senders
from tests.stored import DAY, rows
from tests.support import AT, bounce, mail, said

KEYS = HashKeys(["k" * 32])
BEFORE = AT - DAY
JANE = "jane@gmail.com"


@pytest.fixture
def store(engine: sa.Engine, url: str, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", url)
    return stored.store(engine, StrikeOff(), keys=KEYS)


def told(scenario: Scenario, number: int, to: str = JANE, **more: Any) -> Recording:
    at = AT + number * timedelta(minutes=50)
    return decode(json.dumps(said(scenario, mail(to, f"{scenario}-{number}"), at=at, **more)))


def shared_complaint(other: str = "mary@example.com", *, of: str = JANE) -> Recording:
    message = said(Scenario.COMPLAINT, mail(of, "shared"), at=AT)
    message["complaint"]["complainedRecipients"] += [{"emailAddress": other}]
    return decode(json.dumps(message))


def all_sorts() -> list[Recording]:
    return [
        *(told(scenario, number) for number, scenario in enumerate(Scenario)),
        *(told(scenario, number, "mary@example.com") for number, scenario in enumerate(Scenario)),
        shared_complaint(),
    ]


def test_an_event_that_turns_out_to_be_later_or_of_a_sender_moves(
    store: Store, engine: sa.Engine
) -> None:
    early = said(about=mail("x@gmail.com"), at=AT)
    del early["mail"]["sourceArn"]
    late = said(about=mail("x@gmail.com"), at=AT + 30 * timedelta(hours=1), schema="event")
    for message in (early, late, early):
        store.record([decode(json.dumps(message))], BEFORE)
    ((hour, _, region, identity, *_),), ((day, *_),) = numbers(engine)
    assert (str(hour)[:13], region, identity) == (
        "2026-11-21 18",
        "us-east-1",
        "sender@example.com",
    )
    assert str(day) == "2026-11-21"
    assert numbers(engine) == numbers_of_the_log(engine)


def test_a_forgotten_address_counts_for_no_provider(store: Store, engine: sa.Engine) -> None:
    store.record(all_sorts(), BEFORE)
    before = senders(engine)
    forget(store, KEYS, [parse(JANE)], AT, "ann")
    assert senders(engine) == before
    assert {provider for _, provider, *_ in numbers(engine)[1]} == {"other"}
    assert numbers(engine) == numbers_of_the_log(engine)
    store.record(all_sorts(), BEFORE)  # the worker knows it by its hash
    assert senders(engine) == before


def test_an_identity_that_is_forgotten_leaves_no_trace(store: Store, engine: sa.Engine) -> None:
    store.record([told(Scenario.BOUNCE, 0, "mary@example.com")], BEFORE)
    store.record([told(Scenario.BOUNCE, 1, "sender@example.com")], BEFORE)
    forget(store, KEYS, [parse("sender@example.com")], AT, "ann")
    assert "sender@" not in repr(rows(engine, "SELECT * FROM feedback_sender_hour"))
    assert senders(engine) == {"hard": 2}
    assert numbers(engine) == numbers_of_the_log(engine)


def test_a_forgotten_identity_moves_with_all_its_counts_and_resumes(
    store: Store, engine: sa.Engine
) -> None:
    sender = "sender@example.com"
    store.record([shared_complaint(), told(Scenario.BOUNCE, 0)], BEFORE)
    counted = senders(engine)
    prune(engine, BEFORE + DAY)
    store.record([shared_complaint()], BEFORE + 2 * DAY)
    name = SenderName("123456789012", "us-east-1", sender)
    with write(engine) as connection:
        insert_resume(connection, name, Resume(AT, "ann", "list cleaned"))
    forget(store, KEYS, [parse(sender)], AT, "ann")
    for table in ("sender_hour", "sender_resume"):
        assert sender not in repr(rows(engine, f"SELECT identity FROM feedback_{table}"))
    # What was pruned counts once more, as prune says.
    assert senders(engine) == counted | {"complaints": 2}
    assert {row[3] for row in numbers(engine)[0]} == {"[forgotten]"}


def test_an_event_that_is_reclassified_counts_under_its_new_reason(
    store: Store, engine: sa.Engine
) -> None:
    store.record([decode(json.dumps(bounce("Permanent", "General")))], BEFORE)
    with write(engine) as connection:
        for table in ("event", "provider_day"):
            connection.exec_driver_sql(f"UPDATE feedback_{table} SET reason = 'timeout'")
        connection.exec_driver_sql("UPDATE feedback_event SET effect = 'soft'")
    list(Rebuild(store, AT, reclassify=True).apply())
    assert [reason for *_, reason, _ in numbers(engine)[1]] == ["permanent_failure"]
    assert numbers(engine) == numbers_of_the_log(engine)


def test_a_complaint_of_several_recipients_that_is_reclassified_counts_once(
    store: Store, engine: sa.Engine
) -> None:
    store.record([shared_complaint()], BEFORE)
    with write(engine) as connection:  # as if an earlier version had taken it for no complaint
        connection.exec_driver_sql("UPDATE feedback_event SET effect = 'none'")
        connection.exec_driver_sql("UPDATE feedback_sender_hour SET complaints = 0")
    list(Rebuild(store, AT, reclassify=True).apply())
    assert senders(engine) == {"complaints": 1}


@pytest.mark.parametrize("first", [0, 1])
def test_complaints_that_name_some_of_the_same_recipients_count_in_any_order(
    store: Store, engine: sa.Engine, first: int
) -> None:
    both = [shared_complaint(), shared_complaint("zoe@example.com", of="mary@example.com")]
    for complaint in (both[first], both[1 - first], both[first]):
        store.record([complaint], BEFORE)
    assert senders(engine) == {"complaints": 2}
    assert numbers(engine) == numbers_of_the_log(engine)


def test_complaints_that_an_earlier_release_recorded_count_once_as_well(
    store: Store, engine: sa.Engine
) -> None:
    store.record([shared_complaint()], BEFORE)
    before = numbers(engine)
    with write(engine) as connection:
        connection.exec_driver_sql("UPDATE feedback_event SET counted = NULL")
    assert numbers_of_the_log(engine) == before
    store.record([shared_complaint()], BEFORE)  # SES publishes it once more
    assert numbers_of_the_log(engine) == before


def test_counts_outlive_the_events_that_were_pruned(store: Store, engine: sa.Engine) -> None:
    store.record(all_sorts(), AT)
    store.record([told(Scenario.SUCCESS, 99, "new@example.com")], AT + 40 * DAY)
    before = numbers(engine)
    assert prune(engine, AT + DAY).events > 0
    assert sum(day.corrected for day in recount(engine)) == 0
    assert numbers(engine) == before
    prune(engine, AT + 401 * DAY)
    assert len(numbers(engine)[0]) == 1  # that of the event of the fourth day
    prune(engine, AT + 405 * DAY)
    assert numbers(engine) == ([], [])


def test_a_recount_leaves_counts_of_events_that_are_pruned_meanwhile(
    store: Store, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.record([told(Scenario.BOUNCE, 0)], BEFORE)
    store.record([told(Scenario.SUCCESS, 1)], AT + DAY)
    before = numbers(engine)

    def locked(engine: sa.Engine) -> AbstractContextManager[sa.Connection]:
        assert prune(engine, BEFORE + DAY).events == 1
        return migrate.locked(engine)

    monkeypatch.setattr("sesbounce.operations.recount.locked", locked)
    assert [day.corrected for day in recount(engine)] == [0]
    assert numbers(engine) == before


def test_the_command_counts_what_was_recorded_before_the_tables_existed(
    store: Store, engine: sa.Engine
) -> None:
    store.record([*all_sorts(), told(Scenario.SUCCESS, 60)], AT - 2 * DAY)
    before = numbers(engine)
    with write(engine) as connection:
        connection.exec_driver_sql("DELETE FROM feedback_sender_hour WHERE hard > 0")
        connection.exec_driver_sql("UPDATE feedback_provider_day SET events = events + 1")
    result = CliRunner().invoke(main, ["rebuild", "--counts", "--json"], catch_exceptions=False)
    done = json.loads(result.stdout)
    assert (done["days"], done["events"]) == (2, len(rows(engine, "SELECT 1 FROM feedback_event")))
    assert done["corrected"] > len(before[1])
    assert numbers(engine) == before
    assert list(recount(engine)) == [
        Recounted(days=1, events=done["events"] - 1),
        Recounted(days=1, events=1),
    ]


def test_counting_takes_no_other_options(store: Store) -> None:
    result = CliRunner().invoke(main, ["rebuild", "--counts", "--dry-run"])
    assert (result.exit_code, "takes no address and no other option" in result.output) == (2, True)


def test_a_recount_of_no_events_does_nothing(store: Store, engine: sa.Engine) -> None:
    assert list(recount(engine)) == []


def test_both_schemas_of_one_event_count_once(store: Store, engine: sa.Engine) -> None:
    for schema in SCHEMAS:
        store.record([told(Scenario.BOUNCE, 0, schema=schema)], BEFORE)
    assert senders(engine) == {"hard": 1}
