"""Opaque cursors: where the next page of a list begins, and to which list it belongs.

A cursor ends with a checksum: one that was cut off or changed on its way would select other rows.
"""

import base64
import hashlib
from http import HTTPStatus
from typing import Any, TypeVar

import msgspec

from sesbounce.server.problems import Detail, RequestError

_Place = TypeVar("_Place")

_CHECKSUM_BYTES = 8


def cursor(place: Any, filters: Any) -> str | None:
    """The text of a cursor; None behind the last page.

    Args:
        place: where the next page begins.
        filters: what selects the rows of the list.
    """
    if place is None:
        return None
    raw = msgspec.json.encode([_fingerprint(filters), place])
    return base64.urlsafe_b64encode(raw + _checksum(raw)).decode().rstrip("=")


def place(text: str, filters: Any, kind: type[_Place]) -> _Place:
    """The place of a cursor.

    Raises:
        RequestError: the text is no cursor, or was made for other filters.
    """
    try:
        whole = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
        raw, checksum = whole[:-_CHECKSUM_BYTES], whole[-_CHECKSUM_BYTES:]
        of, found = msgspec.json.decode(raw, type=tuple[str, kind])  # type: ignore[valid-type]
    except ValueError as error:  # msgspec's and base64's errors are such
        raise _wrong("the text is no cursor of this route") from error
    if checksum != _checksum(raw):
        raise _wrong("the text is not as it was given out")
    if of != _fingerprint(filters):
        raise _wrong("the cursor was made for other filters; change them on the first page alone")
    return found


def _fingerprint(filters: Any) -> str:
    return hashlib.sha256(msgspec.json.encode(filters)).hexdigest()[:16]


def _checksum(raw: bytes) -> bytes:
    return hashlib.sha256(raw).digest()[:_CHECKSUM_BYTES]


def _wrong(problem: str) -> RequestError:
    return RequestError(
        HTTPStatus.BAD_REQUEST,
        "the cursor can't be used: pass next_cursor of the page before as it is",
        Detail(detail=problem, parameter="cursor"),
    )
