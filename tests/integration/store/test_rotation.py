"""A password that is rotated while the worker runs: new connections read the secret."""

import json
import secrets
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import boto3
import pytest
import sqlalchemy as sa

from scripts.local.localstack import LocalStack
from sesbounce.database_settings import load_database_settings
from sesbounce.errors import ConfigurationError, StoreError
from sesbounce.settings import load_settings
from sesbounce.store.engine import open_database, translated
from tests.databases.products import Kind
from tests.databases.servers import admin_engine, execute
from tests.support import disposed

SET_PASSWORD = {
    "postgresql": "ALTER ROLE {user} PASSWORD '{password}'",
    "mariadb": "ALTER USER {user} IDENTIFIED BY '{password}'",
}
CREATE = {
    "postgresql": "CREATE ROLE {user} LOGIN PASSWORD '{password}'",
    "mariadb": "CREATE USER {user} IDENTIFIED BY '{password}'",
}
DROP = {"postgresql": "DROP ROLE {user}", "mariadb": "DROP USER {user}"}


class Rotating(NamedTuple):
    """A user of a database whose password is in a secret.

    Attributes:
        set_password: sets the password of the user.
        set_secret: sets the text of the secret.
    """

    set_password: Callable[[str], None]
    set_secret: Callable[[str], None]


@pytest.fixture(params=("postgresql", "mariadb"))
def rotating(
    request: pytest.FixtureRequest,
    server_urls: Callable[[Kind], str],
    aws: LocalStack,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Rotating]:
    """A user with the password `first`, and the environment of a process that logs in with it."""
    url = sa.make_url(server_urls(request.param))
    user, admin = f"r{secrets.token_hex(6)}", admin_engine(url)
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": aws.endpoint,
    }.items():
        monkeypatch.setenv(name, value)
    client: Any = boto3.client("secretsmanager", region_name="us-east-1")
    arn = client.create_secret(Name=user, SecretString=json.dumps({"password": "first"}))["ARN"]
    database = {"postgresql": url.database, "mariadb": None}[request.param]
    its_own = sa.URL.create(url.drivername, user, None, url.host, url.port, database)
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", its_own.render_as_string())
    monkeypatch.setenv("SESBOUNCE_DATABASE_PASSWORD_FROM", arn)
    execute(admin, CREATE[request.param].format(user=user, password="first"))
    yield Rotating(
        lambda password: execute(
            admin, SET_PASSWORD[request.param].format(user=user, password=password)
        ),
        lambda text: client.put_secret_value(SecretId=arn, SecretString=text),
    )
    execute(admin, DROP[request.param].format(user=user))


def answers(engine: sa.Engine) -> int:
    """What the database answers on a new connection."""
    engine.dispose()
    with translated("no answer"), engine.connect() as connection:
        return int(connection.scalar(sa.select(41 + sa.literal(1))) or 0)


def test_new_connections_have_the_rotated_password(rotating: Rotating) -> None:
    settings = load_database_settings()
    with disposed(open_database(settings.url, passwords=settings.passwords)) as engine:
        assert answers(engine) == 42
        rotating.set_password("second")
        rotating.set_secret(json.dumps({"username": "u", "password": "second"}))
        assert answers(engine) == 42  # the same engine, as that of a worker that runs
        rotating.set_secret(json.dumps({"password": "wr0ng"}))
        assert answers(engine) == 42  # it still has the right one
        rotating.set_password("third")
        with pytest.raises(
            StoreError, match="whose password is not that of the database's user"
        ) as e:
            answers(engine)
        assert "SESBOUNCE_DATABASE_PASSWORD_FROM" in str(e.value)
        assert "wr0ng" not in str(e.value)
        rotating.set_secret("third")  # plain text
        assert answers(engine) == 42
    passwords = load_settings().passwords
    with disposed(open_database(load_settings().database, passwords=passwords)) as engine:
        assert answers(engine) == 42


def test_the_settings_contradict_each_other(
    rotating: Rotating, monkeypatch: pytest.MonkeyPatch
) -> None:
    del rotating
    monkeypatch.setenv("SESBOUNCE_DATABASE_PASSWORD", "first")
    for load in (load_database_settings, lambda: load_settings().passwords):
        with pytest.raises(ConfigurationError, match="holds a password as well"):
            load()
    monkeypatch.delenv("SESBOUNCE_DATABASE_PASSWORD")
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", "sqlite:///x.sqlite3")
    with pytest.raises(ConfigurationError, match="SQLite has no passwords"):
        load_database_settings()
    monkeypatch.setenv("SESBOUNCE_DATABASE_PASSWORD_FROM", "swordfish")
    for read in (load_database_settings, load_settings):
        with pytest.raises(ConfigurationError, match="must be rds-iam, or the ARN") as caught:
            read()
        assert "swordfish" not in str(caught.value)
