"""The keyed hash that replaces a forgotten address in the database.

It is the HMAC-SHA256 (RFC 2104) of the address under a secret key that is not in the database.
With the key, sesbounce recognises the address when it occurs again; without it, nobody can
compute the address from the hash.
"""

import hmac
from collections.abc import Sequence

import msgspec

from sesbounce.errors import ConfigurationError

# The keys of addresses are in lower case: none can begin with this prefix.
PREFIX = "HMAC-SHA256:"


class HashKeys:
    """The secret keys of the hashes, newest first; empty where no address may be forgotten."""

    def __init__(self, keys: Sequence[str] = ()) -> None:
        self._keys = [key.encode() for key in keys]

    def __bool__(self) -> bool:
        return bool(self._keys)

    def hashes(self, address: str) -> list["Hash"]:
        """The hash of an address under each secret key, the newest key first.

        Args:
            address: the key of the address; see `sesbounce.feedback.address`.
        """
        return [Hash(PREFIX + _hmac(key, address), key) for key in self._keys]

    @property
    def checks(self) -> list[str]:
        """A check value of each secret key, newest first: 16 hex digits that do not reveal it."""
        return [_hmac(key, "")[:16] for key in self._keys]

    def require(self, checks: str) -> None:
        """Verify that these keys include every key under which an address was forgotten.

        Args:
            checks: the check values of those keys, separated by commas.

        Raises:
            ConfigurationError: a key is missing.
        """
        missing = {check for check in checks.split(",") if check} - set(self.checks)
        if missing:
            raise ConfigurationError(
                "addresses were forgotten under a key that SESBOUNCE_HASH_KEY does not hold: "
                "without it they would seem unknown, and the sender would mail them. Set it to the "
                "worker's keys, the newest first, separated by commas"
            )


NO_KEYS = HashKeys()


class Hash(msgspec.Struct, frozen=True):
    """The hash of one forgotten address.

    Attributes:
        pseudonym: `HMAC-SHA256:` and 64 hex digits; replaces the key of the address.
        key: the secret key that made it.
    """

    pseudonym: str
    key: bytes

    def digest(self, text: str) -> str:
        """64 hex digits, equal for equal texts of this address only.

        Nothing links the events of one address to those of another, not even the id of a mail
        that both received.
        """
        # The text as the database stores it: see `columns.Words`.
        stored = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
        return _hmac(self.key, f"{self.pseudonym}\n{stored}")


def _hmac(key: bytes, text: str) -> str:
    return hmac.digest(key, text.encode(errors="replace"), "sha256").hex()


def is_forgotten(address: str) -> bool:
    """Whether a key of the table of addresses is the pseudonym of a forgotten address."""
    return address.startswith(PREFIX)
