"""Shows on standard error how far a long command has come: a bar, or a line every few seconds."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

import click

from sesbounce.cli.common import counted

_LINE_SECONDS = 5.0

Advance = Callable[[int], None]


@contextmanager
def progress(source: BinaryIO, label: str, hidden: bool = False) -> Iterator[Advance]:
    """Show how much of a file has been handled, while the block runs.

    A terminal gets a bar if the file has a length; a file, a log or a pipe gets lines.

    Args:
        source: the file.
        label: what is done, `importing`.
        hidden: whether to show nothing.

    Yields:
        What to call with the number of rows that have been handled since the last call.
    """
    length = _length(source)
    if hidden:
        yield lambda _: None
    elif length and sys.stderr.isatty():
        with click.progressbar(length=length, label=label, file=sys.stderr) as bar:
            yield lambda _: bar.update(source.tell() - bar.pos)
    else:
        rows = 0

        def advance(number: int) -> None:
            nonlocal rows
            rows += number

        def so_far() -> str:
            part = f" ({100 * source.tell() // length} % of the file)" if length else ""
            return f"{label}: {counted(rows, 'row')}{part}"

        with reporting(so_far):
            yield advance


@contextmanager
def reporting(so_far: Callable[[], str]) -> Iterator[None]:
    """Print a line every few seconds while the block runs."""
    ended = threading.Event()

    def report() -> None:
        while not ended.wait(_LINE_SECONDS):
            click.echo(so_far(), err=True)

    thread = threading.Thread(target=report, name="progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _length(source: BinaryIO) -> int:
    """The length of a file in bytes; 0 if it has none, as a pipe."""
    try:
        return os.fstat(source.fileno()).st_size if source.seekable() else 0
    except (OSError, ValueError):
        return 0
