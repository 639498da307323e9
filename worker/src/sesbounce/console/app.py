"""The application of the console: it permits requests, answers them with pages, and guards both."""

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from http import HTTPStatus

import anyio
import anyio.to_thread
import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from sesbounce.console.asking import HOME, Ask, Console, PageError
from sesbounce.console.entrance import LANGUAGE_COOKIE, login_page
from sesbounce.console.pages import PAGES, Page
from sesbounce.console.rendering import STATIC, static
from sesbounce.console.requests import MOST_BYTES, demand_own_form, is_secure, read_form, who
from sesbounce.console.sessions import Session
from sesbounce.console.texts import language_of, texts_of
from sesbounce.errors import StoreError
from sesbounce.server.access import Caller
from sesbounce.server.app import CALLER, ROUTE
from sesbounce.server.rate import RateLimit
from sesbounce.server.serving import Parts

_Endpoint = Callable[[Request], Awaitable[Response]]
_DATABASE_SECONDS = 5
_THREADS_OF_AWS = 4
# Such a form names each letter by eight bytes, encrypted.
_MOST_BYTES_OF_LETTERS = 256 * 1024
# Ten times at once, and then once in five seconds.
_GUARDED_IN_SECOND, _GUARDED_AT_ONCE = 0.2, 10.0
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; "
    "img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "interest-cohort=()",
    "X-Frame-Options": "DENY",
}
# Starlette would answer a wrong one of these with the text of the API.
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}

log = structlog.get_logger()


def routes(parts: Parts, options: Mapping[str, str]) -> Sequence[BaseRoute]:
    """The routes of the console, for the server of the API.

    Args:
        parts: what the console shares with the API.
        options: the options of the command that override a setting, by the name of the setting.
    """
    return _Site(Console(parts, options)).routes()


class _Site:
    """Answers the requests for pages."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._guard = RateLimit(_GUARDED_IN_SECOND, at_once=_GUARDED_AT_ONCE)
        self._threads_of_aws: anyio.CapacityLimiter | None = None

    def routes(self) -> list[BaseRoute]:
        """The routes, and one for every other path of the console."""
        by_path: dict[str, dict[str, Page]] = {}
        for page in PAGES:
            by_path.setdefault(page.path, {})[page.method] = page
        found: list[BaseRoute] = [
            Route("/", _to_console, methods=["GET"]),
            Route("/console/static/{version}/{name}", self._static, methods=["GET"]),
            *(
                Route(path, self._endpoint(path, of), methods=_METHODS)
                for path, of in [*by_path.items(), ("/console/{rest:path}", {})]
            ),
        ]
        return found

    def _endpoint(self, path: str, of: Mapping[str, Page]) -> _Endpoint:
        async def endpoint(request: Request) -> Response:
            request.scope[ROUTE] = path
            ask = self._unknown(request)
            try:
                response = await self._answer(of, request, ask)
            except Exception as error:  # noqa: BLE001  each becomes a page, and faults are logged
                response = ask.error(_explained(error))
            response.headers.update(_HEADERS)
            return response

        return endpoint

    async def _answer(self, of: Mapping[str, Page], request: Request, ask: Ask) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        if not of:
            raise PageError(HTTPStatus.NOT_FOUND, "not_found")
        if (page := of.get(method)) is None:
            allowed = {"Allow": ", ".join(of)}
            raise PageError(HTTPStatus.METHOD_NOT_ALLOWED, "not_found", allowed)
        if method == "POST":
            demand_own_form(request.headers)
            most_bytes = _MOST_BYTES_OF_LETTERS if page.of_aws else MOST_BYTES
            ask = replace(ask, form=await read_form(request, most_bytes))
        if page.guarded:
            self._wait(self._guard, request.client.host if request.client else "")
        opened = self._console.sessions.read(request.cookies, secure=ask.secure)
        session, renew = opened or (None, False)
        return await self._permitted(page, request, ask, session, renew=renew)

    async def _permitted(
        self, page: Page, request: Request, ask: Ask, session: Session | None, *, renew: bool
    ) -> Response:
        parts = self._console.parts
        identify = partial(self._identify, request.method, request.headers, session)
        try:
            caller = await parts.in_thread(identify)
        except StoreError:
            # Whoever needs not be logged in can log out, and choose a language, without it.
            if page.scope:
                raise
            caller = None
        ask = replace(ask, caller=caller, session=session)
        if page.scope:
            if caller is None:
                return login_page(ask, HTTPStatus.UNAUTHORIZED)
            request.scope[CALLER] = caller.id or None
            self._wait(parts.rate, caller.id)
            if not caller.permits(page.scope):
                return ask.error(PageError(HTTPStatus.FORBIDDEN, "forbidden", scope=page.scope))
        try:
            answer = partial(page.answer, ask)
            in_thread = self._in_thread_of_aws if page.of_aws else parts.in_thread
            response: Response = await in_thread(answer)
        except Exception as error:  # noqa: BLE001  as above, with the navigation of the person
            response = ask.error(_explained(error))
        if renew and page.scope and session:
            self._console.sessions.give(response, session, secure=ask.secure)
        return response

    async def _in_thread_of_aws(self, work: Callable[[], Response]) -> Response:
        """Do what waits for AWS in a thread, even if the browser leaves meanwhile."""
        # It belongs to an event loop, and there is none before the first request.
        if self._threads_of_aws is None:
            self._threads_of_aws = anyio.CapacityLimiter(_THREADS_OF_AWS)
        return await anyio.to_thread.run_sync(work, limiter=self._threads_of_aws)

    def _identify(
        self, method: str, headers: Mapping[str, str], session: Session | None
    ) -> Caller | None:
        """The person who asks, if any; in a thread, since it asks the database."""
        if session and self._console.sessions.has_ended(session):
            return None
        return who(self._console.parts.access, method, headers, session)

    def _unknown(self, request: Request) -> Ask:
        """What is known of a request before anybody knows who asks."""
        headers = request.headers
        chosen = request.cookies.get(LANGUAGE_COOKIE)
        query = f"?{request.url.query}" if request.url.query else ""
        return Ask(
            console=self._console,
            texts=texts_of(language_of(chosen, headers.get("accept-language", ""))),
            secure=is_secure(headers),
            back=f"{request.url.path}{query}" if request.method == "GET" else HOME,
            path=request.path_params,
            query=dict(request.query_params),
        )

    @staticmethod
    def _wait(limit: RateLimit, client: str) -> None:
        if seconds := limit.wait(client):
            whole = math.ceil(seconds)
            headers = {"Retry-After": str(whole)}
            raise PageError(HTTPStatus.TOO_MANY_REQUESTS, "too_many", headers, seconds=whole)

    async def _static(self, request: Request) -> Response:
        request.scope[ROUTE] = "/console/static"
        kind = STATIC.get(request.path_params["name"])
        if kind is None:
            response = self._unknown(request).error(PageError(HTTPStatus.NOT_FOUND, "not_found"))
        else:
            content = static(request.path_params["name"])
            response = Response(content, media_type=kind, headers=_FOR_EVER)
        response.headers.update(_HEADERS)
        return response


async def _to_console(request: Request) -> Response:
    request.scope[ROUTE] = "/"
    return RedirectResponse(HOME, int(HTTPStatus.SEE_OTHER))


def _explained(error: Exception) -> PageError:
    """What a page says of an error; what the person can't change is logged."""
    match error:
        case PageError():
            return error
        case StoreError():
            log.error("database can't answer", problem=str(error))
            headers = {"Retry-After": str(_DATABASE_SECONDS)}
            return PageError(HTTPStatus.SERVICE_UNAVAILABLE, "database", headers)
        case _:
            log.error("page not shown", exc_info=error)
            return PageError(HTTPStatus.INTERNAL_SERVER_ERROR, "fault")
