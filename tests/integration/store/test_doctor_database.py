"""The doctor's checks of the database: a sound one passes, each fault is named by its check."""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from scripts.local.ses_messages import Scenario
from sesbounce.doctor import database
from sesbounce.doctor.examine import Group, examine
from sesbounce.doctor.finding import Result, Status
from sesbounce.doctor.subject import Database
from sesbounce.feedback.address import parse
from sesbounce.operations.erasure import forget
from sesbounce.settings import Settings
from sesbounce.store import schema
from sesbounce.store.engine import open_database, write
from sesbounce.store.migrate import upgrade
from sesbounce.store.outbox import Outbox, stop
from sesbounce.store.strike_off import StrikeOff
from sesbounce.store.workers import WorkerRow, save_worker
from tests.stored import RESTORE, STRIKE_OFF, decoded, make_members, store
from tests.support import AT, disposed
from tests.unit.sesbounce.store.test_workers import HOUR, MINUTE, SECOND, ran, worker

KEY = "a key of the tests, which is long enough"


def results(url: str, now: datetime | None = None, **settings: Any) -> dict[str, Result]:
    """What each check says of the database at this URL, by its name."""
    subject = Settings(database_url=SecretStr(url), **settings)
    with disposed(open_database(url, read_only=True)) as engine:
        looked_at = Database(engine, subject, now or datetime.now(UTC))
        groups = [
            Group(database.CONNECTION, lambda: (lambda: looked_at,)),
            Group(database.CHECKS, lambda: (looked_at,)),
        ]
        return {found.id.removeprefix("database."): found for found in examine(groups)}


def having(found: dict[str, Result], *statuses: Status) -> set[str]:
    return {name for name, result in found.items() if result.status in statuses}


class Ahead(datetime):
    """A machine whose clock is two minutes ahead of that of its database."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz) + timedelta(minutes=2)


def test_each_fault_of_a_database_is_named(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with disposed(open_database(database_url)) as engine:
        make_members(engine, "jane@example.com")
        writer = store(engine)
        writer.prepare(migrate=True)
        statements: dict[str, Any] = {"strike_off_sql": STRIKE_OFF, "restore_sql": RESTORE}
        found = results(database_url, **statements)
        # An empty database is sound, and waits for its first event.
        assert having(found, Status.BROKEN) == set()
        assert having(found, Status.HINT) == {"last-event"}
        assert found["last-event"].findings[0].what == "no event is recorded yet"
        assert having(found, Status.SKIPPED) >= {"workers"}

        now = datetime.now(UTC)
        writer.record([decoded(Scenario.BOUNCE)], now)
        assert having(results(database_url), Status.HINT, Status.BROKEN) == set()
        found = results(database_url, now + timedelta(days=9))
        assert found["last-event"].findings[0].what == "the last event was recorded 9 days ago"

        with monkeypatch.context() as patch:
            patch.setattr(database, "datetime", Ahead)
            found = results(database_url, now)
        # SQLite has no clock of its own.
        is_server = not database_url.startswith("sqlite")
        assert having(found, Status.HINT) == ({"clock"} if is_server else set())

        found = results(database_url, strike_off_sql="UPDATE member SET gone = :address")
        assert having(found, Status.BROKEN) == {"statements"}
        (finding,) = found["statements"].findings
        assert finding.what.startswith("SESBOUNCE_STRIKE_OFF_SQL does not fit the database: ")
        assert finding.what.count("Correct the statement") == 0
        # As the worker leaves an address for which the database has rejected the statement.
        with write(engine) as connection:
            connection.execute(sa.update(schema.address).values(struck_off=False))
        (finding,) = results(database_url, **statements)["statements"].findings
        assert finding.what == "addresses wait for a strike-off or restore statement: 1"
        writer.sweep(now)
        assert results(database_url, **statements)["statements"].status is Status.OK

        waits = store(engine, StrikeOff(), Outbox(["webhook"]))
        waits.record([decoded(Scenario.COMPLAINT, recipient="mary@example.com")], now)
        assert having(results(database_url), Status.HINT) == set()
        found = results(database_url, now + timedelta(hours=1))
        assert having(found, Status.HINT) == {"outbox"}
        assert "webhook: 1 (nobody has tried" in found["outbox"].findings[0].what

        stop(engine, "webhook", "it answers with HTTP status 410")
        (finding,) = results(database_url)["outbox"].findings
        assert "(it answers with HTTP status 410)" in finding.what
        assert "sesbounce outbox retry --target webhook" in finding.remedy

        with write(engine) as connection:
            connection.execute(sa.text("DROP VIEW suppressed"))
        assert having(results(database_url), Status.BROKEN) == {"view"}
        with write(engine) as connection:
            connection.execute(sa.text("UPDATE feedback_version SET version_num = '0001'"))
        found = results(database_url)
        assert having(found, Status.BROKEN) >= {"schema"}
        assert "sesbounce db upgrade" in found["schema"].findings[0].remedy


def test_tables_that_are_missing_older_or_newer_are_named(database_url: str) -> None:
    with disposed(open_database(database_url)) as engine:
        make_members(engine, "jane@example.com")
        found = results(database_url)
        # What the missing tables mean for the other checks is said once.
        assert having(found, Status.BROKEN) == {"schema"}
        assert found["schema"].findings[0].what == "the database has none of sesbounce's tables"
        assert {found[name].reason for name in ("view", "outbox", "workers", "last-event")} == {
            "the database has none of sesbounce's tables"
        }
        upgrade(engine, "0011_from_0010")
        (finding,) = results(database_url)["schema"].findings
        assert finding.what.startswith("the schema has version 0011, and this version of sesbounce")
        assert finding.remedy == "Bring it up to date: `sesbounce db upgrade`"
        with write(engine) as connection:
            connection.execute(sa.text("UPDATE feedback_version SET version_num = '9999'"))
        (finding,) = results(database_url)["schema"].findings
        assert finding.remedy == "Update sesbounce: the schema is that of a newer release"


def test_workers_that_are_gone_or_wait_are_named(database_url: str) -> None:
    """On each kind of database, the rows are what the doctor reads as evidence."""

    def said(after: timedelta, *rows: WorkerRow) -> list[str]:
        with write(engine) as connection:
            connection.execute(sa.delete(schema.worker))
            for row in rows:
                save_worker(connection, row)
        return [one.what for one in results(database_url, AT + after)["workers"].findings]

    with disposed(open_database(database_url)) as engine:
        store(engine, StrikeOff())
        waits = worker("b", host="task", waits_for=("certificate", "queue"))
        assert said(MINUTE, worker()) == []
        assert said(MINUTE, worker(), waits) == [
            "the worker on task waits for the certificate and the queue"
        ]
        gone = ["no worker of the queue feedback was seen since 2026-11-20 12:00 UTC"]
        assert said(4 * MINUTE, worker()) == gone
        assert said(4 * MINUTE, worker(), worker("b", AT + 4 * MINUTE)) == []
        assert said(HOUR, worker(), worker("b", AT - HOUR, ended_at=AT - HOUR)) == gone
        assert said(HOUR, worker(), worker("b", AT + MINUTE, ended_at=AT + MINUTE)) == []
        runs = ran("1", AT - 15 * MINUTE), ran("2", AT - SECOND)
        assert said(20 * MINUTE, *runs) == []
        assert said(HOUR, *runs) == gone


def test_a_missing_hash_key_is_named(tmp_path_factory: pytest.TempPathFactory) -> None:
    url = f"sqlite:///{tmp_path_factory.mktemp('doctor') / 'database.sqlite3'}"
    settings = Settings(database_url=SecretStr(url), hash_key=[SecretStr(KEY)])
    with disposed(open_database(url)) as engine:
        writer = store(engine, StrikeOff(), keys=settings.hash_keys)
        writer.prepare(migrate=True)
        writer.record([decoded(Scenario.BOUNCE)], AT)
        forget(writer, settings.hash_keys, [parse("jane@example.com")], AT, "ann")
    assert having(results(url, hash_key=[SecretStr(KEY)]), Status.BROKEN) == set()
    found = results(url)
    assert having(found, Status.BROKEN) == {"hash-keys"}
    (finding,) = found["hash-keys"].findings
    assert finding.what.startswith("addresses were forgotten under a key that SESBOUNCE_HASH_KEY")
    assert finding.remedy == "Set it to the worker's keys, the newest first, separated by commas"
