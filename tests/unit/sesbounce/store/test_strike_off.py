import pytest
import sqlalchemy as sa

from sesbounce.errors import StrikeOffError
from sesbounce.store.engine import write
from sesbounce.store.statements import EventParameters, Parameters
from sesbounce.store.strike_off import Outcome, StrikeOff

JANE = Parameters(
    address="jane@example.com",
    original="Jane@Example.com",
    reason="no_such_mailbox",
    kind="bounce",
    occurred_at="2026-11-20T12:00:00+00:00",
    why="hard bounce",
)


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        (
            "UPDATE member SET mailable = 0 WHERE email = :addr",
            "uses :addr; it may use :account_id, :address",
        ),
        ("UPDATE member SET mailable = 0", "must select the rows of an address"),
        ("SELECT 1 FROM member WHERE email = :address", "must change rows"),
    ],
)
def test_statements_with_wrong_parameters_are_errors(sql: str, problem: str) -> None:
    with pytest.raises(StrikeOffError, match=f"SESBOUNCE_STRIKE_OFF_SQL {problem}"):
        StrikeOff(sql)
    with pytest.raises(StrikeOffError, match=f"SESBOUNCE_RESTORE_SQL {problem}"):
        StrikeOff(None, sql)


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("UPDATE membre SET mailable = 0 WHERE email = :address", "no such table: membre"),
        ("UPDATE member SET mailable = 0 WHERE mail = :address", "no such column: mail"),
        ("UPDATE SET mailable = :address", "syntax error"),
    ],
)
def test_statements_that_do_not_fit_are_found_before_they_run(
    engine: sa.Engine, sql: str, problem: str
) -> None:
    with (
        engine.connect() as connection,
        pytest.raises(StrikeOffError, match=f"does not fit the database: .*{problem}"),
    ):
        StrikeOff(sql).check(connection)


def test_statements_may_have_several_lines(engine: sa.Engine) -> None:
    with engine.connect() as connection:
        StrikeOff("UPDATE\n  member\nSET mailable = 0\nWHERE email = :address").check(connection)


def test_checking_changes_nothing(engine: sa.Engine) -> None:
    with write(engine) as connection:
        StrikeOff("DELETE FROM member WHERE email <> :address").check(connection)
        assert connection.exec_driver_sql("SELECT count(*) FROM member").scalar() == 2


def test_every_parameter_may_be_named(engine: sa.Engine) -> None:
    names = sorted(Parameters.__annotations__)
    with write(engine) as connection:
        connection.exec_driver_sql(f"CREATE TABLE log ({', '.join(names)})")
        statement = f"INSERT INTO log VALUES (:{', :'.join(names)})"
        event = EventParameters(mail_id="m", configuration_set="c", source="s", identity="i")
        event |= EventParameters(region="r", tenant="t", tags="{}", account_id="1")
        jane: Parameters = {**JANE, **event}
        assert StrikeOff(statement).strike_off(connection, [jane]) == Outcome(1, {})
        row = connection.exec_driver_sql("SELECT * FROM log").mappings().one()
        assert dict(row) == dict(jane)


def test_the_parameters_of_an_event_that_is_not_known_are_null(engine: sa.Engine) -> None:
    with write(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE log (address, mail_id)")
        strike_off = StrikeOff("INSERT INTO log VALUES (:address, :mail_id)")
        strike_off.strike_off(connection, [JANE])
        row = connection.exec_driver_sql("SELECT * FROM log").one()
        assert tuple(row) == ("jane@example.com", None)


@pytest.mark.parametrize("name", sorted(EventParameters.__annotations__))
def test_a_statement_says_whether_it_needs_the_event(name: str) -> None:
    plain = "UPDATE member SET mailable = 0 WHERE email = :address"
    assert StrikeOff(plain, f"{plain} AND x = :{name}").uses_event
    assert StrikeOff(f"{plain} AND x = :{name}").uses_event
    assert not StrikeOff(plain, f"{plain} AND x = ':{name}'").uses_event


def test_values_are_bound_never_pasted(engine: sa.Engine) -> None:
    hostile = Parameters(**(JANE | {"address": "'; DROP TABLE member; --"}))
    strike_off = StrikeOff("UPDATE member SET mailable = 0 WHERE email = :address;")
    with write(engine) as connection:
        assert strike_off.strike_off(connection, [hostile]) == Outcome(0, {})
        assert connection.exec_driver_sql("SELECT count(*) FROM member").scalar() == 2


def test_nothing_configured_does_nothing(engine: sa.Engine) -> None:
    nothing = StrikeOff(None, "  ")
    assert not nothing.strikes
    assert not nothing.restores
    with write(engine) as connection:
        nothing.check(connection)
        assert nothing.strike_off(connection, [JANE]) == Outcome(0, {})
        assert nothing.restore(connection, [JANE]) == Outcome(0, {})


def test_several_statements_are_a_json_list() -> None:
    with pytest.raises(StrikeOffError, match="is not a JSON list of statements"):
        StrikeOff("[UPDATE member SET mailable = 0 WHERE email = :address]")
    with pytest.raises(StrikeOffError, match="must select the rows"):
        StrikeOff('["DELETE FROM member WHERE email = :address", "DELETE FROM member"]')
    assert not StrikeOff("[]").strikes


def test_a_connection_that_breaks_is_not_the_statement_s_fault(engine: sa.Engine) -> None:
    def gone(*_: object) -> None:
        raise sa.exc.OperationalError("EXPLAIN", None, OSError(), connection_invalidated=True)

    with engine.connect() as connection:
        sa.event.listen(connection, "before_cursor_execute", gone)
        with pytest.raises(sa.exc.OperationalError):
            StrikeOff("DELETE FROM member WHERE email = :address").check(connection)
