"""Opens connections to read, and transactions during which nobody else forgets an address."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from sesbounce.privacy.keyed_hash import HashKeys
from sesbounce.store import forgotten
from sesbounce.store.engine import translated, write
from sesbounce.store.slow import watched


class Transactions:
    """The transactions of one database."""

    def __init__(self, engine: sa.Engine, hash_keys: HashKeys) -> None:
        self._engine = engine
        self._hash_keys = hash_keys

    @contextmanager
    def reading(self, problem: str) -> Iterator[sa.Connection]:
        """Open a connection to read; `problem` begins the error message if the block fails."""
        with translated(problem), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self, problem: str, *, exclusive: bool = False) -> Iterator[sa.Connection]:
        """Open a transaction during which no other transaction forgets an address.

        Args:
            problem: what was not done; it begins the error message if the block fails.
            exclusive: let no other transaction write at all in the meantime.
        """
        with translated(problem), watched(), write(self._engine) as connection:
            if self._hash_keys:
                forgotten.lock(connection, self._hash_keys, exclusive=exclusive)
            yield connection
