"""Forgets addresses: deletes all data that identifies a person, but keeps the suppression.

The first step hides each address in one transaction: its row gets the keyed hash as its key, and
the events about it lose all text that identifies a person. From then on each worker that records an
event about the address finds the hash. The second step goes through all other rows: it empties
messages that mention the address, and cuts the mention out of events and notes. Both steps may be
repeated. `sesbounce.operations.cutting` goes through what people wrote.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from functools import partial, reduce
from typing import Any

import msgspec
import sqlalchemy as sa

from sesbounce.errors import ConfigurationError
from sesbounce.feedback.address import Address
from sesbounce.operations.cutting import cut_notes, cut_senders, overwrite, pages
from sesbounce.policy.merge import merge
from sesbounce.policy.state import State
from sesbounce.policy.tally import Tally
from sesbounce.privacy.keyed_hash import NO_KEYS, Hash, HashKeys
from sesbounce.privacy.mentions import ATTRIBUTION_FIELDS, ERASED, TEXT_FIELDS, Mentions
from sesbounce.privacy.pseudonymise import pseudonymise_event, pseudonymise_state
from sesbounce.store import acts, schema
from sesbounce.store.acts import Act, Done
from sesbounce.store.conflicts import retry_conflicts, retry_revision
from sesbounce.store.event_log import event_of
from sesbounce.store.forgotten import use_newest
from sesbounce.store.senders import save_tally
from sesbounce.store.store import Store
from sesbounce.store.streams import in_words, limited_suppressions

_CHUNK = 500
_HIDDEN = ("address", *TEXT_FIELDS, "dedupe_key")
_SEARCHED = (*TEXT_FIELDS, *ATTRIBUTION_FIELDS)


class Erased(msgspec.Struct, frozen=True):
    """One forgotten address.

    Attributes:
        name: the keyed hash that stands for it now; None if it had neither a row nor events.
        events: how many events about it were hidden.
        suppressed: whether it must not be mailed, at least in one stream.
        why: the verdict in one sentence.
    """

    name: str | None
    events: int
    suppressed: bool
    why: str


class Erasure(msgspec.Struct):
    """What forgetting some addresses did.

    Attributes:
        addresses: the addresses, in the order in which they were given.
        messages: how many messages of SES mentioned one of them, and were emptied.
        mentions: out of how many events and rows about others a mention was cut.
        waiting: how many outbox entries still hold one of them until they are delivered.
    """

    addresses: list[Erased] = msgspec.field(default_factory=list)
    messages: int = 0
    mentions: int = 0
    waiting: int = 0


def forget(
    store: Store, keys: HashKeys, addresses: Sequence[Address], now: datetime, by: str
) -> Erasure:
    """Forget addresses.

    Args:
        store: prepared with these keys.
        keys: the hash keys; the newest one hides the addresses.
        addresses: the addresses to forget.
        now: the time for which expiring suppressions are judged.
        by: the person who decides, for the audit.

    Raises:
        ConfigurationError: there is no hash key.
        StoreError: the database can't be used; a second call does the rest.
    """
    if not keys:
        raise ConfigurationError(
            "SESBOUNCE_HASH_KEY is not set: without it a forgotten address would not stay "
            "suppressed. Make one with `openssl rand -hex 32`, and set it for all programs that "
            "use this database: first for those that look up addresses, then for the worker, then "
            "for this command"
        )
    done = Erasure()
    for address in addresses:
        done.addresses.append(retry_revision(partial(_forget, store, keys, address.key, now, by)))
    mentions = Mentions(address.key for address in addresses)
    done.messages = _empty_messages(store, mentions)
    # SES may have written a text with an address in it in the place of an address. Such a key
    # mentions the forgotten address, and is forgotten as well.
    mentioning: set[str] = set()
    done.mentions = _cut_events(store, mentions, mentioning)
    retry_conflicts(partial(cut_senders, store, mentions))
    done.mentions += cut_notes(store, mentions)
    done.mentions += _cut_rows(store, mentions, mentioning, now)
    for key in sorted(mentioning):
        retry_revision(partial(_forget, store, keys, key, now))
        done.mentions += 1
    with store.reading("the outbox can't be read") as connection:
        concerned = schema.outbox.c.address.in_([address.key for address in addresses])
        count = sa.select(sa.func.count()).select_from(schema.outbox).where(concerned)
        done.waiting = connection.scalar(count) or 0
    return done


def _forget(
    store: Store,
    keys: HashKeys,
    key: str,
    now: datetime,
    by: str | None = None,
    *,
    run_statements: bool = True,
) -> Erased:
    """Hide an address and the events about it, in one transaction; by a person, for the audit."""
    newest, *older = keys.hashes(key)
    with store.writing("the address was not forgotten", exclusive=True) as connection:
        overwrite(connection)
        plain = store.known(connection, [key])
        state = _take_over(connection, key, newest, older)
        tally = Tally()
        events = _hide_events(connection, key, newest, tally)
        if state is None and not events:
            return Erased(None, 0, suppressed=False, why="nothing was known about it")
        use_newest(connection, keys)
        _rename(connection, newest, older)
        known = {newest.pseudonym: state or State()}
        store.revise(
            connection,
            known,
            lambda _: known,
            now,
            {newest.pseudonym: key},
            run_statements=run_statements,
        )
        save_tally(connection, tally)
        if by and (plain or events):  # otherwise it was forgotten before
            done = Done(act=Act.FORGOTTEN, at=now, by=by, subject=newest.pseudonym)
            acts.record(connection, done)
        table = schema.address
        suppressed = schema.suppressed_at(now).label("suppressed")
        query = sa.select(table.c.why, suppressed).where(table.c.address == newest.pseudonym)
        row = connection.execute(query).one()
        limited = limited_suppressions(connection, [newest.pseudonym], now, NO_KEYS)
    if limited and not row.suppressed:
        why = in_words(limited[newest.pseudonym])
        return Erased(newest.pseudonym, events, suppressed=True, why=why)
    return Erased(newest.pseudonym, events, suppressed=bool(row.suppressed), why=row.why)


def _take_over(
    connection: sa.Connection, key: str, newest: Hash, older: Sequence[Hash]
) -> State | None:
    """Make one row under the newest hash of the rows under the address and its older hashes.

    Returns:
        The merged state, without text that identifies a person; None if there is no row.
    """
    table = schema.address
    names = [newest.pseudonym, key, *(hashed.pseudonym for hashed in older)]
    marks = (table.c.struck_off, table.c.struck_off_at, table.c.restored_at)
    query = sa.select(table.c.address, table.c.state, *marks)
    query = query.where(table.c.address.in_(names)).order_by(table.c.address).with_for_update()
    rows = {row.address: row for row in connection.execute(query)}
    if not rows:
        return None
    # `revise` writes the rows of streams under the newest hash.
    connection.execute(sa.delete(schema.stream).where(schema.stream.c.address.in_(names)))
    kept, *rest = (name for name in names if name in rows)
    connection.execute(sa.delete(table).where(table.c.address.in_(rest)))
    connection.execute(
        sa.update(table)
        .where(table.c.address == kept)
        .values(
            address=newest.pseudonym,
            struck_off=any(row.struck_off for row in rows.values()),
            struck_off_at=_latest(row.struck_off_at for row in rows.values()),
            restored_at=_latest(row.restored_at for row in rows.values()),
        )
    )
    states = {name: msgspec.json.decode(row.state, type=State) for name, row in rows.items()}
    if key in states:
        states[key] = pseudonymise_state(states[key], newest)
    return reduce(merge, states.values(), State())


def _latest(times: Iterable[datetime | None]) -> datetime | None:
    return max((at for at in times if at), default=None)


def _hide_events(connection: sa.Connection, key: str, hashed: Hash, tally: Tally) -> int:
    """Hide all events about an address, also in a tally; returns how many there are."""
    table, mentions = schema.event, Mentions([key])
    events = 0
    while True:
        query = sa.select(table).where(table.c.address == key).order_by(table.c.id).limit(_CHUNK)
        rows = connection.execute(query).all()
        plain = {row.id: event_of(row) for row in rows}
        hidden = {number: pseudonymise_event(event, hashed) for number, event in plain.items()}
        if not hidden:
            return events
        # SES may have written the address in a way in which the search for mentions misses it.
        _empty(connection, {r.message_digest for r in rows if not mentions.finds(r.original)})
        events += len(hidden)
        # A worker without the hash key may have recorded an event once more that is hidden already.
        digests = [event.dedupe_key for event in hidden.values()]
        query = sa.select(table.c.dedupe_key).where(table.c.dedupe_key.in_(digests))
        twice = set(connection.scalars(query))
        for number, event in hidden.items():
            tally.add([plain[number]], -1)
            tally.add([] if event.dedupe_key in twice else [event])
        connection.execute(
            sa.delete(table).where(
                table.c.id.in_([n for n, event in hidden.items() if event.dedupe_key in twice])
            )
        )
        _update_events(
            connection,
            [
                {"number": number, "message_digest": "", "tags": None}
                | {name: getattr(event, name) for name in _HIDDEN}
                for number, event in hidden.items()
                if event.dedupe_key not in twice
            ],
        )


def _rename(connection: sa.Connection, newest: Hash, older: Sequence[Hash]) -> None:
    """Move the events and acts about the address under its older hashes to the newest one."""
    event, act = schema.event, schema.act
    names = [hashed.pseudonym for hashed in older]
    moved = {"address": newest.pseudonym, "original": newest.pseudonym}
    connection.execute(sa.update(event).where(event.c.address.in_(names)).values(moved))
    connection.execute(
        sa.update(act).where(act.c.subject.in_(names)).values(subject=newest.pseudonym)
    )


def _empty_messages(store: Store, mentions: Mentions) -> int:
    """Empty the messages that mention a forgotten address; returns how many there are."""
    table = schema.message
    emptied = 0
    for rows in pages(store, table.c.digest, [table.c.payload], mentions):
        digests = [row.digest for row in rows if mentions.within_payload(row.payload)]
        if not digests:
            continue
        with store.writing("the messages were not emptied") as connection:
            overwrite(connection)
            _empty(connection, digests)
        emptied += len(digests)
    return emptied


def _empty(connection: sa.Connection, digests: Collection[str]) -> None:
    table = schema.message
    emptied = table.c.digest.in_(digests)
    connection.execute(sa.update(table).where(emptied).values(payload=ERASED, mail_id=None))


def _cut_events(store: Store, mentions: Mentions, mentioning: set[str]) -> int:
    """Cut the mentions out of events about others; returns out of how many.

    Keys that mention a forgotten address are added to `mentioning`.
    """
    table = schema.event
    columns = [table.c.address, *(table.c[name] for name in _SEARCHED)]
    cut = 0
    for rows in pages(store, table.c.id, columns, mentions):
        changed = []
        for row in rows:
            before = {name: getattr(row, name) for name in _SEARCHED}
            after = before | {n: mentions.cut_field(n, text) for n, text in before.items() if text}
            if mentions.within(row.address):
                mentioning.add(row.address)
            elif after != before:
                changed.append({"number": row.id} | after)
        with store.writing("the mentions were not cut out of events") as connection:
            overwrite(connection)
            _update_events(connection, changed)
        cut += len(changed)
    return cut


def _cut_rows(store: Store, mentions: Mentions, mentioning: set[str], now: datetime) -> int:
    """Cut the mentions out of the states of others; returns out of how many.

    Keys that mention a forgotten address are added to `mentioning`.
    """
    table = schema.address
    columns = [table.c.state, table.c.original]
    cut = 0
    for rows in pages(store, table.c.address, columns, mentions):
        mentioning |= {row.address for row in rows if mentions.within(row.address)}
        keys = [row.address for row in rows if mentions.within_payload(row.state)]
        with store.writing("the mentions were not cut out of states") as connection:
            overwrite(connection)
            # A row that was renamed in the meantime must not get a second row.
            present = store.known(connection, keys) - mentioning
            _, changed = store.revise(
                connection, present, lambda s: {k: mentions.cut_state(v) for k, v in s.items()}, now
            )
        cut += len({one.address for one in changed})
    return cut


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


def truncate_log(engine: sa.Engine) -> None:
    """Empty SQLite's write-ahead log, which still holds former versions of pages."""
    if engine.dialect.name != "sqlite":
        return
    raw = engine.raw_connection()
    try:
        raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        raw.close()
