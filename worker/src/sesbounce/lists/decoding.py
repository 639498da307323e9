"""Decodes files of addresses: which encoding they have, and how their values are separated.

A wrong guess would give an answer about an address that is not in the file. So bytes that are no
text in the file's encoding are marked, and what can't be told is an error that names the option.
"""

import csv
import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_BE, BOM_UTF32_LE
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from io import BufferedReader, RawIOBase, TextIOWrapper
from typing import Any, BinaryIO, Literal

from sesbounce.errors import ListError
from sesbounce.feedback.address import parse

NAME_IT = "name the file's encoding with --encoding, for example cp1252, latin-1 or utf-16"
_REPLACED = "\N{REPLACEMENT CHARACTER}"
_UNDECODABLE = re.compile(f"[\ud800-\udfff{_REPLACED}]")

# UTF-32's mark in little endian begins with UTF-16's.
_MARKS = {
    BOM_UTF8: "utf-8-sig",
    BOM_UTF32_LE: "utf-32",
    BOM_UTF32_BE: "utf-32",
    BOM_UTF16_LE: "utf-16",
    BOM_UTF16_BE: "utf-16",
}
_HEAD_BYTES = 4096

# None of them may stand in an address, unless a part of it is in quotes.
_DELIMITERS = ",;\t"
# What Excel reads, and other programs write for it, as a line before the first one.
_DELIMITER_LINE = re.compile(r'"?sep=([,;\t])"?[\r\n]*', re.IGNORECASE)


@contextmanager
def lines_of(
    source: BinaryIO,
    encoding: str | None = None,
    errors: Literal["replace", "surrogateescape"] = "replace",
) -> Iterator[Iterable[str]]:
    """The lines of a file with their ends.

    Args:
        source: the file; it is not closed.
        encoding: the encoding of a file that does not begin with a byte order mark; None for
            UTF-8.
        errors: what stands for bytes that are no text; `undecodable` finds either.

    Raises:
        ListError: the file can't be read, is no text, or has another encoding.
    """
    head = source.read(_HEAD_BYTES)
    marked = next((name for mark, name in _MARKS.items() if head.startswith(mark)), None)
    if not marked and not encoding and b"\0" in head:
        raise ListError(
            f"the file is no text in UTF-8: save it as CSV (a workbook can't be read), or {NAME_IT}"
        )
    whole = BufferedReader(_Whole(head, source))
    try:
        text = TextIOWrapper(whole, marked or encoding or "utf-8", errors, newline="")
    except LookupError:
        raise ListError(f"no encoding has the name {encoding}: {NAME_IT}") from None
    yield _readable(text)


class _Whole(RawIOBase):
    """A source of which the first bytes have been read already."""

    def __init__(self, head: bytes, source: BinaryIO) -> None:
        super().__init__()
        self._head = head
        self._source = source

    def readable(self) -> bool:
        """Yes."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read the head, and then what follows it."""
        size = len(buffer)
        read, self._head = self._head[:size], self._head[size:]
        read = read or self._source.read(size)
        buffer[: len(read)] = read
        return len(read)


def _readable(text: Iterable[str]) -> Iterator[str]:
    try:
        yield from text
    except UnicodeError as error:
        raise ListError(f"the file has another encoding ({error}): {NAME_IT}") from None
    except OSError as error:
        raise ListError(f"the file can't be read: {error.strerror}") from error


def undecodable(text: str) -> bool:
    """Whether a text stands for bytes that are no text in the file's encoding.

    Also where another program has lost them before: U+FFFD tells of no character that was there.
    """
    return not text.isascii() and bool(_UNDECODABLE.search(text))


def escaped(text: str) -> str:
    r"""The text with its undecodable bytes as `\xfc`."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def delimiter_of(sample: Sequence[str]) -> tuple[str, int]:
    """The character between the values of a CSV, and how many lines before the first row name it.

    Args:
        sample: the first lines, with their ends.

    Raises:
        ListError: more than one is possible.
    """
    named = _DELIMITER_LINE.fullmatch(sample[0]) if sample else None
    if named:
        return named[1], 1
    tables = {one: _rows(sample, one) for one in _DELIMITERS}
    possible = [one for one, rows in tables.items() if rows and len(rows[0]) > 1]
    for better in (_is_regular, _has_address):
        possible = [one for one in possible if better(tables[one])] or possible
    if len(possible) > 1:
        raise ListError(
            "commas, semicolons or tabs may separate the values of this file: save it as CSV with "
            "one of them, and put values that hold another in quotes"
        )
    return (possible or [","])[0], 0


def _rows(sample: Sequence[str], delimiter: str) -> list[list[str]]:
    try:
        return list(csv.reader(sample, delimiter=delimiter))
    except csv.Error:
        return []  # whoever reads the rows strictly finds the same error, and its line


def _is_regular(rows: Sequence[Sequence[str]]) -> bool:
    """Whether all rows have as many values; the last one may go on behind the sample."""
    return len({len(row) for row in rows[:-1] or rows if row}) == 1


def _has_address(rows: Sequence[Sequence[str]]) -> bool:
    return any(parse(value).parsed for row in rows for value in row)
