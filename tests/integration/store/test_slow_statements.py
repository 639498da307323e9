"""What the sender's statements wait for, and the time that they take."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from scripts.local.ses_messages import Scenario
from sesbounce.errors import StoreError
from sesbounce.feedback.decode import decode
from sesbounce.store import slow
from sesbounce.store.engine import open_database, write
from sesbounce.store.result import Recorded
from sesbounce.store.statements import Parameters
from sesbounce.store.strike_off import StrikeOff
from tests.integration.store.members import (
    BAD,
    GOOD,
    bounced,
    check_problem,
    mariadb_trigger,
    postgresql_trigger,
    prepared,
    store,
    struck,
)
from tests.support import AT, mail, said, until

if TYPE_CHECKING:
    from sesbounce.store.sweep import Progress


def test_a_statement_that_takes_too_long_is_stopped_and_is_the_address_s_own_problem(
    server_database_url: str,
) -> None:
    postgresql = server_database_url.startswith("postgresql")
    trigger = (
        postgresql_trigger("PERFORM pg_sleep(60)")
        if postgresql
        else mariadb_trigger("DO sleep(60)")
    )
    with prepared(server_database_url, trigger) as engine:
        recording = store(engine, seconds=1)
        total = recording.record([bounced(address) for address in (BAD, *GOOD)], AT)
        assert (total.events, total.suppressed) == (3, 3)
        total.add(recording.sweep(AT))
        # A busy machine may stop one of the others as well: the next round retries it.
        while recording.progress or struck(engine) < set(GOOD):
            total.add(recording.sweep(AT))
        (problem,) = total.rejected
        assert "statement timeout" in problem or "max_statement_time exceeded" in problem
        assert struck(engine) == set(GOOD)


@contextmanager
def locked(engine: sa.Engine, address: str) -> Iterator[None]:
    """Another client that has changed a member, and does not commit."""
    with engine.connect() as other:
        other.exec_driver_sql(f"UPDATE member SET mailable = 1 WHERE email = '{address}'")
        yield
        other.rollback()


def test_a_locked_member_row_costs_no_event_and_is_caught_up_with(server_database_url: str) -> None:
    with prepared(server_database_url) as engine:
        recording = store(engine, "UPDATE member SET mailable = 0 WHERE email = :address")
        with locked(engine, BAD):
            began = time.monotonic()
            recorded = recording.record([bounced(address) for address in (BAD, *GOOD)], AT)
            # MariaDB would wait for 50 seconds, and PostgreSQL without end.
            assert time.monotonic() - began < 45
            assert (recorded.events, recorded.suppressed) == (3, 3)
            check_problem(recorded.rejected, "ock")
            assert struck(engine) == set(GOOD)
        assert recording.sweep(AT) == Recorded(struck_rows=1)
        assert struck(engine) == {BAD, *GOOD}


def test_the_limits_end_with_the_statements(server_database_url: str) -> None:
    names = {
        "postgresql": ["lock_timeout", "statement_timeout"],
        "mysql": ["@@innodb_lock_wait_timeout", "@@lock_wait_timeout", "@@max_statement_time"],
    }
    with prepared(server_database_url) as engine:
        read = "SHOW {}" if engine.dialect.name == "postgresql" else "SELECT {}"
        queries = [read.format(name) for name in names[engine.dialect.name]]
        inside: list[Any] = []

        def look(connection: Any, _cursor: Any, sql: str, *_: Any) -> None:
            if sql.startswith("UPDATE member"):
                inside.append([connection.exec_driver_sql(query).scalar() for query in queries])

        recording = store(engine)
        with engine.connect() as connection:
            before = [connection.exec_driver_sql(query).scalar() for query in queries]
        sa.event.listen(engine, "before_cursor_execute", look)
        with recording.writing("nothing") as connection:
            jane = Parameters(
                address=BAD, original=BAD, reason=None, kind=None, occurred_at=None, why=""
            )
            recording._strike_off.strike_off(connection, [jane])
            after = [connection.exec_driver_sql(query).scalar() for query in queries]
        assert after == before
        assert inside[0] != before


def test_a_transaction_that_waits_is_logged(
    server_database_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with prepared(server_database_url) as engine:
        recording = store(engine)
        recording.record([bounced(BAD)], AT)
        # Not before: on a busy machine that may take long, too.
        monkeypatch.setattr(slow, "_SLOW_SECONDS", 0.5)
        with engine.connect() as other:
            other.exec_driver_sql("SELECT 1 FROM feedback_address FOR UPDATE")
            complaint = decode(json.dumps(said(Scenario.COMPLAINT, mail(BAD))))
            thread = threading.Thread(target=recording.record, args=([complaint], AT))
            thread.start()
            until(lambda: caplog.records)
            other.rollback()
            thread.join()
    waits, waited = caplog.messages
    assert waits.startswith("a transaction takes more than ")
    assert waited.startswith("a transaction took ")


def sleeping(engine: sa.Engine, seconds: float) -> str:
    sleep = {"postgresql": f"pg_sleep({seconds}) IS NULL", "mysql": f"sleep({seconds}) = 1"}
    return (
        "UPDATE member SET mailable = CASE WHEN "
        f"{sleep[engine.dialect.name]} THEN 1 ELSE 0 END WHERE email = :address"
    )


def test_what_slow_statements_leave_is_done_by_sweeps_in_steps(server_database_url: str) -> None:
    with prepared(server_database_url) as engine:
        many = [f"{n}@example.com" for n in range(12)]
        with write(engine) as connection:
            for address in many:
                connection.exec_driver_sql(f"INSERT INTO member VALUES ('{address}', 1)")
        # Within the time at most three statements begin, on a busy machine fewer.
        recording = store(engine, sleeping(engine, 0.7), seconds=2)
        recorded = recording.record([bounced(address) for address in many], AT)
        assert (recorded.events, recorded.suppressed) == (12, 12)
        assert 0 < recorded.struck_rows <= 3
        assert recorded.pending == 12 - recorded.struck_rows
        steps: list[Progress] = []
        while True:
            # The last transaction that begins within the time may take as much.
            assert recording.sweep(AT).struck_rows <= 4
            if recording.progress is None:
                break
            steps.append(recording.progress)
        assert len(steps) >= 2
        assert [step.done for step in steps] == sorted({step.done for step in steps})
        assert {step.total for step in steps} == {recorded.pending}
        assert struck(engine) == set(many)


def test_while_the_sweep_catches_up_new_events_do_not_wait(server_database_url: str) -> None:
    with prepared(server_database_url) as engine:
        recording = store(engine, sleeping(engine, 0.7), seconds=2)
        many = [f"{n}@example.com" for n in range(12)]
        with write(engine) as connection:
            for address in many:
                connection.exec_driver_sql(f"INSERT INTO member VALUES ('{address}', 1)")
        recording.record([bounced(address) for address in many], AT)
        recording.sweep(AT)
        assert recording.progress
        with write(engine) as connection:
            connection.exec_driver_sql("INSERT INTO member VALUES ('new@example.com', 1)")
        ran: list[str] = []

        def look(_connection: Any, _cursor: Any, sql: str, *_: Any) -> None:
            ran.append(sql)

        sa.event.listen(engine, "before_cursor_execute", look)
        assert recording.record([bounced("new@example.com")], AT).pending == 1
        sa.event.remove(engine, "before_cursor_execute", look)
        assert ran
        assert not [sql for sql in ran if "UPDATE member" in sql]
        for _ in range(20):
            recording.sweep(AT)
        assert struck(engine) == {*many, "new@example.com"}


def index_of(engine: sa.Engine) -> tuple[str, str]:
    """The statement that reads all members, and the index that it needs."""
    if engine.dialect.name == "mysql":
        return "email", "compare email itself, and CREATE INDEX … ON member (email)"
    return "lower(email)", "CREATE INDEX … ON member (lower(email))"


def test_a_plan_that_reads_a_large_table_is_a_warning_with_the_index(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    engine = open_database(database_url)
    statement = "UPDATE member SET mailable = 0 WHERE lower(email) = :address"
    with ExitStack() as stack:
        stack.callback(engine.dispose)
        with write(engine) as connection:
            connection.exec_driver_sql("CREATE TABLE member (email VARCHAR(99), mailable INT)")
        store(engine, statement)
        assert caplog.messages == []
        with write(engine) as connection:
            connection.execute(
                sa.text("INSERT INTO member VALUES (:email, 1)"),
                [{"email": f"{n}@example.com"} for n in range(20_000)],
            )
        store(engine, statement)
        expression, advice = index_of(engine)
        (warning,) = caplog.messages
        assert warning.startswith(
            "statement is slow: SESBOUNCE_STRIKE_OFF_SQL reads all of the about "
        )
        assert warning.endswith(f"rows of member for each address: {advice}")
        caplog.clear()
        with write(engine) as connection:
            connection.exec_driver_sql(f"CREATE INDEX by_email ON member ({expression})")
        store(engine, statement.replace("lower(email)", expression))
        assert caplog.messages == []


def test_a_wrong_statement_is_no_slow_one(database_url: str) -> None:
    engine = open_database(database_url)
    with engine.connect() as connection, pytest.raises((StoreError, DBAPIError)):
        StrikeOff("UPDATE missing SET a = 1 WHERE b = :address").check(connection)
    engine.dispose()
