"""Reads requests of browsers: whether they come from the console itself, their forms, who asks."""

from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

import anyio
from starlette.requests import ClientDisconnect, Request

from sesbounce.console.asking import PageError
from sesbounce.console.sessions import Session
from sesbounce.hosts import is_loopback
from sesbounce.server.access import Access, Caller, is_own_page
from sesbounce.server.problems import RequestError

_FORM = "application/x-www-form-urlencoded"
MOST_BYTES = 64 * 1024
_MOST_FIELDS = 20
_FORM_SECONDS = 30.0


def demand_own_form(headers: Mapping[str, str]) -> None:
    """Make sure that a form was sent by a page of the console.

    The cookie is SameSite=Strict, so a form of another site brings no session in any case; but
    where no token is needed, there is no cookie. Browsers say in Sec-Fetch-Site where a request
    comes from, and older ones in Origin. https://www.w3.org/TR/fetch-metadata/

    Raises:
        PageError: another site has sent it, or nobody knows who.
    """
    if not is_own_page(headers):
        raise PageError(HTTPStatus.FORBIDDEN, "foreign")


async def read_form(request: Request, most_bytes: int = MOST_BYTES) -> dict[str, str]:
    """The fields of a form; of several with one name, the last one counts.

    Args:
        request: the request.
        most_bytes: how large the form may be.

    Raises:
        PageError: the body is too large, too slow, or no form.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _FORM:
        raise PageError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "form")
    raw = bytearray()
    try:
        with anyio.fail_after(_FORM_SECONDS):
            async for part in request.stream():
                raw += part
                if len(raw) > most_bytes:
                    raise PageError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "form")
    except TimeoutError:
        raise PageError(HTTPStatus.REQUEST_TIMEOUT, "form") from None
    except ClientDisconnect:  # nobody reads the answer
        raise PageError(HTTPStatus.BAD_REQUEST, "form") from None
    try:
        fields = parse_qsl(raw.decode("ascii"), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:  # also a body that is not ASCII
        raise PageError(HTTPStatus.BAD_REQUEST, "form") from None
    return {name: value.replace("\r\n", "\n") for name, value in fields}


def is_secure(headers: Mapping[str, str]) -> bool:
    """Whether cookies need TLS: everywhere but on this machine itself."""
    host = urlsplit(f"//{headers.get('host', '')}").hostname
    return not is_loopback(host or "")


def who(
    access: Access, method: str, headers: Mapping[str, str], session: Session | None
) -> Caller | None:
    """The person who asks, and what the person may do; None where nobody is logged in.

    Raises:
        PageError: the load balancer has said who asks, and nobody can verify it at the moment.
        StoreError: the database can't answer.
    """
    if session:
        return access.with_token(session.token)
    try:
        return access.caller(method, headers)
    except RequestError as error:
        if error.status == HTTPStatus.SERVICE_UNAVAILABLE:
            raise PageError(HTTPStatus.SERVICE_UNAVAILABLE, "identity", error.headers) from error
        return None
