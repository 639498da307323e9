"""The doctor's checks of the database: a sound one passes, each fault is named by its check."""

from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from scripts.local.ses_messages import Scenario
from sesbounce.doctor import database
from sesbounce.doctor.database import Database
from sesbounce.doctor.examine import Group, examine
from sesbounce.doctor.finding import Result, Status
from sesbounce.feedback.address import parse
from sesbounce.operations.erasure import forget
from sesbounce.settings import Settings
from sesbounce.store.engine import open_database, write
from sesbounce.store.outbox import Outbox, stop
from sesbounce.store.strike_off import StrikeOff
from tests.stored import RESTORE, STRIKE_OFF, decoded, make_members, store
from tests.support import AT, disposed

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
    assert "SESBOUNCE_HASH_KEY" in found["hash-keys"].findings[0].remedy
