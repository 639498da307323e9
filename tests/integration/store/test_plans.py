"""No operation that runs often reads a table whole that grows for years: an index finds the rows.

Each operation runs on each kind of database, and its statements are explained just before they run.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from scripts.local.ses_messages import Scenario
from sesbounce.client import may_mail
from sesbounce.console.overview import gather
from sesbounce.feedback.decode import Decoded, decode
from sesbounce.operations.incident_rows import new
from sesbounce.operations.incidents import Incidents
from sesbounce.operations.rebuild import Rebuild
from sesbounce.operations.retention import Pruned, prunable, prune
from sesbounce.operations.statistics import By, ByTag, Grouping, count
from sesbounce.operations.what_if import WhatIf
from sesbounce.outbound.relay import Relay
from sesbounce.policy.incident import Incident
from sesbounce.policy.verdict import Policy
from sesbounce.privacy.keyed_hash import NO_KEYS, HashKeys
from sesbounce.store import audit, outbox
from sesbounce.store.audit import AuditFilter, AuditPlace, audit_page
from sesbounce.store.deciding import EventFilter
from sesbounce.store.engine import open_database, write
from sesbounce.store.hours import counts_around
from sesbounce.store.incidents import IncidentStatus
from sesbounce.store.listing import known_events, suppressed_among
from sesbounce.store.lookup import Filter, Lookup
from sesbounce.store.outbox import Outbox, OutboxEntry
from sesbounce.store.pages import suppressed_page
from sesbounce.store.schema import address, event, message
from sesbounce.store.store import Store
from sesbounce.store.strike_off import StrikeOff
from tests.databases.products import SERVERS, Kind
from tests.databases.servers import empty_database
from tests.plans import GROWING, explained
from tests.stored import DAY, RESTORE, STRIKE_OFF, make_members
from tests.support import AT, mail, said

JANE = "address-50@example.com"
MANY = [f"address-{number}@example.com" for number in range(1000)]
_MODELS = 100
_DOUBLINGS = 7


@pytest.fixture(scope="module", params=("sqlite", *SERVERS))
def engine(
    request: pytest.FixtureRequest,
    server_urls: Callable[[Kind], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[sa.Engine]:
    """A database of each kind with 12,800 events of a hundred days about as many addresses."""
    if request.param == "sqlite":
        yield from _filled(f"sqlite:///{tmp_path_factory.mktemp('plans')}/database.sqlite3")
        return
    with empty_database(server_urls(request.param)) as url:
        yield from _filled(url)


def _filled(url: str) -> Iterator[sa.Engine]:
    engine = open_database(url)
    make_members(engine)
    recording = _store(engine)
    recording.prepare()
    for first in range(0, _MODELS, 10):
        told = [_message(number) for number in range(first, first + 10)]
        recording.record(told, AT - first * DAY)
    with write(engine) as connection:
        for doubling in range(_DOUBLINGS):
            _double(connection, doubling)
        _count_rows(connection)
    yield engine
    engine.dispose()


def _store(engine: sa.Engine, *targets: str, keys: HashKeys = NO_KEYS) -> Store:
    strike_off = StrikeOff(STRIKE_OFF, RESTORE)
    return Store(engine, Policy(), strike_off, Outbox(targets, uses_event=True), keys)


def _message(number: int) -> Decoded:
    """A message about an address of its own, a day before the one with the number before."""
    scenario = Scenario.BOUNCE if number % 25 == 0 else Scenario.MAILBOX_FULL
    about = mail(f"address-{number}@example.com", f"mail-{number:03}")
    return decode(json.dumps(said(scenario, about, at=AT - number * DAY)))


def _double(connection: sa.Connection, doubling: int) -> None:
    """Copy all rows, with other keys and about other addresses."""
    for table, key in ((message, message.c.digest), (event, event.c.dedupe_key), (address, None)):
        values: dict[str, sa.ColumnElement[Any]] = {
            column.name: column for column in table.c if column.name != "id"
        }
        if key is not None:
            before = sa.func.substr(key, 1, 20 + doubling, type_=sa.String)
            after = sa.func.substr(key, 22 + doubling, type_=sa.String)
            values[key.name] = before.concat("x").concat(after)
        if "address" in values:
            own = sa.type_coerce(table.c.address, sa.String)
            values["address"] = sa.literal(f"{doubling}").concat(own)
        if "payload" in values:
            values["payload"] = sa.literal("{}")
        columns = [value.label(name) for name, value in values.items()]
        connection.execute(sa.insert(table).from_select(list(values), sa.select(*columns)))


def _count_rows(connection: sa.Connection) -> None:
    """Let a server count the rows, as it does by itself some time after they have come."""
    if connection.dialect.name == "sqlite":
        return  # it never does
    for table in GROWING:
        word = "ANALYZE TABLE" if connection.dialect.name == "mysql" else "ANALYZE"
        connection.exec_driver_sql(f"{word} {table}")


class _Target:
    """A target that takes everything."""

    name = "webhook"
    longest_seconds = 0.0

    def deliver(self, entry: OutboxEntry) -> None:
        assert entry.parameters


def _sweep(engine: sa.Engine) -> None:
    """Sweep, with some addresses that are pending."""
    with write(engine) as connection:
        connection.execute(
            sa.update(address).where(address.c.address.in_(MANY)).values(struck_off=False)
        )
    _store(engine, "webhook").sweep(AT)
    assert [row["entries"] for row in outbox.waiting(engine)] == [5]


def _record(engine: sa.Engine) -> None:
    told = [_message(number) for number in (0, 3, 200)]
    recorded = _store(engine, "webhook", keys=HashKeys(["k" * 32])).record(told, AT)
    assert recorded.duplicates == 2


def _relay(engine: sa.Engine) -> None:
    rows = outbox.due(engine, "webhook", AT)
    outbox.postpone(engine, rows[0], AT, "no answer")
    assert Relay(engine, [_Target()], lambda: AT).deliver().delivered > 0


def _incident(engine: sa.Engine) -> None:
    incidents = Incidents(_store(engine))
    found = Incident(provider="example.com", begins=AT - DAY, ends=AT + DAY)
    row = incidents.save(new(found, AT, IncidentStatus.CONFIRMED, "", "jane"), AT)
    assert list(incidents.settle(row, AT))
    assert incidents.concerned(row, AT).addresses > 0
    assert list(incidents.compare(row, (AT - DAY, "x"), AT))
    with engine.connect() as connection:
        assert counts_around(connection, found, AT)
    assert incidents.sweep(AT + DAY).ended


def _what_if(engine: sa.Engine) -> None:
    assert list(WhatIf(engine, Policy(strikes=1), AT).compare())


def _prune(engine: sa.Engine) -> None:
    before = AT - 80 * DAY
    assert prunable(engine, before) == prune(engine, before) == Pruned(before, 1280, 1280)


def _rebuild(engine: sa.Engine) -> None:
    for reclassify in (False, True):
        rebuild = Rebuild(_store(engine), AT, reclassify=reclassify, keys=[JANE])
        assert [*rebuild.preview(), *rebuild.apply()] == []
        assert rebuild.totals.events == 2


# In this order; the last one deletes what others read.
OPERATIONS: dict[str, Callable[[sa.Engine], object]] = {
    "record": _record,
    "sweep": _sweep,
    "relay": _relay,
    "outbox": outbox.waiting,
    "check": lambda engine: Lookup(engine).check(JANE, AT),
    "why": lambda engine: Lookup(engine).why(JANE),
    "verdicts": lambda engine: Lookup(engine).verdicts(JANE, AT),
    "may_mail": lambda engine: may_mail(MANY, engine),
    "suppressed_among": lambda engine: suppressed_among(engine, MANY, AT),
    "known_events": lambda engine: known_events(engine, [f"{n:064}" for n in range(1000)]),
    "overview": lambda engine: gather(engine, AT),
    "rebuild": _rebuild,
    "incident": _incident,
    "what if": _what_if,
    "prune": _prune,
}
PAGES = {
    "all": Filter(limit=20),
    "offset": Filter(limit=20, offset=100),
    "reason": Filter(limit=20, reason="no_such_mailbox"),
    "domain": Filter(limit=20, domain="example.com"),
    "since": Filter(limit=20, since=AT - 30 * DAY),
    "stream": Filter(limit=20, stream="news"),
}
BY_TIME = {
    "sqlite": "ix_feedback_address_since",
    "postgresql": "ix_feedback_address_since",
    "mysql": "ix_feedback_address_suppressed_since",
}
INDEXES = {
    ("domain", "postgresql"): "ix_feedback_address_domain",
    **{("reason", dialect): "ix_feedback_address_reason" for dialect in BY_TIME},
}
GROUPINGS: list[Grouping] = [*By, ByTag("campaign")]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_of_the_list_reads_no_more_than_it_shows(engine: sa.Engine, page: str) -> None:
    with explained(engine, "sort") as plans:
        assert list(Lookup(engine).suppressed(AT, PAGES[page]))
    found = [plan for plan in plans if "FROM feedback_address" in plan.sql]
    assert found
    assert [plan for plan in found if plan.whole or plan.sorts] == []


@pytest.mark.parametrize("by", [None, "mary"])
def test_a_page_of_the_audit_is_a_part_of_an_index(
    engine: sa.Engine, by: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MySQL has no index of people's decisions alone: it reads the log backward, in parts."""
    monkeypatch.setattr(audit, "_EVENTS_AT_ONCE", 1000)
    after = AuditPlace(AT - 10 * DAY, 3, 1)
    with explained(engine, "seqscan", "sort") as plans:
        for place in (None, after):
            audit_page(engine, AuditFilter(by=by), 50, place)
    found = [plan for plan in plans if "FROM feedback_event" in plan.sql]
    assert len(found) >= 4
    assert [plan for plan in found if plan.whole or plan.sorts] == []
    mysql = engine.dialect.name == "mysql"
    index = "ix_feedback_event_recorded_at" if mysql else "ix_feedback_event_by_hand"
    assert [plan for plan in found if index not in plan.steps] == []


@pytest.mark.parametrize("page", PAGES)
def test_a_page_that_ends_with_its_time_finds_its_rows_by_the_index_of_its_filter(
    engine: sa.Engine, page: str
) -> None:
    with explained(engine, "sort", "incremental_sort", "seqscan", "bitmapscan") as plans:
        found, place = suppressed_page(engine, AT, PAGES[page], 20, None, seconds=0.0)
        after = suppressed_page(engine, AT, PAGES[page], 20, place, seconds=0.0)
    assert found
    assert after[0]
    of_addresses = [plan for plan in plans if "FROM feedback_address" in plan.sql]
    assert len(of_addresses) >= 4
    assert [plan for plan in of_addresses if plan.whole or plan.sorts] == []
    index = INDEXES.get((page, engine.dialect.name), BY_TIME[engine.dialect.name])
    assert [plan for plan in of_addresses if index not in plan.steps] == []


def test_statistics_of_a_time_read_that_time_alone(engine: sa.Engine) -> None:
    with explained(engine) as plans:
        for by in GROUPINGS:
            assert count(engine, by, AT - 3 * DAY, AT)
        count(engine, By.DAY, AT - 3 * DAY, wanted=EventFilter(sender="sender@example.com"))
    assert len(plans) == len(GROUPINGS) + 1
    assert [plan for plan in plans if plan.whole] == []


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_reads_no_growing_table_whole(engine: sa.Engine, operation: str) -> None:
    # Where the keys are many beside the rows, PostgreSQL joins both by all entries of an index.
    with explained(engine, "seqscan", "mergejoin", "hashjoin") as plans:
        OPERATIONS[operation](engine)
    assert plans
    assert [plan for plan in plans if plan.whole] == []


def test_a_known_address_is_changed_without_an_index_where_a_database_can(
    engine: sa.Engine,
) -> None:
    told = decode(json.dumps(said(Scenario.MAILBOX_FULL, mail(JANE, "known"), at=AT)))
    with explained(engine, "seqscan", "mergejoin", "hashjoin") as plans:
        assert _store(engine).record([told], AT).events == 1
    changes = [plan for plan in plans if plan.sql.startswith("UPDATE feedback_address")]
    assert len(changes) == (engine.dialect.name == "postgresql")
    assert all("Tid Scan" in plan.steps and not plan.whole for plan in changes)


def test_the_sweep_has_indexes_of_its_own_where_a_database_expects_to_find_many(
    engine: sa.Engine,
) -> None:
    """PostgreSQL reads the table of addresses whole without them, as soon as it has millions."""
    with explained(engine) as plans:
        _store(engine).sweep(AT)
    (plan,) = plans[-1:]
    if engine.dialect.name == "mysql":
        assert plan.steps.count("ix_feedback_address_pending") >= 4
    else:
        for name in ("to_strike_off", "to_restore", "pending"):
            assert f"ix_feedback_address_{name}" in plan.steps


def test_an_outbox_of_many_entries_is_read_in_the_order_of_their_times(engine: sa.Engine) -> None:
    with explained(engine, "seqscan", "sort") as plans:
        outbox.due(engine, "webhook", AT)
    assert [plan for plan in plans if plan.sorts] == []


@pytest.mark.parametrize(
    ("sql", "whole", "sorts"),
    [
        ("SELECT count(*) FROM feedback_event WHERE original = 'jane'", True, False),
        ("SELECT address FROM feedback_event ORDER BY address", True, False),
        ("SELECT address FROM feedback_event ORDER BY address LIMIT 5", False, False),
        (
            "SELECT basis FROM feedback_event WHERE address = 'a' ORDER BY basis LIMIT 5",
            False,
            True,
        ),
        ("UPDATE feedback_event SET basis = '' WHERE original = 'jane'", True, False),
    ],
)
def test_a_plan_shows_what_is_read_whole(
    engine: sa.Engine, sql: str, whole: bool, sorts: bool
) -> None:
    with explained(engine, "seqscan") as plans, write(engine) as connection:
        connection.exec_driver_sql(sql)
    (plan,) = plans
    assert plan.whole == ({"feedback_event"} if whole else set())
    assert plan.sorts is sorts
