"""Hides the local part of addresses in values of any kind, and in all that they hold."""

from collections.abc import Mapping
from typing import Any

from sesbounce.privacy.redaction import redact

__all__ = ["redact", "redact_all"]

_WITHOUT_TEXT = (bool, int, float, type(None))


def redact_all(value: Any) -> Any:
    """Redact every string in a value, at any depth, keys included.

    Of any other object the `repr` is redacted: an exception, for example, may quote an address.
    """
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, _WITHOUT_TEXT):
        return value
    if isinstance(value, Mapping):
        return {redact_all(key): redact_all(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [redact_all(item) for item in value]
    return redact(repr(value))
