"""The store on each kind of database: the same events, the same tables."""

import contextlib
import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from scripts.local.ses_messages import Scenario
from sesbounce.client import answers, may_mail, may_send
from sesbounce.errors import RowError, SchemaError, StrikeOffError
from sesbounce.feedback.decode import decode
from sesbounce.feedback.manual import decide
from sesbounce.feedback.reason import Reason
from sesbounce.store import migrate
from sesbounce.store.engine import open_database, write
from sesbounce.store.lookup import Filter, Lookup
from sesbounce.store.result import Recorded
from sesbounce.store.strike_off import StrikeOff
from tests.integration.store.tables import tables
from tests.stored import DAY, STRIKE_OFF, decoded, propagated, rows, store
from tests.support import AT, bounce


def test_a_foreign_database_is_recognised(engine: sa.Engine) -> None:
    assert migrate.other_tables(engine) == ["member"]
    for ask in (may_mail, answers):
        with pytest.raises(SchemaError, match="run `sesbounce db upgrade`"):
            ask(["jane@example.com"], engine)
    with pytest.raises(SchemaError, match="has none of sesbounce's tables"):
        migrate.ensure(engine, migrate=False)
    assert sa.inspect(engine).get_table_names() == ["member"]
    migrate.upgrade(engine, "0003")
    assert migrate.other_tables(engine) == []
    with pytest.raises(SchemaError, match="has version 0003, and this sesbounce needs"):
        migrate.ensure(engine, migrate=False)
    assert migrate.current(engine) == "0003"
    with pytest.raises(SchemaError, match="run `sesbounce db upgrade`"):
        may_send(None, engine)


def test_a_bounce_is_recorded_struck_off_and_answered(engine: sa.Engine) -> None:
    recording = store(engine)
    message = decoded(Scenario.BOUNCE, 0, "Jane@Example.com")
    assert recording.record([message, message], AT) == Recorded(
        events=1,
        duplicates=1,
        suppressed=1,
        struck_rows=1,
        kinds={"bounce": 1},
        reasons={"no_such_mailbox": 1},
    )
    assert recording.record([message], AT) == Recorded(duplicates=1)
    assert dict(rows(engine, "SELECT email, mailable FROM member"))["Jane@Example.com"] == 0
    answer = Lookup(engine).check("JANE@example.com", AT)
    assert (answer.may_mail, answer.since, answer.reason) == (False, AT, "no_such_mailbox")
    (event,) = Lookup(engine).why("jane@example.com")
    assert (event.occurred_at, event.original) == (AT, "Jane@Example.com")
    query = sa.text("SELECT 1 FROM suppressed WHERE address = lower(:to)")
    with engine.connect() as connection:
        assert connection.scalar(query, {"to": "Jane@EXAMPLE.com"}) == 1


def test_suppressions_run_out_by_the_view_and_by_the_sweep(engine: sa.Engine) -> None:
    recording = store(engine)
    long_ago = [decoded(Scenario.MAILBOX_FULL, day) for day in (-3000, -2999, -2998)]
    recording.record(long_ago, AT - 2998 * DAY)
    assert dict(rows(engine, "SELECT email, mailable FROM member"))["Jane@Example.com"] == 0
    assert rows(engine, "SELECT address FROM suppressed") == []
    assert recording.sweep(AT) == Recorded(restored_rows=1)
    assert dict(rows(engine, "SELECT email, mailable FROM member"))["Jane@Example.com"] == 1


def test_what_is_odd_in_text_is_kept(engine: sa.Engine) -> None:
    recording = store(engine, StrikeOff())
    long = "x" * 100_000
    texts = ["Jösé <jösé@bücher.example>", "jose@bücher.example", "😀@example.com", "nul\0@x.y"]
    for number, text in enumerate(texts):
        message = bounce("Permanent", "General", emailAddress=text, diagnosticCode=long + "\0")
        message["mail"]["messageId"] = f"{number}\0" + long
        assert recording.record([decode(json.dumps(message))], AT).suppressed == 1
    lookup = Lookup(engine)
    assert not lookup.check("JÖSÉ@bücher.example", AT).may_mail
    assert not lookup.check("😀@example.com", AT).may_mail
    assert len(rows(engine, "SELECT * FROM feedback_address")) == len(texts)


TRIGGERS = {
    "sqlite": "CREATE TRIGGER keep BEFORE UPDATE ON member "
    "BEGIN SELECT raise(ABORT, 'jane stays'); END",
    "postgresql": "CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION 'jane stays'; END $$; "
    "CREATE TRIGGER keep BEFORE UPDATE ON member FOR EACH ROW EXECUTE FUNCTION keep()",
    "mysql": "CREATE TRIGGER keep BEFORE UPDATE ON member FOR EACH ROW "
    "SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'jane stays'",
}


CHECK = "UPDATE member SET mailable = 2 WHERE lower(email) = :address"


@pytest.mark.parametrize("statement", [STRIKE_OFF, CHECK], ids=["trigger", "check"])
def test_a_statement_that_is_rejected_stops_nothing_else(engine: sa.Engine, statement: str) -> None:
    recording = store(engine, StrikeOff(statement))
    if statement == STRIKE_OFF:
        with write(engine) as connection:
            connection.exec_driver_sql(TRIGGERS[engine.dialect.name])
    both = [decoded(Scenario.BOUNCE), decoded(Scenario.BOUNCE, 0, "stranger@example.com")]
    recorded = recording.record(both, AT)
    assert (recorded.events, recorded.suppressed) == (2, 2)
    assert sum(recorded.rejected.values()) == 1
    assert sum(recording.sweep(AT).rejected.values()) == 1


def test_the_time_fits_a_column_for_times(engine: sa.Engine) -> None:
    kind = {"mysql": "DATETIME(6)", "postgresql": "TIMESTAMPTZ"}.get(engine.dialect.name, "TEXT")
    with write(engine) as connection:
        connection.exec_driver_sql(f"ALTER TABLE member ADD COLUMN bounced_at {kind}")
    by_time = "UPDATE member SET bounced_at = :occurred_at WHERE lower(email) = :address"
    assert store(engine, StrikeOff(by_time)).record([decoded(Scenario.BOUNCE)], AT).struck_rows == 1
    ((found,),) = rows(engine, "SELECT bounced_at FROM member WHERE bounced_at IS NOT NULL")
    assert str(found).replace("T", " ").startswith("2026-11-20 12:00:00")


def test_statements_may_hold_what_drivers_take_for_placeholders(engine: sa.Engine) -> None:
    odd = (
        "UPDATE member SET mailable = 0 WHERE lower(email) = :address AND email LIKE '%@%'"
        " AND '?' <> '%s' AND :original <> ''"
    )
    both = [decoded(Scenario.BOUNCE, 0, f"{name}@example.com") for name in ("jane", "mary")]
    assert store(engine, StrikeOff(odd)).record(both, AT).struck_rows == 2


def test_a_deadlock_with_the_sender_s_application_is_retried(
    server_database_url: str,
) -> None:
    """Their transaction locks mary and then jane, ours jane and then mary."""
    engine = open_database(server_database_url)
    with write(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE member (email VARCHAR(99) PRIMARY KEY, n INT)")
        connection.exec_driver_sql("INSERT INTO member VALUES ('jane@x.y', 0), ('mary@x.y', 0)")
    recording = store(engine, StrikeOff("UPDATE member SET n = n + 1 WHERE email = :address"))
    lock = sa.text("UPDATE member SET n = n WHERE email = :email")
    both = [decoded(Scenario.BOUNCE, 0, "jane@x.y"), decoded(Scenario.BOUNCE, 1, "mary@x.y")]
    with ThreadPoolExecutor(1) as pool:
        with engine.connect() as theirs:
            theirs.execute(lock, {"email": "mary@x.y"})
            ours = pool.submit(recording.record, both, AT)
            with pytest.raises(TimeoutError):
                ours.result(timeout=1)
            # Whoever is chosen to give way: theirs fails here, or ours is tried again.
            with contextlib.suppress(OperationalError):
                theirs.execute(lock, {"email": "jane@x.y"})
            theirs.rollback()
        assert ours.result(timeout=60).struck_rows == 2
    assert rows(engine, "SELECT n FROM member") == [(1,), (1,)]
    engine.dispose()


@pytest.mark.parametrize("size", [1, 200_000])
def test_nothing_of_a_batch_is_kept_if_a_row_of_our_own_is_rejected(
    engine: sa.Engine, size: int
) -> None:
    recording = store(engine, StrikeOff())
    message = decoded(Scenario.BOUNCE)
    assert message.message
    odd = msgspec.structs.replace(
        message, message=msgspec.structs.replace(message.message, digest="x" * size)
    )
    if size == 1 or engine.dialect.name == "sqlite":
        assert recording.record([odd], AT).suppressed == 1
        return
    with pytest.raises(RowError) as failed:
        recording.record([odd, decoded(Scenario.BOUNCE, 1)], AT)
    assert "jane" not in str(failed.value).lower()
    assert tables(engine) == {"addresses": [], "events": [], "messages": []}


def test_statements_that_do_not_fit_are_found_at_the_start(engine: sa.Engine) -> None:
    for sql in (
        "UPDATE membre SET mailable = 0 WHERE email = :address",
        "UPDATE member SET nothing = 0 WHERE email = :address",
    ):
        with pytest.raises(StrikeOffError, match="does not fit the database"):
            store(engine, StrikeOff(sql))
    store(engine, StrikeOff("DELETE FROM member WHERE lower(email) = :address"))
    assert len(rows(engine, "SELECT * FROM member")) == 2


def test_a_table_that_vanishes_costs_no_event_and_is_caught_up_with(engine: sa.Engine) -> None:
    recording = store(engine)
    with write(engine) as connection:
        connection.exec_driver_sql("ALTER TABLE member RENAME TO members")
    recorded = recording.record([decoded(Scenario.BOUNCE)], AT)
    assert (recorded.events, recorded.suppressed, recorded.struck_rows) == (1, 1, 0)
    (problem,) = recorded.rejected
    assert problem.startswith("SESBOUNCE_STRIKE_OFF_SQL: ")
    with write(engine) as connection:
        connection.exec_driver_sql("ALTER TABLE members RENAME TO member")
    assert propagated(engine) == [(False, None, None)]
    assert recording.sweep(AT + DAY) == Recorded(struck_rows=1)
    assert propagated(engine) == [(True, AT + DAY, None)]
    allowed = decide("jane@example.com", Reason.ALLOWED_BY_HAND, AT + 2 * DAY)
    assert recording.record([allowed], AT + 2 * DAY).restored_rows == 1
    assert propagated(engine) == [(False, AT + DAY, AT + 2 * DAY)]


def test_addresses_are_listed_and_decided_about(engine: sa.Engine) -> None:
    recording = store(engine)
    recording.record([decoded(Scenario.BOUNCE, 0, f"{n}_@example.com") for n in range(5)], AT)
    recording.record([decide("x@other.example", Reason.SUPPRESSED_BY_HAND, AT + DAY)], AT)
    lookup = Lookup(engine)

    def listed(**wanted: Any) -> list[str]:
        return [answer.address for answer in lookup.suppressed(AT, Filter(**wanted))]

    assert listed(offset=4) == ["1_@example.com", "0_@example.com"]
    assert listed(domain="other.example") == ["x@other.example"]
    assert listed(since=AT + DAY) == ["x@other.example"]
    assert listed(reason="no_such_mailbox", limit=2) == ["4_@example.com", "3_@example.com"]
