from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from scripts.local.ses_messages import Scenario
from sesbounce.errors import ConfigurationError
from sesbounce.feedback.address import parse
from sesbounce.operations.erasure import forget
from sesbounce.privacy.keyed_hash import NO_KEYS, HashKeys
from sesbounce.store.addresses import FindAddresses, names_of
from sesbounce.store.schema import address as table
from sesbounce.store.strike_off import StrikeOff
from tests import stored
from tests.stored import decoded
from tests.support import AT

KEYS = HashKeys(["k" * 32])
JANE, MARY, ANN = "jane@example.com", "mary@example.com", "ann@example.com"


@pytest.fixture
def connection(engine: sa.Engine) -> Iterator[sa.Connection]:
    """A database in which jane and mary have bounced, and jane was forgotten."""
    store = stored.store(engine, StrikeOff(), keys=KEYS)
    store.record([decoded(Scenario.BOUNCE, 0, who) for who in (JANE, MARY)], AT)
    forget(store, KEYS, [parse(JANE)], AT, "ann")
    with engine.connect() as connection:
        yield connection


def found(
    connection: sa.Connection,
    keys: HashKeys = KEYS,
    condition: sa.ColumnElement[bool] | None = None,
    *,
    forgotten_only: bool = False,
) -> dict[str, str]:
    find = FindAddresses([table.c.reason], condition)
    wanted = [MARY, ANN, JANE]
    pairs = find(connection, wanted, keys, forgotten_only=forgotten_only)
    return {key: row.reason for key, row in pairs}


def test_an_address_is_found_under_its_key_or_its_hash(connection: sa.Connection) -> None:
    assert found(connection) == {JANE: "no_such_mailbox", MARY: "no_such_mailbox"}
    assert found(connection, forgotten_only=True) == {JANE: "no_such_mailbox"}
    assert found(connection, condition=table.c.address == MARY) == {MARY: "no_such_mailbox"}
    assert found(connection, condition=sa.false()) == {}


@pytest.mark.parametrize("condition", [None, sa.false()])
def test_a_missing_hash_key_is_an_error_whatever_is_looked_up(
    connection: sa.Connection, condition: sa.ColumnElement[bool] | None
) -> None:
    for keys in (NO_KEYS, HashKeys(["x" * 32])):
        with pytest.raises(ConfigurationError, match="SESBOUNCE_HASH_KEY"):
            found(connection, keys, condition)


def test_each_chunk_of_keys_is_one_query(
    connection: sa.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sesbounce.store.find.KEYS_PER_QUERY", 2)
    queries: list[str] = []
    sa.event.listen(connection, "before_cursor_execute", lambda *call: queries.append(call[2]))
    assert len(found(connection)) == 2
    assert len([query for query in queries if query.startswith("SELECT")]) == 2


def test_each_name_leads_to_its_key() -> None:
    (hashed,) = KEYS.hashes(JANE)
    assert names_of([JANE], KEYS) == {JANE: JANE, hashed.pseudonym: JANE}
    assert names_of([JANE], KEYS, forgotten_only=True) == {hashed.pseudonym: JANE}
    assert names_of([JANE], NO_KEYS) == {JANE: JANE}
