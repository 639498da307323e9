"""Reads where the HTTP API is, and the token for it."""

import os
from typing import NamedTuple
from urllib.parse import urlsplit

from sesbounce.errors import ConfigurationError
from sesbounce.hosts import is_loopback
from sesbounce.variables import API_TOKEN, API_URL, bare, check_names


class Place(NamedTuple):
    """Where a server is.

    Attributes:
        tls: whether it speaks TLS.
        host: its host.
        port: its port.
        path: what stands before the paths of the routes; empty, or with a slash at its beginning.
    """

    tls: bool
    host: str
    port: int | None
    path: str

    @property
    def origin(self) -> str:
        """The server, for people."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = f":{self.port}" if self.port else ""
        return f"{'https' if self.tls else 'http'}://{host}{port}"


def find_place(url: str | None, token: str | None) -> tuple[Place, str | None]:
    """Where the API is, and the token; the environment's, where they are None.

    Raises:
        ConfigurationError: the URL or the token is missing or wrong.
    """
    check_names(os.environ)
    url = url or _value(API_URL)
    token = token or _value(API_TOKEN)
    if not url:
        raise ConfigurationError(f"no URL of the HTTP API is given: pass one, or set {API_URL}")
    place = read_url(url)
    if token is None and not is_loopback(place.host):
        raise ConfigurationError(
            f"no token for the HTTP API is given: pass one, or set {API_TOKEN}"
        )
    if token and not (token.isascii() and token.isprintable() and " " not in token):
        raise ConfigurationError(
            f"the token for the HTTP API ({API_TOKEN}) holds characters that no token has: pass it "
            "as `sesbounce token create` has printed it"
        )
    return place, token


def read_url(url: str) -> Place:
    """Read the URL of the API.

    Raises:
        ConfigurationError: it is no such URL, or a token would travel unencrypted.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        host.encode("idna")
    except (ValueError, UnicodeError):
        raise _wrong("it can't be read as a URL") from None
    if parts.scheme not in {"https", "http"} or not host:
        raise _wrong("it must begin with https:// and a host")
    if parts.scheme == "http" and not is_loopback(host):
        raise _wrong(
            "http:// is for this machine alone, because anybody on the way could read the token: "
            "use https://"
        )
    if parts.username is not None or parts.query or parts.fragment:
        raise _wrong("it holds a user, a query or a fragment; the token goes apart from it")
    path = parts.path.rstrip("/")
    if not path.isascii() or not path.isprintable() or " " in path:
        raise _wrong("its path holds characters that must be percent-encoded")
    return Place(parts.scheme == "https", host, port, path)


def _value(name: str) -> str | None:
    try:
        return bare(os.environ.get(name, ""), secret=False) or None
    except ValueError as error:
        raise ConfigurationError(f"{name}: {error}") from None


def _wrong(problem: str) -> ConfigurationError:
    return ConfigurationError(f"the URL of the HTTP API ({API_URL}) is wrong: {problem}")
