"""Pure: which recipients of a mail are left after the suppressed ones are dropped."""

import re
from collections.abc import Iterable, Mapping, Sequence
from email.errors import InvalidHeaderDefect
from email.policy import SMTPUTF8

from sesbounce.errors import Suppressed
from sesbounce.feedback.address import parse, without_display_name
from sesbounce.feedback.provider import SIMULATOR

# A line may end as it likes, and the last one with the message.
_LINE = rb"[^\r\n]*(?:\r\n|\r|\n|\Z)"


def _header(names: bytes) -> re.Pattern[bytes]:
    """Finds headers: the name, and the text with its folded lines.

    Python's parser ends the headers at the first line that breaks the rules, and would not see
    recipients behind it.
    """
    pattern = rb"(?:\A|(?<=[\r\n]))(%b)[ \t]*:(%b(?:[ \t]%b)*)" % (names, _LINE, _LINE)
    return re.compile(pattern, re.IGNORECASE)


_TO_CC_BCC, _BCC, _FROM = _header(b"to|cc|bcc"), _header(b"bcc"), _header(b"from")
_END_OF_HEADERS = re.compile(rb"(\r\n|\r(?!\n)|\n)(?:\r\n|\r|\n)")
# A recipient of a header that breaks the rules: the text between two separators. Neither a quoted
# text, nor brackets or a comment, end at a separator within them.
_PART = re.compile(r'(?:"(?:[^"\\]|\\.)*"|<[^<>]*>|\([^()]*\)|[^,;])+')
_BRACKETS = re.compile(r"<[^<>]+>")
_NAME_OF_GROUP = re.compile(r'^[^@<>":]*:')

Groups = Mapping[str, Sequence[str]]
"""Recipients by the field that names them, such as `ToAddresses` or `cc`."""


def is_simulator(key: str) -> bool:
    """Whether the key is that of a mailbox of SES's simulator, which every sender may mail.

    See https://docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html.
    """
    return key.endswith(f"@{SIMULATOR}")


def everybody(groups: Groups) -> list[str]:
    """All recipients of a mail."""
    return [recipient for group in groups.values() for recipient in group]


def kept(groups: Groups, refused: Mapping[str, str]) -> dict[str, list[str]]:
    """The recipients that are left, as they were written and in their order.

    Args:
        groups: the recipients of one mail.
        refused: why a recipient may not be mailed, by recipient; it may hold others, too.

    Raises:
        Suppressed: the mail had recipients, and nobody is left.
    """
    left = {
        field: [recipient for recipient in group if recipient not in refused]
        for field, group in groups.items()
    }
    given = everybody(groups)
    if given and not everybody(left):
        raise Suppressed({recipient: refused[recipient] for recipient in given})
    return left


def in_headers(message: bytes) -> dict[str, list[str]]:
    """The recipients that the headers To, Cc and Bcc of a MIME message name, by header.

    A part of a header that can't be read counts as one recipient, which is no address.
    """
    found: dict[str, list[str]] = {"to": [], "cc": [], "bcc": []}
    head, _ = _parted(message)
    for name, text in _TO_CC_BCC.findall(head):
        found[name.lower().decode()] += _addresses(text)
    return found


def sender_in_headers(message: bytes) -> str | None:
    """The first address that the header From of a MIME message names; None if it names none."""
    head, _ = _parted(message)
    found = _FROM.search(head)
    return next(iter(_addresses(found[2])), None) if found else None


def _addresses(text: bytes) -> Iterable[str]:
    unfolded = " ".join(text.decode(errors="replace").splitlines())
    try:
        header = SMTPUTF8.header_factory("To", unfolded)
    except Exception:  # noqa: BLE001  the parser has raised many kinds of them for broken headers
        return _of_broken(unfolded)
    # The parser leaves out what stands behind a mistake: of `x@a.example <jane@b.example>` Jane.
    if any(isinstance(defect, InvalidHeaderDefect) for defect in header.defects):
        return _of_broken(unfolded)
    return [_with_a_labels(address.addr_spec) for address in header.addresses]


def _of_broken(header: str) -> list[str]:
    """The recipients of a header that breaks the rules, as lenient mail servers read it."""
    parts: list[str] = []
    for part in _PART.findall(header):
        text = _NAME_OF_GROUP.sub("", part).strip()
        bracketed = _BRACKETS.findall(text)
        parts += bracketed if len(bracketed) > 1 else [text]
    return [
        _with_a_labels(without_display_name(part)) if parse(part).parsed else part
        for part in parts
        if part
    ]


def _with_a_labels(address: str) -> str:
    """The address with its domain in A-labels, without which SES takes none as a parameter."""
    found = parse(address)
    if address.isascii() or not found.parsed:
        return address
    return f"{address.rpartition('@')[0]}@{found.key.rpartition('@')[2]}"


def without_bcc(message: bytes) -> bytes:
    """The message without its header Bcc; all else stays as it is, byte for byte."""
    head, body = _parted(message)
    return _BCC.sub(b"", head) + body


def _parted(message: bytes) -> tuple[bytes, bytes]:
    """The headers of a message, and the rest, which begins with an empty line."""
    end = _END_OF_HEADERS.search(message)
    length = end.end(1) if end else len(message)
    return message[:length], message[length:]
