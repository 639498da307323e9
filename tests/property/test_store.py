"""The laws of the merge, through the database: the order of recording makes no difference."""

import json
from datetime import timedelta
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from scripts.local.ses_messages import SCHEMAS, Scenario, Schema
from sesbounce.feedback.decode import Decoded, decode
from sesbounce.feedback.stream import read_stream_by
from sesbounce.store.engine import open_database
from sesbounce.store.strike_off import StrikeOff
from tests import stored
from tests.support import AT, disposed, mail, said

TAGS = ("campaign",)


def message_of_ses(
    scenario: Scenario, schema: Schema, mail_id: int, recipient: str, hours: int, tags: Any
) -> Decoded:
    message = said(scenario, mail(recipient, f"m{mail_id}"), schema, AT + timedelta(hours=hours))
    if schema == "event":
        message["mail"]["tags"] |= tags
    return decode(json.dumps(message), tags=TAGS, stream_by=read_stream_by("configuration-set"))


# Few mails, moments and spellings, so that events repeat and contradict each other.
messages_of_ses = st.builds(
    message_of_ses,
    st.sampled_from(Scenario),
    st.sampled_from(SCHEMAS),
    st.integers(0, 5),
    st.sampled_from(["jane@example.com", "Jane@Example.com", "JANE@example.com"]),
    st.integers(0, 24 * 40),
    st.dictionaries(
        st.sampled_from(["campaign", "ses:configuration-set", "ses:tenant-name"]),
        st.lists(st.sampled_from(["a", "B", "news"]), max_size=1),
    ),
)


def tables_after(batches: list[list[Decoded]]) -> dict[str, list[Any]]:
    """What the database holds when these batches have been recorded one after the other."""
    queries = {
        "addresses": "SELECT * FROM feedback_address ORDER BY address",
        "streams": "SELECT * FROM feedback_stream ORDER BY address, stream",
        "events": "SELECT dedupe_key, occurred_at, configuration_set, identity, region, tenant, "
        "tags, stream FROM feedback_event ORDER BY dedupe_key",
        "messages": "SELECT digest FROM feedback_message ORDER BY digest",
    }
    with disposed(open_database("sqlite://")) as engine:
        store = stored.store(engine, StrikeOff())
        for number, batch in enumerate(batches):
            store.record(batch, AT + timedelta(days=number))
        with engine.connect() as connection:
            return {name: list(connection.exec_driver_sql(sql)) for name, sql in queries.items()}


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
