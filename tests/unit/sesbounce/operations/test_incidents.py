import json
from collections.abc import Iterator
from datetime import timedelta

import msgspec
import pytest
import sqlalchemy as sa

from scripts.local.ses_messages import Scenario
from sesbounce.errors import IncidentError
from sesbounce.feedback.decode import decode
from sesbounce.feedback.recording import Recording
from sesbounce.operations import incidents as operations
from sesbounce.operations.incident_rows import changed, new
from sesbounce.operations.incidents import Concerned, Incidents
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
        assert (row.provider, row.status) == ("google", IncidentStatus.CONFIRMED)
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

    def test_a_larger_outage_changes_the_numbers_and_the_end(
        self, engine: sa.Engine, store: Store
    ) -> None:
        record(store, Scenario.SUCCESS, -5 * DAY, range(60))
        record(store, Scenario.BOUNCE, HOUR, range(25))
        incidents = Incidents(store)
        (found,) = incidents.sweep(NOW).changed
        assert (found.id, found.ends_at) == (1, AT + 3 * HOUR)
        record(store, Scenario.BOUNCE, HOUR + HOUR / 2, range(25, 30))
        assert incidents.sweep(NOW).changed == []
        (row,) = incidents.all()
        assert row.note.startswith("30 hard bounces, 30 of addresses with")
        record(store, Scenario.BOUNCE, 2 * HOUR, range(30, 60))
        (grown,) = incidents.sweep(NOW).changed
        assert (grown.id, grown.ends_at) == (1, AT + 4 * HOUR)
        assert may_mail(engine, 59)

    def test_an_outage_that_lasts_for_days_keeps_its_beginning(self, store: Store) -> None:
        record(store, Scenario.SUCCESS, -5 * DAY, range(20))
        incidents = Incidents(store)
        for hour in range(0, 72, 2):
            record(store, Scenario.BOUNCE, hour * HOUR, range(20))
            incidents.sweep(AT + hour * HOUR)
        (row,) = incidents.all()
        assert (row.begins_at, row.ends_at) == (AT - HOUR, AT + 72 * HOUR)
        # Days later the counts no longer show it: it stays.
        assert incidents.sweep(AT + 30 * DAY).current == 0
        assert incidents.all() == [msgspec.structs.replace(row, settle_at=None)]

    def test_it_counts_while_it_goes_on_or_nobody_has_decided(self, store: Store) -> None:
        incidents = Incidents(store)
        incidents.save(
            new(
                Incident(provider="google", begins=AT - 30 * DAY),
                NOW,
                IncidentStatus.CONFIRMED,
                "",
                "a",
            ),
            NOW,
        )
        assert incidents.sweep(NOW).current == 1
        record(store, Scenario.BOUNCE, HOUR, range(25))
        assert incidents.sweep(NOW).current == 2
        assert incidents.sweep(NOW + 3 * DAY).current == 1
        (_, row) = incidents.all()
        incidents.save(changed(row, NOW, ends_at=NOW, decided_by="b"), NOW, row)
        assert incidents.sweep(NOW + 3 * DAY).current == 0

    def test_lists_simulator_and_forgotten_addresses_do_not_count(
        self, engine: sa.Engine, store: Store
    ) -> None:
        for number in range(30):
            address = f"bounce+{number}@simulator.amazonses.com"
            message = said(about=mail(address, message_id=f"m{number}"), at=AT)
            imported = decode(json.dumps(said(about=mail(f"{number}@gmail.com", f"i{number}"))))
            store.record([decode(json.dumps(message))], AT)
            store.record([Recording(imported.events)], AT)
        assert stored.rows(engine, "SELECT * FROM feedback_hour") == []

    def test_a_delivery_that_is_told_with_a_later_time_counts_in_its_hour(
        self, engine: sa.Engine, store: Store
    ) -> None:
        about = mail("jane@gmail.com", "mail-1")
        for hour in (0, 2, 1, 2):
            message = said(Scenario.SUCCESS, about, at=AT + hour * HOUR)
            store.record([decode(json.dumps(message))], NOW)
        counted = stored.rows(engine, "SELECT cell FROM feedback_hour WHERE delivered <> 0")
        assert counted == [("2026-11-20T14 google",)]

    def test_old_counts_are_deleted_in_every_mode(self, engine: sa.Engine, store: Store) -> None:
        record(store, Scenario.SUCCESS, -HOUR, range(2))
        Incidents(store, "off").sweep(NOW + 18 * DAY)
        assert stored.rows(engine, "SELECT * FROM feedback_hour") == []


def test_an_address_that_bounced_in_two_incidents_is_released_by_the_earlier_one(
    engine: sa.Engine, store: Store
) -> None:
    record(store, Scenario.SUCCESS, -5 * DAY, range(3))
    record(store, Scenario.BOUNCE, HOUR, range(3))
    record(store, Scenario.BOUNCE, 2.5 * HOUR, range(3))
    later = Incident(provider="google", begins=AT + 2 * HOUR, ends=NOW)
    earlier = Incident(provider="google", begins=AT, ends=AT + 2 * HOUR)
    incidents = Incidents(store)
    for incident, released in ((later, False), (earlier, True)):
        row = incidents.save(new(incident, NOW, IncidentStatus.CONFIRMED, "", "ann"), NOW)
        assert len(list(incidents.settle(row, NOW))) == 1
        assert may_mail(engine, 1) is released


def test_a_change_of_somebody_else_is_not_overwritten(store: Store) -> None:
    incidents = Incidents(store)
    row = incidents.save(new(OUTAGE, NOW, IncidentStatus.CONFIRMED, "", "ann"), NOW)
    incidents.save(changed(row, NOW + HOUR, ends_at=NOW, note="over"), NOW + HOUR, row)
    with pytest.raises(IncidentError, match="somebody else has changed incident 1"):
        incidents.save(changed(row, NOW, status=IncidentStatus.WITHDRAWN), NOW, row)
    assert incidents.get(1).note == "over"


def test_it_concerns_the_addresses_that_bounced_in_it(store: Store) -> None:
    record(store, Scenario.SUCCESS, -5 * DAY, range(3))
    record(store, Scenario.BOUNCE, HOUR, range(5))
    record(store, Scenario.BOUNCE, 2.5 * HOUR, range(5, 7))
    incidents = Incidents(store)
    row = new(OUTAGE, NOW, IncidentStatus.CONFIRMED, "", "ann")
    proposed = msgspec.structs.replace(row, status=IncidentStatus.SUSPECTED)
    assert incidents.concerned(proposed, NOW) == Concerned(5, 3)
    row = incidents.save(row, NOW)
    list(incidents.settle(row, NOW))
    assert incidents.concerned(row, NOW) == Concerned(5, 3)


def test_a_sweep_whose_time_is_spent_goes_on(
    engine: sa.Engine, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operations, "_BATCH", 2)
    monkeypatch.setattr(operations, "_SECONDS", 0.0)
    record(store, Scenario.SUCCESS, -5 * DAY, range(5))
    record(store, Scenario.BOUNCE, HOUR, range(5))
    incidents = Incidents(store)
    incidents.save(new(OUTAGE, NOW, IncidentStatus.CONFIRMED, "", "ann"), NOW)
    swept = [incidents.sweep(NOW) for _ in range(4)]
    assert [(s.recorded.released, s.ended) for s in swept] == [
        (2, False),
        (2, False),
        (1, False),
        (0, True),
    ]
    assert may_mail(engine, 4)


def test_a_person_opens_an_incident_afterwards(engine: sa.Engine, store: Store) -> None:
    record(store, Scenario.SUCCESS, -5 * DAY, range(3))
    record(store, Scenario.BOUNCE, HOUR, range(4))
    incidents = Incidents(store)
    row = new(OUTAGE, NOW, IncidentStatus.CONFIRMED, "status page", "ann")
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
    incidents.save(new(OUTAGE, NOW, IncidentStatus.CONFIRMED, "", "ann"), NOW)
    for minutes, due in ((0, True), (1, True), (6, False)):
        incidents.sweep(NOW + minutes * timedelta(minutes=1))
        (row,) = incidents.all()
        assert (row.settle_at is not None) is due
