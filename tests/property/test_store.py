"""The laws of the merge, through the database: the order of recording makes no difference."""

import functools
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from random import Random
from typing import Any

import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.local.ses_messages import SCHEMAS, Scenario, Schema
from sesbounce.feedback.decode import Decoded, decode
from sesbounce.feedback.stream import read_stream_by
from sesbounce.operations.incident_rows import new
from sesbounce.operations.incidents import Incidents
from sesbounce.operations.recount import recount
from sesbounce.policy.incident import Incident
from sesbounce.policy.tally import OUTCOMES
from sesbounce.store.engine import open_database
from sesbounce.store.incidents import IncidentStatus
from sesbounce.store.migrate import upgrade
from sesbounce.store.store import Store
from sesbounce.store.strike_off import StrikeOff
from tests import stored
from tests.support import AT, disposed, mail, said

TAGS = ("campaign",)


def message_of_ses(
    scenario: Scenario,
    schema: Schema,
    mail_id: int,
    recipient: str,
    hours: int,
    tags: Any,
    identity: bool,
    others: list[str],
) -> Decoded:
    message = said(scenario, mail(recipient, f"m{mail_id}"), schema, AT + timedelta(hours=hours))
    if schema == "event":
        message["mail"]["tags"] |= tags
    if not identity:
        del message["mail"]["sourceArn"]
    if scenario is Scenario.COMPLAINT:  # SES may not know which of them it was
        named = message["complaint"]["complainedRecipients"]
        named += [{"emailAddress": other} for other in others]
        message["complaint"]["feedbackId"] += f"{hours % 3}"
    return decode(json.dumps(message), tags=TAGS, stream_by=read_stream_by("configuration-set"))


RECIPIENTS = ["jane@example.com", "Jane@Example.com", "JANE@example.com", "jo@gmail.com"]


def built(scenarios: st.SearchStrategy[Scenario], mails: int) -> st.SearchStrategy[Decoded]:
    """Few mails, moments and spellings, so that events repeat and contradict each other."""
    return st.builds(
        message_of_ses,
        scenarios,
        st.sampled_from(SCHEMAS),
        st.integers(0, mails - 1),
        st.sampled_from(RECIPIENTS),
        st.integers(0, 24 * 40),
        st.dictionaries(
            st.sampled_from(["campaign", "ses:configuration-set", "ses:tenant-name"]),
            st.lists(st.sampled_from(["a", "B", "news"]), max_size=1),
        ),
        st.booleans(),
        st.lists(st.sampled_from(["amy@example.com", "mary@example.com", "jo@gmail.com"])),
    )


# The recipients that the complaints about one mail name may be the same, overlap, or differ.
messages_of_ses = built(st.sampled_from(Scenario), 6) | built(st.just(Scenario.COMPLAINT), 2)


OUTAGES = st.lists(
    st.builds(
        lambda provider, begins, hours: Incident(
            provider=provider,
            begins=AT + timedelta(hours=begins),
            ends=AT + timedelta(hours=begins + hours) if hours else None,
        ),
        st.sampled_from(["example.com", "google"]),
        st.integers(0, 24 * 40),
        st.sampled_from([0, 2, 24 * 10]),
    ),
    max_size=3,
)
SETTLED = AT + timedelta(days=100)


@functools.cache
def migrated() -> bytes:
    """A database in memory that is migrated: that takes longer than most of the examples."""
    with disposed(open_database("sqlite://")) as engine:
        upgrade(engine)
        with closing(engine.raw_connection()) as connection:
            return in_sqlite(connection).serialize()


@contextmanager
def recording() -> Iterator[tuple[sa.Engine, Store]]:
    """A store in a new database in memory."""
    with disposed(open_database("sqlite://")) as engine:
        with closing(engine.raw_connection()) as connection:
            in_sqlite(connection).deserialize(migrated())
        yield engine, stored.store(engine, StrikeOff())


def in_sqlite(connection: sa.PoolProxiedConnection) -> sqlite3.Connection:
    own = connection.driver_connection
    assert isinstance(own, sqlite3.Connection)
    return own


def tables_after(batches: list[list[Decoded]]) -> dict[str, list[Any]]:
    """What the database holds when these batches have been recorded one after the other."""
    queries = {
        "addresses": f"SELECT {stored.OF_ADDRESSES} FROM feedback_address ORDER BY address",
        "streams": "SELECT * FROM feedback_stream ORDER BY address, stream",
        "events": "SELECT dedupe_key, occurred_at, configuration_set, identity, region, tenant, "
        "tags, account_id, stream, counted FROM feedback_event ORDER BY dedupe_key",
        "messages": "SELECT digest FROM feedback_message ORDER BY digest",
        # A row of zeros only shows that there was a number before.
        "hours": "SELECT * FROM feedback_hour WHERE hard <> 0 OR known <> 0 OR delivered <> 0 "
        "ORDER BY cell",
        "senders": f"SELECT * FROM feedback_sender_hour WHERE {' OR '.join(OUTCOMES)} "
        "ORDER BY hour, account_id, region, identity",
        "providers": "SELECT * FROM feedback_provider_day WHERE events <> 0 "
        "ORDER BY day, provider, kind, reason",
    }
    with recording() as (engine, store):
        for number, batch in enumerate(batches):
            store.record(batch, AT + timedelta(days=number))
        Incidents(store, "off").sweep(AT + timedelta(days=40))  # deletes old counts
        with engine.connect() as connection:
            tables = {name: list(connection.exec_driver_sql(sql)) for name, sql in queries.items()}
        assert not sum(day.corrected for day in recount(engine))  # they equal the log
        return tables


def verdicts_after(steps: list[list[Decoded] | Incident]) -> list[Any]:
    """The rows of addresses when batches were recorded and incidents opened in this order."""
    with recording() as (engine, store):
        incidents = Incidents(store)
        for number, step in enumerate(steps):
            at = AT + timedelta(days=number)
            if isinstance(step, Incident):
                incidents.save(new(step, at, IncidentStatus.CONFIRMED, "", "ann"), at)
            else:
                store.record(step, at)
        incidents.sweep(SETTLED)
        with engine.connect() as connection:
            return list(
                connection.exec_driver_sql(
                    f"SELECT {stored.OF_ADDRESSES} FROM feedback_address ORDER BY address"
                )
            )


@settings(deadline=None, max_examples=60)
@given(
    st.lists(messages_of_ses, min_size=1, max_size=25), st.randoms(use_true_random=False), st.data()
)
def test_any_order_repetition_and_batching_gives_the_same_tables(
    messages: list[Decoded], random: Random, data: st.DataObject
) -> None:
    shuffled = messages + random.sample(messages, len(messages) // 2)
    random.shuffle(shuffled)
    size = data.draw(st.integers(1, len(shuffled)))
    batches = [shuffled[i : i + size] for i in range(0, len(shuffled), size)]
    assert tables_after(batches) == tables_after([messages])


@settings(deadline=None, max_examples=60)
@given(
    st.lists(messages_of_ses, min_size=1, max_size=25),
    OUTAGES,
    st.randoms(use_true_random=False),
)
def test_an_incident_may_be_opened_before_during_or_after_it(
    messages: list[Decoded], outages: list[Incident], random: Random
) -> None:
    shuffled = messages + random.sample(messages, len(messages) // 2)
    random.shuffle(shuffled)
    steps: list[list[Decoded] | Incident] = [[message] for message in shuffled]
    for outage in outages:
        steps.insert(random.randint(0, len(steps)), outage)
    expected = verdicts_after([*outages, messages])
    assert verdicts_after(steps) == expected
    assert verdicts_after([messages, *outages]) == expected
