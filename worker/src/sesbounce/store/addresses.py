"""Finds rows of the table of addresses by key, also those of forgotten addresses.

A forgotten address is found under its keyed hash. One row stands for the hash keys: its key is
`HMAC-SHA256:`, which is neither an address nor a hash, and its column `original` holds the checks
of the keys under which addresses were forgotten. Each query reads this row together with the
addresses, so that it fails if a key is missing, instead of taking a forgotten address for an
unknown one.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa

from sesbounce.privacy.keyed_hash import PREFIX, HashKeys
from sesbounce.store.find import Find, chunks
from sesbounce.store.schema import address as table

HASH_KEYS = PREFIX


class FindAddresses:
    """Selects rows by the keys of addresses, and makes sure that no hash key is missing."""

    def __init__(
        self, columns: Iterable[sa.Column[Any]], condition: sa.ColumnElement[bool] | None = None
    ) -> None:
        """Define the query.

        Args:
            columns: the columns to select.
            condition: only rows for which it is true; by default all.
        """
        query = sa.select(table.c.address, table.c.original.label("checks"), *columns)
        if condition is not None:
            query = query.where(sa.or_(condition, table.c.address == HASH_KEYS))
        self._find = Find(query, table.c.address, ordered=False)

    def __call__(
        self,
        connection: sa.Connection,
        keys: Iterable[str],
        hash_keys: HashKeys,
        *,
        forgotten_only: bool = False,
    ) -> Iterator[tuple[str, sa.Row[Any]]]:
        """Yield the key and the row of each address found, with one query for each 1,000 keys.

        Args:
            connection: a connection to the database.
            keys: the keys of the addresses.
            hash_keys: the keys of the hashes under which addresses may have been forgotten.
            forgotten_only: find rows under hashes only, not under the keys themselves.

        Raises:
            ConfigurationError: addresses were forgotten under a hash key that is missing here.
        """
        for chunk in chunks(sorted(keys)):
            names = names_of(chunk, hash_keys, forgotten_only=forgotten_only)
            for row in self._find.at_once(connection, [HASH_KEYS, *names]).all():
                if row.address == HASH_KEYS:
                    hash_keys.require(row.checks)
                else:
                    yield names[row.address], row


def names_of(
    keys: Iterable[str], hash_keys: HashKeys, *, forgotten_only: bool = False
) -> dict[str, str]:
    """Map each name that stands for an address in the tables to its key: the key and its hashes."""
    keys = list(keys)
    names = {} if forgotten_only else {key: key for key in keys}
    if hash_keys:
        names |= {hashed.pseudonym: key for key in keys for hashed in hash_keys.hashes(key)}
    return names
