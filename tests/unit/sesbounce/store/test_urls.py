import ssl
from pathlib import Path

import pytest

from sesbounce.errors import ConfigurationError
from sesbounce.store.urls import read_url

SECRET = "s3cr3t"


@pytest.mark.parametrize(
    "password",
    [
        f"{SECRET}@x",
        f"@{SECRET}",
        f"{SECRET}@@",
        f"a@{SECRET}/x",
        f"a@{SECRET}?x",
        f"a@{SECRET}#",
        f"a@{SECRET}:x",
        f"a@b/{SECRET}@c",
        f"a@b?{SECRET}@c",
        f"a/{SECRET}@b:1/c",
    ],
)
@pytest.mark.parametrize("driver", ["postgresql", "mysql"])
def test_no_part_of_a_password_is_shown_and_the_advice_is_to_escape_it(
    driver: str, password: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_url(f"{driver}://user:{password}@db.example.com/app", "SESBOUNCE_DATABASE_URL")
    text = str(caught.value)
    assert "SESBOUNCE_DATABASE_URL" in text
    assert "%40 for @" in text
    assert SECRET not in text.replace("SESBOUNCE_DATABASE_PASSWORD", "")


@pytest.mark.parametrize("password", ["a/b", "a#b", "a?b", "a:b", "a%25b", "a%40b", "a b"])
def test_what_a_password_may_hold(password: str) -> None:
    url = read_url(f"postgresql://user:{password}@db.example.com:5433/app", "X").url
    assert (url.host, url.port, url.database) == ("db.example.com", 5433, "app")


def test_a_strike_off_database_is_called_by_its_own_setting() -> None:
    with pytest.raises(ConfigurationError, match=r"^OTHER_URL names oracle"):
        read_url("oracle://h/d", "OTHER_URL")


VERIFY_FULL = [
    "ssl-mode=VERIFY_IDENTITY",
    "sslmode=verify-full",
    "sslaccept=strict",
    'ssl={"rejectUnauthorized":true}',
    "ssl_verify_identity=true",
]
REQUIRE = [
    "ssl-mode=REQUIRED",
    "ssl_mode=REQUIRED",
    "sslmode=require",
    "sslmode=REQUIRE",
    "ssl=true",
    "ssl=1",
    "tls=true",
    "tls=skip-verify",
    "useSSL=true",
    "sslmode=no-verify",
    'ssl={"rejectUnauthorized":false}',
    "useSSL=true&requireSSL=true",
]


@pytest.mark.parametrize("options", REQUIRE)
def test_options_that_demand_tls(options: str) -> None:
    mysql = read_url(f"mysql://u:p@h/d?{options}", "X")
    context = mysql.arguments["ssl"]
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_NONE, False)
    assert set(mysql.url.query) == {"connect_timeout", "charset"}
    assert read_url(f"postgres://u:p@h/d?{options}", "X").url.query["sslmode"] == "require"


@pytest.mark.parametrize("options", VERIFY_FULL)
def test_options_that_demand_a_certificate_of_that_host(options: str) -> None:
    context = read_url(f"mysql://u:p@h/d?{options}", "X").arguments["ssl"]
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert read_url(f"postgres://u:p@h/d?{options}", "X").url.query["sslmode"] == "verify-full"


@pytest.mark.parametrize("options", ["ssl=false", "sslmode=disable", "ssl-mode=DISABLED"])
def test_options_without_tls(options: str) -> None:
    assert read_url(f"mysql://u:p@h/d?{options}", "X").arguments == {"ssl_disabled": True}
    assert read_url(f"postgres://u:p@h/d?{options}", "X").url.query["sslmode"] == "disable"


@pytest.mark.parametrize("name", ["ssl_ca", "ssl-ca", "sslca", "sslrootcert"])
def test_a_file_of_certificates_that_is_missing_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"X: the certificate {tmp_path}/ca.pem can't be"):
        read_url(f"mysql://u:p@h/d?{name}={tmp_path}/ca.pem", "X")
    (tmp_path / "ca.pem").write_text("nonsense")
    with pytest.raises(ConfigurationError, match=f"X: the certificate {tmp_path}/ca.pem can't be"):
        read_url(f"mysql://u:p@h/d?{name}={tmp_path}/ca.pem", "X")


@pytest.mark.parametrize(
    ("value", "threshold"), [("None", None), ("none", None), ("0", 0), ("7", 7), (None, "auto")]
)
def test_when_statements_are_prepared(value: str | None, threshold: object) -> None:
    options = f"?prepare_threshold={value}" if value else ""
    read = read_url(f"postgresql://u:p@h/d{options}", "X")
    assert read.prepare_threshold == threshold
    assert "prepare_threshold" not in read.url.query
    assert read_url("postgresql://u:p@h/d?pgbouncer=true", "X").prepare_threshold is None


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("postgresql://u:p@h/d?prepare_threshold=never", "prepare_threshold should be a number"),
        ("mysql://u:p@h/d?nonsense=1", "the option nonsense, which sesbounce does not know"),
        ("mysql://u:p@h/d?sslmode=nonsense", "sslmode should be one of disable"),
        ("postgresql://u:p@h/d?sslmode=nonsense", "sslmode should be one of disable"),
        ("postgresql://u:p@h:port/d", "is not a database URL"),
    ],
)
def test_options_that_can_t_be_used_are_named(url: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        read_url(url, "X")


def test_the_encoding_is_always_one_that_expresses_every_address() -> None:
    mysql = read_url("mysql://u:p@h/d?charset=latin1&reconnect=true&parseTime=true", "X").url
    assert mysql.query["charset"] == "utf8mb4"
    postgresql = read_url("postgresql://u:p@h/d?client_encoding=latin1", "X").url
    assert postgresql.query["client_encoding"] == "utf8"
