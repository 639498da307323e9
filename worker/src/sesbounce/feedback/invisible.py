"""Characters that nobody sees, and that people paste into addresses and messages unawares.

Source: the property Default_Ignorable_Code_Point of
https://www.unicode.org/Public/UCD/latest/ucd/DerivedCoreProperties.txt (zero-width characters,
the soft hyphen, controls of the writing direction, variation selectors, tags), with the marks
of interlinear annotation and the blank Braille pattern.
"""

import re

_INVISIBLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]+"
)
# The joiners have a meaning between letters of some scripts (RFC 5892, appendix A.1 and A.2), and
# none beside ASCII.
_JOINERS = re.compile("(?<![^\0-\x7f])[\u200c\u200d]+|[\u200c\u200d]+(?![^\0-\x7f])")

# What may stand around a text and is no part of it: blanks, control characters, the byte order
# mark and other marks without a width. For `str.strip`.
AROUND = "".join(
    map(chr, [*range(0x21), *range(0x7F, 0xA1), 0x1680, *range(0x2000, 0x2010), 0x2028, 0x2029])
)
AROUND += "\u202f\u205f\u2060\u3000\ufeff"


def without_invisible(text: str) -> str:
    """The text without its invisible characters."""
    if text.isascii():
        return text
    return _JOINERS.sub("", _INVISIBLE.sub("", text))
