"""The function in AWS Lambda on each of the three databases."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from sesbounce.aws import secrets
from sesbounce.errors import StoreError
from sesbounce.lambda_function.function import Function
from sesbounce.store.engine import open_database
from tests.databases.servers import admin_engine, execute
from tests.invoking import SWEEP, Remaining, bounced, failures, messages
from tests.stored import RESTORE, STRIKE_OFF, make_members, rows
from tests.support import disposed, until


@pytest.fixture
def function(monkeypatch: pytest.MonkeyPatch) -> Iterator[Function]:
    monkeypatch.setenv("SESBOUNCE_STRIKE_OFF_SQL", STRIKE_OFF)
    monkeypatch.setenv("SESBOUNCE_RESTORE_SQL", RESTORE)
    function = Function()
    yield function
    function.close()


def members(url: str) -> None:
    with disposed(open_database(url)) as engine:
        make_members(engine, "jane@example.com", "mary@example.com")


def mailable(url: str) -> list[str]:
    with disposed(open_database(url)) as engine:
        return [
            row[0] for row in rows(engine, "SELECT email FROM member WHERE mailable = 1 ORDER BY 1")
        ]


def test_a_cold_start_a_duplicate_event_a_partial_failure_and_a_sweep(
    function: Function, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", database_url)
    members(database_url)
    event = messages(bounced(), "no JSON")
    assert function.invoke(event, Remaining()) == failures(1)
    assert function.invoke(event, Remaining()) == failures(1)
    assert mailable(database_url) == ["mary@example.com"]
    with disposed(open_database(database_url)) as engine:
        assert rows(engine, "SELECT COUNT(*) FROM feedback_event") == [(1,)]
        with engine.begin() as connection:
            connection.execute(
                sa.text("UPDATE feedback_address SET suppressed_until = '2000-01-01 00:00:00'")
            )
    assert function.invoke(SWEEP, Remaining()) == {}
    assert mailable(database_url) == ["jane@example.com", "mary@example.com"]


CONNECTIONS = {
    "postgresql": "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' "
    "AND pid <> pg_backend_pid() AND datname = ",
    "mysql": "SELECT id FROM information_schema.processlist WHERE id <> connection_id() AND db = ",
}
CLOSE = {"postgresql": "SELECT pg_terminate_backend({})", "mysql": "KILL {}"}


def close_connection(url: str) -> None:
    """Close the only connection to a database, as a restart of the server does."""
    admin, name = admin_engine(url), sa.make_url(url).database

    def found() -> list[int]:
        return [number for (number,) in rows(admin, f"{CONNECTIONS[admin.dialect.name]}'{name}'")]

    # A server shows connections that clients have closed a moment longer.
    until(lambda: len(found()) == 1)
    execute(admin, CLOSE[admin.dialect.name].format(*found()))
    until(lambda: not found())


def test_a_connection_that_was_closed_while_the_function_was_frozen_costs_nothing(
    function: Function, server_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", server_database_url)
    members(server_database_url)
    assert function.invoke(messages(bounced()), Remaining()) == failures()
    close_connection(server_database_url)  # the pool's only one
    assert (
        function.invoke(messages(bounced("mary@example.com", "mail-2")), Remaining()) == failures()
    )
    assert mailable(server_database_url) == []


def test_a_rotated_password_is_read_after_one_failed_invocation(
    function: Function, server_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin, url = admin_engine(server_database_url), sa.make_url(server_database_url)
    user, password = f"{url.database}_user", "first"
    if admin.dialect.name == "postgresql":
        make, set_ = f"CREATE ROLE {user} LOGIN PASSWORD", f"ALTER ROLE {user} PASSWORD"
        execute(admin, f"{make} 'first'")
        execute(admin, f"ALTER DATABASE {url.database} OWNER TO {user}")
        execute(admin, f"ALTER SCHEMA public OWNER TO {user}")
    else:
        execute(admin, f"CREATE USER {user} IDENTIFIED BY 'first'")
        execute(admin, f"GRANT ALL ON {url.database}.* TO {user}")
        set_ = f"ALTER USER {user} IDENTIFIED BY"
    read: list[str] = []

    def read_secret(reference: str) -> str:
        read.append(reference)
        return password

    monkeypatch.setattr(secrets, "read_secret", read_secret)
    own = url.set(username=user, password="").render_as_string(hide_password=False)
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "sesbounce")
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", own)
    monkeypatch.setenv("SESBOUNCE_SECRETS", '{"SESBOUNCE_DATABASE_PASSWORD": "arn:of:it"}')
    monkeypatch.delenv("SESBOUNCE_STRIKE_OFF_SQL")
    monkeypatch.delenv("SESBOUNCE_RESTORE_SQL")
    assert function.invoke(messages(bounced()), Remaining()) == failures()

    execute(admin, f"{set_} 'second'")
    close_connection(server_database_url)
    event = messages(bounced("mary@example.com", "mail-2"))
    for _ in range(2):  # the second time, the secret has been read, and is still the old one
        with pytest.raises(StoreError, match="assword"):
            function.invoke(event, Remaining())
    password = "second"
    assert function.invoke(event, Remaining()) == failures()
    assert function.invoke(event, Remaining()) == failures()
    assert read == ["arn:of:it"] * 3
