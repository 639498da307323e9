"""Makes an environment once for each set of versions, however many ask for it at once."""

import fcntl
import hashlib
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

STAMP = ".ready"
"""The file that is written last, so that a half-made environment has none."""

_LOCK = ".setup.lock"  # uv takes a lock of its own, on the file .lock


@contextmanager
def locked(file: Path, waiting: Callable[[], None]) -> Iterator[None]:
    """Hold a file's lock; the system releases it when the process ends, however it ends.

    Args:
        file: is made if it is missing, and never removed.
        waiting: is called first if another process or thread holds the lock.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def is_made(folder: Path, sources: Iterable[Path]) -> bool:
    """Whether the environment was made from these files as they are now, and has a Python still."""
    stamp = folder / STAMP
    made = stamp.exists() and stamp.read_text("ascii") == _digest(sources)
    return made and (folder / "bin" / "python").exists()


def once(
    folder: Path, sources: Iterable[Path], make: Callable[[], None], waiting: Callable[[], None]
) -> None:
    """Call `make` on the emptied folder, unless the environment was made from these files before.

    Args:
        folder: where the environment lies.
        sources: the files that say what is in it.
        make: makes it.
        waiting: is called first if another run is making it.
    """
    sources = tuple(sources)
    if is_made(folder, sources):
        return
    with locked(folder / _LOCK, waiting):
        if is_made(folder, sources):
            return
        _empty(folder)
        make()
        (folder / STAMP).write_text(_digest(sources), encoding="ascii")


def _digest(sources: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for source in sources:
        digest.update(source.read_bytes())
    return digest.hexdigest()


def _empty(folder: Path) -> None:
    """Remove all but the lock, which others may be waiting for."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != _LOCK:
            path.unlink()
