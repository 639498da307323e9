"""The options of commands that read and write files, and what `--output` names.

A command that fails leaves nothing half done.
"""

import os
import secrets
import shutil
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedWriter, FileIO, TextIOWrapper
from pathlib import Path
from typing import IO, Any, TextIO

import click
import sqlalchemy as sa

from sesbounce.errors import ListError

output_option = click.option(
    "--output",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    default="-",
    help="Write to this file, in UTF-8; it appears, or replaces another, only when it is complete. "
    " [default: standard output]",
)
encoding_option = click.option(
    "--encoding",
    metavar="NAME",
    help="Encoding of the file: cp1252, latin-1, utf-16.  [default: UTF-8, or what its byte order "
    "mark says]",
)


@contextmanager
def written(path: Path, *sources: IO[Any] | Path) -> Iterator[TextIO]:
    """A text in UTF-8 that replaces the file when it is complete, and leaves nothing if it fails.

    A file that exists keeps its permissions. A pipe or a device gets the text as it comes.

    Args:
        path: the file; `-` for standard output.
        sources: the files that the command reads; none of them may be the same file.

    Raises:
        ListError: the file can't be written, or is one of the sources.
    """
    name = "standard output" if path == Path("-") else str(path)
    place = sys.stdout if path == Path("-") or _same(path, sys.stdout) else path
    if any(_same(place, source) for source in sources):
        raise ListError(
            f"{name} is a file that the command reads, and would be lost: name another --output"
        )
    if place is path:
        with _file(path) as text:
            yield text
    else:
        yield _standard_output()


def database_files(engine: sa.Engine) -> list[Path]:
    """The files of a SQLite database, which no command may write to; none for other databases."""
    if engine.dialect.name != "sqlite":
        return []
    with engine.connect() as connection:
        file = connection.exec_driver_sql("PRAGMA database_list").one()[2]
    return [Path(file + end) for end in ("", "-wal", "-shm", "-journal")] if file else []


def _same(one: IO[Any] | Path | None, other: IO[Any] | Path | None) -> bool:
    """Whether both are one regular file, under whatever names."""
    first, second = _status(one), _status(other)
    if first is None or second is None or not stat.S_ISREG(first.st_mode):
        return False
    return os.path.samestat(first, second)


def _status(file: IO[Any] | Path | None) -> os.stat_result | None:
    try:
        if isinstance(file, Path):
            return file.stat()
        return None if file is None else os.fstat(file.fileno())
    except (OSError, ValueError):  # there is no such file, or the stream is none
        return None


def _standard_output() -> TextIO:
    if isinstance(sys.stdout, TextIOWrapper):
        # Bytes of a list that are no text leave it as they came.
        sys.stdout.reconfigure(encoding="utf-8", errors="surrogateescape")
    return sys.stdout


@contextmanager
def _file(path: Path) -> Iterator[TextIO]:
    # A link stays a link: the file that it names is replaced.
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        with _opened(path, target, "w") as text:
            yield text
        return
    # Its name does not hold the target's, which may be as long as names can be.
    part = target.with_name(f".sesbounce-{secrets.token_hex(8)}.part")
    with _explained(path):
        if target.exists() and not os.access(target, os.W_OK):
            raise PermissionError(None, "you may not write to it")
    try:
        with _opened(path, part, "x") as text:
            yield text
        with _explained(path):
            _take_permissions(part, target)
            part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _take_permissions(part: Path, target: Path) -> None:
    """Give a file the owner and the permissions of the one that it is to replace."""
    if not target.exists():
        return
    owner = target.stat()
    if (owner.st_uid, owner.st_gid) != (part.stat().st_uid, part.stat().st_gid):
        with suppress(PermissionError):  # only root may give a file away
            os.chown(part, owner.st_uid, owner.st_gid)
    shutil.copystat(target, part)
    os.utime(part)


@contextmanager
def _opened(path: Path, place: Path, mode: str) -> Iterator[TextIO]:
    raw = _File(path, place, mode)
    text = TextIOWrapper(
        BufferedWriter(raw), encoding="utf-8", errors="surrogateescape", newline=""
    )
    try:
        yield text
        text.flush()
        raw.sync()
    except BaseException:
        raw.discarded = True
        raise
    finally:
        text.close()


class _File(FileIO):
    """A file whose errors name the `--output` that they are about.

    Attributes:
        discarded: whether it ignores what is still to be written.
    """

    def __init__(self, path: Path, place: Path, mode: str) -> None:
        with _explained(path):
            super().__init__(place, mode)
        self.discarded = False
        self._path = path

    def write(self, data: Any) -> int:
        """Write bytes."""
        with _explained(self._path):
            return memoryview(data).nbytes if self.discarded else super().write(data)

    def sync(self) -> None:
        """Wait until the disk holds the file; a pipe has none."""
        with _explained(self._path):
            if stat.S_ISREG(os.fstat(self.fileno()).st_mode):
                os.fsync(self.fileno())


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ListError(f"{path} was not written: {error.strerror}") from error
