"""Reads the whole list of suppressed addresses, and which events are known, from the database."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from sesbounce.feedback.notification import Kind
from sesbounce.feedback.reason import Effect, Reason
from sesbounce.policy.state import State
from sesbounce.policy.suppressed import Suppressed, strike_text
from sesbounce.privacy.keyed_hash import NO_KEYS, HashKeys, is_forgotten
from sesbounce.store import forgotten, schema
from sesbounce.store.bulk import Find
from sesbounce.store.engine import answering

_CHUNK = 1000
_decode_state = msgspec.json.Decoder(State).decode


def suppressed_rows(engine: sa.Engine, now: datetime) -> Iterator[Suppressed]:
    """All addresses that must not be mailed at this moment, by address; never all in memory.

    Those that were forgotten are left out: nobody else could do anything with their hashes.

    Raises:
        StoreError: the database can't answer.
    """
    table = schema.address
    query = sa.select(table).where(schema.suppressed_at(now)).order_by(table.c.address)
    with answering("the list was not read"), engine.connect() as connection:
        for row in connection.execution_options(yield_per=_CHUNK).execute(query):
            if not is_forgotten(row.address):
                yield _suppressed(row)


def suppressed_among(
    engine: sa.Engine, keys: Iterable[str], now: datetime, hash_keys: HashKeys = NO_KEYS
) -> dict[str, tuple[str, str]]:
    """Which of these keys must not be mailed at this moment: the reason and the why of each.

    Raises:
        StoreError: the database can't answer.
        ConfigurationError: addresses were forgotten under a hash key that is not here.
    """
    table = schema.address
    query = sa.select(table.c.address, table.c.reason, table.c.why)
    find = Find(query.where(schema.suppressed_at(now)), table.c.address)
    names = {key: key for key in keys}
    if hash_keys:
        names |= {hashed.pseudonym: key for key in names for hashed in hash_keys.hashes(key)}
    with answering("the addresses were not looked up"), engine.connect() as connection:
        hash_keys.require(forgotten.checks(connection))
        found = find(connection, sorted(names))
        return {names[row.address]: (row.reason, row.why) for row in found}


def known_events(engine: sa.Engine, dedupe_keys: Iterable[str]) -> set[str]:
    """Which of these events are recorded.

    Raises:
        StoreError: the database can't answer.
    """
    column = schema.event.c.dedupe_key
    find = Find(sa.select(column), column)
    with answering("the events were not looked up"), engine.connect() as connection:
        return {row.dedupe_key for row in find(connection, sorted(set(dedupe_keys)))}


def _suppressed(row: sa.Row[Any]) -> Suppressed:
    reason = Reason(row.reason)
    # What SES did not attempt has a term of its own; all else that runs out rests on strikes.
    strikes = row.suppressed_until is not None and reason.effect is not Effect.NOT_ATTEMPTED
    return Suppressed(
        address=row.address,
        original=row.original,
        reason=reason,
        kind=Kind(row.kind),
        since=row.suppressed_since,
        until=row.suppressed_until,
        why=row.why,
        strikes=_strikes(row.state) if strikes else (),
    )


def _strikes(state: str) -> tuple[str, ...]:
    return tuple(strike_text(s.at, s.reason) for s in reversed(_decode_state(state).strikes))
