"""Hides addresses in text: the local part, which names a person; the domain stays.

The local part is an atom with dots or a quoted string (RFC 5321, section 4.1.2; letters of any
script by RFC 6531). A host needs no dot, and `%40` is the @ of a URL. In doubt more is hidden:
`to=jane@example.com` becomes `…@example.com`.
"""

import re
from collections.abc import Mapping
from typing import Any

# What an atom is made of, and the dot. A match begins where such a run begins and never goes back
# in it (`++`), so that the time it takes grows with the length of the text, whatever it says.
_ATOM = r"[\w.!#$%&'*+/=?^`{|}~-]"
_ADDRESS = re.compile(
    rf"""(?:(?:(?<!{_ATOM})|(?<=%40))(?:(?!%40){_ATOM})++|"[^"\n]*+")(@|%40)(?=[\w\[])""",
    re.IGNORECASE,
)
_AS_THEY_ARE = (bool, int, float, type(None))


def redact(text: str) -> str:
    """The text with `…` in place of the local part of whatever looks like an address."""
    return _ADDRESS.sub(r"…\1", text)


def redact_all(value: Any) -> Any:
    """The same for every string in a value, however deep, keys included.

    What is no text, number, mapping or sequence is shown as Python does, and redacted as well: an
    exception, say, may quote an address.
    """
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, _AS_THEY_ARE):
        return value
    if isinstance(value, Mapping):
        return {redact_all(key): redact_all(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [redact_all(item) for item in value]
    return redact(repr(value))
