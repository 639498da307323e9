"""Reads database URLs, with the options for TLS that hosting providers write into them.

https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS
https://dev.mysql.com/doc/refman/8.0/en/connection-options.html
"""

import os
from pathlib import Path
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.exc import ArgumentError

from sesbounce.errors import ConfigurationError
from sesbounce.store import rds_roots
from sesbounce.store.postgresql import AUTO, Threshold

HOW_TO_ESCAPE = (
    "In a URL some characters of a password are written as %40 for @, %3A for :, %2F for /, "
    "%3F for ?, %23 for #, %25 for % (SESBOUNCE_DATABASE_PASSWORD takes them as they are)"
)
HOW_TO_TRUST = (
    "No authority that sslrootcert names has signed the server's certificate; sslrootcert=rds "
    "names those of Amazon RDS in the regions that docs/database.md lists"
)
_DRIVERS = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mysql+pymysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
    "mariadb+pymysql": "mysql+pymysql",
}
# With these a client notices after about half a minute, not hours, that a server has vanished.
# Values in the URL take precedence. (libpq: "Connection control functions"; seconds, except for
# tcp_user_timeout, which is in milliseconds.)
_TIMEOUTS = {
    "postgresql+psycopg": {
        "connect_timeout": "10",
        "keepalives_idle": "10",
        "keepalives_interval": "5",
        "keepalives_count": "4",
        "tcp_user_timeout": "30000",
    },
    "mysql+pymysql": {"connect_timeout": "10"},
}
# Options of other clients that change nothing here. `schema` is not among them: it would.
_WITHOUT_EFFECT = {
    *("reconnect", "autoreconnect", "useunicode", "characterencoding", "servertimezone"),
    *("parsetime", "allowpublickeyretrieval", "connection_limit", "connectionlimit"),
    *("pool_timeout", "statuscolor", "zerodatetimebehavior"),
}
_YES, _NO = {"true", "1", "yes", "on"}, {"false", "0", "no", "off", "none"}
# The names of one and the same thing, from the least to the most that is demanded of the server.
_MODES = ("disable", "prefer", "require", "verify-ca", "verify-full")
_MODE_NAMES = {
    "disable": ("disable", "disabled", *_NO),
    "prefer": ("prefer", "preferred", "allow"),
    "require": ("require", "required", "no-verify", "skip-verify", "accept_invalid_certs"),
    "verify-ca": ("verify-ca", "verify_ca"),
    "verify-full": ("verify-full", "verify_full", "verify_identity", "verify-identity", "strict"),
}
_MODE_OF = {name: mode for mode, names in _MODE_NAMES.items() for name in names}
# Node, Go, JDBC, Rails and Prisma each have names of their own for the options of the servers.
_TLS_NAMES = {
    "mode": ("sslmode", "ssl-mode", "ssl_mode", "ssl", "tls", "usessl", "requiressl", "sslaccept"),
    "ca": ("ssl_ca", "ssl-ca", "sslca", "sslrootcert", "ssl_root_cert"),
    "cert": ("ssl_cert", "ssl-cert", "sslcert"),
    "key": ("ssl_key", "ssl-key", "sslkey"),
    "verify_cert": (
        *("ssl_verify_cert", "ssl-verify-server-cert", "ssl_verify_server_cert"),
        "verifyservercertificate",
    ),
    "verify_identity": ("ssl_verify_identity", "ssl_check_hostname"),
}
_TLS_OF = {name: kind for kind, names in _TLS_NAMES.items() for name in names}
_MYSQL_OPTIONS = {
    *("charset", "collation", "connect_timeout", "read_timeout", "write_timeout", "unix_socket"),
    *("init_command", "sql_mode", "bind_address", "read_default_file", "read_default_group"),
    *("program_name", "server_public_key", "max_allowed_packet", "ssl_capath", "ssl_cipher"),
}


class DatabaseUrl(NamedTuple):
    """A URL in the form that SQLAlchemy and the driver understand.

    Attributes:
        url: the URL, with the driver that sesbounce uses.
        arguments: further arguments of the driver.
        prepare_threshold: for PostgreSQL, when statements are prepared; see `postgresql.prepare`.
    """

    url: sa.URL
    arguments: dict[str, Any]
    prepare_threshold: Threshold


class _Tls(NamedTuple):
    """What a URL demands of TLS; a mode of None leaves it to the driver."""

    mode: str | None
    ca: str | None
    cert: str | None
    key: str | None


def read_url(text: str, variable: str, *, needs_tls: bool = False) -> DatabaseUrl:
    """Read a database URL.

    Args:
        text: the URL.
        variable: the setting that holds it, for error messages.
        needs_tls: whether the connection must be encrypted; a URL that says nothing of TLS then
            demands a server of RDS.

    Raises:
        ConfigurationError: the text is not a database URL, or sesbounce does not support the
            database or an option. The message holds no part of a password.
    """
    url = _parse(text, variable)
    driver = url.drivername
    if driver == "sqlite":
        return DatabaseUrl(url, {}, None)
    query = {
        name: value if isinstance(value, str) else value[-1]
        for name, value in url.query.items()
        if name.lower() not in _WITHOUT_EFFECT
    }
    threshold = _take_threshold(query, variable)
    tls = _take_tls(query, variable)
    if needs_tls:
        tls = _demanded(tls, variable)
    query = _TIMEOUTS[driver] | query
    arguments: dict[str, Any] = {}
    if driver.startswith("mysql"):
        if unknown := sorted(set(query) - _MYSQL_OPTIONS):
            raise ConfigurationError(
                f"{variable} holds the option {unknown[0]}, which sesbounce does not know for "
                "MySQL: leave it out"
            )
        query["charset"] = "utf8mb4"  # another one can't express every address
        arguments = _mysql_arguments(tls, variable)
    else:
        query["client_encoding"] = "utf8"
        query |= _postgresql_options(tls)
    return DatabaseUrl(url.set(query=query), arguments, threshold)


def _parse(text: str, variable: str) -> sa.URL:
    try:
        url = sa.make_url(text)
    except (ArgumentError, ValueError):
        raise ConfigurationError(
            f"{variable} is not a database URL; for example sqlite:///sesbounce.sqlite3"
            f" or postgresql://user:password@host/database. {HOW_TO_ESCAPE}"
        ) from None
    driver = _DRIVERS.get(url.drivername.lower())
    if driver is None:
        raise ConfigurationError(
            f"{variable} names {url.drivername}; it should begin with sqlite, postgresql or mysql"
        )
    if driver != "sqlite" and _is_cut_wrongly(url, text):
        raise ConfigurationError(f"{variable} holds an @ too many. {HOW_TO_ESCAPE}")
    return url.set(drivername=driver)


def _is_cut_wrongly(url: sa.URL, text: str) -> bool:
    """Whether a part of the password has become the host, the database or an option."""
    names = [url.host, url.database, *url.query]
    if any("@" in name or "#" in name for name in names if name):
        return True
    return not url.database and text.count("@") > 1


def _take_threshold(query: dict[str, str], variable: str) -> Threshold:
    """Take psycopg's `prepare_threshold`, and Prisma's `pgbouncer=true`, out of the options."""
    if query.pop("pgbouncer", "").lower() in _YES:
        query.pop("prepare_threshold", None)
        return None
    value = query.pop("prepare_threshold", None)
    if value is None:
        return AUTO
    if value.lower() in _NO and value != "0":
        return None
    if value.isdecimal():
        return int(value)
    raise ConfigurationError(
        f"{variable}: prepare_threshold should be a number, or None to prepare no statement"
    )


def _take_tls(query: dict[str, str], variable: str) -> _Tls:
    """Take the options for TLS out of the options, under any of their names."""
    found: dict[str, str] = {}
    for name in list(query):
        kind = _TLS_OF.get(name.lower())
        if not kind:
            continue
        value = query.pop(name)
        if kind == "mode":
            value = _mode(name, value, variable)
            found[kind] = max(value, found.get(kind, value), key=_MODES.index)
        else:
            found[kind] = value
    mode = found.get("mode")
    if found.get("verify_cert", "").lower() in _YES:
        mode = max("verify-ca", mode or "verify-ca", key=_MODES.index)
    identity = found.get("verify_identity", "").lower()
    if identity in _YES:
        mode = "verify-full"
    elif identity in _NO and not mode and "ca" in found:
        mode = "verify-ca"
    ca = found.get("ca")
    if ca == rds_roots.NAME:
        ca = str(rds_roots.ROOTS)
    return _Tls(mode, ca, found.get("cert"), found.get("key"))


def _demanded(tls: _Tls, variable: str) -> _Tls:
    """What a URL demands of TLS where RDS would refuse a connection without it.

    Raises:
        ConfigurationError: the URL allows a connection without TLS.
    """
    if tls.mode in ("disable", "prefer"):
        raise ConfigurationError(
            f"{variable} holds sslmode={tls.mode}, and RDS IAM authentication needs TLS: leave it "
            "out, or say sslmode=verify-full"
        )
    if tls.mode:
        return tls
    return tls._replace(mode="verify-full", ca=tls.ca or str(rds_roots.ROOTS))


def _mode(name: str, value: str, variable: str) -> str:
    lower = value.lower()
    if lower in _YES:
        return "require"
    if '"rejectunauthorized":true' in lower.replace(" ", ""):
        return "verify-full"
    if lower.startswith("{"):
        return "require"
    if lower not in _MODE_OF:
        raise ConfigurationError(f"{variable}: {name} should be one of {', '.join(_MODES)}")
    return _MODE_OF[lower]


def _postgresql_options(tls: _Tls) -> dict[str, str]:
    """The options of libpq."""
    options = {"sslmode": tls.mode, "sslrootcert": tls.ca, "sslcert": tls.cert, "sslkey": tls.key}
    if tls.mode in ("verify-ca", "verify-full") and not tls.ca and not _has_own_certificates():
        import ssl  # noqa: PLC0415  most commands need none

        # libpq itself looks for a file in the user's home, which hardly anybody has.
        options["sslrootcert"] = ssl.get_default_verify_paths().cafile
    return {name: value for name, value in options.items() if value}


def _has_own_certificates() -> bool:
    """Whether libpq finds certificates of authorities at its own places."""
    return "PGSSLROOTCERT" in os.environ or Path("~/.postgresql/root.crt").expanduser().exists()


def _mysql_arguments(tls: _Tls, variable: str) -> dict[str, Any]:
    """The arguments of PyMySQL, which sends no password before the demanded TLS holds."""
    if tls.mode == "disable":
        return {"ssl_disabled": True}
    if tls.mode in (None, "prefer") and not (tls.ca or tls.cert):
        return {}
    import ssl  # noqa: PLC0415  most commands need none

    mode = tls.mode
    if mode in (None, "prefer"):
        mode = "verify-full" if tls.ca else "require"
    elif mode == "require" and tls.ca:
        mode = "verify-ca"  # as libpq does
    path = tls.ca
    try:
        context = ssl.create_default_context(cafile=None if path == "system" else path)
        path = tls.cert
        if tls.cert:
            context.load_cert_chain(tls.cert, tls.key)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigurationError(
            f"{variable}: the certificate {path} can't be read: {error.strerror or error}"
        ) from error
    context.check_hostname = mode == "verify-full"
    context.verify_mode = ssl.CERT_NONE if mode == "require" else ssl.CERT_REQUIRED
    if context.verify_mode is ssl.CERT_REQUIRED:
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # servers make their own without all fields
    return {"ssl": context}
