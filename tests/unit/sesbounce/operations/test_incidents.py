import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa

from scripts.local.ses_messages import Scenario
from sesbounce.feedback.decode import decode
from sesbounce.operations.incidents import Incidents, changed, new
from sesbounce.policy.incident import Incident
from sesbounce.store.engine import open_database
from sesbounce.store.incidents import IncidentStatus
from sesbounce.store.lookup import Lookup
from sesbounce.store.store import Store
from sesbounce.store.strike_off import StrikeOff
from tests import stored
from tests.support import AT, disposed, mail, said

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
NOW = AT + 3 * HOUR
OUTAGE = Incident(provider="google", begins=AT, ends=AT + 2 * HOUR)


@pytest.fixture
def engine() -> Iterator[sa.Engine]:
    with disposed(open_database("sqlite://")) as engine:
        yield engine


@pytest.fixture
def store(engine: sa.Engine) -> Store:
    return stored.store(engine, StrikeOff())


def record(store: Store, scenario: Scenario, at: timedelta, numbers: range) -> None:
    for number in numbers:
        about = mail(f"user{number}@gmail.com", message_id=f"{scenario}-{at}-{number}")
        message = said(scenario, about, at=AT + at)
        store.record([decode(json.dumps(message))], AT + at)


def may_mail(engine: sa.Engine, number: int) -> bool:
    return Lookup(engine).check(f"user{number}@gmail.com", NOW).may_mail


class TestDetection:
    def test_an_outage_is_found_and_its_victims_are_released(
        self, engine: sa.Engine, store: Store
    ) -> None:
        record(store, Scenario.SUCCESS, -5 * DAY, range(30))
        record(store, Scenario.BOUNCE, HOUR, range(40))
        incidents = Incidents(store)
        assert not may_mail(engine, 3)
        swept = incidents.sweep(NOW)
        assert swept.current == 1
        assert swept.recorded.released == 30
        assert [may_mail(engine, n) for n in (0, 29, 30, 39)] == [True, True, False, False]
        (row,) = incidents.all()
        assert (row.provider, row.status) == ("google", IncidentStatus.HELD)
        assert (row.begins_at, row.ends_at) == (AT, AT + 3 * HOUR)
        assert incidents.sweep(NOW).recorded.released == 0

    def test_without_deliveries_it_only_warns(self, engine: sa.Engine, store: Store) -> None:
        record(store, Scenario.BOUNCE, HOUR, range(25))
        incidents = Incidents(store)
        assert incidents.sweep(NOW).current == 1
        (row,) = incidents.all()
        assert row.status is IncidentStatus.SUSPECTED
        assert not may_mail(engine, 3)

    @pytest.mark.parametrize("mode", ["off", "warn"])
    def test_the_mode_decides(self, engine: sa.Engine, store: Store, mode: str) -> None:
        record(store, Scenario.SUCCESS, -5 * DAY, range(25))
        record(store, Scenario.BOUNCE, HOUR, range(25))
        assert Incidents(store, mode).sweep(NOW).current == (mode == "warn")  # type: ignore[arg-type]
        assert not may_mail(engine, 3)

    def test_a_finding_that_later_counts_do_not_bear_out_is_withdrawn(
        self, engine: sa.Engine, store: Store
    ) -> None:
        record(store, Scenario.SUCCESS, -5 * DAY, range(25))
        record(store, Scenario.BOUNCE, HOUR, range(25))
        incidents = Incidents(store)
        incidents.sweep(NOW)
        assert may_mail(engine, 3)
        record(store, Scenario.BOUNCE, HOUR, range(100, 140))
        assert incidents.sweep(NOW).current == 0
        assert [row.status for row in incidents.all()] == [IncidentStatus.WITHDRAWN]
        assert not may_mail(engine, 3)

    def test_what_a_person_has_closed_stays_closed(self, engine: sa.Engine, store: Store) -> None:
        record(store, Scenario.SUCCESS, -5 * DAY, range(25))
        record(store, Scenario.BOUNCE, HOUR, range(25))
        incidents = Incidents(store)
        incidents.sweep(NOW)
        (row,) = incidents.all()
        withdrawn = changed(row, NOW, status=IncidentStatus.WITHDRAWN, decided_by="ann")
        assert len(list(incidents.preview(withdrawn))) == 25
        incidents.save(withdrawn, NOW, row)
        assert incidents.sweep(NOW).recorded.suppressed == 25
        assert not may_mail(engine, 3)
        assert len(incidents.all()) == 1


def test_a_person_opens_an_incident_afterwards(engine: sa.Engine, store: Store) -> None:
    record(store, Scenario.SUCCESS, -5 * DAY, range(3))
    record(store, Scenario.BOUNCE, HOUR, range(4))
    incidents = Incidents(store)
    row = new(OUTAGE, NOW, IncidentStatus.HELD, "status page", "ann")
    changes = list(incidents.preview(row))
    assert [(change.address, change.change) for change in changes] == [
        (f"user{n}@gmail.com", "released") for n in range(3)
    ]
    assert not may_mail(engine, 0)
    row = incidents.save(row, NOW)
    settled = list(incidents.settle(row, NOW))
    assert [one for _, ones in settled for one in ones] == changes
    assert [may_mail(engine, n) for n in range(4)] == [True, True, True, False]


def test_the_sweep_judges_once_more_after_some_minutes(store: Store) -> None:
    incidents = Incidents(store)
    incidents.save(new(OUTAGE, NOW, IncidentStatus.HELD, "", "ann"), NOW)
    for minutes, due in ((0, True), (1, True), (6, False)):
        incidents.sweep(NOW + minutes * timedelta(minutes=1))
        (row,) = incidents.all()
        assert (row.settle_at is not None) is due
