"""The store on each kind of database: the same events, the same tables."""

import contextlib
import json
import logging
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.exc import OperationalError

from scripts.local.ses_messages import SCHEMAS, Scenario
from sesbounce.client import answers, may_mail, may_send
from sesbounce.errors import RowError, SchemaError, StoreError, StrikeOffError
from sesbounce.feedback.decode import decode
from sesbounce.feedback.manual import decide
from sesbounce.feedback.reason import Reason
from sesbounce.feedback.recording import Recording
from sesbounce.operations.incident_rows import new
from sesbounce.operations.incidents import Incidents
from sesbounce.policy.incident import Incident
from sesbounce.policy.state import Evidence
from sesbounce.store import migrate
from sesbounce.store.address_rows import load_rows
from sesbounce.store.engine import open_database, write
from sesbounce.store.incidents import IncidentStatus
from sesbounce.store.lookup import Filter, Lookup
from sesbounce.store.outbox import due
from sesbounce.store.result import Recorded
from sesbounce.store.schema import metadata
from sesbounce.store.store import Store
from sesbounce.store.strike_off import StrikeOff
from tests.stored import (
    DAY,
    OF_ADDRESSES,
    RESTORE,
    STRIKE_OFF,
    decoded,
    make_members,
    propagated,
    rows,
    store,
)
from tests.support import AT, bounce, mail, said


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    """An empty database of each kind that holds a table of the sender's own."""
    engine = open_database(database_url)
    make_members(engine, "Jane@Example.com", "mary@example.com")
    yield engine
    engine.dispose()


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


KEYS = "dedupe_key, occurred_at"
# The columns of the attribution that this version of the schema has added.
OF_0005 = ("configuration_set", "identity", "region", "tenant", "tags")


def tables(
    engine: sa.Engine, of_events: str = f"{KEYS}, configuration_set, identity, region, account_id"
) -> dict[str, list[Any]]:
    """What must be the same, however the events came."""
    return {
        "addresses": rows(engine, f"SELECT {OF_ADDRESSES} FROM feedback_address ORDER BY address"),
        "events": rows(engine, f"SELECT {of_events} FROM feedback_event ORDER BY dedupe_key"),
        "messages": rows(engine, "SELECT digest FROM feedback_message ORDER BY digest"),
    }


def older_tables(engine: sa.Engine) -> dict[str, list[Any]]:
    """The same, with the columns that all versions have."""
    columns = "address, state, original, suppressed_since, suppressed_until, reason, kind, why"
    found = rows(engine, f"SELECT {columns}, struck_off FROM feedback_address ORDER BY address")
    return {
        "addresses": found,
        "events": rows(engine, "SELECT dedupe_key FROM feedback_event ORDER BY dedupe_key"),
        "messages": rows(engine, "SELECT digest FROM feedback_message ORDER BY digest"),
    }


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


class TestMigrations:
    def test_up_and_down_and_no_drift(self, engine: sa.Engine) -> None:
        assert migrate.current(engine) is None
        migrate.upgrade(engine)
        assert migrate.current(engine) == migrate.newest()
        assert migrate.drift(engine) == []
        if engine.dialect.name == "postgresql":
            room = "SELECT reloptions FROM pg_class WHERE relname = 'feedback_address'"
            assert rows(engine, room) == [(["fillfactor=85"],)]
        migrate.downgrade(engine, "base")
        left = set(sa.inspect(engine).get_table_names())
        assert left == {"member", migrate.VERSION_TABLE}
        migrate.upgrade(engine)
        assert migrate.drift(engine) == []

    def test_keys_of_older_versions_are_put_in_the_order_of_time(self, engine: sa.Engine) -> None:
        timed = [f"0100019a{number:08x}-4f1e-000000" for number in range(1500)]
        about = [mail(f"{number}@example.com", name) for number, name in enumerate(timed)]
        told: list[Recording] = [decode(json.dumps(said(Scenario.BOUNCE, one))) for one in about]
        told += [decoded(Scenario.BOUNCE), decide("x@y.z", Reason.SUPPRESSED_BY_HAND, AT)]
        recording = store(engine)
        recording.record(told, AT)
        without_attribution(engine)
        expected = tables(engine, KEYS)
        assert {key[:16] for key, _ in expected["events"]} > {name[:16] for name in timed}
        of_older = older_tables(engine)
        migrate.downgrade(engine, "0002")
        assert older_tables(engine) == of_older
        with write(engine) as connection:
            for table, key in (
                ("feedback_event", "dedupe_key"),
                ("feedback_event", "message_digest"),
                ("feedback_message", "digest"),
            ):
                digits = sa.column(key, sa.String)
                older = sa.func.substr(digits, 40, 16).concat(sa.func.substr(digits, 17))
                connection.execute(
                    sa.update(sa.table(table, digits, sa.column("mail_id")))
                    .where(sa.column("mail_id").startswith("0100019a"))
                    .values({key: older})
                )
        assert older_tables(engine) != of_older
        migrate.upgrade(engine)
        assert tables(engine, KEYS) == expected
        assert migrate.drift(engine) == []
        assert recording.record(told, AT) == Recorded(duplicates=len(told))

    def test_the_renames_of_version_0004_keep_all_data(self, engine: sa.Engine) -> None:
        """Before, not attempted was called refused, and an entry of the outbox a note."""
        migrate.upgrade(engine, "0003")
        comments = schema_comments(engine)
        text = 'he wrote "refused": no'
        state = {
            "refused": {"at": "2026-11-20T12:00:00Z", "reason": "suppressed_globally"},
            "manual": {
                "at": "2026-11-19T12:00:00Z",
                "reason": "suppressed_by_hand",
                "kind": "manual",
                "note": text,
            },
        }
        about_jane = {
            "address": "jane@x.y",
            "original": "jane@x.y",
            "reason": "suppressed_globally",
        }
        event = about_jane | {
            "kind": "bounce",
            "parsed": True,
            "shared": False,
            "occurred_at": AT,
            "diagnostic": text,
            "basis": "type Permanent, Suppressed",
            "message_digest": "",
            "recorded_at": AT,
        }
        with write(engine) as connection:
            insert(connection, "feedback_event", event | {"dedupe_key": "1", "effect": "refused"})
            insert(connection, "feedback_event", event | {"dedupe_key": "2", "effect": "hard"})
            insert(
                connection,
                "feedback_address",
                about_jane
                | {
                    "state": msgspec.json.encode(state).decode(),
                    "suppressed_since": AT,
                    "suppressed_until": AT + 30 * DAY,
                    "kind": "bounce",
                    "why": text,
                    "struck_off": True,
                },
            )
            insert(
                connection,
                "feedback_outbox",
                {
                    "target": "ses",
                    "address": "jane@x.y",
                    "version": "v",
                    "note": text,
                    "attempts": 2,
                    "due_at": AT,
                    "problem": "closed",
                },
            )
        everything = {name: everything_in(engine, name) for name in present_tables(engine)}
        migrate.upgrade(engine)
        assert migrate.drift(engine) == []
        effects = rows(engine, "SELECT effect, diagnostic FROM feedback_event ORDER BY dedupe_key")
        assert effects == [("not_attempted", text), ("hard", text)]
        with engine.connect() as connection:
            found = load_rows(connection, ["jane@x.y"])["jane@x.y"].state
        assert found.not_attempted == Evidence(AT, Reason.SUPPRESSED_GLOBALLY)
        assert found.manual
        assert found.manual.note == text
        assert not Lookup(engine).check("jane@x.y", AT).may_mail
        (entry,) = due(engine, "ses", AT)
        assert (entry.entry, entry.version, entry.attempts) == (text, "v", 2)
        migrate.downgrade(engine, "0003")
        assert everything == {name: everything_in(engine, name) for name in everything}
        assert schema_comments(engine) == comments

    def test_version_0005_keeps_all_data_and_old_workers_can_write(self, engine: sa.Engine) -> None:
        """A worker of version 0004 that still runs knows none of the new columns."""
        migrate.upgrade(engine, "0004")
        event = {
            "kind": "bounce",
            "reason": "no_such_mailbox",
            "effect": "hard",
            "address": "jane@x.y",
            "original": "jane@x.y",
            "parsed": True,
            "shared": False,
            "occurred_at": AT,
            "basis": "status 5.1.1",
            "message_digest": "",
            "recorded_at": AT,
        }
        with write(engine) as connection:
            insert(connection, "feedback_event", event | {"dedupe_key": "before"})
            before = sa.Table("feedback_event", sa.MetaData(), autoload_with=connection)
        comments = schema_comments(engine)
        columns = ", ".join(column.name for column in before.columns)
        everything = rows(engine, f"SELECT {columns} FROM feedback_event")
        migrate.upgrade(engine)
        assert migrate.drift(engine) == []
        assert rows(engine, f"SELECT {columns} FROM feedback_event") == everything
        with write(engine) as connection:
            connection.execute(sa.insert(before).values(event | {"dedupe_key": "during"}))
        assert [event.region for event in Lookup(engine).why("jane@x.y")] == [None, None]
        migrate.downgrade(engine, "0004")
        assert rows(engine, "SELECT count(*) FROM feedback_event") == [(2,)]
        assert schema_comments(engine) == comments
        assert sa.inspect(engine).get_columns("feedback_event")[-1]["name"] == "recorded_at"

    @pytest.mark.parametrize(
        ("column", "named"),
        [
            *((name, "columns configuration_set, .*") for name in OF_0005),
            ("account_id", "column account_id"),
        ],
    )
    def test_a_downgrade_that_would_lose_the_attribution_is_refused(
        self, engine: sa.Engine, column: str, named: str
    ) -> None:
        store(engine).record([decoded(Scenario.BOUNCE)], AT)
        without_attribution(engine)
        with write(engine) as connection:
            connection.exec_driver_sql(f"UPDATE feedback_event SET {column} = ''")
        problem = f"would lose data: empty the {named} of feedback_event first"
        with pytest.raises(SchemaError, match=problem):
            migrate.downgrade(engine, "0004")
        assert migrate.current(engine) == migrate.newest()
        assert migrate.drift(engine) == []
        without_attribution(engine)
        migrate.downgrade(engine, "0004")
        assert migrate.current(engine) == "0004"

    def test_hard_bounces_of_older_versions_have_their_time(self, engine: sa.Engine) -> None:
        migrate.upgrade(engine, "0004")
        hard = {"hard": {"at": "2026-11-20T12:00:00Z", "reason": "no_such_mailbox"}}
        delivered = {"deliveries": [{"at": "2026-11-10T12:00:00Z", "mail_id": "m"}]}
        for address, reason, until, state in (
            ("jane@gmail.com", "no_such_mailbox", None, hard | delivered),
            ("full@gmail.com", "mailbox_full", AT + 14 * DAY, {}),
            ("ok@gmail.com", None, None, delivered),
        ):
            row = {
                "address": address,
                "state": msgspec.json.encode(state).decode(),
                "original": address,
                "suppressed_since": reason and AT,
                "suppressed_until": until,
                "reason": reason,
                "kind": reason and "bounce",
                "why": "why",
                "struck_off": False,
            }
            with write(engine) as connection:
                insert(connection, "feedback_address", row)
        before = everything_in(engine, "feedback_address")
        migrate.upgrade(engine)
        assert migrate.drift(engine) == []
        query = "SELECT address FROM feedback_address WHERE hard_at IS NOT NULL"
        assert rows(engine, query) == [("jane@gmail.com",)]
        incidents = Incidents(store(engine))
        outage = Incident(provider="google", begins=AT - DAY, ends=AT + DAY)
        saved = incidents.save(new(outage, AT, IncidentStatus.CONFIRMED, "", "ann"), AT)
        (change,) = incidents.preview(saved)
        assert (change.address, change.change) == ("jane@gmail.com", "released")
        for table in ("feedback_act", "feedback_incident"):
            lost = f"would lose data: empty the table {table} first"
            with pytest.raises(StoreError, match=lost):
                migrate.downgrade(engine, "0004")
            assert migrate.drift(engine) == []
            with write(engine) as connection:
                connection.exec_driver_sql(f"DELETE FROM {table}")
        migrate.downgrade(engine, "0004")
        assert everything_in(engine, "feedback_address") == before

    def test_workers_that_start_at_once_migrate_once(self, engine: sa.Engine) -> None:
        with ThreadPoolExecutor(6) as pool:
            list(pool.map(lambda _: migrate.ensure(engine, migrate=True), range(6)))
        assert migrate.drift(engine) == []

    def test_a_name_that_is_taken_is_an_error_and_nothing_is_created(
        self, engine: sa.Engine
    ) -> None:
        with write(engine) as connection:
            connection.exec_driver_sql("CREATE TABLE feedback_event (id INT)")
        with pytest.raises(SchemaError, match="a feedback_event that is not sesbounce's"):
            migrate.upgrade(engine)
        assert not {"feedback_message", "feedback_address"} & set(
            sa.inspect(engine).get_table_names()
        )

    def test_a_newer_database_is_an_error(self, engine: sa.Engine) -> None:
        migrate.upgrade(engine)
        with write(engine) as connection:
            connection.exec_driver_sql(f"UPDATE {migrate.VERSION_TABLE} SET version_num = '9999'")
        with pytest.raises(SchemaError, match="newer than this sesbounce: update it"):
            migrate.ensure(engine, migrate=True)
        with pytest.raises(SchemaError, match="newer than this sesbounce: update it"):
            migrate.upgrade(engine)

    def test_the_old_release_works_on_the_next_version(
        self, engine: sa.Engine, next_version: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        """This release is the old one, and the migration that a later release may bring is made up.

        So it goes while ECS rolls out that release, and after a rollback.
        """
        old = store(engine)
        old.record([decoded(Scenario.BOUNCE, 0, "jane@example.com")], AT)
        with later_release(next_version, LATER):
            migrate.upgrade(engine)
            assert migrate.number(migrate.current(engine)) == "0013"
            assert migrate.ensure(engine, migrate=False) == "0013_from_0012"
        assert old.record([decoded(Scenario.BOUNCE, 0, "jane@example.com")], AT).duplicates == 1

        migrate.upgrade(engine)  # which a rollback's task does: it changes nothing
        assert migrate.current(engine) == "0013_from_0012"
        assert migrate.drift(engine) == []
        with caplog.at_level(logging.INFO):
            rolled_back = store(engine)
        assert "newer version 0013, which this release can use" in caplog.text
        mary = decoded(Scenario.BOUNCE, 1, "mary@example.com")
        assert rolled_back.record([mary], AT).struck_rows == 1
        full = [decoded(Scenario.MAILBOX_FULL, day, "bob@example.com") for day in (-30, -29, -28)]
        rolled_back.record(full, AT - 28 * DAY)
        assert rolled_back.sweep(AT) == Recorded()
        assert (
            rolled_back.record([decide("Jane@Example.com", Reason.ALLOWED_BY_HAND, AT)], AT).events
            == 1
        )
        lookup = Lookup(engine)
        assert lookup.check("jane@example.com", AT).may_mail
        assert not lookup.check("mary@example.com", AT).may_mail
        assert len(list(lookup.why("jane@example.com"))) == 2
        assert rows(engine, "SELECT address FROM suppressed") == [("mary@example.com",)]
        with pytest.raises(SchemaError, match="knows no version after 0012"):
            migrate.downgrade(engine, "0007")

    def test_the_old_release_refuses_a_version_that_it_can_not_use(
        self, engine: sa.Engine, next_version: Path
    ) -> None:
        with later_release(next_version, LATER, "0013_from_0013"):
            migrate.upgrade(engine)
        with pytest.raises(SchemaError, match="at version 0013, which is newer"):
            store(engine)
        with pytest.raises(SchemaError, match="newer"):
            migrate.upgrade(engine)
        assert migrate.current(engine) == "0013_from_0013"

    def test_the_sender_s_own_alembic_is_left_alone(self, engine: sa.Engine) -> None:
        with write(engine) as connection:
            connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32))")
            connection.exec_driver_sql("INSERT INTO alembic_version VALUES ('theirs')")
        migrate.upgrade(engine)
        assert rows(engine, "SELECT * FROM alembic_version") == [("theirs",)]


# What a later release may add: a table, a column, an index, and a column of the view.
LATER = """
import sqlalchemy as sa
from alembic import op

revision, down_revision, branch_labels, depends_on = "{revision}", "0012_from_0011", None, None


def upgrade():
    op.create_table("feedback_later", sa.Column("id", sa.Integer, primary_key=True))
    op.add_column("feedback_address", sa.Column("later", sa.Text))
    op.add_column("feedback_event", sa.Column("later", sa.Integer))
    op.create_index("ix_feedback_event_later", "feedback_event", ["later"])
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP VIEW suppressed")
    create = "CREATE VIEW" if op.get_bind().dialect.name == "sqlite" else "CREATE OR REPLACE VIEW"
    op.execute(
        create + " suppressed AS SELECT a.address, a.reason, a.suppressed_since,"
        " a.suppressed_until, a.why, coalesce(s.stream, '') AS stream, a.later"
        " FROM feedback_address a LEFT JOIN feedback_stream s ON s.address = a.address"
        " WHERE a.suppressed_since IS NOT NULL AND a.suppressed_until IS NULL"
    )
"""


@pytest.fixture
def next_version(tmp_path: Path) -> Path:
    """A folder for the migrations of a later release."""
    folder = tmp_path / "versions"
    folder.mkdir()
    return folder


@contextlib.contextmanager
def later_release(folder: Path, migration: str, revision: str = "0013_from_0012") -> Iterator[None]:
    """Be the release that has one migration more, until the end of the block."""
    (folder / f"{revision}.py").write_text(migration.format(revision=revision))
    own = migrate._config

    def config(connection: sa.Connection | None = None) -> Config:
        made = own(connection)
        made.set_main_option("path_separator", "newline")
        made.set_main_option("version_locations", f"sesbounce:store/migrations/versions\n{folder}")
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(migrate, "_config", config)
        patch.setattr(migrate, "_scripts", lambda: ScriptDirectory.from_config(config()))
        yield


def without_attribution(engine: sa.Engine) -> None:
    """Empty the columns of the attribution, which an older version does not have."""
    with write(engine) as connection:
        connection.exec_driver_sql(
            "UPDATE feedback_event SET configuration_set = NULL, identity = NULL, region = NULL, "
            "tenant = NULL, tags = NULL, account_id = NULL"
        )


def insert(connection: sa.Connection, name: str, values: dict[str, Any]) -> None:
    """Insert a row into a table as it is at the database's version."""
    table = sa.Table(name, sa.MetaData(), autoload_with=connection)
    connection.execute(sa.insert(table).values(values))


def everything_in(engine: sa.Engine, table: str) -> list[Any]:
    return rows(engine, f"SELECT * FROM {table} ORDER BY 1")


def present_tables(engine: sa.Engine) -> set[str]:
    """The names of sesbounce's tables at the database's version."""
    return metadata.tables.keys() & set(sa.inspect(engine).get_table_names())


def schema_comments(engine: sa.Engine) -> dict[str, Any]:
    """The comments of all tables and columns; SQLite has none."""
    if not engine.dialect.supports_comments:
        return {}
    inspector = sa.inspect(engine)
    return {
        name: (
            inspector.get_table_comment(name)["text"],
            {column["name"]: column["comment"] for column in inspector.get_columns(name)},
        )
        for name in present_tables(engine)
    }


def random_messages(count: int, seed: int) -> list[Recording]:
    """Events about few addresses, so that they meet; some told twice, in both schemas."""
    chance = random.Random(seed)
    told: list[Recording] = []
    for _ in range(count):
        recipient = f"{chance.choice('Aa')}{chance.randrange(200)}@example.com"
        about = mail(recipient, f"m{chance.randrange(count)}")
        at = AT + timedelta(minutes=chance.randrange(60 * 24 * 60))
        scenario = chance.choice([*Scenario, *[Scenario.MAILBOX_FULL] * 4])
        told.append(decode(json.dumps(said(scenario, about, chance.choice(SCHEMAS), at))))
    return told


def emptied(engine: sa.Engine) -> None:
    with write(engine) as connection:
        for table in metadata.sorted_tables:
            connection.execute(sa.delete(table))


def record_in_batches(recording: Store, messages: Sequence[Recording], size: int) -> None:
    for start in range(0, len(messages), size):
        recording.record(messages[start : start + size], AT)


# A long run says more: REPLAY_EVENTS=10000 REPLAY_ORDERS=20 make test-local takes half an hour.
EVENTS = int(os.environ.get("REPLAY_EVENTS", "2000"))
ORDERS = int(os.environ.get("REPLAY_ORDERS", "3"))


@pytest.mark.timeout(600 if EVENTS * ORDERS < 10_000 else 3600)
def test_any_order_and_any_batches_end_in_the_same_tables(engine: sa.Engine) -> None:
    chance = random.Random(20261120)
    messages = random_messages(EVENTS, 1)
    recording = store(engine, StrikeOff())
    record_in_batches(recording, messages, 500)
    expected = tables(engine)
    assert len(expected["addresses"]) > 100
    for _ in range(ORDERS):
        emptied(engine)
        shuffled = messages + chance.sample(messages, EVENTS // 10)
        chance.shuffle(shuffled)
        record_in_batches(recording, shuffled, chance.choice([37, 200, 1000]))
        assert tables(engine) == expected


# Without a restore statement, who was ever struck off stays so, and that depends on the order.
BOTH = StrikeOff(STRIKE_OFF, RESTORE)
WORKER = """
import sys, random
from sesbounce.store.engine import open_database
from sesbounce.policy.verdict import Policy
from sesbounce.store.store import Store
from tests.integration.store.test_databases import BOTH, random_messages, record_in_batches
url, seed = sys.argv[1], int(sys.argv[2])
messages = random_messages(1000, 2)
random.Random(seed).shuffle(messages)
engine = open_database(url)
recording = Store(engine, Policy(), BOTH)
recording.prepare()
record_in_batches(recording, messages, 20)
engine.dispose()
"""


def test_processes_that_write_at_once_lose_nothing(engine: sa.Engine, database_url: str) -> None:
    """Four processes record the same events, each in an order of its own."""
    root = Path(__file__).parents[3]
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, database_url, str(seed)],
            cwd=root,
            env=None,
            stderr=subprocess.PIPE,
            text=True,
        )
        for seed in range(4)
    ]
    for worker in workers:
        _, errors = worker.communicate(timeout=300)
        assert worker.returncode == 0, errors
    together = tables(engine)
    emptied(engine)
    record_in_batches(store(engine, BOTH), random_messages(1000, 2), 500)
    assert tables(engine) == together
