"""The ASGI application: it reads requests, permits them, and answers in threads."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes

import anyio
import anyio.to_thread
import msgspec
import structlog
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sesbounce.server import problems
from sesbounce.server.access import ANYONE, Access, Caller
from sesbounce.server.openapi import document
from sesbounce.server.problems import RequestError
from sesbounce.server.rate import RateLimit
from sesbounce.server.routes import OPERATIONS, Operation
from sesbounce.server.service import Call, Service

_T = TypeVar("_T")
_Endpoint = Callable[[Request], Awaitable[Response]]

_JSON = "application/json"
# 10,000 addresses, each longer than nearly all are.
_MOST_BYTES = 4 * 1024 * 1024
_BODY_SECONDS = 30.0
_LONGEST_KEY = 255
# Where a request notes what the line in the log is to say of it.
ROUTE, CALLER = "sesbounce.route", "sesbounce.caller"
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    # A load balancer's cookie comes with requests of other sites' pages, too.
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
# Parameters whose texts are numbers, and those that may be repeated; all others are texts.
_NUMBERS = frozenset({"limit"})
_REPEATED = frozenset({"tag"})

log = structlog.get_logger()


class Server:
    """Answers the requests of one application."""

    def __init__(self, service: Service, access: Access, rate: RateLimit, threads: int) -> None:
        """Make one.

        Args:
            service: does what the routes are for.
            access: decides who asks, and who may do what.
            rate: limits the requests of each caller.
            threads: the number of requests that may use the database at once.
        """
        self._service = service
        self._access = access
        self._rate = rate
        self._threads = threads
        self._limiter: anyio.CapacityLimiter | None = None

    def app(
        self, operations: Sequence[Operation] = OPERATIONS, more: Sequence[BaseRoute] = ()
    ) -> Starlette:
        """Make the application, which serves these operations and a document of them.

        Args:
            operations: the operations.
            more: further routes, which permit their requests themselves.
        """
        by_path: dict[str, dict[str, Operation]] = {}
        for operation in operations:
            by_path.setdefault(operation.path, {})[operation.method] = operation
        routes: list[BaseRoute] = [
            # An address may hold a slash.
            Route(path.replace("{address}", "{address:path}"), self._endpoint(of), methods=list(of))
            for path, of in by_path.items()
        ]
        described = document(tuple(operations))

        async def openapi(_request: Request) -> Response:
            return Response(described, media_type=_JSON)

        routes.append(Route("/openapi.json", openapi, methods=["GET"]))
        app = Starlette(
            routes=[*routes, *more],
            middleware=[Middleware(_Wrapped)],
            exception_handlers={HTTPException: _not_routed},
        )
        app.router.redirect_slashes = False
        return app

    def _endpoint(self, of: Mapping[str, Operation]) -> _Endpoint:
        async def endpoint(request: Request) -> Response:
            operation = of["GET" if request.method == "HEAD" else request.method]
            request.scope[ROUTE] = operation.path
            try:
                return await self._answer(operation, request)
            except Exception as error:  # noqa: BLE001  each becomes an answer, and faults are logged
                return problems.response(error)

        return endpoint

    async def _answer(self, operation: Operation, request: Request) -> Response:
        caller = ANYONE
        if operation.scope:
            demand = partial(self._access.demand, operation.scope, request.method)
            caller = await self.in_thread(partial(demand, request.headers))
            request.scope[CALLER] = caller.id or None
            if seconds := self._rate.wait(caller.id):
                raise problems.too_many(seconds)
        _demand_readable(request)
        query = _query(operation, request)
        request_id = _request_id(operation, request)
        raw = await _body(operation, request)
        work = partial(self._work, operation, request.path_params, query, raw, caller, request_id)
        return Response(await self.in_thread(work), media_type=_JSON)

    def _work(
        self,
        operation: Operation,
        path: Mapping[str, str],
        query: Any,
        raw: bytes,
        caller: Caller,
        request_id: str | None,
    ) -> bytes:
        """Read the body, do what the operation does, and write the answer; in a thread."""
        body = _decoded(operation.body, raw) if operation.body and raw else None
        address = path.get("address", "")
        call = Call(address=address, query=query, body=body, caller=caller, request_id=request_id)
        return msgspec.json.encode(operation.handle(self._service, call))

    async def in_thread(self, work: Callable[[], _T]) -> _T:
        """Do what uses the database in a thread, as soon as one of them is free."""
        # It belongs to an event loop, and there is none before the first request.
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(self._threads)
        return await anyio.to_thread.run_sync(work, limiter=self._limiter)


class _Wrapped:
    """Adds security headers to each answer, and logs a line that names no address."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.monotonic()
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)
        log.info(
            "request answered",
            method=scope["method"],
            route=scope.get(ROUTE),
            status=status,
            caller=scope.get(CALLER),
            milliseconds=round((time.monotonic() - began) * 1000, 1),
        )


async def _not_routed(_request: Request, error: Exception) -> Response:
    return problems.response(error)


def _demand_readable(request: Request) -> None:
    """Make sure that the URL says what the client has meant.

    The answer would be about another text, of which nothing is recorded: it would be a yes.

    Raises:
        RequestError: the bytes of the URL are not UTF-8.
    """
    for part in (request.scope.get("raw_path", b""), request.scope["query_string"]):
        try:
            unquote_to_bytes(part).decode()
        except UnicodeDecodeError:
            raise problems.invalid_parameter(
                "the percent-encoded bytes of the URL are not UTF-8", None
            ) from None


def _query(operation: Operation, request: Request) -> Any:
    """The parameters of a request, as the struct of the operation."""
    values: dict[str, Any] = {}
    for name, text in request.query_params.multi_items():
        if name in _REPEATED:
            values.setdefault(name, []).append(text)
            continue
        if name in values:
            raise problems.invalid_parameter("the parameter is given more than once", name)
        is_number = name in _NUMBERS and text.isascii() and text.isdigit()
        values[name] = int(text) if is_number and len(text) < len("1000000000") else text
    try:
        return msgspec.convert(values, operation.query)
    except msgspec.ValidationError as error:
        raise problems.invalid_query(error) from error


def _request_id(operation: Operation, request: Request) -> str | None:
    found = request.headers.get("idempotency-key") if operation.once else None
    if found is not None and not (
        0 < len(found) <= _LONGEST_KEY and found.isascii() and found.isprintable()
    ):
        raise problems.invalid_parameter(
            f"the key must hold 1 to {_LONGEST_KEY} characters of ASCII", "Idempotency-Key"
        )
    return found


async def _body(operation: Operation, request: Request) -> bytes:
    """Read the body of a request, up to a limit of bytes and of time.

    Raises:
        RequestError: it is too large, too slow, missing, or not declared as JSON; or the route
            takes none.
    """
    raw = bytearray()
    try:
        with anyio.fail_after(_BODY_SECONDS):
            async for part in request.stream():
                raw += part
                if raw and operation.body is None:
                    raise problems.no_body_taken()
                if len(raw) > _MOST_BYTES:
                    raise RequestError(
                        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                        f"the body is larger than {_MOST_BYTES:,} bytes: send fewer addresses",
                    )
    except TimeoutError:
        raise RequestError(
            HTTPStatus.REQUEST_TIMEOUT, f"the body did not arrive in {_BODY_SECONDS:.0f} seconds"
        ) from None
    except ClientDisconnect:  # nobody reads the answer
        raise RequestError(HTTPStatus.BAD_REQUEST, "the body did not arrive in full") from None
    if not raw and not operation.body_required:
        return b""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != _JSON:
        raise RequestError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"send the body with `Content-Type: {_JSON}`"
        )
    if not raw:
        raise RequestError(HTTPStatus.BAD_REQUEST, "the request has no body: send JSON")
    return bytes(raw)


def _decoded(kind: type[_T], raw: bytes) -> _T:
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as error:
        raise problems.invalid_body(error) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError(HTTPStatus.BAD_REQUEST, f"the body is not JSON: {error}") from error
