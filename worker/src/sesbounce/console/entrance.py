"""The pages for which nobody needs to be logged in: to log in, to log out, to choose a language."""

from datetime import timedelta
from http import HTTPStatus

import structlog
from starlette.responses import Response

from sesbounce.console.asking import HOME, Ask, PageError, own_path
from sesbounce.console.sessions import set_cookie, take
from sesbounce.console.texts import LANGUAGES
from sesbounce.errors import StoreError

LANGUAGE_COOKIE = "sesbounce_language"
_YEAR = timedelta(days=365)
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="sesbounce"'}

log = structlog.get_logger()


def login(ask: Ask) -> Response:
    """Show the form."""
    return ask.go(HOME) if ask.caller else login_page(ask, HTTPStatus.OK)


def login_page(ask: Ask, status: HTTPStatus, problem: str | None = None) -> Response:
    """The form; the person comes back to the present page."""
    headers = _CHALLENGE if status is HTTPStatus.UNAUTHORIZED else None
    goal = own_path(ask.form.get("goal", ask.back))
    return ask.page("login", status, headers, goal=goal, problem=problem)


def log_in(ask: Ask) -> Response:
    """Begin a session for a token."""
    console, token = ask.console, ask.form.get("token", "").strip()
    if console.parts.access.with_token(token) is None:
        return login_page(ask, HTTPStatus.UNAUTHORIZED, "login.wrong")
    response = ask.go(own_path(ask.form.get("goal", HOME)))
    console.sessions.give(response, console.sessions.begin(token), secure=ask.secure)
    return response


def log_out(ask: Ask) -> Response:
    """End the session; in this browser it ends also where the database can't record it."""
    response = ask.go(f"{HOME}/login")
    if ask.session:
        try:
            ask.console.sessions.end(ask.session)
        except StoreError as error:
            log.warning("session ended in the browser alone", problem=str(error))
            response = ask.error(PageError(HTTPStatus.SERVICE_UNAVAILABLE, "database"))
    take(response, secure=ask.secure)
    return response


def choose_language(ask: Ask) -> Response:
    """Keep the language that a person has chosen."""
    response = ask.go(own_path(ask.form.get("back", HOME)))
    if (language := ask.form.get("language", "")) in LANGUAGES:
        seconds = int(_YEAR.total_seconds())
        set_cookie(response, LANGUAGE_COOKIE, language, secure=ask.secure, seconds=seconds)
    return response
