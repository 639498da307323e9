"""What the sender's statements raise: the problem of one address, and no event's."""

import time
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from sesbounce.errors import StoreError
from sesbounce.store.engine import open_database, write
from sesbounce.store.result import Recorded
from tests.databases.products import Kind
from tests.databases.servers import empty_database
from tests.integration.store.members import (
    BAD,
    GOOD,
    STRIKE_OFF,
    bounced,
    check_problem,
    is_one_address_s_own_problem,
    mariadb_trigger,
    postgresql_trigger,
    prepared,
    store,
    struck,
)
from tests.support import AT


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
