"""The keyed hash that stands for a forgotten address."""

import hmac
from collections.abc import Sequence

import msgspec

from sesbounce.errors import ConfigurationError

# The keys of addresses are in lower case: none can begin like this.
PREFIX = "HMAC-SHA256:"


class HashKeys:
    """The secret keys of the hashes, newest first; none where nobody is forgotten."""

    def __init__(self, keys: Sequence[str] = ()) -> None:
        self._keys = [key.encode() for key in keys]

    def __bool__(self) -> bool:
        return bool(self._keys)

    def hashes(self, address: str) -> list["Hash"]:
        """What an address is called once it is forgotten, under each key, newest first.

        Args:
            address: the key of the address; see `sesbounce.feedback.address`.
        """
        return [Hash(PREFIX + _hmac(key, address), key) for key in self._keys]

    @property
    def checks(self) -> list[str]:
        """What tells the keys from others without telling them, newest first."""
        return [_hmac(key, "")[:16] for key in self._keys]

    def demand(self, checks: str) -> None:
        """Make sure that all keys are here under which addresses have been forgotten.

        Args:
            checks: their `checks`, separated by commas.

        Raises:
            ConfigurationError: one is missing.
        """
        missing = {check for check in checks.split(",") if check} - set(self.checks)
        if missing:
            raise ConfigurationError(
                "addresses were forgotten under a key that SESBOUNCE_HASH_KEY does not hold: "
                "without it they would seem unknown and be mailed again. Give this process the "
                "keys of the worker, the newest first, separated by commas"
            )


NO_KEYS = HashKeys()


class Hash(msgspec.Struct, frozen=True):
    """The name of one forgotten address, and how to hash what belongs to it.

    Attributes:
        name: `HMAC-SHA256:` and 64 hex digits; stands where the key of the address stood.
        key: the secret under which it was made.
    """

    name: str
    key: bytes

    def of(self, text: str) -> str:
        """64 hex digits, equal for equal texts of this address alone.

        Nothing links the events of one address to those of another, not even the id of a mail
        that went to both.
        """
        # As databases keep it: see `columns.Words`.
        kept = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
        return _hmac(self.key, f"{self.name}\n{kept}")


def _hmac(key: bytes, text: str) -> str:
    return hmac.digest(key, text.encode(errors="replace"), "sha256").hex()


def is_forgotten(address: str) -> bool:
    """Whether a key of the table of addresses is the name of a forgotten one."""
    return address.startswith(PREFIX)
