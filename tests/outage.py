"""A simulated outage of a mailbox provider, among normal traffic, and what is recorded of it.

Within an hour all live addresses of one provider bounce as if they did not exist. Beside them:
dead addresses of that provider, which never had a delivery; other providers, whose mail is
delivered, bounces, or brings complaints; and messages that SQS delivers more than once.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from random import Random
from typing import Any

import msgspec
import sqlalchemy as sa

from scripts.local.ses_messages import Scenario
from sesbounce.feedback.decode import Decoded, decode
from sesbounce.operations.incident_detection import Mode
from sesbounce.operations.incidents import Incidents
from sesbounce.store import schema
from sesbounce.store.strike_off import StrikeOff
from tests import stored
from tests.support import AT, mail, said

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
NOW = AT + 3 * HOUR
# By then the sweep has judged for good.
SETTLED = NOW + timedelta(minutes=10)
OTHERS = ("yahoo.com", "outlook.com", "example.com")
# Of each hundred addresses of the provider: so many bounce without an earlier delivery.
_DEAD = 5
_SWEEPS = 12
_BATCH = 500


class Traffic(msgspec.Struct, frozen=True):
    """What SES says, in the order of time.

    Attributes:
        messages: the messages, each once.
        live: addresses of the provider with an earlier delivery and no complaint.
        dead: addresses that bounce hard and never had a delivery, of all providers.
        complaining: addresses that complained.
    """

    messages: list[Decoded]
    live: frozenset[str]
    dead: frozenset[str]
    complaining: frozenset[str]


class Tables(msgspec.Struct, frozen=True):
    """The tables that do not depend on when a message was recorded."""

    addresses: list[tuple[Any, ...]]
    events: list[tuple[Any, ...]]
    hours: list[tuple[Any, ...]]
    incidents: list[tuple[Any, ...]]


def outage(addresses: int) -> Traffic:
    """The traffic of an outage that hits so many live addresses."""
    random = Random(1)
    messages: list[Decoded] = []

    def tell(scenario: Scenario, address: str, after: timedelta) -> None:
        at = AT + after
        sent = mail(address, f"{len(messages):06}-{random.getrandbits(64):016x}")
        messages.append(decode(json.dumps(said(scenario, sent, at=at))))

    def within(hours: float) -> timedelta:
        return random.uniform(0, hours) * HOUR

    live = [f"live{n}@{random.choice(('gmail.com', 'googlemail.com'))}" for n in range(addresses)]
    dead = [f"dead{n}@gmail.com" for n in range(addresses * _DEAD // 100)]
    complaining = live[:: max(1, addresses // 20)]
    for address in live:
        tell(Scenario.SUCCESS, address, -3 * DAY - within(240))
        tell(Scenario.BOUNCE, address, within(1))
    for address in dead:
        tell(Scenario.BOUNCE, address, within(1))
    for address in complaining:
        tell(Scenario.COMPLAINT, address, -2 * DAY)
    # One in a hundred mails to the others bounces, at any time.
    for number in range(addresses // 2):
        address = f"other{number}@{random.choice(OTHERS)}"
        if number % 100 == 0:
            dead.append(address)
        bounces = number % 100 == 0
        tell(Scenario.BOUNCE if bounces else Scenario.SUCCESS, address, within(336) - 14 * DAY)
    messages.sort(key=lambda one: one.events[0].occurred_at)
    return Traffic(
        messages, frozenset(live) - set(complaining), frozenset(dead), frozenset(complaining)
    )


def disordered(messages: Sequence[Decoded], random: Random) -> list[Decoded]:
    """The messages in a random order, a fifth of them twice."""
    told = [*messages, *random.sample(messages, len(messages) // 5)]
    random.shuffle(told)
    return told


def record(engine: sa.Engine, told: Sequence[Decoded], random: Random, mode: Mode = "hold") -> None:
    """Record messages in batches, and sweep at random moments and at the end."""
    store = stored.store(engine, StrikeOff())
    incidents = Incidents(store, mode)
    batches = [told[start : start + _BATCH] for start in range(0, len(told), _BATCH)]
    sweeps = set(random.sample(range(len(batches)), min(_SWEEPS, len(batches))))
    for number, messages in enumerate(batches):
        at = NOW + number * (SETTLED - NOW) / (2 * len(batches))
        store.record(messages, at)
        if number in sweeps:
            incidents.sweep(at)
    for at in (SETTLED - timedelta(minutes=4), SETTLED, SETTLED + timedelta(minutes=6)):
        while not incidents.sweep(at).ended:
            pass


def suppressed_for_good(engine: sa.Engine) -> set[str]:
    """The addresses that are suppressed without an end."""
    table = schema.address
    query = sa.select(table.c.address).where(
        table.c.suppressed_since.is_not(None), table.c.suppressed_until.is_(None)
    )
    with engine.connect() as connection:
        return set(connection.scalars(query))


def tables(engine: sa.Engine) -> Tables:
    """What the database holds."""
    event, incident = schema.event.c, schema.incident.c
    addresses = [schema.address.c[name] for name in stored.OF_ADDRESSES.split(", ")]
    with engine.connect() as connection:
        return Tables(
            list(_rows(connection, sa.select(*addresses))),
            list(_rows(connection, sa.select(event.dedupe_key, event.occurred_at))),
            [row for row in _rows(connection, sa.select(schema.hour)) if any(row[1:])],
            list(
                _rows(
                    connection,
                    # What is withdrawn tells of findings on the way.
                    sa.select(incident.provider, incident.begins_at, incident.ends_at).where(
                        incident.status == "confirmed"
                    ),
                )
            ),
        )


def _rows(connection: sa.Connection, query: sa.Select[Any]) -> Iterator[tuple[Any, ...]]:
    return iter(sorted(map(tuple, connection.execute(query)), key=repr))


def check(engine: sa.Engine, traffic: Traffic) -> None:
    """Nobody with an earlier delivery is suppressed for good, and the dead ones are."""
    assert suppressed_for_good(engine) == traffic.dead | traffic.complaining
