import pytest
import sqlalchemy as sa

from sesbounce.errors import StrikeOffError
from sesbounce.store.engine import write
from sesbounce.store.statements import Parameters, read_statements
from sesbounce.store.strike_off import StrikeOff

JANE = Parameters(
    address="jane@example.com",
    original="Jane@Example.com",
    reason=None,
    kind=None,
    occurred_at=None,
    why="",
)


@pytest.mark.parametrize(
    "sql",
    [
        "-- strikes :nobody off; yes\nUPDATE member SET mailable = 0 WHERE lower(email) = :address",
        "/* it's\nall; of :them */ UPDATE member SET mailable = 0 WHERE lower(email) = :address;",
        "UPDATE member SET mailable = 0 WHERE lower(email) = :address; -- :done;\n",
        "UPDATE member SET mailable = 0 WHERE lower(email) = :address /* now */ ; /* :done */ ",
        "UPDATE member SET mailable = 0 WHERE lower(email) = :address AND 'a;:b' <> ':c'';d'",
        "WITH one AS (SELECT :address AS a) UPDATE member SET mailable = 0 "
        "WHERE lower(email) IN (SELECT a FROM one)",
        "with one as (select :address as a)\nupdate member set mailable = 0 "
        "where lower(email) in (select a from one)",
    ],
)
def test_comments_texts_and_common_table_expressions_are_understood(
    engine: sa.Engine, sql: str
) -> None:
    with write(engine) as connection:
        StrikeOff(sql).check(connection)
        assert StrikeOff(sql).strike_off(connection, [JANE, JANE]).rejected == {}
        mailable = connection.exec_driver_sql("SELECT mailable FROM member ORDER BY email")
        assert list(mailable.scalars()) == [0, 1]


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("UPDATE member SET a = 0 WHERE email = :address::citext", {"address"}),
        (
            "UPDATE m SET at = :occurred_at ::timestamptz, b = 'x'::text WHERE e = :original::text",
            {"occurred_at", "original"},
        ),
        ("CALL strike(:address, :reason)", {"address", "reason"}),
        ("UPDATE m SET a = $$:no$$, b = $x$ :no $x$ WHERE e = :address", {"address"}),
        ("UPDATE m SET a = ARRAY[1, 2][1:2] WHERE e = :address", {"address"}),
        ('UPDATE m SET ":no" = 1 WHERE e = :address', {"address"}),
    ],
)
def test_parameters_are_found_where_they_are(sql: str, names: set[str]) -> None:
    (statement,) = read_statements("X", sql)
    assert statement.names == names


@pytest.mark.parametrize(
    ("sql", "problem"),
    [
        ("-- UPDATE\nSELECT :address", "X must change rows"),
        ("WITH a AS (SELECT 'UPDATE' AS x) SELECT x FROM a WHERE x = :address", "must change rows"),
        ("UPDATE member SET a = ':address'", "X must select the rows of an address"),
        ("UPDATE member SET a = 1 -- :address", "X must select the rows of an address"),
        ("-- nothing", "X must change rows"),
        ("UPDATE a SET b = :address; DELETE FROM c WHERE d = :address", "as a JSON list"),
        ('["DELETE FROM a WHERE b = :address", "DELETE FROM a"]', "X, statement 2, must select"),
    ],
)
def test_what_is_no_statement_for_an_address_is_an_error(sql: str, problem: str) -> None:
    with pytest.raises(StrikeOffError, match=problem):
        read_statements("X", sql)
