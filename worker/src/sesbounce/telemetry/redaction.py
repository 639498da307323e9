"""Hides the local part of addresses in text, because it identifies a person; the domain stays.

The local part is an atom with dots or a quoted string (RFC 5321, section 4.1.2; letters of any
script by RFC 6531). A host needs no dot, and `%40` is the @ of a URL. Where the start of an
address is in doubt, more is hidden: `to=jane@example.com` becomes `…@example.com`.
"""

import re
from collections.abc import Mapping
from typing import Any

# The characters of an atom, and the dot. A match begins where a run of these begins and never goes
# back in it (`++`), so that the time grows only linearly with the length of any text.
_ATOM = r"[\w.!#$%&'*+/=?^`{|}~-]"
_ADDRESS = re.compile(
    rf"""(?:(?:(?<!{_ATOM})|(?<=%40))(?:(?!%40){_ATOM})++|"[^"\n]*+")(@|%40)(?=[\w\[])""",
    re.IGNORECASE,
)
_WITHOUT_TEXT = (bool, int, float, type(None))


def redact(text: str) -> str:
    """Replace the local part of everything that looks like an address by `…`."""
    return _ADDRESS.sub(r"…\1", text)


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
