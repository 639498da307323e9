"""What the sender's statements raise, wait for, and take: their own problem, and no event's."""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from scripts.local.ses_messages import Scenario
from sesbounce.errors import StoreError
from sesbounce.feedback.decode import decode
from sesbounce.feedback.recording import Recording
from sesbounce.policy.verdict import Policy
from sesbounce.store import slow
from sesbounce.store.engine import open_database, write
from sesbounce.store.result import Recorded
from sesbounce.store.statements import Parameters
from sesbounce.store.store import Store
from sesbounce.store.strike_off import StrikeOff
from tests.databases.products import Kind
from tests.databases.servers import empty_database
from tests.support import AT, disposed, mail, said, until

if TYPE_CHECKING:
    from sesbounce.store.sweep import Progress

STRIKE_OFF = "UPDATE member SET mailable = 0 WHERE lower(email) = :address"
BAD, GOOD = "bad@example.com", ("good@example.com", "other@example.com")


@contextmanager
def prepared(url: str, sql: str = "") -> Iterator[sa.Engine]:
    """A database with three members, and more of the sender's own objects."""
    with disposed(open_database(url)) as engine:
        make_members(engine, sql)
        yield engine


def make_members(engine: sa.Engine, sql: str) -> None:
    with write(engine) as connection:
        connection.exec_driver_sql(
            "CREATE TABLE member (email VARCHAR(99) PRIMARY KEY, mailable INT CHECK (mailable < 2))"
        )
        for address in (BAD, *GOOD):
            connection.exec_driver_sql(f"INSERT INTO member VALUES ('{address}', 1)")
        for each in filter(None, sql.split(";;")):
            connection.exec_driver_sql(each)


def bounced(address: str) -> Recording:
    return decode(json.dumps(said(Scenario.BOUNCE, mail(address, f"mail-{address}"))))


def store(engine: sa.Engine, statement: str | list[str] = STRIKE_OFF, seconds: float = 10) -> Store:
    sql = statement if isinstance(statement, str) else json.dumps(statement)
    made = Store(engine, Policy(), StrikeOff(sql, seconds=seconds))
    made.prepare()
    return made


def struck(engine: sa.Engine) -> set[str]:
    with engine.connect() as connection:
        return set(
            connection.exec_driver_sql("SELECT email FROM member WHERE mailable = 0").scalars()
        )


def is_one_address_s_own_problem(engine: sa.Engine, recording: Store, words: str) -> None:
    """Record bounces of all members; one of them alone can't be struck off."""
    recorded = recording.record([bounced(address) for address in (BAD, *GOOD)], AT)
    assert (recorded.events, recorded.suppressed, recorded.pending) == (3, 3, 0)
    check_problem(recorded.rejected, words)
    assert struck(engine) == set(GOOD)
    # The sweep tries it once more each time, and keeps the others.
    swept = recording.sweep(AT)
    check_problem(swept.rejected, words)
    assert swept == Recorded(rejected=swept.rejected)
    assert struck(engine) == set(GOOD)


def check_problem(rejected: Mapping[str, int], words: str) -> None:
    ((problem, addresses),) = rejected.items()
    assert addresses == 1
    assert problem.startswith("SESBOUNCE_STRIKE_OFF_SQL")
    assert words in problem


def postgresql_trigger(body: str, declared: str = "") -> str:
    return (
        f"CREATE FUNCTION reject() RETURNS trigger LANGUAGE plpgsql AS $$ {declared} BEGIN "
        f"IF old.email = '{BAD}' THEN {body}; END IF; RETURN new; END $$;;"
        "CREATE TRIGGER reject BEFORE UPDATE ON member FOR EACH ROW EXECUTE FUNCTION reject()"
    )


def raising(code: str) -> str:
    return postgresql_trigger(f"RAISE EXCEPTION 'no' USING ERRCODE = '{code}'")


SEVERAL = "CREATE TABLE note (email TEXT, n INT);;INSERT INTO note VALUES ('bad@example.com', 0), "
SEVERAL += "('bad@example.com', 0), ('good@example.com', 0), ('other@example.com', 0)"
BY_NOTE = (
    "UPDATE member SET mailable = (SELECT n FROM note WHERE email = :address) "
    "WHERE email = :address"
)
POSTGRESQL: dict[str, tuple[str, str | list[str], str]] = {
    "a subquery with two rows": (SEVERAL, BY_NOTE, "more than one row returned by a subquery"),
    "a code of its own": (raising("MY001"), STRIKE_OFF, "no"),
    "a code that means the connection": (raising("08006"), STRIKE_OFF, "no"),
    "a code that means cancelled": (raising("57014"), STRIKE_OFF, "no"),
    "a conflict each time": (raising("40001"), STRIKE_OFF, "no"),
    "a deadlock each time": (raising("40P01"), STRIKE_OFF, "no"),
    "a division by zero": (
        "",
        f"UPDATE member SET mailable = 0 / (CASE email WHEN '{BAD}' THEN 0 ELSE 1 END) "
        "WHERE email = :address",
        "division by zero",
    ),
    "a function that is missing at run time": (
        postgresql_trigger("PERFORM missing()"),
        STRIKE_OFF,
        "function missing() does not exist",
    ),
    "a cast of data": (
        "",
        "UPDATE member SET mailable = CASE split_part(email, '@', 1) WHEN 'bad' THEN "
        "split_part(email, '@', 1)::int ELSE 0 END WHERE email = :address",
        "invalid input syntax for type integer",
    ),
    "a deferred constraint": (
        "CREATE TABLE child (email VARCHAR(99) REFERENCES member DEFERRABLE INITIALLY DEFERRED);;"
        f"INSERT INTO child VALUES ('{BAD}')",
        [STRIKE_OFF, "DELETE FROM member WHERE email = :address AND email LIKE 'bad%'"],
        "violates foreign key constraint",
    ),
    "a transaction that ends in a function": (
        "CREATE PROCEDURE strike(a text) LANGUAGE plpgsql AS $$ BEGIN UPDATE member SET mailable "
        f"= 0 WHERE email = a; IF a = '{BAD}' THEN COMMIT; END IF; END $$",
        "CALL strike(:address)",
        "invalid transaction termination",
    ),
}


@pytest.mark.parametrize("case", POSTGRESQL)
def test_what_a_statement_raises_on_postgresql_is_that_address_s_own_problem(
    server_urls: Callable[[Kind], str], case: str
) -> None:
    more, statement, words = POSTGRESQL[case]
    with empty_database(server_urls("postgresql")) as url, prepared(url, more) as engine:
        if "each time" in case:
            recording = store(engine, statement)
            recorded = recording.record([bounced(address) for address in (BAD, *GOOD)], AT)
            assert (recorded.events, recorded.suppressed, recorded.pending) == (3, 3, 3)
            swept = recording.sweep(AT)
            assert (swept.struck_rows, sum(swept.rejected.values())) == (2, 1)
            assert struck(engine) == set(GOOD)
            return
        is_one_address_s_own_problem(engine, store(engine, statement), words)


def test_row_level_security_is_the_address_s_own_problem(
    server_urls: Callable[[Kind], str],
) -> None:
    role = f"worker_{time.time_ns()}"
    with empty_database(server_urls("postgresql")) as url, prepared(url) as owner:
        for sql in (
            f"CREATE ROLE {role} LOGIN PASSWORD 'x'",
            f"GRANT ALL ON SCHEMA public TO {role}",
            f"GRANT SELECT, UPDATE ON member TO {role}",
            "ALTER TABLE member ENABLE ROW LEVEL SECURITY",
            "CREATE POLICY seen ON member USING (true) "
            f"WITH CHECK (email <> '{BAD}' OR mailable = 1)",
        ):
            with write(owner) as connection:
                connection.exec_driver_sql(sql)
        its_own = sa.make_url(url).set(username=role, password="x")
        engine = open_database(its_own.render_as_string(hide_password=False))
        try:
            is_one_address_s_own_problem(
                engine, store(engine), "violates row-level security policy"
            )
        finally:
            engine.dispose()
            with write(owner) as connection:
                connection.exec_driver_sql(f"DROP OWNED BY {role}")
                connection.exec_driver_sql(f"DROP ROLE {role}")


def mariadb_trigger(body: str) -> str:
    return (
        "CREATE TRIGGER reject BEFORE UPDATE ON member FOR EACH ROW BEGIN "
        f"IF old.email = '{BAD}' THEN {body}; END IF; END"
    )


MARIADB: dict[str, tuple[str, str, str]] = {
    "a signal": (
        mariadb_trigger("SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'no'"),
        STRIKE_OFF,
        "no",
    ),
    "a signal with a number of its own": (
        mariadb_trigger("SIGNAL SQLSTATE 'HY000' SET MYSQL_ERRNO = 5000, MESSAGE_TEXT = 'no'"),
        STRIKE_OFF,
        "5000",
    ),
    "a subquery with two rows": (SEVERAL, BY_NOTE, "Subquery returns more than 1 row"),
    "a function that is missing at run time": (
        mariadb_trigger("SET new.mailable = missing(1)"),
        STRIKE_OFF,
        "missing does not exist",
    ),
}


@pytest.mark.parametrize("case", MARIADB)
def test_what_a_statement_raises_on_mariadb_is_that_address_s_own_problem(
    server_urls: Callable[[Kind], str], case: str
) -> None:
    more, statement, words = MARIADB[case]
    with empty_database(server_urls("mariadb")) as url, prepared(url, more) as engine:
        is_one_address_s_own_problem(engine, store(engine, statement), words)


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


def test_a_mix_of_collations_is_the_address_s_own_problem(
    server_urls: Callable[[Kind], str],
) -> None:
    by_latin = "UPDATE member SET mailable = 0 WHERE CONVERT(email USING latin1) = :address"
    with empty_database(server_urls("mariadb")) as url, prepared(url) as engine:
        recording = store(engine, by_latin)
        recorded = recording.record([bounced("日本@example.com"), bounced(GOOD[0])], AT)
        assert (recorded.events, recorded.suppressed) == (2, 2)
        check_problem(recorded.rejected, "Illegal mix of collations")
        assert struck(engine) == {GOOD[0]}


def test_a_procedure_that_commits_costs_no_event_and_no_strike_off(
    server_urls: Callable[[Kind], str],
) -> None:
    procedure = (
        "CREATE PROCEDURE strike(a VARCHAR(99)) BEGIN START TRANSACTION; "
        "UPDATE member SET mailable = 0 WHERE email = a; COMMIT; END"
    )
    with empty_database(server_urls("mariadb")) as url, prepared(url, procedure) as engine:
        recording = store(engine, "CALL strike(:address)")
        recorded = recording.record([bounced(address) for address in (BAD, *GOOD)], AT)
        assert (recorded.events + recorded.duplicates, recorded.pending) == (3, 3)
        swept = recording.sweep(AT)
        ((problem, addresses),) = swept.rejected.items()
        assert "a statement has ended the transaction" in problem
        assert addresses == 3
        assert struck(engine) == {BAD, *GOOD}
        assert recording.record([bounced(BAD)], AT) == Recorded(duplicates=1)


SQLITE = {
    "abort": "SELECT raise(ABORT, 'no')",
    "fail": "SELECT raise(FAIL, 'no')",
    "an integer overflow": "SELECT abs(-9223372036854775808)",
    "a datatype mismatch": "INSERT INTO number VALUES ('x')",
    "a CHECK": "UPDATE member SET mailable = 3 WHERE email = old.email",
}


@pytest.mark.parametrize("case", SQLITE)
def test_what_a_statement_raises_on_sqlite_is_that_address_s_own_problem(
    tmp_path: Any, case: str
) -> None:
    more = (
        "CREATE TABLE number (id INTEGER PRIMARY KEY);;"
        f"CREATE TRIGGER reject BEFORE UPDATE OF mailable ON member WHEN old.email = '{BAD}' AND "
        f"new.mailable = 0 BEGIN {SQLITE[case]}; END"
    )
    with prepared(f"sqlite:///{tmp_path}/x.sqlite3", more) as engine:
        is_one_address_s_own_problem(engine, store(engine), ": ")


@pytest.mark.parametrize("case", ["rollback", "slow"])
def test_a_statement_that_rolls_all_back_costs_no_event_and_no_other_strike_off(
    tmp_path: Any, case: str
) -> None:
    body = {
        "rollback": "SELECT raise(ROLLBACK, 'no')",
        "slow": "INSERT INTO many WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
        "WHERE i < 1e12) SELECT i FROM n WHERE i < 0",
    }[case]
    more = (
        "CREATE TABLE many (i);;"
        f"CREATE TRIGGER reject BEFORE UPDATE ON member WHEN old.email = '{BAD}' BEGIN "
        f"{body.replace('WITH RECURSIVE n(i) AS (', 'SELECT * FROM (WITH RECURSIVE n(i) AS (')}"
        f"{')' if case == 'slow' else ''}; END"
    )
    with prepared(f"sqlite:///{tmp_path}/x.sqlite3", more) as engine:
        recording = store(engine, seconds=1)
        recorded = recording.record([bounced(address) for address in (BAD, *GOOD)], AT)
        assert (recorded.events, recorded.suppressed, recorded.pending) == (3, 3, 3)
        total = Recorded()
        for _ in range(4):
            total.add(recording.sweep(AT))
            if not recording.progress:
                break
        assert total.struck_rows == 2
        assert sum(total.rejected.values()) >= 1
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


UNUSABLE = ["25006", "53100", "53200", "53300", "57P03"]


@pytest.mark.parametrize("code", UNUSABLE)
def test_a_database_that_is_out_of_something_is_no_address_s_own_problem(
    server_urls: Callable[[Kind], str], code: str
) -> None:
    with (
        empty_database(server_urls("postgresql")) as url,
        prepared(url, raising(code)) as engine,
        pytest.raises(StoreError, match="no"),
    ):
        store(engine).record([bounced(BAD)], AT)


def test_a_connection_that_ends_in_a_statement_is_no_address_s_own_problem(
    server_urls: Callable[[Kind], str],
) -> None:
    ends = postgresql_trigger("PERFORM pg_terminate_backend(pg_backend_pid())")
    with (
        empty_database(server_urls("postgresql")) as url,
        prepared(url, ends) as engine,
        pytest.raises(StoreError, match="terminating connection"),
    ):
        store(engine).record([bounced(BAD)], AT)


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
