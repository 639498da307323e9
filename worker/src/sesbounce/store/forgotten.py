"""Recognises addresses that were forgotten, so that no message brings them back into the tables.

The row of the hash keys (see `sesbounce.store.addresses`) is a lock as well. Each transaction that
writes shares it; a transaction that forgets an address holds it exclusively. So no batch is
recorded that does not know of an address forgotten in the meantime.
"""

from collections.abc import Iterable, Mapping, Sequence

import sqlalchemy as sa

from sesbounce.feedback.recording import Recording
from sesbounce.privacy.keyed_hash import Hash, HashKeys
from sesbounce.privacy.mentions import addresses_in
from sesbounce.privacy.pseudonymise import pseudonymise_recording
from sesbounce.store import schema
from sesbounce.store.addresses import HASH_KEYS, FindAddresses
from sesbounce.store.bulk import Insert

_ROW = {
    "address": HASH_KEYS,
    "state": "{}",
    "original": "",
    "why": "no address: the hash keys under which addresses were forgotten",
    "struck_off": False,
}
_insert = Insert(schema.address, "address")
_find = FindAddresses([])


def make_row(connection: sa.Connection) -> None:
    """Insert the row of the hash keys; if it exists, it stays as it is."""
    _insert(connection, [[_ROW.get(name) for name in _insert.columns]])


def checks(connection: sa.Connection) -> str:
    """The checks of the hash keys in use, separated by commas; empty if no address is forgotten."""
    return connection.scalar(_select_checks()) or ""


def lock(connection: sa.Connection, keys: HashKeys, *, exclusive: bool = False) -> None:
    """Lock the row of the hash keys until the transaction ends.

    Args:
        connection: the caller's transaction.
        keys: the hash keys of this process.
        exclusive: wait for all other writers; by default only for one that forgets an address.

    Raises:
        ConfigurationError: addresses were forgotten under a hash key that is missing here.
    """
    query = _select_checks().with_for_update(read=not exclusive)
    keys.require(connection.scalar(query) or "")


def use_newest(connection: sa.Connection, keys: HashKeys) -> None:
    """Record that an address is being forgotten under the newest key."""
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
    """The addresses that were forgotten, each with the hash under which it has a row."""
    found = _find(connection, addresses, keys, forgotten_only=True)
    return {
        address: hashed
        for address, row in found
        for hashed in keys.hashes(address)
        if hashed.pseudonym == row.address
    }


def mentioned_in(keys: HashKeys, recordings: Sequence[Recording]) -> Sequence[set[str]]:
    """The addresses that each recording mentions, for `hide`; empty without hash keys.

    The search of a message takes as long as recording it, so it belongs before the transaction.
    """
    if not keys:
        return []
    return [
        {event.address for event in recording.events} | addresses_in(_text(recording))
        for recording in recordings
    ]


def hide(
    connection: sa.Connection,
    keys: HashKeys,
    recordings: Sequence[Recording],
    mentioned: Sequence[set[str]],
) -> tuple[Sequence[Recording], Mapping[str, str]]:
    """Replace the forgotten addresses in recordings by their hashes.

    Args:
        connection: the caller's transaction.
        keys: the hash keys of this process.
        recordings: the recordings.
        mentioned: the addresses in each of them, from `mentioned_in`.

    Returns:
        The recordings, the same object where they mention no forgotten address; and the address
        behind each hash in them, which only the sender's own tables may get.
    """
    if not keys:
        return recordings, {}
    found = forgotten_among(connection, keys, set().union(*mentioned))
    if not found:
        return recordings, {}
    hidden = []
    for recording, addresses in zip(recordings, mentioned, strict=True):
        concerned = {a: found[a] for a in addresses if a in found}
        hidden.append(pseudonymise_recording(recording, concerned) if concerned else recording)
    return hidden, {hashed.pseudonym: address for address, hashed in found.items()}


def _select_checks() -> sa.Select[tuple[str]]:
    table = schema.address
    return sa.select(table.c.original).where(table.c.address == HASH_KEYS)


def _text(recording: Recording) -> str:
    """The text in which addresses may be mentioned: the payload, or the notes of decisions."""
    if recording.message:
        return recording.message.payload.decode()
    return "\n".join(event.diagnostic or "" for event in recording.events)
