"""Hides the local part of addresses in text, because it identifies a person; the domain stays.

The local part is an atom with dots or a quoted string (RFC 5321, section 4.1.2; characters of any
script by RFC 6531), and a comment may follow it (RFC 5322, section 3.4.1). A host needs no dot. The
@ may be encoded as in a URL (`%40`), in HTML or in JSON, or be a wide one. Where the start of an
address is in doubt, more is hidden: `to=jane@example.com` becomes `…@example.com`.
"""

import re

_AT = r"(?:[@＠﹫]|%(?:25)?40|&\#(?:0*64|x0*40);|&commat;|\\u0040)"  # noqa: RUF001
# All characters but blanks and those that separate addresses. So combining marks, zero-width
# characters and symbols belong to an address.
_ATOM = r"""[^\s<>()\[\],;:"\\@＠﹫]"""  # noqa: RUF001
# The lengths are limited, so that the time grows only linearly with the length of any text; for
# the same reason a run of atoms begins where it begins, and a match never goes back in it (`++`).
# Within a string of JSON, the quotes themselves have backslashes.
_QUOTED = r'''(?<!\\)"(?:[^"\\]|\\.){0,500}+"|\\"(?:[^"\\]|\\[^"]){0,500}+\\"'''
_COMMENT = r"(?:\([^()]{0,200}+\))?"
_ADDRESS = re.compile(
    rf"""(?:(?:(?<!{_ATOM})|(?<=%40)|(?<=%2540))(?:(?!{_AT}){_ATOM})++|{_QUOTED}){_COMMENT}"""
    # Before the `…` of an earlier pass, nothing more is hidden.
    rf"""(?<!…)({_AT})(?={_ATOM}|\[)""",
    re.IGNORECASE | re.DOTALL,
)
_MOST_PASSES = 10


def redact(text: str) -> str:
    """Replace the local part of everything that looks like an address by `…`."""
    # What is left of a text with odd quotes may look like an address in its turn.
    for _ in range(_MOST_PASSES):
        redacted = _ADDRESS.sub(r"…\1", text)
        if redacted == text:
            break
        text = redacted
    return text
