"""Counts the commits of a SQLite database from outside, without opening it."""

import struct
from pathlib import Path

# The change counter in the header of the WAL index, in the machine's byte order.
# https://www.sqlite.org/walformat.html#the_wal_index_header
_CHANGES = struct.Struct("=8xI")


def commits(database: Path) -> int:
    """How many transactions have been written since the WAL index was made; 0 without one."""
    index = Path(f"{database}-shm")
    if not index.exists():
        return 0
    with index.open("rb") as file:
        (changes,) = _CHANGES.unpack(file.read(_CHANGES.size))
    return int(changes)
