"""Attribution on each kind of database: filters, groups and the parameters of statements."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import pytest
import sqlalchemy as sa

from scripts.local.ses_messages import Scenario
from sesbounce.feedback.address import parse
from sesbounce.feedback.attribution import Attribution
from sesbounce.feedback.decode import Decoded, decode
from sesbounce.feedback.manual import decide
from sesbounce.feedback.reason import Reason
from sesbounce.operations.erasure import forget
from sesbounce.operations.retention import prune
from sesbounce.operations.statistics import By, ByTag, Grouping, count
from sesbounce.privacy.keyed_hash import HashKeys
from sesbounce.store.deciding import EventFilter
from sesbounce.store.engine import open_database, write
from sesbounce.store.listing import suppressed_rows
from sesbounce.store.lookup import Lookup
from sesbounce.store.outbox import Outbox, due
from sesbounce.store.strike_off import StrikeOff
from tests import stored
from tests.stored import DAY, rows
from tests.support import AT, mail, said

NAMES = (
    "mail_id",
    "configuration_set",
    "source",
    "identity",
    "region",
    "tenant",
    "tags",
    "account_id",
)
COLUMNS = ", ".join(("address", *NAMES))
PARAMETERS = ", ".join(f":{name}" for name in ("address", *NAMES))
LOGGED = StrikeOff(
    f"INSERT INTO struck VALUES ({PARAMETERS})", f"INSERT INTO restored VALUES ({PARAMETERS})"
)
NOTHING = (None,) * len(NAMES)
# A tag whose name and value are text of JSON and SQL.
CAMPAIGN = "ses:camp.aign"
KEYS = HashKeys(["k" * 32])


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = open_database(database_url)
    columns = ", ".join(f"{name} VARCHAR(320)" for name in ("address", *NAMES))
    with write(engine) as connection:
        for name in ("struck", "restored"):
            connection.exec_driver_sql(f"CREATE TABLE {name} ({columns})")
    yield engine
    engine.dispose()


def told(
    who: str,
    configuration_set: str = "newsletter",
    tags: dict[str, str] | None = None,
    *,
    scenario: Scenario = Scenario.BOUNCE,
    source: str = "sender@example.com",
    at: datetime = AT,
    region: str = "us-east-1",
    account_id: str = "000000000000",
) -> Decoded:
    about = mail(who, f"{who}-{at:%d%H%M}", configuration_set=configuration_set, region=region)
    message = said(scenario, about, "event", at)
    message["mail"] |= {"source": source, "sendingAccountId": account_id}
    message["mail"]["tags"] |= {name: [value] for name, value in (tags or {}).items()}
    return decode(json.dumps(message), tags=(CAMPAIGN, "kind"))


def several() -> list[Decoded]:
    return [
        told("a@one.example", tags={CAMPAIGN: 'it\'s "x"', "ses:tenant-name": "shop"}),
        told("b@one.example", tags={CAMPAIGN: "plain", "kind": "k"}, region="eu-west-1"),
        told(
            "c@two.example", "receipts", source="Shop <Shop@Example.com>", account_id="210987654321"
        ),
        told("c@two.example", scenario=Scenario.SUCCESS, at=AT - DAY),
    ]


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        (By.CONFIGURATION_SET, {"newsletter": 2, "receipts": 1}),
        (By.IDENTITY, {"sender@example.com": 3}),
        (By.REGION, {"us-east-1": 2, "eu-west-1": 1}),
        (By.ACCOUNT, {"000000000000": 2, "210987654321": 1}),
        (By.TENANT, {"shop": 1, None: 2}),
        (ByTag(CAMPAIGN), {'it\'s "x"': 1, "plain": 1, None: 1}),
        (ByTag("kind"), {"k": 1, None: 2}),
        (ByTag("absent"), {None: 3}),
    ],
)
def test_events_are_grouped(
    engine: sa.Engine, by: Grouping, expected: dict[str | None, int]
) -> None:
    stored.store(engine, StrikeOff()).record(several(), AT)
    assert {one.group: one.hard for one in count(engine, by)} == expected


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (EventFilter(), "abc"),
        (EventFilter(configuration_set="newsletter"), "ab"),
        (EventFilter(configuration_set="NEWSLETTER"), ""),
        (EventFilter(identity="sender@example.com"), "abc"),
        (EventFilter(region="eu-west-1"), "b"),
        (EventFilter(account_id="210987654321"), "c"),
        (EventFilter(tenant="shop"), "a"),
        (EventFilter(sender="shop@example.COM"), "c"),
        (EventFilter(sender="Shop <shop@example.com>"), "c"),
        (EventFilter(sender="hop@example.com"), ""),
        (EventFilter(sender="%"), ""),
        (EventFilter(tags=((CAMPAIGN, 'it\'s "x"'),)), "a"),
        (EventFilter(tags=((CAMPAIGN, "plain"), ("kind", "k"))), "b"),
        (EventFilter(tags=((CAMPAIGN, "plain"), ("kind", "other"))), ""),
        (EventFilter(tags=((CAMPAIGN, "plain"),), region="us-east-1"), ""),
        (EventFilter(configuration_set="newsletter", sender="sender@example.com"), "ab"),
    ],
)
def test_events_and_suppressions_are_filtered(
    engine: sa.Engine, wanted: EventFilter, expected: str
) -> None:
    stored.store(engine, StrikeOff()).record(several(), AT)
    found = [row.address[0] for row in suppressed_rows(engine, AT, wanted)]
    assert "".join(found) == expected
    assert sum(one.hard for one in count(engine, By.DAY, wanted=wanted)) == len(expected)


def test_the_event_on_which_a_suppression_rests_decides(engine: sa.Engine) -> None:
    full = [
        told("a@one.example", f"set-{n}", scenario=Scenario.MAILBOX_FULL, at=AT + n * DAY)
        for n in range(3)
    ]
    stored.store(engine, StrikeOff(), strikes=3).record(full, AT + 3 * DAY)

    def found(name: str) -> int:
        return len(list(suppressed_rows(engine, AT + 3 * DAY, EventFilter(configuration_set=name))))

    assert [found(f"set-{n}") for n in range(3)] == [0, 0, 1]


def params(who: str, at: datetime = AT, tags: str | None = None) -> Sequence[Any]:
    sender = "sender@example.com"
    mail_id, account_id = f"{who}-{at:%d%H%M}", "000000000000"
    return (who, mail_id, "newsletter", sender, sender, "us-east-1", None, tags, account_id)


def struck(engine: sa.Engine, table: str = "struck") -> list[Any]:
    return rows(engine, f"SELECT {COLUMNS} FROM {table} ORDER BY address")


def test_statements_get_the_event_that_decided(engine: sa.Engine) -> None:
    store = stored.store(engine, LOGGED)
    batch = [
        told("a@one.example", tags={"kind": "k"}),
        # Of events about one address the one with the verdict's time and reason counts.
        told("a@one.example", "other", at=AT - DAY),
        told("b@one.example"),
        decide("c@one.example", Reason.SUPPRESSED_BY_HAND, AT, by="ann"),
    ]
    assert store.record(batch, AT).rejected == {}
    by_hand = ("c@one.example", None, None, "ann", None, None, None, None, None)
    assert struck(engine) == [
        params("a@one.example", tags='{"kind":"k"}'),
        params("b@one.example"),
        by_hand,
    ]
    store.record([decide("a@one.example", Reason.ALLOWED_BY_HAND, AT + DAY)], AT + DAY)
    assert struck(engine, "restored") == [("a@one.example", *NOTHING)]


def test_the_sweep_finds_the_event_until_it_is_pruned(engine: sa.Engine) -> None:
    stored.store(engine, StrikeOff()).record([told("a@one.example")], AT)
    stored.store(engine, LOGGED).sweep(AT)
    assert struck(engine) == [params("a@one.example")]
    prune(engine, AT + DAY)
    with write(engine) as connection:
        connection.exec_driver_sql("UPDATE feedback_address SET struck_off = false")
        connection.exec_driver_sql("DELETE FROM struck")
    stored.store(engine, LOGGED).sweep(AT)
    assert struck(engine) == [("a@one.example", *NOTHING)]


def test_nothing_about_the_mail_is_told_of_a_forgotten_address(engine: sa.Engine) -> None:
    store = stored.store(engine, StrikeOff(), keys=KEYS)
    store.record([told("a@one.example", scenario=Scenario.SUPPRESSIONLIST, tags={"kind": "k"})], AT)
    forget(store, KEYS, [parse("a@one.example")], AT, "ann")
    (event,) = rows(
        engine, "SELECT configuration_set, identity, region, tags, account_id FROM feedback_event"
    )
    assert event == ("newsletter", "sender@example.com", "us-east-1", None, "000000000000")
    stored.store(engine, LOGGED, keys=KEYS).record([told("a@one.example", at=AT + DAY)], AT + DAY)
    assert struck(engine) == [("a@one.example", *NOTHING)]


def test_an_entry_of_the_outbox_tells_of_the_event_only_where_a_target_asks(
    engine: sa.Engine,
) -> None:
    for uses_event in (False, True):
        outbox = Outbox(["database"], uses_event=uses_event)
        who = f"{uses_event}@one.example"
        stored.store(engine, StrikeOff(), outbox).record([told(who)], AT)
    entries = [json.loads(row.entry)["parameters"] for row in due(engine, "database", AT)]
    by_address = {entry["address"]: entry for entry in entries}
    assert "configuration_set" not in by_address["false@one.example"]
    assert by_address["true@one.example"]["configuration_set"] == "newsletter"
    assert by_address["true@one.example"]["tags"] is None


def test_why_shows_it(engine: sa.Engine) -> None:
    stored.store(engine, StrikeOff()).record(several(), AT)
    (event,) = Lookup(engine).why("a@one.example")
    assert (event.configuration_set, event.region, event.tenant) == (
        "newsletter",
        "us-east-1",
        "shop",
    )
    assert event.account_id == "000000000000"
    assert event.tags == {CAMPAIGN: 'it\'s "x"'}


@pytest.mark.parametrize("at_once", [True, False])
def test_what_contradicts_itself_ends_the_same_in_any_order(
    engine: sa.Engine, at_once: bool
) -> None:
    """Servers sort texts by a language; Python and SQLite by the code of each character."""
    both = [told("a@one.example", name, tags={"kind": name}) for name in ("a", "B")]
    for messages in (both, both[::-1]):
        store = stored.store(engine, StrikeOff())
        for batch in [messages] if at_once else [[one] for one in messages]:
            store.record(batch, AT)
        kept = rows(engine, "SELECT configuration_set, tags FROM feedback_event")
        assert kept == [("a", '{"kind":"a"}')]
        with write(engine) as connection:
            connection.exec_driver_sql("DELETE FROM feedback_event")


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("event_first", [True, False])
def test_both_schemas_complete_each_other_in_any_order(
    engine: sa.Engine, at_once: bool, event_first: bool
) -> None:
    event = told("a@one.example", tags={"kind": "k"})
    notification = decode(json.dumps(said(about=mail("a@one.example", event.mail_id or ""))))
    assert notification.events[0].attribution == Attribution(
        identity="sender@example.com", region="us-east-1", account_id="000000000000"
    )
    both = [event, notification] if event_first else [notification, event]
    store = stored.store(engine, StrikeOff())
    for batch in [both] if at_once else [[one] for one in both]:
        store.record(batch, AT)
    assert rows(engine, "SELECT configuration_set, identity, tags FROM feedback_event") == [
        ("newsletter", "sender@example.com", '{"kind":"k"}')
    ]
    assert store.record(both, AT).duplicates == 2
