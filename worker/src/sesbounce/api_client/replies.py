"""Pure: what a reply of the HTTP API means. Only a whole and plain answer is one."""

from http import HTTPStatus
from typing import TypeVar

import msgspec

from sesbounce.api_client.transport import Reply
from sesbounce.errors import ApiAccessError, ApiError, ApiUnavailableError

_T = TypeVar("_T")

_JSON = "application/json"
_PROBLEM = "application/problem+json"
# RFC 9110, 15.5.20 and 15.6: these pass.
_PASSING = frozenset({429, 502, 503, 504})
_REDIRECTS = range(300, 400)
_LONGEST_DETAIL = 300


class _Problem(msgspec.Struct):
    detail: str = ""


def checked(reply: Reply, kind: type[_T]) -> _T:
    """The answer in a reply.

    Raises:
        ApiAccessError: the server rejects the token.
        ApiUnavailableError: the server can't answer at the moment.
        ApiError: the reply holds no such answer.
    """
    if reply.status != HTTPStatus.OK:
        raise _error(reply)
    if reply.kind != _JSON:
        raise ApiError(
            f"the HTTP API answers with {reply.kind[:80]!r} instead of JSON: is the URL right?",
            status=reply.status,
        )
    try:
        return msgspec.json.decode(reply.body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ApiError(
            f"the answer of the HTTP API can't be understood: {error}", status=reply.status
        ) from error


def _error(reply: Reply) -> ApiError:
    status, detail = reply.status, _detail(reply)
    if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
        return ApiAccessError(
            f"the HTTP API rejects the token (SESBOUNCE_API_TOKEN){detail}", status=status
        )
    if status in _PASSING:
        return ApiUnavailableError(
            f"the HTTP API can't answer at the moment: HTTP status {status}{detail}",
            status=status,
            retry_after=_seconds(reply.retry_after),
        )
    advice = ""
    if status in _REDIRECTS:
        advice = "; sesbounce follows no redirect: set SESBOUNCE_API_URL to its goal"
    elif status == HTTPStatus.NOT_FOUND:
        advice = "; is SESBOUNCE_API_URL right?"
    return ApiError(
        f"the HTTP API answers with HTTP status {status}{detail}{advice}", status=status
    )


def _detail(reply: Reply) -> str:
    """What the server says about a problem, in words, for the text of an error."""
    if reply.kind != _PROBLEM:
        return ""
    try:
        said = msgspec.json.decode(reply.body, type=_Problem).detail
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""  # the status says enough
    return f": {said[:_LONGEST_DETAIL]}" if said.isprintable() and said else ""


def _seconds(retry_after: str | None) -> float | None:
    """The seconds of a header `Retry-After`; None if it holds none (a date is not waited for)."""
    text = (retry_after or "").strip()
    return float(text) if text.isascii() and text.isdigit() else None
