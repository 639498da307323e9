r"""Shows characters that would act on a terminal or on a reader, instead of sending them there.

Mail servers and mailbox owners choose what diagnostics and addresses hold: an escape sequence that
rewrites the screen, an end of line that begins a forged line, a mark that turns the order of
letters round. Each such character is shown as its number: `\x1b`, `\u202e`.
"""

import json
import re
from collections.abc import Callable
from unicodedata import category

# Controls (ESC, CR, C1), format characters (bidi marks, zero-width ones), lone surrogates, private
# and unassigned characters, and the separators of lines and paragraphs. Unicode, table 4-4.
_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_SUSPECT = re.compile(r"[^ -~]")


def visible(text: str) -> str:
    """The text on one line, with its unsafe characters shown."""
    return _replaced(text, _shown)


def visible_lines(text: str) -> str:
    """The same for a text of several lines, whose ends and tabs stay."""
    return _replaced(
        text, lambda character: character if character in "\n\t" else _shown(character)
    )


def visible_json(text: str) -> str:
    r"""The same for JSON: the text means what it meant, and its unsafe characters are `\u009b`."""
    return _replaced(
        text, lambda c: c if c in "\n\t" else json.dumps(c)[1:-1].replace("\x7f", r"\u007f")
    )


def _replaced(text: str, shown: Callable[[str], str]) -> str:
    # Nearly all texts are printable, and end here.
    if text.isprintable():
        return text
    return _SUSPECT.sub(lambda match: shown(match[0]) if _is_unsafe(match[0]) else match[0], text)


def _is_unsafe(character: str) -> bool:
    return category(character) in _UNSAFE


def _shown(character: str) -> str:
    return character.encode("unicode_escape").decode()
