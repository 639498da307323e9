"""Opens an SQLite file that this user may not change."""

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa


def may_change(file: Path) -> bool:
    """Whether this user may change a file, and create others beside it."""
    return os.access(file, os.W_OK) and os.access(file.absolute().parent, os.W_OK)


def connect(
    url: sa.URL, dialect: sa.Dialect, _record: object, _arguments: object, _options: object
) -> Any:
    """Connect, as a listener of SQLAlchemy's `do_connect`, in the way that serves at the moment."""
    arguments, options = dialect.create_connect_args(_as_it_can_be_read(url))
    return dialect.connect(*arguments, **options)


def _as_it_can_be_read(url: sa.URL) -> sa.URL:
    """The URL with which SQLite reads, at the moment, a file that this user may not change.

    To read a file in WAL mode, SQLite makes two files beside it. Where it may not, and where these
    hold nothing that is not in the file, it can read the file as one that does not change.
    """
    path = Path(url.database or "")
    if not url.database or not path.is_file():
        return url  # in memory, or a URI
    if may_change(path):
        return url
    log = path.with_name(f"{path.name}-wal")
    waits = log.exists() and log.stat().st_size > 0
    alone = not os.access(path.absolute().parent, os.W_OK) and not waits
    uri = f"file:{quote(str(path.absolute()))}"
    query = {"mode": "ro", "uri": "true", **({"immutable": "1"} if alone else {})}
    return url.set(database=uri).update_query_dict(query)
