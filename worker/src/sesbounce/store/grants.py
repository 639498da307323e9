"""Makes the users of PostgreSQL that need no right to change the schema, and grants their rights.

A user of the worker writes to sesbounce's tables, and a user of people and dashboards reads them.
Each upgrade of the schema grants their rights once more, so that they hold for new tables as well.
docs/database.md lists the grants for those who make them by hand.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

import sqlalchemy as sa

from sesbounce.errors import ConfigurationError
from sesbounce.store.engine import translated
from sesbounce.store.migrate import VERSION_TABLE, locked
from sesbounce.store.schema import SUPPRESSED, metadata

# Lower-case names are the same with quotes and without: people will write them without. Reserved
# words of SQL need quotes; PostgreSQL has no users of these two names.
_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_NO_USERS = ("public", "none")
# Where this role exists, its members log in with a token of RDS IAM authentication.
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.DBAccounts.html
_RDS_IAM = "rds_iam"

# From PostgreSQL 16 on, a user who is no superuser is a member of each role that it creates, and
# can't change that. If such a role got `rds_iam`, its creator would be a member of it as well,
# and RDS would refuse its password. So a role that is dropped creates it.
# https://www.postgresql.org/docs/16/role-attributes.html
_MEMBERSHIPS_SINCE = (16,)
_CREATOR = "sesbounce_creator"
_THROUGH_CREATOR = (
    f"CREATE ROLE {_CREATOR} CREATEROLE",
    f"GRANT {_CREATOR} TO CURRENT_USER WITH SET TRUE",
    f"SET LOCAL ROLE {_CREATOR}",
    "CREATE ROLE {} LOGIN",
    "RESET ROLE",
    f"DROP ROLE {_CREATOR}",
)
_OWNER = sa.text("SELECT current_user")
_IS_SUPERUSER = sa.text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
# Not `pg_has_role`, for which a superuser is a member of every role.
_IS_MEMBER = sa.text(
    "WITH RECURSIVE roles AS ("
    " SELECT roleid FROM pg_auth_members WHERE member = CAST(CAST(current_user AS text) AS regrole)"
    " UNION SELECT m.roleid FROM pg_auth_members m JOIN roles ON m.member = roles.roleid)"
    " SELECT count(*) FROM roles JOIN pg_roles ON oid = roleid WHERE rolname = :role"
)

_ROLES = sa.text("SELECT rolname FROM pg_roles WHERE rolname = ANY(:names)")
_SEQUENCE = sa.text("SELECT pg_get_serial_sequence(:table, :column)")


def check(engine: sa.Engine, users: Sequence[str]) -> None:
    """Make sure that these users can be made in the database; with none, every database will do.

    Raises:
        ConfigurationError: a name can't be used, or the database is none of PostgreSQL.
    """
    if not users:
        return
    if engine.dialect.name != "postgresql":
        raise ConfigurationError(
            "sesbounce makes users in PostgreSQL alone: in MySQL and MariaDB, create the user and "
            "its grants as docs/database.md says; SQLite has no users"
        )
    quote = engine.dialect.identifier_preparer.quote
    for user in users:
        if not _NAME.fullmatch(user) or user.startswith("pg_"):
            raise ConfigurationError(
                f"{user!r} is no name for a user: use at most 63 lower-case letters, digits and "
                "underscores, and do not begin with a digit or with pg_"
            )
        if user in _NO_USERS or quote(user) != user:
            raise ConfigurationError(
                f"{user!r} is no name for a user: it is a reserved word of SQL"
            )
        if list(users).count(user) > 1:
            raise ConfigurationError(f"{user} is given twice: a user has one kind of rights")
    _demand_others(engine.url.username, users)


def _demand_others(owner: str | None, users: Sequence[str]) -> None:
    """Make sure that the owner of the tables is none of the users.

    Raises:
        ConfigurationError: it is.
    """
    if owner in users:
        raise ConfigurationError(
            f"{owner} must be another user than the one in SESBOUNCE_DATABASE_URL, which owns the "
            "tables"
        )


def grant(engine: sa.Engine, application_users: Sequence[str], readers: Sequence[str]) -> None:
    """Make the users that are missing, and grant all of them their rights on sesbounce's tables.

    Args:
        engine: the database, as the user who owns the tables and may create users.
        application_users: users for the worker.
        readers: users that may only read.

    Raises:
        ConfigurationError: the owner is one of the users, or would have to log in with a token
            as well.
        StoreError: the database can't be used, or rejects a statement.
    """
    users = [*application_users, *readers]
    if not users:
        return
    with translated("the users can't be made"), locked(engine) as connection:
        # The environment may name the owner as well (PGUSER), and a URL none.
        owner = str(connection.scalar(_OWNER))
        _demand_others(owner, users)
        roles = set(connection.scalars(_ROLES, {"names": [*users, _RDS_IAM]}))
        had_token = connection.scalar(_IS_MEMBER, {"role": _RDS_IAM})
        for user in users:
            if user not in roles:
                _create(connection, user)
            if _RDS_IAM in roles:
                connection.exec_driver_sql(f"GRANT {_RDS_IAM} TO {user}")
        if connection.scalar(_IS_MEMBER, {"role": _RDS_IAM}) and not had_token:
            raise ConfigurationError(
                f"{owner} is a member of {' or '.join(users)}: with {_RDS_IAM}, RDS would refuse "
                f"the password of {owner} as well. Drop these users, and run the command once more"
            )
        for statement in _statements(connection, application_users, readers):
            connection.exec_driver_sql(statement)


def _create(connection: sa.Connection, user: str) -> None:
    """Create a user, of which the present user does not become a member."""
    version = connection.dialect.server_version_info or ()
    apart = version >= _MEMBERSHIPS_SINCE and not connection.scalar(_IS_SUPERUSER)
    for statement in _THROUGH_CREATOR if apart else ("CREATE ROLE {} LOGIN",):
        connection.exec_driver_sql(statement.format(user))


def _statements(
    connection: sa.Connection, application_users: Iterable[str], readers: Iterable[str]
) -> Iterator[str]:
    quote = connection.dialect.identifier_preparer.quote
    schema = quote(str(connection.scalar(sa.func.current_schema())))
    tables = ", ".join(metadata.tables)
    for user in [*application_users, *readers]:
        yield f"GRANT USAGE ON SCHEMA {schema} TO {user}"
        yield f"GRANT SELECT ON {tables}, {VERSION_TABLE}, {SUPPRESSED} TO {user}"
    for user in application_users:
        yield f"GRANT INSERT, UPDATE, DELETE ON {tables} TO {user}"
        yield f"GRANT USAGE ON SEQUENCE {', '.join(_sequences(connection))} TO {user}"


def _sequences(connection: sa.Connection) -> Iterator[str]:
    """The sequences from which the tables take their ids."""
    for table in metadata.sorted_tables:
        for column in table.primary_key:
            values = {"table": table.name, "column": column.name}
            if sequence := connection.scalar(_SEQUENCE, values):
                yield sequence
