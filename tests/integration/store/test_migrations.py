"""The migrations on each kind of database: what they keep, and what they refuse."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
import sqlalchemy as sa

from scripts.local.ses_messages import Scenario
from sesbounce.errors import SchemaError, StoreError
from sesbounce.feedback.decode import decode
from sesbounce.feedback.manual import decide
from sesbounce.feedback.reason import Reason
from sesbounce.operations.incident_rows import new
from sesbounce.operations.incidents import Incidents
from sesbounce.policy.incident import Incident
from sesbounce.policy.state import Evidence
from sesbounce.store import migrate
from sesbounce.store.address_rows import load_rows
from sesbounce.store.engine import write
from sesbounce.store.incidents import IncidentStatus
from sesbounce.store.lookup import Lookup
from sesbounce.store.outbox import due
from sesbounce.store.result import Recorded
from sesbounce.store.schema import metadata
from tests.integration.store.tables import KEYS, tables
from tests.stored import DAY, decoded, rows, store
from tests.support import AT, mail, said

if TYPE_CHECKING:
    from sesbounce.feedback.recording import Recording

# The columns of the attribution that this version of the schema has added.
OF_0005 = ("configuration_set", "identity", "region", "tenant", "tags")


def older_tables(engine: sa.Engine) -> dict[str, list[Any]]:
    """The same, with the columns that all versions have."""
    columns = "address, state, original, suppressed_since, suppressed_until, reason, kind, why"
    found = rows(engine, f"SELECT {columns}, struck_off FROM feedback_address ORDER BY address")
    return {
        "addresses": found,
        "events": rows(engine, "SELECT dedupe_key FROM feedback_event ORDER BY dedupe_key"),
        "messages": rows(engine, "SELECT digest FROM feedback_message ORDER BY digest"),
    }


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

    def test_the_sender_s_own_alembic_is_left_alone(self, engine: sa.Engine) -> None:
        with write(engine) as connection:
            connection.exec_driver_sql("CREATE TABLE alembic_version (version_num VARCHAR(32))")
            connection.exec_driver_sql("INSERT INTO alembic_version VALUES ('theirs')")
        migrate.upgrade(engine)
        assert rows(engine, "SELECT * FROM alembic_version") == [("theirs",)]


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
