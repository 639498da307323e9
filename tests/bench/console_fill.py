"""Fills a database for the console: years of events, and all that its pages show beside them.

The events and addresses are multiplied by `tests.bench.fill`, from models that the worker's own
code has recorded. The addresses are at a few large providers and at 50,000 domains; half of them
are suppressed, for all reasons, and most suppressions of the full mailboxes have ended. The tables
of counts are as full as busy senders make them.
"""

import itertools
import json
import random
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from scripts.local.ses_messages import Mail, Scenario
from sesbounce.feedback.decode import decode
from sesbounce.feedback.manual import decide
from sesbounce.feedback.reason import Reason
from sesbounce.feedback.recording import Recording
from sesbounce.operations.incident_rows import new
from sesbounce.operations.incidents import Incidents
from sesbounce.policy.incident import Incident
from sesbounce.policy.tally import ProviderDay, SenderHour
from sesbounce.policy.verdict import Policy
from sesbounce.store import outbox, schema
from sesbounce.store.engine import open_database, write
from sesbounce.store.incidents import IncidentStatus
from sesbounce.store.outbox import Outbox
from sesbounce.store.senders import add_numbers
from sesbounce.store.store import Store
from sesbounce.store.strike_off import StrikeOff
from tests.bench.fill import Life, fill
from tests.support import disposed, said

IDENTITIES = 20
BUSY = "busy@example.org"
BUSY_EVENTS = 1000
FEW = "few@example.org"
LARGE, SMALL, NONE = "gmail.com", "d7.example", "nobody.example"
TARGETS = ("webhook:crm", "webhook:desk")
WAITING = 10_000
_DOMAIN = (
    "CASE WHEN who / 7 % 100 < 40 THEN 'gmail.com' WHEN who / 7 % 100 < 60 THEN 'outlook.com'"
    " WHEN who / 7 % 100 < 72 THEN 'yahoo.com' ELSE 'd' || who % 49999 || '.example' END"
)
_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_HOUR_DAYS = 31
_INCIDENTS = 60
_ACCOUNT, _REGION = "111122223333", "eu-west-1"
_PROVIDERS = ("google", "microsoft", "yahoo", "apple", "other")
# What the models have behind them; the last one is that of a person.
_MODELS = {
    Scenario.SUCCESS: 460,
    Scenario.BOUNCE: 390,
    Scenario.MAILBOX_FULL: 90,
    Scenario.COMPLAINT: 30,
    Scenario.SUPPRESSIONLIST: 29,
    None: 1,
}
_ANSWERS = {
    "delivery": ("delivered",),
    "bounce": ("no_such_mailbox", "mailbox_full", "domain_not_found", "blocked", "undetermined"),
    "complaint": ("complaint_abuse",),
    "delivery_delay": ("temporary_failure",),
}


def fill_for_console(url: str, events: int, addresses: int, now: datetime) -> None:
    """Make the tables of an empty database, and fill all of them.

    Args:
        url: SQLite or PostgreSQL.
        events: the number of events.
        addresses: the number of addresses.
        now: the time at which the data ends, UTC.
    """
    chance = random.Random(17)
    with disposed(open_database(url, create=True)) as engine:
        store = Store(engine, Policy(), StrikeOff())
        store.prepare()
        store.record(list(_models(now)), now)
    fill(url, Life(events, addresses, now, _DOMAIN, spread=True))
    with disposed(open_database(url)) as engine:
        store = Store(engine, Policy(), StrikeOff(), Outbox(TARGETS))
        _record_stories(store, now)
        with write(engine) as connection:
            _fill_counts(connection, now, chance)
            _fill_outbox(connection, now)
        _open_incidents(store, now)
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            if engine.dialect.name == "postgresql":
                connection.exec_driver_sql("VACUUM ANALYZE")


def _models(now: datetime) -> Iterator[Recording]:
    """What is multiplied: messages and decisions about an address each."""
    number = itertools.count()
    kinds = [kind for kind, times in _MODELS.items() for _ in range(times)]
    random.Random(1).shuffle(kinds)
    for place, kind in enumerate(kinds):
        address = f"model-{place:04}@example.com"
        if kind is None:
            note = "asked by phone"
            yield decide(address, Reason.SUPPRESSED_BY_HAND, now - _DAY, by="token mary", note=note)
            continue
        for strike in range(3 if kind is Scenario.MAILBOX_FULL else 1):
            yield _message(kind, address, f"model-{next(number)}", now - _DAY * (1 + strike))


def _message(kind: Scenario, address: str, mail_id: str, at: datetime) -> Recording:
    about = Mail(mail_id, "news@shop.example.com", address, at, account_id=_ACCOUNT, region=_REGION)
    return decode(json.dumps(said(kind, about, "event", at)))


def _record_stories(store: Store, now: datetime) -> None:
    """An address with many events, and one with few."""
    told = [
        _message(
            Scenario.MAILBOX_FULL if number % 10 == 0 else Scenario.SUCCESS,
            BUSY,
            f"busy-{number}",
            now - number * 20 * _HOUR,
        )
        for number in range(BUSY_EVENTS)
    ]
    told.append(_message(Scenario.BOUNCE, FEW, "few", now - _DAY))
    store.record(told, now)


def _fill_counts(connection: sa.Connection, now: datetime, chance: random.Random) -> None:
    hour = now.replace(minute=0, second=0, microsecond=0)
    senders = {
        SenderHour(hour - ago * _HOUR, _ACCOUNT, _REGION, f"sender-{one}.example.com"): [
            *(1000, 980, chance.randint(5, 15), 5, int(chance.random() < 0.5)),
            *(int(chance.random() < 0.2), 0, 2),
        ]
        for ago in range(24 * _HOUR_DAYS)
        for one in range(IDENTITIES)
    }
    add_numbers(connection, senders, _days_of_providers(now.date(), chance))
    # Of every hour the large providers, and some domains.
    names = [*_PROVIDERS[:-1], *(f"d{number}.example" for number in range(30))]
    rows = [
        (f"{(hour - ago * _HOUR).isoformat()[:13]} {name}", chance.randint(0, 9), 0, 1000)
        for ago in range(24 * 20)
        for name in names
    ]
    columns = ("cell", "hard", "known", "delivered")
    connection.execute(sa.delete(schema.hour))
    connection.execute(
        sa.insert(schema.hour), [dict(zip(columns, row, strict=True)) for row in rows]
    )


def _days_of_providers(today: date, chance: random.Random) -> dict[ProviderDay, int]:
    return {
        ProviderDay(today - ago * _DAY, provider, kind, reason): chance.randint(1, 1000)
        for ago in range(90)
        for provider in _PROVIDERS
        for kind, reasons in _ANSWERS.items()
        for reason in reasons
    }


def _fill_outbox(connection: sa.Connection, now: datetime) -> None:
    """Entries for two targets: one answers with an error, the other one is stopped."""
    model = connection.execute(sa.select(schema.outbox).limit(1)).mappings().one()
    connection.execute(sa.delete(schema.outbox))
    of: dict[str, dict[str, Any]] = {
        TARGETS[0]: {"due_at": now + _HOUR, "attempts": 3, "problem": "HTTP status 503"},
        TARGETS[1]: {"due_at": outbox.NEVER, "attempts": 1, "problem": "HTTP status 410"},
    }
    connection.execute(
        sa.insert(schema.outbox),
        [
            {**model, **values, "target": target, "address": f"a{number}@waiting.example"}
            for target, values in of.items()
            for number in range(WAITING)
        ],
    )


def _open_incidents(store: Store, now: datetime) -> None:
    """Incidents of a year, each of a day; the last one goes on."""
    incidents = Incidents(store)
    for number in range(_INCIDENTS):
        begins = now - (6 * number * _DAY + _DAY)
        found = Incident(provider="google", begins=begins, ends=begins + _DAY if number else None)
        incidents.save(new(found, now, IncidentStatus.CONFIRMED, "an outage", "token mary"), now)
