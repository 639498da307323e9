"""Databases of other encodings, TLS as hosting providers' URLs demand it, and PgBouncer."""

import json
import os
import secrets
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from scripts.local.ses_messages import Scenario
from sesbounce.doctor.database import pooler
from sesbounce.doctor.subject import Database
from sesbounce.errors import ConfigurationError, SchemaError, SesBounceError, StoreError
from sesbounce.feedback.decode import decode
from sesbounce.feedback.recording import Recording
from sesbounce.policy.verdict import Policy
from sesbounce.settings import Settings
from sesbounce.store import migrate
from sesbounce.store.engine import open_database, translated, write
from sesbounce.store.lookup import Lookup
from sesbounce.store.store import Store
from sesbounce.store.strike_off import StrikeOff
from tests.databases.errors import ServerMissing
from tests.databases.process import owner as owner_of
from tests.databases.products import MARIADB, POSTGRESQL, SERVERS, Kind
from tests.databases.programs import find_pgbouncer
from tests.databases.servers import admin_engine, drop, empty_database, execute, running
from tests.ports import free_port
from tests.support import AT, disposed, mail, said

STRIKE_OFF = "UPDATE member SET mailable = 0 WHERE lower(email) = :address"


def odd(number: int, address: str) -> Recording:
    """A bounce of an odd address, and an odd subject and diagnostic in the same message."""
    message = said(Scenario.BOUNCE, mail(address, f"mail-{number}"))
    message["mail"]["commonHeaders"] = {"subject": "Grüße 😀 日本"}
    message["bounce"]["bouncedRecipients"][0]["diagnosticCode"] = "550 😀 né"
    return decode(json.dumps(message, ensure_ascii=False))


ADDRESSES = ["jane@example.com", "jösé@example.com", "😀@example.com", "日本@example.com"]


# --- Encodings


@contextmanager
def encoded(url: str, encoding: str) -> Iterator[str]:
    """The URL of a database of that encoding."""
    name = f"encoded_{encoding.lower()}"
    admin = admin_engine(url)
    options = f"ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    execute(admin, f"CREATE DATABASE {name} {options}")
    try:
        yield sa.make_url(url).set(database=name).render_as_string(hide_password=False)
    finally:
        drop(admin, name)


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII", "WIN1252", "EUC_JP", "LATIN9"])
def test_what_a_database_can_not_store_costs_no_event(
    server_urls: Callable[[Kind], str], encoding: str
) -> None:
    with (
        encoded(server_urls("postgresql"), encoding) as url,
        disposed(open_database(url)) as engine,
    ):
        with write(engine) as connection:
            connection.exec_driver_sql("CREATE TABLE member (email TEXT, mailable INT)")
            connection.exec_driver_sql("INSERT INTO member VALUES ('Jane@example.com', 1)")
        store = Store(engine, Policy(), StrikeOff(STRIKE_OFF))
        store.prepare()
        batch = [odd(number, address) for number, address in enumerate(ADDRESSES)]
        recorded = store.record(batch, AT)
        assert (recorded.events, recorded.suppressed, recorded.rejected) == (4, 4, {})
        assert recorded.struck_rows == 1
        assert store.record(batch, AT).duplicates == 4
        lookup = Lookup(engine)
        for address in ADDRESSES:
            assert not lookup.check(address, AT).may_mail
            assert len(lookup.why(address)) == 1
        assert lookup.check("😁@example.com", AT).may_mail
        with engine.connect() as connection:
            payloads = connection.exec_driver_sql("SELECT payload FROM feedback_message").scalars()
            for payload in payloads:
                assert json.loads(payload)["mail"]["commonHeaders"]["subject"] == "Grüße 😀 日本"


@pytest.mark.parametrize("charset", ["latin1", "utf8mb3", "ascii"])
def test_the_charset_of_a_mysql_database_costs_no_event(
    server_urls: Callable[[Kind], str], charset: str
) -> None:
    with empty_database(server_urls("mariadb")) as url:
        name = sa.make_url(url).database
        execute(admin_engine(url), f"ALTER DATABASE {name} CHARACTER SET {charset}")
        its_own = sa.make_url(url).update_query_dict({"charset": charset})
        with disposed(open_database(its_own.render_as_string(hide_password=False))) as engine:
            store = Store(engine, Policy(), StrikeOff())
            store.prepare()
            batch = [odd(number, address) for number, address in enumerate(ADDRESSES)]
            assert store.record(batch, AT).suppressed == 4
            assert all(not Lookup(engine).check(address, AT).may_mail for address in ADDRESSES)


def test_bytes_that_are_no_text_are_an_error_of_sesbounce(
    server_urls: Callable[[Kind], str],
) -> None:
    with (
        encoded(server_urls("postgresql"), "SQL_ASCII") as url,
        disposed(open_database(url)) as engine,
    ):
        migrate.upgrade(engine)
        with pytest.raises(StoreError), translated("x"), engine.connect() as connection:
            connection.exec_driver_sql("SELECT convert_from('\\xff'::bytea, 'SQL_ASCII')").all()


# --- TLS


@contextmanager
def with_tls(kind: Kind) -> Iterator[tuple[str, Path]]:
    """The URL of a server with a certificate for `localhost`, and the file of its authority."""
    product = {"postgresql": POSTGRESQL, "mariadb": MARIADB}[kind]
    with tempfile.TemporaryDirectory(prefix="sesbounce-") as made:
        folder = Path(made)
        folder.chmod(0o711)
        cert, key = folder / "server.pem", folder / "server.key"
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
                *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"),
                *("-out", cert, "-keyout", key),
            ],
            check=True,
            capture_output=True,
        )
        cert.chmod(0o644)
        key.chmod(0o600)
        if os.geteuid() == 0:
            owner = owner_of(product)
            os.chown(key, owner.pw_uid, owner.pw_gid)
        tls = {
            "postgresql": ("--ssl=on", f"--ssl_cert_file={cert}", f"--ssl_key_file={key}"),
            "mariadb": (f"--ssl-cert={cert}", f"--ssl-key={key}"),
        }[kind]
        with running(replace(product, options=(*product.options, *tls)), folder) as url:
            yield url, cert


ENCRYPTED = {
    "postgresql": "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
    "mysql": "SELECT variable_value <> '' FROM information_schema.session_status "
    "WHERE variable_name = 'Ssl_cipher'",
}


def encrypted(url: str, options: str, host: str = "localhost") -> bool:
    parsed = sa.make_url(url).set(host=host)
    text = parsed.render_as_string(hide_password=False)
    text += ("&" if "?" in text else "?") + options
    with (
        disposed(open_database(text)) as engine,
        translated("no connection"),
        engine.connect() as connection,
    ):
        return bool(connection.exec_driver_sql(ENCRYPTED[engine.dialect.name]).scalar())


@pytest.fixture(scope="module")
def tls_server(request: pytest.FixtureRequest) -> Iterator[tuple[str, Path]]:
    with ExitStack() as stack:
        try:
            yield stack.enter_context(with_tls(request.param))
        except ServerMissing as error:
            pytest.skip(str(error))


both = pytest.mark.parametrize("tls_server", ["postgresql", "mariadb"], indirect=True)


@both
def test_the_options_of_hosting_providers_encrypt(tls_server: tuple[str, Path]) -> None:
    url, authority = tls_server
    for options in (
        "ssl-mode=REQUIRED",
        "sslmode=require",
        "ssl=true",
        f"sslmode=verify-full&sslrootcert={authority}",
        f"ssl_ca={authority}&ssl-mode=VERIFY_IDENTITY",
        f"ssl-mode=VERIFY_CA&ssl-ca={authority}",
    ):
        assert encrypted(url, options, "127.0.0.1" if "VERIFY_CA" in options else "localhost")


@both
def test_a_certificate_that_is_not_trusted_is_one_clear_line(tls_server: tuple[str, Path]) -> None:
    url, authority = tls_server
    for options, host, words in (
        ("sslmode=verify-full", "localhost", "verify failed"),
        ("sslmode=verify-full&sslrootcert=rds", "localhost", "verify failed.*docs/database.md"),
        (f"sslmode=verify-full&sslrootcert={authority}", "127.0.0.1", "127.0.0.1"),
        (f"sslmode=verify-full&sslrootcert={authority}.none", "localhost", f"{authority}.none"),
    ):
        with pytest.raises(SesBounceError, match=words) as caught:
            encrypted(url, options, host)
        assert "\n" not in str(caught.value)


def test_tls_that_a_server_does_not_have_is_one_clear_line(
    server_urls: Callable[[Kind], str],
) -> None:
    for kind in SERVERS:
        with pytest.raises(StoreError, match=r"(?i)ssl"):
            encrypted(server_urls(kind), "ssl-mode=REQUIRED", "127.0.0.1")


def test_an_unknown_option_is_one_clear_line(server_urls: Callable[[Kind], str]) -> None:
    for kind in SERVERS:
        with pytest.raises((ConfigurationError, StoreError), match="nonsense"):
            encrypted(server_urls(kind), "nonsense=1", "127.0.0.1")


def test_a_wrong_password_is_explained(server_urls: Callable[[Kind], str]) -> None:
    for kind in SERVERS:
        wrong = sa.make_url(server_urls(kind)).set(password="a%40b")
        with pytest.raises(StoreError, match="%25 for %") as caught:
            encrypted(
                wrong.render_as_string(hide_password=False), "connect_timeout=60", "127.0.0.1"
            )
        assert "a%40b" not in str(caught.value)


# --- PgBouncer


@pytest.fixture(scope="module")
def pgbouncer(server_urls: Callable[[Kind], str]) -> Iterator[Callable[[str], str]]:
    """The URL of a database by way of a PgBouncer in transaction mode, with two servers."""
    program = find_pgbouncer()
    url = sa.make_url(server_urls("postgresql"))
    with tempfile.TemporaryDirectory(prefix="sesbounce-") as made:
        folder = Path(made)
        folder.chmod(0o711)
        port = free_port()
        (folder / "users").write_text(f'"{url.username}" "{url.password}"\n')
        (folder / "ini").write_text(
            f"[databases]\n* = host={url.host} port={url.port}\n[pgbouncer]\n"
            f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            f"auth_type = plain\nauth_file = {folder}/users\npool_mode = transaction\n"
            "default_pool_size = 2\nserver_round_robin = 1\nmax_client_conn = 50\n"
        )
        owner = owner_of(POSTGRESQL) if os.geteuid() == 0 else None
        process = subprocess.Popen(
            [program, "-q", folder / "ini"],
            user=owner.pw_uid if owner else None,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

        def through(database_url: str) -> str:
            its_own = sa.make_url(database_url).set(host="127.0.0.1", port=port)
            return its_own.render_as_string(hide_password=False)

        try:
            deadline = time.monotonic() + 120
            while True:
                engine = admin_engine(through(str(url.render_as_string(False))))
                try:
                    execute(engine, "SELECT 1")
                    break
                except sa.exc.OperationalError:
                    assert time.monotonic() < deadline
                    time.sleep(0.1)
            yield through
        finally:
            process.terminate()
            process.wait(60)


@pytest.mark.parametrize("options", ["", "prepare_threshold=None", "pgbouncer=true"])
def test_a_pooler_between_transactions_changes_nothing(
    server_urls: Callable[[Kind], str], pgbouncer: Callable[[str], str], options: str
) -> None:
    with empty_database(server_urls("postgresql")) as direct, ExitStack() as stack:
        url = f"{pgbouncer(direct)}?{options}"
        with disposed(open_database(direct)) as engine, write(engine) as connection:
            connection.exec_driver_sql("CREATE TABLE member (email TEXT, mailable INT)")
        stores = []
        for _ in range(3):
            engine = stack.enter_context(disposed(open_database(url)))
            stores.append(Store(engine, Policy(), StrikeOff(STRIKE_OFF)))
        stores[0].prepare()
        for number in range(30):
            name = secrets.token_hex(4)
            for store in stores:
                recorded = store.record([odd(number, f"{name}@example.com")], AT)
                assert recorded.rejected == {}
                store.sweep(AT)
        with disposed(open_database(url)) as engine:
            assert len(list(Lookup(engine).suppressed(AT))) == 30
        with disposed(open_database(direct)) as engine, engine.connect() as connection:
            # Nothing that was set for a transaction has stayed with the pooler's connections.
            lock = connection.exec_driver_sql("SHOW lock_timeout").scalar()
        with disposed(open_database(url)) as engine, engine.connect() as connection:
            assert connection.exec_driver_sql("SHOW lock_timeout").scalar() == lock
        for at, found in ((url, ["a pooler answers in the place of PostgreSQL"]), (direct, [])):
            with disposed(open_database(at)) as engine:
                looked_at = Database(engine, Settings(), AT)
                assert [finding.what for finding in pooler(looked_at)] == found


def test_statements_are_prepared_where_there_is_no_pooler(
    server_urls: Callable[[Kind], str], pgbouncer: Callable[[str], str]
) -> None:
    direct = server_urls("postgresql")
    for url, threshold in ((direct, 5), (pgbouncer(direct), None)):
        with disposed(open_database(url)) as engine, engine.connect() as connection:
            driver = connection.connection.driver_connection
            assert driver is not None
            assert driver.prepare_threshold == threshold


# --- Names in other schemas


def test_a_name_in_another_schema_of_the_search_path_is_an_error(
    server_urls: Callable[[Kind], str],
) -> None:
    with empty_database(server_urls("postgresql")) as url:
        with disposed(open_database(url)) as engine, write(engine) as connection:
            connection.exec_driver_sql("CREATE SCHEMA app")
            connection.exec_driver_sql("CREATE SCHEMA elsewhere")
            connection.exec_driver_sql("CREATE TABLE public.suppressed (email TEXT)")
        for path, clashes in (("app,public", True), ("app,elsewhere", False)):
            of_path = f"{url}?options=-c%20search_path%3D{path}"
            with disposed(open_database(of_path)) as engine:
                if clashes:
                    with pytest.raises(SchemaError, match=r"has a public\.suppressed that is not"):
                        migrate.upgrade(engine)
                    continue
                migrate.upgrade(engine)
                assert migrate.drift(engine) == []
