"""Lists, counts and retention on each kind of database."""

import io
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from scripts.local.ses_messages import Scenario
from sesbounce.feedback.decode import Decoded, decode
from sesbounce.lists.files import read_list, write_csv
from sesbounce.lists.importing import Importer, ListEvents
from sesbounce.operations.retention import Pruned, prunable, prune
from sesbounce.operations.statistics import By, count
from sesbounce.store.engine import open_database, write
from sesbounce.store.listing import suppressed_among, suppressed_rows
from sesbounce.store.schema import metadata
from sesbounce.store.store import Store
from sesbounce.store.strike_off import StrikeOff
from tests import stored
from tests.stored import DAY, table
from tests.support import AT, mail, said

SECOND = timedelta(seconds=1)


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = open_database(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def store(engine: sa.Engine) -> Store:
    return stored.store(engine, StrikeOff(), strikes=1)


def told(scenario: Scenario, who: str, at: Any = AT, mail_id: str = "") -> Decoded:
    return decode(json.dumps(said(scenario, mail(who, mail_id or f"{who}-{at}"), at=at)))


def some_of_everything() -> list[Decoded]:
    return [
        told(Scenario.BOUNCE, "Hard@One.example"),
        told(Scenario.COMPLAINT, "spam@two.example"),
        told(Scenario.SUCCESS, "fine@two.example", AT - DAY),
        told(Scenario.SUPPRESSIONLIST, '"odd@one"@two.example'),
        *(told(Scenario.MAILBOX_FULL, "full@one.example", AT - n * SECOND) for n in range(4)),
    ]


def test_a_list_is_streamed_out_and_ends_in_the_same_verdicts(
    store: Store, engine: sa.Engine
) -> None:
    many = [told(Scenario.BOUNCE, f"{n:04}@example.com") for n in range(1500)]
    store.record([*some_of_everything(), *many], AT)
    text = io.StringIO(newline="")
    write_csv(suppressed_rows(engine, AT), text)
    assert text.getvalue().count("\n") == 1 + 1504
    columns = "address, original, reason, kind, suppressed_since, suppressed_until"
    query = f"SELECT {columns} FROM feedback_address WHERE suppressed_since IS NOT NULL"
    query = f"{query} ORDER BY address"

    def verdicts() -> list[tuple[object, ...]]:
        with engine.connect() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(query)]

    expected = verdicts()
    with write(engine) as connection:
        for table in metadata.sorted_tables:
            connection.execute(sa.delete(table))
    for _ in range(2):
        text.seek(0)
        read = read_list(text)
        events = ListEvents(read.format, AT + DAY, AT, None, never)
        recording = Importer(engine, store, AT, never)
        for batch in events.batches(read.rows):
            recording(batch)
        assert verdicts() == expected
    assert recording.recorded.events == 0


def never(place: str, problem: str) -> None:
    raise AssertionError((place, problem))


def test_a_file_of_addresses_is_looked_up(
    store: Store, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sesbounce.store.find.KEYS_PER_QUERY", 2)
    store.record(some_of_everything(), AT)
    keys = ["hard@one.example", "HARD@one.example", "fine@two.example", "full@one.example"]
    keys += ["spam@two.example", "nobody@one.example"]
    found = suppressed_among(engine, keys, AT + SECOND)
    assert {key: reason for key, (reason, _) in found.items()} == {
        "hard@one.example": "no_such_mailbox",
        "full@one.example": "mailbox_full",
        "spam@two.example": "complaint_abuse",
    }
    later = suppressed_among(engine, keys, AT + 300 * DAY)
    assert set(later) == {"hard@one.example", "spam@two.example"}


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        (By.DAY, {"2026-11-19": (0, 0, 1), "2026-11-20": (1, 4, 0)}),
        (By.DOMAIN, {"one.example": (1, 4, 0), "two.example": (0, 0, 1)}),
        (By.SENDER, {"sender@example.com": (1, 4, 1)}),
        (
            By.REASON,
            {
                "no_such_mailbox": (1, 0, 0),
                "mailbox_full": (0, 4, 0),
                "delivered": (0, 0, 1),
                "suppressed_globally": (0, 0, 0),
                "complaint_abuse": (0, 0, 0),
            },
        ),
    ],
)
def test_counts_are_the_same_everywhere(
    store: Store, engine: sa.Engine, by: By, expected: dict[str, tuple[int, int, int]]
) -> None:
    store.record(some_of_everything(), AT)
    found = count(engine, by)
    assert {one.group: (one.hard, one.soft, one.deliveries) for one in found} == expected
    assert sum(one.complaints for one in found) == sum(one.other for one in found) == 1
    assert count(engine, by, since=AT + DAY) == count(engine, by, until=AT - 2 * DAY) == []
    assert len(count(engine, by, limit=1)) == 1


def test_days_are_those_of_utc_whatever_the_server_s_clock_says(
    store: Store, engine: sa.Engine
) -> None:
    midnight = AT.replace(hour=0)
    store.record([told(Scenario.BOUNCE, "a@b.example", midnight - SECOND)], AT)
    store.record([told(Scenario.BOUNCE, "a@b.example", midnight)], AT)

    @sa.event.listens_for(engine, "begin")
    def far_away(connection: sa.Connection) -> None:
        zone = {"postgresql": "SET TIME ZONE 'Asia/Tokyo'", "mysql": "SET time_zone = '+09:00'"}
        if statement := zone.get(engine.dialect.name):
            connection.exec_driver_sql(statement)

    assert [one.group for one in count(engine, By.DAY)] == ["2026-11-19", "2026-11-20"]


def test_what_is_old_goes_and_no_address_changes(
    store: Store, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sesbounce.operations.retention._CHUNK", 3)
    messages = some_of_everything()
    store.record(messages, AT - 100 * DAY)
    store.record([told(Scenario.BOUNCE, "new@one.example")], AT)
    addresses = table(engine, "feedback_address")
    before = AT - 90 * DAY
    assert prunable(engine, before) == Pruned(before, messages=8, events=8)
    assert prune(engine, before) == Pruned(before, messages=8, events=8)
    assert prunable(engine, AT + DAY) == Pruned(AT + DAY, messages=1, events=1)
    assert table(engine, "feedback_address") == addresses
    assert store.record(messages, AT).events == 8
    assert table(engine, "feedback_address") == addresses
