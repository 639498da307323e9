"""What the errors of databases and their drivers mean, and their text without addresses."""

import sqlite3

from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from sesbounce.privacy.redaction import redact

# The database's own numbers for what no statement can be blamed for. PostgreSQL: read-only,
# shutdown, crash, starting up, I/O error (and all of class 53, insufficient resources).
# https://www.postgresql.org/docs/current/errcodes-appendix.html
# MySQL: disk or table full, memory, connections, threads, lock table, shutdown, read-only.
# https://dev.mysql.com/doc/mysql-errors/8.0/en/server-error-reference.html
_UNUSABLE: frozenset[object] = frozenset(
    {
        *("25006", "57P01", "57P02", "57P03", "58030"),
        *(1021, 1037, 1038, 1040, 1041, 1053, 1114, 1135, 1203, 1206, 1226, 1290, 1792, 1836),
    }
)
# BUSY, LOCKED, NOMEM, READONLY, IOERR, CORRUPT, FULL, CANTOPEN, PROTOCOL, NOTADB.
# https://www.sqlite.org/rescode.html
_UNUSABLE_SQLITE = frozenset({5, 6, 7, 8, 10, 11, 13, 14, 15, 26})
# MySQL: lock wait timeout, and a missing savepoint, because a deadlock has rolled it back.
_MYSQL_CONFLICTS = frozenset({1205, 1305})
# Drivers raise these beside their own errors, for what they can't encode, read or understand.
DRIVER_ERRORS = (UnicodeError, OSError)
# PostgreSQL: insufficient_privilege; MySQL: no right to the table, to a column.
_NO_RIGHT: frozenset[object] = frozenset({"42501", 1142, 1143})
# PostgreSQL: undefined_table, undefined_column; MySQL: no such table, unknown column.
_LACKING: frozenset[object] = frozenset({"42P01", "42703", 1146, 1054})
_LACKING_SQLITE = ("no such table", "no such column")
# PostgreSQL, MySQL: the password is wrong; RDS for PostgreSQL: the token is wrong.
_LOGIN_FAILED = (
    *("password authentication failed", "Access denied for user"),
    "PAM authentication failed",
)


def cause(error: Exception) -> str:
    """The database's error message, without the statement, its parameters and addresses.

    Only the first line is kept: PostgreSQL quotes the values of a row in the others. MySQL quotes
    some of them in the first line, so every address is left out, before a blank or an end of line
    within it could cut it in two.
    """
    if isinstance(error, UnicodeError):  # its text holds the value
        return f"a text can't be converted for the database ({type(error).__name__})"
    first = redact(str(getattr(error, "orig", None) or error)).partition("\n")[0]
    return " ".join("…" if "@" in word else word for word in first.split(" "))


def is_conflict(error: Exception) -> bool:
    """Whether the transaction conflicted with another writer's, so that a retry may succeed.

    PostgreSQL: serialization_failure, deadlock_detected; MySQL: deadlock. A lock wait timeout is
    none here: it may be that of a single statement, and the rest of the transaction stands.
    """
    return not _codes(error).isdisjoint({"40001", "40P01", 1213})


def ends_in_conflict(error: Exception) -> bool:
    """Whether the whole transaction failed because of another writer's, and may be retried."""
    return is_conflict(error) or not _codes(error).isdisjoint(_MYSQL_CONFLICTS)


def is_unusable(error: Exception) -> bool:
    """Whether the database can't be used at all, wherever the error came from.

    It has closed the connection, shuts down, is read-only, or has run out of something.
    """
    if not isinstance(error, DBAPIError):
        return False
    codes = _codes(error)
    if error.connection_invalidated or not codes.isdisjoint(_UNUSABLE):
        return True
    if isinstance(error.orig, sqlite3.Error):
        return getattr(error.orig, "sqlite_errorcode", 0) & 0xFF in _UNUSABLE_SQLITE
    return any(isinstance(code, str) and code.startswith("53") for code in codes)


def is_locked(error: DBAPIError) -> bool:
    """Whether SQLite did nothing because another transaction writes."""
    code = getattr(error.orig, "sqlite_errorcode", 0)
    return isinstance(error.orig, sqlite3.Error) and code & 0xFF == sqlite3.SQLITE_BUSY


def is_row_fault(error: Exception) -> bool:
    """Whether the database rejected the values of a row, and would accept other values.

    For some of these errors drivers have no class of their own. PostgreSQL: a trigger's RAISE;
    MySQL: a trigger's SIGNAL, a CHECK, values that do not fit the column's type; MariaDB: a CHECK.
    """
    has_class = isinstance(error, IntegrityError | DataError | UnicodeError)
    return has_class or not _codes(error).isdisjoint({"P0001", 1292, 1365, 1411, 1644, 3819, 4025})


def _codes(error: Exception) -> set[object]:
    """The SQLSTATE and MySQL's error number, if the driver reports them."""
    cause = error.orig if isinstance(error, DBAPIError) else None
    number = cause.args[0] if cause and cause.args else None
    return {getattr(cause, "sqlstate", None), number}


def lacks_right(error: Exception) -> bool:
    """Whether the database refuses a statement because its user has no right to it."""
    return not _codes(error).isdisjoint(_NO_RIGHT)


def lacks_table(error: Exception) -> bool:
    """Whether the database has no table or column of the name that a statement uses."""
    origin = getattr(error, "orig", None)
    if isinstance(origin, sqlite3.Error):  # which has no number of its own for it
        return str(origin).startswith(_LACKING_SQLITE)
    return not _codes(error).isdisjoint(_LACKING)


def is_sqlite_permission(error: Exception) -> bool:
    """Whether SQLite could not open its file, or not write to it."""
    origin = getattr(error, "orig", None)
    return isinstance(origin, sqlite3.Error) and (
        getattr(origin, "sqlite_errorcode", 0) & 0xFF
        in {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM}
    )


def is_login_failure(error: Exception) -> bool:
    """Whether the database refuses the password or the token, as far as English words show it."""
    return any(words in str(error) for words in _LOGIN_FAILED)
