"""Notices that somebody has removed or replaced the file of an SQLite database.

SQLite goes on with the file that it has opened, which has no name any more: answers would be those
of another time, and what is committed would be lost.
"""

from functools import partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from sesbounce.errors import StoreError

_IDENTITY = "sesbounce_file"


def watch(engine: sa.Engine, file: Path, missing: str, *, create: bool) -> None:
    """Let an engine use the file that has the name now, and no earlier one.

    Args:
        engine: the engine.
        file: the file of its database.
        missing: the error message for a file that does not exist.
        create: whether a connection may create the file.
    """
    if not create:
        sa.event.listen(engine, "do_connect", partial(_demand_file, file, missing))
    sa.event.listen(engine, "connect", partial(_note, file))
    sa.event.listen(engine, "checkout", partial(_demand_same, file))


def _demand_file(file: Path, missing: str, *_connecting: Any) -> None:
    if not file.exists():
        raise StoreError(missing)


def _note(file: Path, _connection: Any, record: Any) -> None:
    record.info[_IDENTITY] = _identity(file)


def _demand_same(file: Path, _connection: Any, record: Any, _proxy: Any) -> None:
    if record.info[_IDENTITY] != _identity(file):
        raise sa.exc.DisconnectionError  # the pool connects once more


def _identity(file: Path) -> tuple[int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
