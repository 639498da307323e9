"""Recognises addresses that were forgotten, so that nothing brings them back into the tables.

A row of the table of addresses stands for the hash keys: it is called `HMAC-SHA256:`, which is
no address and no hash, and names the keys under which addresses were forgotten, by what tells
them apart. Whoever looks an address up reads it in the same query, and so learns that a key is
missing. It is a lock as well: whoever writes holds it together with all others who write,
whoever forgets holds it alone, so that no batch is recorded as if it did not know.
"""

from collections.abc import Iterable, Mapping, Sequence

import sqlalchemy as sa

from sesbounce.feedback.recording import Recording
from sesbounce.privacy.keyed_hash import PREFIX, Hash, HashKeys
from sesbounce.privacy.mentions import addresses_in
from sesbounce.privacy.pseudonymise import pseudonymise_recording
from sesbounce.store import schema
from sesbounce.store.bulk import Insert

HASH_KEYS = PREFIX
_ROW = {
    "address": HASH_KEYS,
    "state": "{}",
    "original": "",
    "why": "no address: the hash keys under which addresses were forgotten",
    "struck_off": False,
}
_insert = Insert(schema.address, "address")
_CHUNK = 1000


def make_row(connection: sa.Connection) -> None:
    """Have the row, as a lock at least; the keys in it stay as they are."""
    _insert(connection, [[_ROW.get(name) for name in _insert.columns]])


def checks(connection: sa.Connection) -> str:
    """What tells the keys in use from others; empty where nobody has been forgotten."""
    table = schema.address
    query = sa.select(table.c.original).where(table.c.address == HASH_KEYS)
    return connection.scalar(query) or ""


def hold(connection: sa.Connection, keys: HashKeys, *, alone: bool = False) -> None:
    """Hold off those who forget until the transaction ends; `alone`: all who write as well.

    Raises:
        ConfigurationError: addresses were forgotten under a key that is not here.
    """
    table = schema.address
    query = sa.select(table.c.original).where(table.c.address == HASH_KEYS)
    keys.require(connection.scalar(query.with_for_update(read=not alone)) or "")


def use_newest(connection: sa.Connection, keys: HashKeys) -> None:
    """Note that an address is being forgotten under the newest key."""
    known = [check for check in checks(connection).split(",") if check]
    newest = keys.checks[0]
    if newest not in known:
        connection.execute(
            sa.update(schema.address)
            .where(schema.address.c.address == HASH_KEYS)
            .values(original=",".join([newest, *known]))
        )


def forgotten_among(
    connection: sa.Connection, keys: HashKeys, addresses: Iterable[str]
) -> dict[str, Hash]:
    """Those of the addresses that were forgotten, and what each is called now."""
    names = {hashed.pseudonym: (a, hashed) for a in addresses for hashed in keys.hashes(a)}
    column = schema.address.c.address
    ordered = sorted(names)
    return dict(
        names[name]
        for chunk in (ordered[i : i + _CHUNK] for i in range(0, len(ordered), _CHUNK))
        for name in connection.scalars(sa.select(column).where(column.in_(chunk)))
    )


def hide(
    connection: sa.Connection, keys: HashKeys, recordings: Sequence[Recording]
) -> tuple[Sequence[Recording], Mapping[str, str]]:
    """Take the forgotten addresses out of recordings.

    Returns:
        The recordings, and the address behind each hash in them, for the sender's own tables
        alone.
    """
    if not keys:
        return recordings, {}
    named = [
        {event.address for event in recording.events} | addresses_in(_text(recording))
        for recording in recordings
    ]
    found = forgotten_among(connection, keys, set().union(*named))
    if not found:
        return recordings, {}
    hidden = []
    for recording, addresses in zip(recordings, named, strict=True):
        concerned = {a: found[a] for a in addresses if a in found}
        hidden.append(pseudonymise_recording(recording, concerned) if concerned else recording)
    return hidden, {hashed.pseudonym: address for address, hashed in found.items()}


def _text(recording: Recording) -> str:
    """What was said: the payload, or the notes of a person's decision."""
    if recording.message:
        return recording.message.payload.decode()
    return "\n".join(event.diagnostic or "" for event in recording.events)
