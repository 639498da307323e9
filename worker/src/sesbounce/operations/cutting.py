"""Cuts forgotten addresses out of what people wrote: names, notes, and identities of senders."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from sesbounce.privacy.mentions import Mentions
from sesbounce.store import schema
from sesbounce.store.senders import rename_identities
from sesbounce.store.store import Store

_CHUNK = 500
# Names of people, and their notes. Notes on decisions about addresses are in the events.
_WRITTEN: Mapping[sa.Table, Sequence[str]] = {
    schema.incident: ("opened_by", "decided_by", "note"),
    schema.sender_resume: ("resumed_by", "note"),
    schema.token: ("created_by", "revoked_by"),
    schema.act: ("done_by", "subject", "note"),
}


def cut_notes(store: Store, mentions: Mentions) -> int:
    """Cut the mentions out of names and notes; returns out of how many rows."""
    return sum(
        _cut(store, table, rows, names, mentions)
        for table, names in _WRITTEN.items()
        for rows in pages(store, _key(table), [table.c[name] for name in names], mentions)
    )


def _cut(
    store: Store,
    table: sa.Table,
    rows: Sequence[sa.Row[Any]],
    names: Sequence[str],
    mentions: Mentions,
) -> int:
    changed = 0
    with store.writing("the mentions were not cut out of names and notes") as connection:
        overwrite(connection)
        for row in rows:
            found = {n: text for n in names if mentions.within(text := getattr(row, n))}
            if found:
                changed += 1
                # A text that somebody has replaced meanwhile stays.
                as_before = [table.c[name] == text for name, text in found.items()]
                cut = {name: mentions.cut(text) for name, text in found.items()}
                connection.execute(
                    sa.update(table).where(_key(table) == row[0], *as_before).values(cut)
                )
    return changed


def _key(table: sa.Table) -> sa.Column[Any]:
    (column,) = table.primary_key.columns
    return column


def cut_senders(store: Store, mentions: Mentions) -> None:
    """Cut the mentions out of the identities of senders, in their counts and in what was resumed.

    The log may have been pruned, and holds fewer of them.
    """
    resumed = schema.sender_resume
    with store.writing("the mentions were not cut out of the counts") as connection:
        overwrite(connection)
        rename_identities(connection, mentions.cut)
        for name in connection.scalars(sa.select(resumed.c.identity).distinct()).all():
            if mentions.within(name):
                chosen = sa.update(resumed).where(resumed.c.identity == name)
                connection.execute(chosen.values(identity=mentions.cut(name)))


def pages(
    store: Store, key: sa.Column[Any], columns: Sequence[sa.Column[Any]], mentions: Mentions
) -> Iterator[Sequence[sa.Row[Any]]]:
    """Yield the rows that may mention a forgotten address, a page at a time."""
    query = sa.select(key, *columns).order_by(key).limit(_CHUNK)
    if mentions.tokens is not None:
        texts = [sa.func.lower(column) for column in columns]
        query = query.where(
            sa.or_(*(text.contains(token) for text in texts for token in mentions.tokens))
        )
    rows: Sequence[sa.Row[Any]] = []
    while True:
        page = query.where(key > rows[-1][0]) if rows else query
        with store.reading("the recorded rows can't be read") as connection:
            rows = connection.execute(page).all()
        if not rows:
            return
        yield rows


def overwrite(connection: sa.Connection) -> None:
    """Make SQLite overwrite deleted data with zeros; other databases vacuum it later."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete = ON")
