"""Reads the webhook endpoints that the settings name, and their secrets.

The texts of the errors hold no URL and no secret.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from sesbounce.database_settings import split
from sesbounce.feedback.reason import Reason

_T = TypeVar("_T")

# Of Standard Webhooks: full-stop delimited, from the general to the special.
SUPPRESSED = "address.suppressed"
RELEASED = "address.released"
TYPES = (SUPPRESSED, RELEASED)

# The endpoint of SESBOUNCE_WEBHOOK_URL, and the outbox's target of that name.
ONLY = "webhook"

_SECRET_PREFIX = "whsec_"  # noqa: S105  what a secret begins with
# https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
_KEY_BYTES = range(24, 65)
_SECRET_LENGTH = 16
# The name of a target has 64 characters at most.
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


@dataclass(frozen=True)
class Endpoint:
    """An HTTPS endpoint of the sender that gets verdicts.

    Attributes:
        name: the name that the settings give it; `webhook` for SESBOUNCE_WEBHOOK_URL.
        url: the URL, which may hold a token.
        keys: the keys of the signatures, the newest first.
        types: the types of events that it gets; empty means all.
        reasons: the reasons of the suppressions that it gets; empty means all.
    """

    name: str
    url: str = field(repr=False)
    keys: tuple[bytes, ...] = field(repr=False)
    types: frozenset[str] = frozenset()
    reasons: frozenset[str] = frozenset()

    @property
    def target(self) -> str:
        """The name by which the outbox knows it."""
        return ONLY if self.name == ONLY else f"{ONLY}:{self.name}"

    @property
    def host(self) -> str:
        """The host of the URL, without what may be secret in it."""
        return urlsplit(self.url).hostname or "?"

    def wants(self, type_: str, reason: str | None) -> bool:
        """Whether the endpoint gets an event of this type and reason.

        A release gives no reason for the suppression that it ends: the reasons limit suppressions
        only.
        """
        if self.types and type_ not in self.types:
            return False
        return type_ != SUPPRESSED or not self.reasons or reason in self.reasons


class _Written(msgspec.Struct, forbid_unknown_fields=True):
    """An endpoint as SESBOUNCE_WEBHOOKS writes it."""

    url: str
    types: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


def read_endpoints(webhooks: str, secrets: str) -> list[Endpoint]:
    """Read the values of SESBOUNCE_WEBHOOKS and SESBOUNCE_WEBHOOK_SECRETS.

    Args:
        webhooks: a JSON object: the URL, and maybe types and reasons, by the endpoint's name.
        secrets: a JSON object: the secrets by the same names.

    Raises:
        ValueError: one of them is wrong, or an endpoint has no secret.
    """
    written = _decode("SESBOUNCE_WEBHOOKS", webhooks, dict[str, _Written])
    given = _decode("SESBOUNCE_WEBHOOK_SECRETS", secrets, dict[str, str])
    if missing := sorted(written.keys() - given.keys()):
        raise ValueError(f"SESBOUNCE_WEBHOOK_SECRETS holds no secret for {missing[0]}")
    return [_endpoint(name, written[name], given[name]) for name in sorted(written)]


def signing_keys(text: str) -> tuple[bytes, ...]:
    """Read the secrets of an endpoint, which commas separate.

    A secret is `whsec_` and base64, as Standard Webhooks writes it; any other text stands for its
    own bytes.

    Raises:
        ValueError: a secret is too short, or not base64 behind `whsec_`.
    """
    return tuple(map(_key, split(text) if "," in text else [text]))


def check_url(endpoint: Endpoint, *, insecure: bool) -> None:
    """Make sure that the URL of an endpoint begins with https://.

    Args:
        endpoint: the endpoint.
        insecure: whether the URL may begin with http:// as well.

    Raises:
        ValueError: the URL begins with something else.
    """
    if endpoint.url.startswith("https://") or (insecure and endpoint.url.startswith("http://")):
        return
    variable = "SESBOUNCE_WEBHOOK_URL" if endpoint.name == ONLY else "SESBOUNCE_WEBHOOKS"
    where = variable if endpoint.name == ONLY else f"{variable}, {endpoint.name}: the URL"
    raise ValueError(f"{where} should begin with https://, or set SESBOUNCE_WEBHOOK_INSECURE=true")


def _decode(variable: str, text: str, type_: type[_T]) -> _T:
    try:
        return msgspec.json.decode(text or "{}", type=type_)
    except msgspec.DecodeError as error:
        raise ValueError(
            f"{variable} is no JSON object as docs/webhooks.md describes it: {error}"
        ) from None


def _endpoint(name: str, written: _Written, secret: str) -> Endpoint:
    if not _NAME.fullmatch(name) or name == ONLY:
        raise ValueError(
            "the name of a webhook has at most 40 of the characters a to z, 0 to 9, `-` and `_`, "
            f"and is not `{ONLY}`"
        )
    _check("types", name, written.types, TYPES)
    _check("reasons", name, written.reasons, Reason)
    try:
        keys = signing_keys(secret)
    except ValueError as error:
        raise ValueError(f"SESBOUNCE_WEBHOOK_SECRETS, {name}: {error}") from None
    return Endpoint(name, written.url, keys, frozenset(written.types), frozenset(written.reasons))


def _check(what: str, name: str, given: Sequence[str], known: Iterable[str]) -> None:
    if not set(given) <= set(known):
        raise ValueError(
            f"SESBOUNCE_WEBHOOKS, {name}: each of the {what} must be one of {', '.join(known)}"
        )


def _key(secret: str) -> bytes:
    if not secret.strip().startswith(_SECRET_PREFIX):
        if len(secret) < _SECRET_LENGTH:
            raise ValueError(
                f"the secret has fewer than {_SECRET_LENGTH} characters; make one with "
                "`echo whsec_$(openssl rand -base64 32)`"
            )
        return secret.encode()
    encoded = secret.strip().removeprefix(_SECRET_PREFIX)
    try:
        key = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) not in _KEY_BYTES:
        raise ValueError(
            "a secret that begins with whsec_ must go on with the base64 of 24 to 64 bytes; make "
            "one with `echo whsec_$(openssl rand -base64 32)`"
        )
    return key
