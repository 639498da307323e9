"""Warns of a statement that reads a large table for every address, and names the index to make."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from sesbounce.store.driver_errors import is_unusable
from sesbounce.store.statements import Parameters, Statement

# To read fewer rows takes no time that matters.
_MANY_ROWS = 10_000
# EXPLAIN needs values: with nulls a database knows that no row is wanted, and plans nothing.
_EXAMPLE = Parameters(
    address="nobody@example.com",
    original="nobody@example.com",
    reason="no_such_mailbox",
    kind="bounce",
    occurred_at="2026-01-01T00:00:00",
    why="an example",
    mail_id="0100019a00000000-4f1e-000000",
    configuration_set="newsletter",
    source="sender@example.com",
    identity="example.com",
    region="us-east-1",
    tenant="example",
    tags='{"campaign":"spring"}',
    account_id="111122223333",
)
_COMPARED = re.compile(
    r"((?:\w+\s*\(\s*)?[\w.\"`]+\s*\)?)\s*=\s*(?:\w+\s*\(\s*)?\(?:(?:address|original)\b",
    re.IGNORECASE,
)
# The plan says how many rows it expects to find; the statistics say how many it has to read. They
# may be older than most of the rows, or missing.
_POSTGRESQL_ROWS = sa.text(
    "SELECT CASE WHEN reltuples >= 0 AND relpages > 0 "
    "THEN reltuples * (pg_relation_size(oid) / current_setting('block_size')::int) / relpages "
    "ELSE pg_relation_size(oid) / 100 END FROM pg_class WHERE oid = to_regclass(:name)"
)


class _Scan(NamedTuple):
    """A table that a plan reads from its first to its last row."""

    table: str
    rows: int


def slow_plan(connection: sa.Connection, statement: Statement) -> str | None:
    """A warning if the statement reads a large table for every address; None if not.

    A plan that the database can't show is no reason for a warning.
    """
    if statement.calls:
        return None
    try:
        with connection.begin_nested():
            scans = [scan for scan in _scans(connection, statement) if scan.rows >= _MANY_ROWS]
    except SQLAlchemyError as error:
        if is_unusable(error):
            raise
        return None
    if not scans:
        return None
    largest = max(scans, key=lambda scan: scan.rows)
    return (
        f"{statement.label} reads all of the about {largest.rows:,} rows of {largest.table} for "
        f"each address: {_advice(connection, statement, largest.table)}"
    )


def _advice(connection: sa.Connection, statement: Statement, table: str) -> str:
    found = _COMPARED.search(statement.clause.text)
    if not found:
        return "create an index for its condition"
    column = re.sub(r"\s|[\"`]", "", found.group(1))
    column = re.sub(r"\b\w+\.", "", column)  # an index names no table before a column
    if "(" not in column and ")" in column:
        column = column.rstrip(")")
    if "(" not in column:
        return f"CREATE INDEX … ON {table} ({column})"
    if connection.dialect.name != "mysql":
        return f"CREATE INDEX … ON {table} ({column})"
    if getattr(connection.dialect, "is_mariadb", False):
        name = column.partition("(")[2].rstrip(")")
        # MariaDB has no indexes on expressions, but its usual collations ignore case.
        return f"compare {name} itself, and CREATE INDEX … ON {table} ({name})"
    return f"CREATE INDEX … ON {table} (({column}))"


def _scans(connection: sa.Connection, statement: Statement) -> Iterator[_Scan]:
    sql, values = statement.clause.text, dict(_EXAMPLE)
    parameters = {name: values[name] for name in statement.names}
    if connection.dialect.name == "postgresql":
        plan = connection.scalar(sa.text(f"EXPLAIN (FORMAT JSON, VERBOSE) {sql}"), parameters)
        trees = msgspec.json.decode(plan) if isinstance(plan, str) else plan
        for tree in trees:
            yield from _postgresql_scans(connection, tree["Plan"])
    elif connection.dialect.name == "mysql":
        for row in connection.execute(sa.text(f"EXPLAIN {sql}"), parameters).mappings():
            if row["table"] and row["type"] in ("ALL", "index"):
                yield _Scan(row["table"], int(row["rows"] or 0))
    else:
        for step in connection.execute(sa.text(f"EXPLAIN QUERY PLAN {sql}"), parameters):
            if found := re.match(r"SCAN (\w+)", step.detail):
                yield _Scan(found.group(1), _sqlite_rows(connection, found.group(1)))


def _postgresql_scans(connection: sa.Connection, node: dict[str, Any]) -> Iterator[_Scan]:
    if node.get("Node Type") == "Seq Scan":
        quote = connection.dialect.identifier_preparer.quote
        table = f"{quote(node['Schema'])}.{quote(node['Relation Name'])}"
        rows = connection.scalar(_POSTGRESQL_ROWS, {"name": table})
        yield _Scan(node["Relation Name"], int(rows or 0))
    for child in node.get("Plans", []):
        yield from _postgresql_scans(connection, child)


def _sqlite_rows(connection: sa.Connection, table: str) -> int:
    return connection.scalar(sa.select(sa.func.count()).select_from(sa.table(table))) or 0
