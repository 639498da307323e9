"""Forgets addresses: what names a person goes, and who was suppressed stays suppressed.

First the address itself, in one transaction for each: its row gets the keyed hash for a name, and
the events about it lose all that names anybody. From then on everybody who records knows that it
is forgotten, and what was recorded before is there to be found: the second step goes through all
that was kept of others, and gives up messages that mention the address, and the words of events
and notes that do. Both may be repeated at will.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from functools import partial, reduce
from typing import Any

import msgspec
import sqlalchemy as sa

from sesbounce.errors import ConfigurationError
from sesbounce.feedback.address import Address
from sesbounce.policy.state import State, merge
from sesbounce.privacy.keyed_hash import Hash, HashKeys
from sesbounce.privacy.mentions import ERASED, TEXT_FIELDS, Mentions
from sesbounce.privacy.pseudonymise import pseudonymise_event, pseudonymise_state
from sesbounce.store import schema
from sesbounce.store.forgotten import use_newest
from sesbounce.store.rows import event_of
from sesbounce.store.store import Store, retry_conflicts

_CHUNK = 500
_HIDDEN = ("address", *TEXT_FIELDS, "dedupe_key")


class Erased(msgspec.Struct, frozen=True):
    """One forgotten address.

    Attributes:
        name: what stands for it now; None where nothing was known about it.
        events: events about it in the log, which name nobody any more.
        suppressed: whether it must not be mailed.
        why: the verdict in one sentence.
    """

    name: str | None
    events: int
    suppressed: bool
    why: str


class Erasure(msgspec.Struct):
    """What forgetting some addresses did.

    Attributes:
        addresses: each of them, in the order in which they were given.
        messages: messages of SES that mentioned one, and were given up.
        mentions: events and notes about others that mentioned one, and do no more.
        waiting: notes in the outbox, which hold an address until they are delivered.
    """

    addresses: list[Erased] = msgspec.field(default_factory=list)
    messages: int = 0
    mentions: int = 0
    waiting: int = 0


def forget(store: Store, keys: HashKeys, addresses: Sequence[Address], now: datetime) -> Erasure:
    """Forget addresses.

    Args:
        store: prepared with these keys.
        keys: of the hashes; the newest is used.
        addresses: whom to forget.
        now: the moment for which expiring suppressions are judged.

    Raises:
        ConfigurationError: there is no key.
        StoreError: the database rejected; what is not done is done when it is repeated.
    """
    if not keys:
        raise ConfigurationError(
            "SESBOUNCE_HASH_KEY is not set: without it a forgotten address would not stay "
            "suppressed. Make one with `openssl rand -hex 32`, and give it to all that use this "
            "database: first to those who ask, then to the worker, then to this command"
        )
    done = Erasure()
    for address in addresses:
        forgetting = partial(_forget, store, keys, address.key, now)
        done.addresses.append(retry_conflicts(forgetting))
    mentions = Mentions(address.key for address in addresses)
    done.messages = _give_up_messages(store, mentions)
    # What SES wrote in the place of an address may hold one without being one.
    around: set[str] = set()
    done.mentions = _cut_events(store, mentions, around) + _cut_rows(store, mentions, around, now)
    for key in sorted(around):
        retry_conflicts(partial(_forget, store, keys, key, now))
        done.mentions += 1
    with store.reading("the outbox can't be read") as connection:
        concerned = schema.outbox.c.address.in_([address.key for address in addresses])
        count = sa.select(sa.func.count()).select_from(schema.outbox).where(concerned)
        done.waiting = connection.scalar(count) or 0
    return done


def _forget(store: Store, keys: HashKeys, key: str, now: datetime) -> Erased:
    """Hide an address and the events about it, in one transaction."""
    newest, *older = keys.hashes(key)
    with store.writing("the address was not forgotten", alone=True) as connection:
        _overwrite(connection)
        state = _take_over(connection, key, newest, older)
        events = _hide_events(connection, key, newest)
        if state is None and not events:
            return Erased(None, 0, suppressed=False, why="nothing was known about it")
        use_newest(connection, keys)
        _rename_events(connection, newest, older)
        known = {newest.pseudonym: state or State()}
        store.revise(connection, known, lambda _: known, now, {newest.pseudonym: key})
        table = schema.address
        suppressed = schema.suppressed_at(now).label("suppressed")
        query = sa.select(table.c.why, suppressed).where(table.c.address == newest.pseudonym)
        row = connection.execute(query).one()
    return Erased(newest.pseudonym, events, suppressed=bool(row.suppressed), why=row.why)


def _take_over(
    connection: sa.Connection, key: str, newest: Hash, older: Sequence[Hash]
) -> State | None:
    """Give the address's row its new name, and let it stand for what older keys have hidden.

    Returns:
        All that is known, without what names anybody; None where there is no row.
    """
    table = schema.address
    names = [newest.pseudonym, key, *(hashed.pseudonym for hashed in older)]
    query = sa.select(table.c.address, table.c.state, table.c.struck_off)
    query = query.where(table.c.address.in_(names)).order_by(table.c.address).with_for_update()
    rows = {row.address: row for row in connection.execute(query)}
    if not rows:
        return None
    kept, *rest = (name for name in names if name in rows)
    connection.execute(sa.delete(table).where(table.c.address.in_(rest)))
    connection.execute(
        sa.update(table)
        .where(table.c.address == kept)
        .values(address=newest.pseudonym, struck_off=any(row.struck_off for row in rows.values()))
    )
    states = {name: msgspec.json.decode(row.state, type=State) for name, row in rows.items()}
    if key in states:
        states[key] = pseudonymise_state(states[key], newest)
    return reduce(merge, states.values(), State())


def _hide_events(connection: sa.Connection, key: str, hashed: Hash) -> int:
    """Take from the events about an address what names anybody; returns how many there are."""
    table, mentions = schema.event, Mentions([key])
    events = 0
    while True:
        query = sa.select(table).where(table.c.address == key).order_by(table.c.id).limit(_CHUNK)
        rows = connection.execute(query).all()
        hidden = {row.id: pseudonymise_event(event_of(row), hashed) for row in rows}
        if not hidden:
            return events
        # SES may have written the address in a way in which the search for mentions misses it.
        _give_up(connection, {r.message_digest for r in rows if not mentions.finds(r.original)})
        events += len(hidden)
        # A event that was told again, by somebody who did not know, is there already.
        digests = [event.dedupe_key for event in hidden.values()]
        query = sa.select(table.c.dedupe_key).where(table.c.dedupe_key.in_(digests))
        twice = set(connection.scalars(query))
        connection.execute(
            sa.delete(table).where(
                table.c.id.in_([n for n, event in hidden.items() if event.dedupe_key in twice])
            )
        )
        _update_events(
            connection,
            [
                {"number": number, "message_digest": ""}
                | {name: getattr(event, name) for name in _HIDDEN}
                for number, event in hidden.items()
                if event.dedupe_key not in twice
            ],
        )


def _rename_events(connection: sa.Connection, newest: Hash, older: Sequence[Hash]) -> None:
    """Keep the events together that were hidden under older keys."""
    table = schema.event
    connection.execute(
        sa.update(table)
        .where(table.c.address.in_([hashed.pseudonym for hashed in older]))
        .values(address=newest.pseudonym, original=newest.pseudonym)
    )


def _give_up_messages(store: Store, mentions: Mentions) -> int:
    """Empty the messages that mention somebody; returns how many."""
    table = schema.message
    given_up = 0
    for rows in _pages(store, table.c.digest, [table.c.payload], mentions):
        digests = [row.digest for row in rows if mentions.within_payload(row.payload)]
        if not digests:
            continue
        with store.writing("the messages were not given up") as connection:
            _overwrite(connection)
            _give_up(connection, digests)
        given_up += len(digests)
    return given_up


def _give_up(connection: sa.Connection, digests: Collection[str]) -> None:
    table = schema.message
    concerned = table.c.digest.in_(digests)
    connection.execute(sa.update(table).where(concerned).values(payload=ERASED, mail_id=None))


def _cut_events(store: Store, mentions: Mentions, around: set[str]) -> int:
    """Cut somebody out of the events about others; returns out of how many."""
    table = schema.event
    columns = [table.c.address, *(table.c[name] for name in TEXT_FIELDS)]
    cut = 0
    for rows in _pages(store, table.c.id, columns, mentions):
        changed = []
        for row in rows:
            said = {name: getattr(row, name) for name in TEXT_FIELDS}
            named = {name: mentions.cut(text) for name, text in said.items() if text}
            if mentions.within(row.address):
                around.add(row.address)
            elif any(named[name] != said[name] for name in named):
                changed.append({"number": row.id} | said | named)
        with store.writing("the events were not cut") as connection:
            _overwrite(connection)
            _update_events(connection, changed)
        cut += len(changed)
    return cut


def _cut_rows(store: Store, mentions: Mentions, around: set[str], now: datetime) -> int:
    """Cut somebody out of what is known about others; returns out of how many."""
    table = schema.address
    columns = [table.c.state, table.c.original]
    cut = 0
    for rows in _pages(store, table.c.address, columns, mentions):
        around |= {row.address for row in rows if mentions.within(row.address)}
        keys = [row.address for row in rows if mentions.within_payload(row.state)]
        with store.writing("the addresses were not cut") as connection:
            _overwrite(connection)
            # Rows that were renamed in the meantime are not to be made again.
            there = store.known(connection, keys) - around
            _, changed = store.revise(
                connection, there, lambda s: {k: mentions.cut_state(v) for k, v in s.items()}, now
            )
        cut += len(changed)
    return cut


def _pages(
    store: Store, key: sa.Column[Any], columns: Sequence[sa.Column[Any]], mentions: Mentions
) -> Iterator[Sequence[sa.Row[Any]]]:
    """The rows in which somebody may be mentioned, some at a time."""
    query = sa.select(key, *columns).order_by(key).limit(_CHUNK)
    if mentions.tokens is not None:
        texts = [sa.func.lower(column) for column in columns]
        query = query.where(
            sa.or_(*(text.contains(token) for text in texts for token in mentions.tokens))
        )
    rows: Sequence[sa.Row[Any]] = []
    while True:
        page = query.where(key > rows[-1][0]) if rows else query
        with store.reading("what was recorded can't be read") as connection:
            rows = connection.execute(page).all()
        if not rows:
            return
        yield rows


def _update_events(connection: sa.Connection, rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        return
    table = schema.event
    names = [name for name in rows[0] if name != "number"]
    values = {name: sa.bindparam(f"new_{name}", type_=table.c[name].type) for name in names}
    statement = sa.update(table).where(table.c.id == sa.bindparam("number")).values(values)
    parameters = [
        {"number": row["number"]} | {f"new_{name}": row[name] for name in names} for row in rows
    ]
    connection.execute(statement, parameters)


def _overwrite(connection: sa.Connection) -> None:
    """Have SQLite write zeros over what is deleted; the others do so in their own time."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete = ON")


def settle(engine: sa.Engine) -> None:
    """Have SQLite's log of changes, which holds what pages were before, written over as well."""
    if engine.dialect.name != "sqlite":
        return
    raw = engine.raw_connection()
    try:
        raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        raw.close()
