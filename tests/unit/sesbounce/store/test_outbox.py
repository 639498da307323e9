import pytest
import sqlalchemy as sa

from scripts.local.ses_messages import Scenario
from sesbounce.errors import StoreError
from sesbounce.feedback.manual import decide
from sesbounce.feedback.reason import Reason
from sesbounce.store.engine import write
from sesbounce.store.outbox import OutboxEntry, waiting
from tests.stored import DAY, decoded
from tests.support import AT
from tests.unit.sesbounce.delivering import Pigeon, at, make


def test_an_entry_is_delivered_once_and_removed(engine: sa.Engine) -> None:
    pigeon = Pigeon()
    store, deliver = make(engine, pigeon)
    store.record([decoded(Scenario.BOUNCE)], AT)
    assert [(row["target"], row["entries"]) for row in waiting(engine)] == [("pigeon", 1)]
    assert deliver(at(AT)).delivered == 1
    assert pigeon.entries[0].parameters["original"] == "Jane@Example.com"
    assert pigeon.entries[0].parameters["reason"] == "no_such_mailbox"
    assert waiting(engine) == []
    assert deliver(at(AT + DAY)).delivered == 0


def test_nothing_of_a_batch_is_kept_if_its_entry_is_rejected(engine: sa.Engine) -> None:
    store, _ = make(engine, Pigeon())
    with write(engine) as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER full BEFORE INSERT ON feedback_outbox "
            "BEGIN SELECT raise(ABORT, 'no'); END"
        )
    with pytest.raises(StoreError):
        store.record([decoded(Scenario.BOUNCE)], AT)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM feedback_event").scalar() == 0


def test_a_newer_entry_replaces_an_older_one(engine: sa.Engine) -> None:
    pigeon = Pigeon()
    store, deliver = make(engine, pigeon)
    store.record([decoded(Scenario.MAILBOX_FULL, day) for day in (0, 1, 2)], AT + 2 * DAY)
    store.record([decoded(Scenario.SUCCESS, 3)], AT + 3 * DAY)
    deliver(at(AT + 3 * DAY))
    assert pigeon.delivered == [(False, "jane@example.com")]


def test_a_newer_entry_that_comes_during_a_delivery_is_kept(engine: sa.Engine) -> None:
    later = AT + 3 * DAY

    class Slow(Pigeon):
        def deliver(self, entry: OutboxEntry) -> None:
            if not self.entries:
                store.record([decoded(Scenario.SUCCESS, 3)], later)
            super().deliver(entry)

    pigeon = Slow()
    store, deliver = make(engine, pigeon)
    store.record([decoded(Scenario.MAILBOX_FULL, day) for day in (0, 1, 2)], AT + 2 * DAY)
    deliver(at(AT + 2 * DAY))
    assert [row["entries"] for row in waiting(engine)] == [1]
    deliver(at(later))
    assert pigeon.delivered == [(True, "jane@example.com"), (False, "jane@example.com")]


def test_the_sweep_corrects_a_target_that_got_an_older_entry_last(engine: sa.Engine) -> None:
    """Two relays: one dawdles with the older entry while the other delivers the newer one."""
    later = AT + DAY
    fast = Pigeon()

    class Dawdling(Pigeon):
        def deliver(self, entry: OutboxEntry) -> None:
            store.record([decide("jane@example.com", Reason.ALLOWED_BY_HAND, later)], later)
            _, other = make(engine, fast)
            other(at(later))
            fast.deliver(entry)  # the same target gets both in the wrong order

    store, deliver = make(engine, Dawdling())
    store.record([decoded(Scenario.BOUNCE)], AT)
    deliver(at(AT))
    assert fast.delivered == [(False, "jane@example.com"), (True, "jane@example.com")]
    store, deliver = make(engine, fast)
    store.sweep(later)
    deliver(at(later))
    assert fast.delivered[-1] == (False, "jane@example.com")
