"""A database with three members, one of whom a statement of the sender's may fail for."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import sqlalchemy as sa

from scripts.local.ses_messages import Scenario
from sesbounce.feedback.decode import decode
from sesbounce.feedback.recording import Recording
from sesbounce.policy.verdict import Policy
from sesbounce.store.engine import open_database, write
from sesbounce.store.result import Recorded
from sesbounce.store.store import Store
from sesbounce.store.strike_off import StrikeOff
from tests.support import AT, disposed, mail, said

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


def mariadb_trigger(body: str) -> str:
    return (
        "CREATE TRIGGER reject BEFORE UPDATE ON member FOR EACH ROW BEGIN "
        f"IF old.email = '{BAD}' THEN {body}; END IF; END"
    )
