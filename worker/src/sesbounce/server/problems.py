"""Problems: how the API says that it can't answer, by RFC 9457 (application/problem+json)."""

import math
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from starlette.exceptions import HTTPException
from starlette.responses import Response

from sesbounce.errors import AddressError, RowError, SesBounceError, StoreError

MEDIA_TYPE = "application/problem+json"
_DATABASE_SECONDS = 5
_INDEX = re.compile(r"\[(\d+)\]")

log = structlog.get_logger()


class Detail(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is wrong with one part of a request.

    Attributes:
        detail: what is wrong, in a sentence.
        pointer: the part of the body, as a JSON pointer in a fragment (RFC 6901): `#/addresses/3`.
        parameter: the name of the parameter of the path or the query, or of the header.
    """

    detail: str
    pointer: str | None = None
    parameter: str | None = None


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """Why a request has no answer.

    Attributes:
        title: the meaning of the status.
        status: the HTTP status.
        detail: what happened, and what to do about it.
        errors: the parts of the request that are wrong.
        type: always `about:blank`: the status says what kind of problem it is.
    """

    title: str
    status: int
    detail: str
    errors: tuple[Detail, ...] = ()
    type: str = "about:blank"


class RequestError(SesBounceError):
    """A request can't be answered; the client has to change it, or to wait.

    Attributes:
        status: the HTTP status of the answer.
        details: the parts of the request that are wrong.
        headers: further headers of the answer.
    """

    def __init__(
        self,
        status: HTTPStatus,
        problem: str,
        *details: Detail,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(problem)
        self.status = status
        self.details = details
        self.headers = dict(headers or {})


def invalid_body(error: msgspec.ValidationError) -> RequestError:
    """The error for a body that is JSON, but not what the route takes."""
    problem, place = _parted(error)
    pointer = "#" + _INDEX.sub(r"/\1", place.removeprefix("$")).replace(".", "/")
    return RequestError(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "the body is not what this route takes: see /openapi.json",
        Detail(detail=problem, pointer=pointer),
    )


def no_body_taken() -> RequestError:
    """The error for a body where a route takes none: it would be ignored, and so what it says."""
    return RequestError(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "this route takes no body, only the parameters in the URL: see /openapi.json",
        Detail(detail="send the values as parameters in the query of the URL", pointer="#"),
    )


def invalid_query(error: msgspec.ValidationError) -> RequestError:
    """The error for a query that is not what the route takes."""
    problem, place = _parted(error)
    return invalid_parameter(problem, place.removeprefix("$.") if place != "$" else None)


def invalid_parameter(problem: str, name: str | None) -> RequestError:
    """The error for a wrong parameter of the path, the query or the headers."""
    return RequestError(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "a parameter is not what this route takes: see /openapi.json",
        Detail(detail=problem, parameter=name),
    )


def response(error: Exception) -> Response:
    """The answer for an error; what the client can't change is logged."""
    match error:
        case RequestError():
            return _response(error.status, str(error), error.headers, error.details)
        case HTTPException():  # of the router
            status = HTTPStatus(error.status_code)
            return _response(status, _ROUTING.get(status, error.detail), error.headers or {})
        case AddressError():
            return response(invalid_parameter(str(error), "address"))
        case RowError():
            log.warning("database rejected a request", problem=str(error))
            rejected = "the database rejected a value of the request"
            return _response(HTTPStatus.UNPROCESSABLE_ENTITY, rejected)
        case StoreError():
            log.error("database can't answer", problem=str(error))
            headers = {"Retry-After": str(_DATABASE_SECONDS)}
            return _response(HTTPStatus.SERVICE_UNAVAILABLE, _NO_ANSWER, headers)
        case SesBounceError():
            log.error("request not answered", problem=str(error))
        case _:
            log.error("request not answered", exc_info=error)
    return _response(HTTPStatus.INTERNAL_SERVER_ERROR, _FAULT)


def too_many(seconds: float) -> RequestError:
    """The error for a client that has to wait for some seconds."""
    return RequestError(
        HTTPStatus.TOO_MANY_REQUESTS,
        "there are too many requests with this token: wait for the seconds that Retry-After says, "
        "or ask about many addresses at once (POST /v1/check)",
        headers={"Retry-After": str(math.ceil(seconds))},
    )


_NO_ANSWER = "the database can't answer, so nobody knows whether the address may be mailed: retry"
_FAULT = "the server can't answer this request; its log says why"
_ROUTING = {
    HTTPStatus.NOT_FOUND: "there is no such route: see /openapi.json",
    HTTPStatus.METHOD_NOT_ALLOWED: "the route does not take this method: see /openapi.json",
}


def _parted(error: msgspec.ValidationError) -> tuple[str, str]:
    """The problem that msgspec found, and its place: `$.addresses[3]`."""
    problem, _, place = str(error).partition(" - at ")
    return problem, place.strip("`") or "$"


def _response(
    status: HTTPStatus,
    detail: str,
    headers: Mapping[str, str] | None = None,
    details: tuple[Detail, ...] = (),
) -> Response:
    problem = Problem(title=status.phrase, status=status, detail=detail, errors=details)
    content: Any = msgspec.json.encode(problem)
    return Response(content, int(status), headers, MEDIA_TYPE)
