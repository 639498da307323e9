"""Pure: which recipients of a mail are left after the suppressed ones are dropped."""

import re
from collections.abc import Iterable, Mapping, Sequence
from email.parser import BytesHeaderParser
from email.policy import SMTPUTF8

from sesbounce.errors import Suppressed
from sesbounce.feedback.address import parse
from sesbounce.feedback.provider import SIMULATOR

_BCC = re.compile(rb"^bcc[ \t]*:.*\n(?:[ \t].*\n)*", re.IGNORECASE | re.MULTILINE)
_END_OF_HEADERS = re.compile(rb"\r?\n\r?\n")

Groups = Mapping[str, Sequence[str]]
"""Recipients by the field that names them, such as `ToAddresses` or `cc`."""


def is_simulator(key: str) -> bool:
    """Whether the key is that of a mailbox of SES's simulator, which every sender may mail.

    See https://docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html.
    """
    return key.endswith(f"@{SIMULATOR}")


def everybody(groups: Groups) -> list[str]:
    """All recipients of a mail.

    Raises:
        TypeError: these are no lists of texts, which a caller without type checks may have passed.
    """
    if not isinstance(groups, Mapping):
        raise TypeError(
            f"pass recipients as a dict of lists of addresses; this is a {type(groups).__name__}"
        )
    return [recipient for field, group in groups.items() for recipient in _texts(field, group)]


def _texts(field: str, group: object) -> Iterable[str]:
    """The recipients of a field; one text would be taken for a list of letters."""
    if isinstance(group, str | bytes) or not isinstance(group, Iterable):
        raise TypeError(f"{field} must be a list of addresses; this is a {type(group).__name__}")
    for recipient in group:
        if not isinstance(recipient, str):
            raise TypeError(
                f"{field} must be a list of addresses, each a str; one is a "
                f"{type(recipient).__name__}"
            )
        yield recipient


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

    A header that can't be read counts as one recipient, which is no address.
    """
    headers = BytesHeaderParser().parsebytes(message).raw_items()
    found: dict[str, list[str]] = {"to": [], "cc": [], "bcc": []}
    for name, value in headers:
        if name.lower() in found:
            text = str(value).encode("ascii", "surrogateescape").decode("utf-8", "replace")
            found[name.lower()] += _addresses(text)
    return found


def sender_in_headers(message: bytes) -> str | None:
    """The first address that the header From of a MIME message names; None if it names none."""
    for name, value in BytesHeaderParser().parsebytes(message).raw_items():
        if name.lower() == "from":
            text = str(value).encode("ascii", "surrogateescape").decode("utf-8", "replace")
            return next(iter(_addresses(text)), None)
    return None


def _addresses(header: str) -> Iterable[str]:
    unfolded = " ".join(header.splitlines())
    try:
        parsed = SMTPUTF8.header_factory("To", unfolded).addresses
    except Exception:  # noqa: BLE001  the parser has raised many kinds of them for broken headers
        return [unfolded]
    return [_with_a_labels(address.addr_spec) for address in parsed]


def _with_a_labels(address: str) -> str:
    """The address with its domain in A-labels, without which SES takes none as a parameter."""
    found = parse(address)
    if address.isascii() or not found.parsed:
        return address
    return f"{address.rpartition('@')[0]}@{found.key.rpartition('@')[2]}"


def without_bcc(message: bytes) -> bytes:
    """The message without its header Bcc; all else stays as it is, byte for byte."""
    end = _END_OF_HEADERS.search(message)
    length = end.start() + 1 if end else len(message)
    if end and end[0].startswith(b"\r"):
        length += 1
    return _BCC.sub(b"", message[:length]) + message[length:]
