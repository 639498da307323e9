"""A known address is changed at the place where PostgreSQL keeps its row."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from scripts.local.ses_messages import Scenario
from sesbounce.errors import ConflictError
from sesbounce.store.address_rows import lock_rows, save_rows
from sesbounce.store.engine import open_database, write
from tests.databases.products import Kind
from tests.databases.servers import empty_database
from tests.stored import DAY, decoded, make_members, rows, store
from tests.support import AT

JANE = "jane@example.com"
# PostgreSQL puts the changed row at another place.
MOVE = "UPDATE feedback_address SET original = 'moved' WHERE address = 'jane@example.com'"


@pytest.fixture
def engine(server_urls: Callable[[Kind], str]) -> Iterator[sa.Engine]:
    """A database of PostgreSQL that knows jane."""
    with empty_database(server_urls("postgresql")) as url:
        engine = open_database(url)
        make_members(engine, "Jane@Example.com", "mary@example.com")
        store(engine).record([decoded(Scenario.MAILBOX_FULL)], AT)
        yield engine
        engine.dispose()


def test_a_row_that_another_transaction_has_moved_meanwhile_is_changed_where_it_is(
    engine: sa.Engine,
) -> None:
    failed: list[sa.Connection] = []
    recording = store(engine)
    sa.event.listen(engine, "rollback", failed.append)
    with ThreadPoolExecutor(1) as pool:
        with write(engine) as other:
            other.exec_driver_sql(MOVE)
            ours = pool.submit(recording.record, [decoded(Scenario.BOUNCE, 1)], AT + DAY)
            with pytest.raises(TimeoutError):
                ours.result(timeout=0.5)
        assert ours.result(timeout=60).suppressed == 1
    assert not failed
    found = rows(engine, "SELECT address, original, reason FROM feedback_address")
    assert found == [(JANE, "Jane@Example.com", "no_such_mailbox")]


def test_a_row_that_is_no_longer_at_its_place_is_a_conflict(engine: sa.Engine) -> None:
    with write(engine) as connection:
        known = lock_rows(connection, [JANE])
        connection.exec_driver_sql(MOVE)
        with pytest.raises(ConflictError):
            save_rows(connection, known, known.values(), {}, AT)


def test_known_and_new_addresses_are_saved_together(engine: sa.Engine) -> None:
    both = [decoded(Scenario.BOUNCE, 1), decoded(Scenario.BOUNCE, 1, "mary@example.com")]
    assert store(engine).record(both, AT + DAY).suppressed == 2
    found = rows(engine, "SELECT address, reason FROM suppressed ORDER BY address")
    assert found == [(JANE, "no_such_mailbox"), ("mary@example.com", "no_such_mailbox")]
