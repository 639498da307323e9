"""Sees how the database runs the statements of an operation: what it reads whole, and sorts.

The statements are those that the operation sends: each is explained just before it runs, with its
own parameters, so nothing here can become outdated.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
import sqlalchemy as sa

# They grow for years. All other tables hold few rows.
GROWING = ("feedback_event", "feedback_address", "feedback_message")
_EXPLAINED = ("SELECT", "WITH", "INSERT", "UPDATE", "DELETE")
# Nodes of PostgreSQL that need all rows of their input before they return one.
_NEED_ALL = ("Sort", "Hash", "Aggregate", "Materialize", "WindowAgg")


class Plan(msgspec.Struct):
    """How the database runs a statement.

    Attributes:
        sql: the statement.
        steps: the plan, as the database describes it.
        whole: the growing tables of which it reads all rows, or all entries of an index. A page
            that begins at an end of an index, and ends with its limit, reads few.
        sorts: whether it sorts all rows that it has found before it returns one.
    """

    sql: str
    steps: str
    whole: set[str] = msgspec.field(default_factory=set)
    sorts: bool = False


@contextmanager
def explained(engine: sa.Engine, *without: str) -> Iterator[list[Plan]]:
    """The plans of the statements that the block runs, in their order.

    Args:
        engine: the database.
        without: ways of PostgreSQL to read small tables, `seqscan` or `sort`: where it reads or
            finds few rows, it takes them, rightly, and not the index that it would take in a large
            table. It still takes them where no index fits, and it may read an index of which no
            condition limits the entries: `Plan.whole` has both.
    """
    plans: list[Plan] = []

    def explain(
        connection: sa.Connection,
        _cursor: Any,
        sql: str,
        parameters: Any,
        _context: Any,
        many: bool,
    ) -> None:
        if sql.startswith(_EXPLAINED):
            several = many and isinstance(parameters, list)
            values = parameters[0] if several else parameters
            plans.append(_plan(connection, sql, values, without))

    sa.event.listen(engine, "before_cursor_execute", explain)
    try:
        yield plans
    finally:
        sa.event.remove(engine, "before_cursor_execute", explain)


def _plan(connection: sa.Connection, sql: str, parameters: Any, without: Sequence[str]) -> Plan:
    dialect = connection.dialect.name
    how = {"sqlite": "EXPLAIN QUERY PLAN", "postgresql": "EXPLAIN (FORMAT JSON)"}
    # Another cursor than SQLAlchemy's, whose event would call this once more.
    cursor: Any = connection.connection.cursor()
    methods = without if dialect == "postgresql" else ()
    try:
        for method in methods:  # not SET LOCAL: a question runs in no transaction
            cursor.execute(f"SET enable_{method} = off")
        cursor.execute(f"{how.get(dialect, 'EXPLAIN')} {sql}", parameters)
        names = [column[0] for column in cursor.description]
        rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
        for method in methods:
            cursor.execute(f"SET enable_{method} = on")
    finally:
        cursor.close()
    plan = Plan(sql, json.dumps(rows, default=str))
    limited = " LIMIT " in sql.replace("\n", " ")
    if dialect == "postgresql":
        for tree in rows[0]["QUERY PLAN"]:
            _add_postgresql(plan, tree["Plan"], limited=False)
    elif dialect == "sqlite":
        _add_sqlite(plan, [row["detail"] for row in rows], limited=limited)
    else:
        _add_mariadb(plan, rows, limited=limited)
    return plan


def _add_postgresql(plan: Plan, node: dict[str, Any], *, limited: bool) -> None:
    kind, table = node["Node Type"], node.get("Relation Name")
    plan.sorts |= kind == "Sort"
    limited = kind == "Limit" or (limited and kind not in _NEED_ALL)
    by_index = kind in ("Index Scan", "Index Only Scan") and (limited or "Index Cond" in node)
    by_index |= kind == "Bitmap Heap Scan"
    by_place = kind == "Tid Scan" and "TID Cond" in node
    if table in GROWING and kind != "ModifyTable" and not by_index and not by_place:
        plan.whole.add(table)
    if kind == "Bitmap Index Scan" and "Index Cond" not in node:
        plan.whole.add(node["Index Name"])
    for child in node.get("Plans", []):
        _add_postgresql(plan, child, limited=limited)


def _add_sqlite(plan: Plan, steps: list[str], *, limited: bool) -> None:
    # To sort those that have the same value of the first terms takes little.
    plan.sorts = any(step == "USE TEMP B-TREE FOR ORDER BY" for step in steps)
    groups = any(step == "USE TEMP B-TREE FOR GROUP BY" for step in steps)
    ends = limited and not plan.sorts and not groups
    for step in steps:
        words = step.split()
        if words[0] == "SCAN" and words[1] in GROWING and not ("INDEX" in words and ends):
            plan.whole.add(words[1])


def _add_mariadb(plan: Plan, steps: list[dict[str, Any]], *, limited: bool) -> None:
    for step in steps:
        extra = step["Extra"] or ""
        plan.sorts |= "Using filesort" in extra
        ends = limited and "Using filesort" not in extra and "Using temporary" not in extra
        reads_all = step["type"] == "ALL" or (step["type"] == "index" and not ends)
        if step["table"] in GROWING and reads_all and step["rows"] is not None:
            plan.whole.add(step["table"])
