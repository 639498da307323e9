"""Keeps cells of a CSV from being formulas in a spreadsheet program.

Whoever may write to a mailbox may choose its address: `=HYPERLINK("http://…")@example.com`. Excel,
LibreOffice and Google Sheets run a cell that begins so when somebody opens the file. An apostrophe
before it makes it a text. https://owasp.org/www-community/attacks/CSV_Injection
"""

import re
from collections.abc import Sequence

from sesbounce.policy.suppressed import Suppressed

# The apostrophes that a cell begins with itself count, so that `unguarded` gives the same cell.
_FORMULA = re.compile(r"'*(?:\s*[=+@＝＋－＠-]|[\t\r\n])")  # noqa: RUF001
# The columns of sesbounce's own CSV; earlier versions wrote none for the stream.
_OWN = (
    Suppressed.__struct_fields__,
    tuple(name for name in Suppressed.__struct_fields__ if name != "stream"),
)
# `-5`, `+49 (30) 1234`: nothing in it could call a function.
_NUMBER = re.compile(r"[+-][\d\s.,()/-]*")


def guarded(cell: str) -> str:
    """The cell, with an apostrophe before it if it would be a formula."""
    if cell[:1].isalnum() or not _FORMULA.match(cell) or _NUMBER.fullmatch(cell):
        return cell
    return f"'{cell}"


def unguarded(cell: str) -> str:
    """The cell that `guarded` was given."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def is_own(header: Sequence[str] | None) -> bool:
    """Whether a header is the one of sesbounce's own CSV, whose cells are guarded."""
    return header is not None and tuple(name.strip().casefold() for name in header) in _OWN
