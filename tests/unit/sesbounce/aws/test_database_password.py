"""Passwords from Secrets Manager and tokens of RDS: what is asked of AWS, and what is answered."""

import importlib
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import psycopg
import pytest
from botocore.stub import Stubber

from sesbounce.aws import clients
from sesbounce.aws.database_password import RdsToken, Secret, open_source
from sesbounce.database_password import RDS_IAM, Login
from sesbounce.errors import ConfigurationError, StoreError
from sesbounce.store.engine import open_database, translated
from tests.support import disposed

ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:rds!db-1-AbCdEf"
VERSION = "0123456789abcdef0123456789abcdef"
VARIABLE = "SESBOUNCE_DATABASE_PASSWORD_FROM"
HOST = "sesbounce.abc.eu-central-1.rds.amazonaws.com"
LOGIN = Login(HOST, 5432, "sesbounce_worker", "SESBOUNCE_DATABASE_URL")


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)
    monkeypatch.setenv("AWS_REGION", "us-east-1")


@pytest.fixture
def secrets_manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    """Secrets Manager, with the answers that a test gives it; no call may be missing."""
    client = boto3.client("secretsmanager", region_name="eu-west-1")
    opened = []

    def open_stubbed(service: str, **options: Any) -> Any:
        opened.append((service, options["region_name"]))
        return client

    monkeypatch.setattr("boto3.client", open_stubbed)
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()
    assert set(opened) == {("secretsmanager", "eu-west-1")}  # the region of the ARN


@pytest.mark.parametrize(
    ("suffix", "asked", "text", "password"),
    [
        ("", {}, '{"username": "u", "password": "p"}', "p"),
        (":password::", {}, '{"username": "u", "password": "p"}', "p"),
        (":other:AWSPREVIOUS:", {"VersionStage": "AWSPREVIOUS"}, '{"other": "o"}', "o"),
        (
            f"::AWSCURRENT:{VERSION}",
            {"VersionStage": "AWSCURRENT", "VersionId": VERSION},
            "plain",
            "plain",
        ),
        ("", {}, "12345", "12345"),
    ],
)
def test_a_secret_is_read_as_ecs_reads_it(
    secrets_manager: Stubber, suffix: str, asked: dict[str, str], text: str, password: str
) -> None:
    secrets_manager.add_response(
        "get_secret_value", {"SecretString": text}, {"SecretId": ARN} | asked
    )
    source = open_source(ARN + suffix, VARIABLE)
    assert source.password(LOGIN) == password
    assert source.password(LOGIN) == password  # without another call
    assert not source.needs_tls


def test_a_refused_password_is_read_once_more(secrets_manager: Stubber) -> None:
    for password in ("old", "new"):
        secrets_manager.add_response(
            "get_secret_value", {"SecretString": json.dumps({"password": password})}
        )
    source = Secret(ARN, VARIABLE)
    assert source.password(LOGIN) == "old"
    assert source.password(LOGIN, refused="old") == "new"
    assert source.password(LOGIN, refused="old") == "new"  # another thread had it read already
    assert source.password(LOGIN) == "new"


@pytest.mark.parametrize(
    ("suffix", "text", "problem"),
    [
        (
            ":word::",
            '{"password": "s3cr3t"}',
            "holds no text under the key word: correct the secret",
        ),
        ("", '{"username": "s3cr3t"}', "holds no text under the key password"),
        (":word::", "s3cr3t", "names the key word, and the secret .* holds no JSON object"),
        ("", "", "holds no text: correct"),  # it is binary
    ],
)
def test_a_secret_without_the_password_is_an_error_that_shows_nothing_of_it(
    secrets_manager: Stubber, suffix: str, text: str, problem: str
) -> None:
    answer = {"SecretString": text} if text else {"SecretBinary": b"s3cr3t"}
    secrets_manager.add_response("get_secret_value", answer)
    with pytest.raises(StoreError, match=problem) as caught:
        open_source(ARN + suffix, VARIABLE).password(LOGIN)
    assert str(caught.value).startswith(VARIABLE)
    assert "s3cr3t" not in str(caught.value)


def test_what_secrets_manager_rejects_says_which_right_is_missing(secrets_manager: Stubber) -> None:
    secrets_manager.add_client_error("get_secret_value", "AccessDeniedException", "not authorized")
    secrets_manager.add_response("get_secret_value", {"SecretString": "later"})
    source = Secret(ARN, VARIABLE)
    with pytest.raises(StoreError, match=r"AccessDeniedException.*secretsmanager:GetSecretValue"):
        source.password(LOGIN)
    assert source.password(LOGIN) == "later"  # when the right is there


def test_a_token_names_host_user_and_the_host_s_region() -> None:
    source = RdsToken()
    token = source.password(LOGIN)
    url = urlsplit(f"https://{token}")
    query = parse_qs(url.query)
    assert (url.netloc, url.path) == (f"{HOST}:5432", "/")
    assert (query["Action"], query["DBUser"]) == (["connect"], ["sesbounce_worker"])
    assert query["X-Amz-Expires"] == ["900"]
    _key, _day, region, service, _ = query["X-Amz-Credential"][0].split("/")
    assert (region, service) == ("eu-central-1", "rds-db")
    assert source.needs_tls
    assert source.password(LOGIN, refused=token) == token


def test_another_host_is_in_the_region_of_the_settings() -> None:
    token = RdsToken().password(LOGIN._replace(host="db-main-1.example.com", port=3306))
    assert "%2Fus-east-1%2Frds-db" in token


def test_a_token_needs_a_host_and_a_user() -> None:
    for login in (LOGIN._replace(host=""), LOGIN._replace(user="")):
        with pytest.raises(ConfigurationError, match="SESBOUNCE_DATABASE_URL names no host or no"):
            RdsToken().password(login)


@pytest.mark.parametrize(
    ("name", "region"),
    [
        (ARN, "eu-west-1"),
        ("arn:aws-cn:secretsmanager:cn-north-1:1:secret:x-us-east-1", "cn-north-1"),
        ("db-main-1.x.us-gov-west-1.rds.amazonaws.com", "us-gov-west-1"),
        ("db.x.rds.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("db-main-1.example.com", None),
        ("localhost", None),
    ],
)
def test_names_hold_a_region(name: str, region: str | None) -> None:
    assert clients.region_in(name) == region


@pytest.mark.parametrize(
    ("url", "connect"),
    [
        (f"postgresql://sesbounce_worker@{HOST}/sesbounce", "psycopg.connect"),
        (f"mysql://sesbounce_worker@{HOST}/sesbounce", "pymysql.connect"),
    ],
)
def test_each_connection_has_a_token_of_its_own_and_demands_tls(
    monkeypatch: pytest.MonkeyPatch, url: str, connect: str
) -> None:
    """The driver itself is not reached: no RDS is at hand that would take a token."""
    given: list[dict[str, Any]] = []

    def refuse(*_: object, **options: Any) -> None:
        given.append(options)
        driver = importlib.import_module(connect.partition(".")[0])
        raise driver.OperationalError('PAM authentication failed for user "x"')

    monkeypatch.setattr(connect, refuse)
    with disposed(open_database(url, passwords=open_source(RDS_IAM, VARIABLE))) as engine:
        for _ in range(2):
            with pytest.raises(StoreError, match="rds-db:connect on the user") as caught:
                engine.connect()
            assert "Signature" not in str(caught.value)
    assert len(given) == 2  # RDS would also refuse a newer token
    for options in given:
        assert options["password"].startswith(f"{HOST}:")
        if "psycopg" in connect:
            assert options["sslmode"] == "verify-full"
            assert options["sslrootcert"].endswith("rds_roots.pem")
        else:
            assert options["ssl"].check_hostname
            assert options["ssl"].cert_store_stats()["x509_ca"] > 50


@pytest.mark.parametrize("driver", ["postgresql", "mysql"])
def test_a_token_is_not_sent_without_tls(driver: str) -> None:
    source = open_source(RDS_IAM, VARIABLE)
    for mode in ("disable", "prefer"):
        with pytest.raises(ConfigurationError, match="RDS IAM authentication needs TLS"):
            open_database(f"{driver}://u@{HOST}/d?sslmode={mode}", passwords=source)


@pytest.mark.parametrize(
    ("problem", "told"),
    [
        ("connection refused", "connection refused"),
        ('password authentication failed for user "x"', "the secret can't be read"),
    ],
)
def test_a_secret_that_can_t_be_read_hides_no_database_that_is_away(
    monkeypatch: pytest.MonkeyPatch, problem: str, told: str
) -> None:
    class Unread(Secret):
        def password(self, login: Login, refused: str | None = None) -> str:
            if refused:
                raise StoreError("the secret can't be read")
            return "first"

    def refuse(*_: object, **__: object) -> None:
        raise psycopg.OperationalError(problem)

    monkeypatch.setattr(psycopg, "connect", refuse)
    url = f"postgresql://me@{HOST}/sesbounce"
    with (
        disposed(open_database(url, passwords=Unread(ARN, VARIABLE))) as engine,
        pytest.raises(StoreError, match=told),
        translated("no answer"),
    ):
        engine.connect()
