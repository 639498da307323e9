"""Seals values that a browser keeps: nobody else can read them, change them or make them up.

A cookie holds a sealed session, and a link a sealed address: so no history, log or bookmark shows
either. All processes with the same secret open each other's seals, without a table.
"""

import base64
import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_T = TypeVar("_T")
_KEY_BYTES = 32


class Sealer:
    """Seals values for one purpose: Fernet (AES-128-CBC, HMAC-SHA-256) under keys of its own."""

    def __init__(
        self, keys: Sequence[str], purpose: str, clock: Callable[[], datetime], lifetime: timedelta
    ) -> None:
        """Make one.

        Args:
            keys: the secret keys; the first one seals, and all of them open.
            purpose: nothing that was sealed for another purpose is opened.
            clock: tells the time, UTC.
            lifetime: the time after which a seal is not opened any more.
        """
        self._fernet = MultiFernet([Fernet(_derived(key, purpose)) for key in keys])
        self._clock = clock
        self._lifetime = int(lifetime.total_seconds())

    def seal(self, value: object) -> str:
        """Seal a value; the text is safe in a cookie and in a path."""
        raw = self._fernet.encrypt_at_time(msgspec.json.encode(value), self._now())
        return raw.decode().rstrip("=")

    def open(self, text: str, kind: type[_T]) -> tuple[_T, datetime] | None:
        """The value of a seal, and when it was sealed, UTC.

        None where the text is no seal of this purpose, is too old, or holds no value of this kind.
        """
        raw = (text + "=" * (-len(text) % 4)).encode(errors="replace")
        try:
            opened = self._fernet.decrypt_at_time(raw, self._lifetime, self._now())
            value = msgspec.json.decode(opened, type=kind)
        except (InvalidToken, msgspec.DecodeError):
            return None
        return value, datetime.fromtimestamp(self._fernet.extract_timestamp(raw), UTC)

    def _now(self) -> int:
        return int(self._clock().timestamp())


def new_key() -> str:
    """A key that this process alone knows."""
    return secrets.token_hex(_KEY_BYTES)


def _derived(key: str, purpose: str) -> bytes:
    hkdf = HKDF(SHA256(), _KEY_BYTES, salt=None, info=f"console {purpose}".encode())
    return base64.urlsafe_b64encode(hkdf.derive(key.encode()))
