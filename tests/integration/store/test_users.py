"""`sesbounce db upgrade` makes the users of the worker and of its readers, on PostgreSQL."""

import json
import secrets
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import NamedTuple

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from scripts.local.ses_messages import Scenario
from sesbounce.cli import main
from sesbounce.doctor import database
from sesbounce.doctor.subject import Database
from sesbounce.errors import ConfigurationError, StoreError
from sesbounce.feedback.decode import decode
from sesbounce.operations.incident_rows import new
from sesbounce.operations.incidents import Incidents
from sesbounce.operations.retention import prune
from sesbounce.policy.incident import Incident
from sesbounce.policy.verdict import Policy
from sesbounce.privacy.keyed_hash import HashKeys
from sesbounce.settings import Settings
from sesbounce.store import grants, migrate
from sesbounce.store.engine import open_database, translated, write
from sesbounce.store.incidents import IncidentStatus
from sesbounce.store.lookup import Lookup
from sesbounce.store.outbox import Outbox
from sesbounce.store.schema import metadata
from sesbounce.store.store import Store
from sesbounce.store.strike_off import StrikeOff
from tests.databases.products import Kind
from tests.databases.servers import empty_database
from tests.support import AT, disposed, mail, said


class Users(NamedTuple):
    """A database that its owner has upgraded for two users.

    Attributes:
        owner: the owner's engine.
        worker: the name of the worker's user.
        reader: the name of the reader's user.
    """

    owner: sa.Engine
    worker: str
    reader: str

    def upgrade(self) -> Result:
        return CliRunner().invoke(
            main,
            [
                *("db", "upgrade"),
                *("--application-user", self.worker, "--read-only-user", self.reader),
            ],
        )

    def engine(self, user: str) -> sa.Engine:
        """The database as the user sees it; IAM's token, which PostgreSQL lacks, is a password."""
        with write(self.owner) as connection:
            connection.exec_driver_sql(f"ALTER ROLE {user} PASSWORD 'x'")
        url = self.owner.url.set(username=user, password="x")
        return open_database(url.render_as_string(hide_password=False))


@pytest.fixture
def users(server_urls: Callable[[Kind], str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Users]:
    mark = secrets.token_hex(6)
    with empty_database(server_urls("postgresql")) as url, disposed(open_database(url)) as owner:
        monkeypatch.setenv("SESBOUNCE_DATABASE_URL", url)
        made = Users(owner, f"w{mark}", f"r{mark}")
        yield made
        with write(owner) as connection:
            for user in made[1:]:
                if connection.scalar(sa.text(f"SELECT 1 FROM pg_roles WHERE rolname = '{user}'")):
                    connection.exec_driver_sql(f"DROP OWNED BY {user}")
                    connection.exec_driver_sql(f"DROP ROLE {user}")


def refused(engine: sa.Engine, sql: str) -> bool:
    with pytest.raises(StoreError) as caught, translated("refused"), write(engine) as connection:
        connection.exec_driver_sql(sql)
    return "permission denied" in str(caught.value) or "must be owner" in str(caught.value)


def test_the_worker_works_as_a_user_that_can_not_change_the_schema(users: Users) -> None:
    first = users.upgrade()
    assert first.exit_code == 0
    assert first.stdout.splitlines() == [
        f"The database's schema has version {migrate.number(migrate.newest())}.",
        f"{users.worker} may record events.",
        f"{users.reader} may read.",
    ]
    assert users.upgrade().stdout == first.stdout  # each deployment runs it
    keys = HashKeys(["k" * 32])
    with disposed(users.engine(users.worker)) as engine:
        store = Store(engine, Policy(), StrikeOff(), Outbox(["webhook"]), keys)
        store.prepare(migrate=False)
        assert store.record([decode(json.dumps(said(Scenario.BOUNCE, mail())))], AT).events == 1
        store.sweep(AT)
        incidents = Incidents(store)
        outage = Incident(provider="example.com", begins=AT)
        incidents.save(new(outage, AT, IncidentStatus.CONFIRMED, "", "ann"), AT)
        prune(engine, AT + timedelta(days=9000))
        for table in metadata.tables:
            assert refused(engine, f"DROP TABLE {table}")
        assert refused(engine, "ALTER TABLE feedback_event ADD COLUMN odd TEXT")
        assert refused(engine, "CREATE TABLE odd (odd TEXT)")
        assert refused(engine, f"UPDATE {migrate.VERSION_TABLE} SET version_num = 'odd'")
        assert refused(engine, "CREATE ROLE odd")


def test_the_doctor_names_the_rights_that_a_user_lacks(users: Users) -> None:
    users.upgrade()
    lacking = {}
    for user in users[1:]:
        with disposed(users.engine(user)) as engine:
            subject = Database(engine, Settings(), AT)
            lacking[user] = [finding.what for finding in database.grants(subject)]
    assert lacking[users.worker] == []
    (found,) = lacking[users.reader]
    assert "INSERT on feedback_event, UPDATE on feedback_event, DELETE on feedback_event" in found


def test_a_reader_reads_and_changes_nothing(users: Users) -> None:
    assert users.upgrade().exit_code == 0
    with disposed(users.engine(users.reader)) as engine:
        assert Lookup(engine).check("jane@example.com", AT).may_mail
        for name in (*metadata.tables, migrate.VERSION_TABLE, "suppressed"):
            with engine.connect() as connection:
                connection.exec_driver_sql(f"SELECT * FROM {name}").all()
        for table in metadata.tables:
            assert refused(engine, f"DELETE FROM {table}")
        assert refused(engine, "UPDATE feedback_address SET why = ''")


def test_the_tables_of_an_older_deployment_stay_the_owner_s(users: Users) -> None:
    migrate.upgrade(users.owner, "0006")  # as the worker did that was the owner
    assert users.upgrade().exit_code == 0
    with disposed(users.engine(users.worker)) as engine:
        store = Store(engine, Policy(), StrikeOff())
        store.prepare(migrate=False)
        assert store.record([decode(json.dumps(said(Scenario.BOUNCE, mail())))], AT).events == 1
    with users.owner.connect() as connection:
        owners = connection.exec_driver_sql(
            "SELECT DISTINCT tableowner FROM pg_tables WHERE tablename LIKE 'feedback%%'"
        )
        assert list(owners.scalars()) == [users.owner.url.username]


def test_rds_iam_is_granted_where_rds_has_made_it(users: Users) -> None:
    """The role is RDS's own; here an administrator makes one of the same name."""
    member = sa.text("SELECT pg_has_role(:user, 'rds_iam', 'member')")
    with write(users.owner) as connection:
        connection.exec_driver_sql("CREATE ROLE rds_iam")
    try:
        assert users.upgrade().exit_code == 0
        with users.owner.connect() as connection:
            for user in users[1:]:
                assert connection.scalar(member, {"user": user})
    finally:
        with write(users.owner) as connection:
            connection.exec_driver_sql("DROP ROLE rds_iam")


def test_the_owner_can_still_log_in_with_its_password(users: Users) -> None:
    """RDS refuses the password of every member of `rds_iam`, however it became one.

    RDS's master user can grant `rds_iam` without being a member; here an administrator grants it.
    """
    administrator, owner = users.owner, f"o{users.worker}"
    database = administrator.url.database
    with write(administrator) as connection:
        connection.exec_driver_sql(f"CREATE ROLE {owner} LOGIN CREATEROLE PASSWORD 'x'")
        connection.exec_driver_sql(f"ALTER DATABASE {database} OWNER TO {owner}")
    its_own = administrator.url.set(username=owner, password="x")
    try:
        with disposed(open_database(its_own.render_as_string(hide_password=False))) as engine:
            migrate.upgrade(engine)
            for _ in range(2):
                grants.grant(engine, [users.worker], [users.reader])
            member = sa.text("SELECT pg_has_role(:owner, :user, 'member')")
            with administrator.connect() as connection:
                for user in users[1:]:
                    assert not connection.scalar(member, {"owner": owner, "user": user})
            with disposed(users.engine(users.worker)) as worker:
                Store(worker, Policy(), StrikeOff()).prepare(migrate=False)
    finally:
        with write(administrator) as connection:
            connection.exec_driver_sql(f"REASSIGN OWNED BY {owner} TO CURRENT_USER")
            connection.exec_driver_sql(f"DROP OWNED BY {owner}")
            connection.exec_driver_sql(f"DROP ROLE {owner}")


def test_a_user_of_whom_the_owner_is_a_member_is_refused(users: Users) -> None:
    with write(users.owner) as connection:
        connection.exec_driver_sql("CREATE ROLE rds_iam")
        connection.exec_driver_sql(f"CREATE ROLE {users.worker}")
        connection.exec_driver_sql(f"GRANT {users.worker} TO CURRENT_USER")
    try:
        result = users.upgrade()
        assert (result.exit_code, "would refuse the password of" in result.stderr) == (2, True)
        with users.owner.connect() as connection:
            found = connection.exec_driver_sql(
                f"SELECT pg_has_role('{users.worker}', 'rds_iam', 'member')"
            )
            assert found.scalar() is False
    finally:
        with write(users.owner) as connection:
            connection.exec_driver_sql("DROP ROLE rds_iam")


def test_a_user_of_two_kinds_or_with_an_odd_name_is_an_error(users: Users) -> None:
    owner = str(users.owner.url.username)
    for names, problem in (
        ((owner, users.reader), "must be another user"),
        ((users.worker, users.worker), "one kind of rights"),
        (("public", users.reader), "is a reserved word of SQL"),
        (("current_user", users.reader), "is a reserved word of SQL"),
        (("Worker", users.reader), "is no name for a user"),
        (("x; DROP ROLE postgres", users.reader), "is no name for a user"),
        (("pg_monitor2", users.reader), "is no name for a user"),
    ):
        result = Users(users.owner, *names).upgrade()
        assert (result.exit_code, problem in result.stderr) == (2, True)
    assert migrate.current(users.owner) is None


def test_the_owner_is_known_where_the_url_names_none(
    users: Users, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = users.owner.url.username or ""
    monkeypatch.setenv("PGUSER", owner)
    monkeypatch.setenv("PGPASSWORD", users.owner.url.password or "")
    url = users.owner.url._replace(username=None, password=None)
    with disposed(open_database(url.render_as_string())) as engine:
        migrate.upgrade(engine)
        grants.check(engine, [owner])  # without a connection
        with pytest.raises(ConfigurationError, match=f"^{owner} must be another user"):
            grants.grant(engine, [owner], [])


def test_other_databases_say_what_to_do_by_hand(
    server_urls: Callable[[Kind], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with empty_database(server_urls("mariadb")) as url, disposed(open_database(url)) as owner:
        monkeypatch.setenv("SESBOUNCE_DATABASE_URL", url)
        result = Users(owner, "worker", "reader").upgrade()
        assert (result.exit_code, "docs/database.md" in result.stderr) == (2, True)
        assert migrate.current(owner) is None
