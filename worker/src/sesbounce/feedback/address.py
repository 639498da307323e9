"""Normalises an e-mail address as SES wrote it to the key under which the database stores it."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping
from email.utils import quote, unquote
from urllib.parse import unquote as percent_decoded

import msgspec

from sesbounce.feedback.invisible import AROUND, without_invisible

# RFC 5321, 4.5.3.1: 64 octets of local part, "@", 255 octets of domain.
MAX_LENGTH = 320

# RFC 5322, 2.1.1. A longer text is no address, and slow to normalise.
LONGEST_LINE = 998

# RFC 5322, 3.2.3: `atext` excludes these. A text with one of them in its domain or in an
# unquoted local part is no address.
_FORBIDDEN = frozenset(' ()<>[]:;@\\,"')

# The labels of a host name (RFC 1035, 2.3.4; RFC 1123, 2.1), with the underscores of real ones.
_LABELS = r"[\w-]{1,63}(?:\.[\w-]{1,63})*"
_HOST = re.compile(_LABELS, re.ASCII)
_LONGEST_HOST = 253
# An address literal (RFC 5321, 4.1.3), in lower case.
_LITERAL = re.compile(r"\[(?:[\w-]+:)?[0-9a-f.:]+\]", re.ASCII)

# What nearly all addresses look like. There is nothing to clean in such a text.
_PLAIN = re.compile(rf"[\w.+-]+@{_LABELS}", re.ASCII)
# The type of an address in a delivery status (RFC 3464, 2.1.2; RFC 6533, 3), and how Exchange
# writes it; a source route (RFC 5321, appendix C).
_PREFIX = re.compile(r"(?:rfc822|utf-8|smtp)\s*[;:]|@[^:@\"]+(?:,@[^:@\"]+)*:", re.IGNORECASE)
_MAILTO = re.compile(r"mailto:([^?]*)(?:\?.*)?", re.IGNORECASE | re.DOTALL)
# A comment (RFC 5322, 3.2.2), which may hold comments.
_COMMENT = r"\((?:[^()]|\([^()]*\))*\)"
_COMMENTS = re.compile(rf"^{_COMMENT}|{_COMMENT}$")
# An address that a separator follows: before another address it is an item of a list. A display
# name that looks like one stands in quotes.
_ITEM = re.compile(r"@[^\s,;<>@]+>?\s*[,;]")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
# What may stand in pairs around a whole address: spreadsheets and mail clients write it.
_PAIRS = {'"': '"', "'": "'", "`": "`", "(": ")", "[": "]", "{": "}", "“": "”", "‘": "’", "«": "»"}  # noqa: RUF001

_NO_JOINERS = dict.fromkeys(map(ord, "\u200c\u200d"))
# How many things may stand around an address; a text with more of them is an attack.
_MOST_LAYERS = 10


class Address(msgspec.Struct, frozen=True, gc=False):
    """An address and its key.

    Attributes:
        key: equal for all spellings of one mailbox: nothing around the address, no invisible
            character, lower case, the domain as IDNA A-labels (RFC 5891), at most 320 characters.
        original: the text as it was received.
        parsed: whether the text is an address. If not, no mail can reach it, and the key serves
            to find what SES has said about the text: if all but the domain is that of an address
            (`jane@example.com/x`), the key is made as that of one; else it is the text in lower
            case.
    """

    key: str
    original: str
    parsed: bool


def parse(text: str) -> Address:
    """Read one address as it stands in an SES message, with or without a display name.

    The local part is converted to lower case: RFC 5321 allows hosts to distinguish case, but no
    large one does. Dots and `+tags` stay: each provider gives them its own meaning. The function
    never raises: a text that is no address is kept, with `parsed` false.
    """
    if len(text) <= _LONGEST_HOST and _PLAIN.fullmatch(text):
        return Address(text.lower(), text, parsed=True)
    return _read(text)


def as_list(given: Iterable[str]) -> list[str]:
    """The addresses, of which a caller without type checks may have passed something else.

    One text would be taken for a list of letters, each of which is no address.

    Raises:
        TypeError: this is one address, a dict, or holds what is no text.
    """
    kind = type(given).__name__
    if isinstance(given, str | bytes | bytearray | Mapping) or not isinstance(given, Iterable):
        raise TypeError(f"pass a list of addresses, may_mail([address]); this is one {kind}")
    addresses = list(given)
    for number, address in enumerate(addresses, 1):
        if not isinstance(address, str):
            raise TypeError(
                f"pass a list of addresses, each a str; number {number} is a "
                f"{type(address).__name__}"
            )
    return addresses


def _read(text: str) -> Address:
    """What `parse` makes of any text; of a plain one, the same in ten times as long."""
    if len(text) > LONGEST_LINE:
        return _unparsed(text)
    bare = without_display_name(unicodedata.normalize("NFC", text))
    local, _, domain = bare.rpartition("@")
    key = f"{_fold_local(local)}@{_fold_domain(domain)}"
    if key.startswith("@") or key.endswith("@") or len(key) > MAX_LENGTH:
        return _unparsed(text)
    return Address(key, text, parsed=_is_domain(key.rpartition("@")[2]))


def _unparsed(text: str) -> Address:
    # Databases differ on NUL; a key must be the same in all of them.
    folded = " ".join(text.lower().split()).replace("\0", "\N{REPLACEMENT CHARACTER}")
    # Bytes of a command line that are no text come as lone surrogates, which no database takes.
    folded = folded.encode(errors="backslashreplace").decode()
    return Address(_bounded(folded), text, parsed=False)


def without_display_name(text: str) -> str:
    """The address itself, as it was written: without all that may stand around it.

    That is a display name, a comment (`a@b (x)`), an address type (`rfc822; a@b`), `mailto:`,
    quotes, a separator at the end of a list's item (`a@b;`), and characters that nobody sees.

    Parsers of RFC 5322 headers fail on the unquoted commas and dots of real display names, or
    read the first word as the address. So only the brackets are read.
    """
    if len(text) > LONGEST_LINE:
        return text.strip()
    bare = without_invisible(text).strip(AROUND)
    for _ in range(_MOST_LAYERS):
        if (inner := _unwrapped(bare)) == bare:
            local, at, domain = (_COMMENTS.sub("", part).strip() for part in bare.rpartition("@"))
            return f"{local}{at}{domain}"
        bare = inner
    return text.strip()


def _unwrapped(text: str) -> str:
    """The text without the outermost of the things that may stand around an address."""
    text = text.rstrip(";:,. ").lstrip(";, ")
    if _PAIRS.get(text[:1]) == text[-1:] and _is_alone(text[1:-1], text[0], text[-1]):
        return text[1:-1].strip()
    text = _COMMENTS.sub("", text).strip()
    if text.endswith(">"):
        name, _, inner = text[:-1].rpartition("<")
        if _ITEM.search(_QUOTED.sub("", name)):
            return text  # a list: to judge its last address would let the others pass
        text = inner
    elif ">" not in text:
        text = text.removeprefix("<")
    text = _PREFIX.sub("", text, count=1) if _PREFIX.match(text) else text
    if mailto := _MAILTO.fullmatch(text):
        text = without_invisible(percent_decoded(mailto[1]))
    return text.strip()


def _is_alone(inner: str, start: str, end: str) -> bool:
    """Whether the text in a pair is one address: not two comments around one (`(a) b@c (d)`)."""
    nests = inner.count(start) == inner.count(end) and inner.find(start) <= inner.find(end)
    return inner.count("@") == 1 and (start == end or nests)


def _is_printable(text: str) -> bool:
    """Whether a text can be printed; what is left of joiners, which can't, is a part of a word."""
    return text.translate(_NO_JOINERS).isprintable()


def _fold_local(local: str) -> str:
    """The local part in lower case, quoted only where needed; empty if it is not valid."""
    quoted = len(local) > 1 and local[0] == local[-1] == '"'
    content = unquote(local) if quoted else local
    if not content or not _is_printable(content):
        return ""
    if _FORBIDDEN.isdisjoint(content):
        return content.lower()
    return f'"{quote(content.lower())}"' if quoted else ""


def _fold_domain(domain: str) -> str:
    """The domain in lower case as A-labels, without a final dot; empty if it is not valid.

    Real bounces come from domains that exist in DNS although IDNA forbids them (underscores): so
    ASCII domains are converted to lower case and not checked against IDNA.
    """
    domain = domain.rstrip(".").lower()
    literal = domain.removeprefix("[").removesuffix("]") if domain.startswith("[") else domain
    if not domain or not _is_printable(domain) or domain.startswith("."):
        return ""
    if ".." in domain:
        return ""
    # An address literal (RFC 5321, 4.1.3) may hold the colons of IPv6.
    if not (_FORBIDDEN - {":"} if literal != domain else _FORBIDDEN).isdisjoint(literal):
        return ""
    if domain.isascii():
        return domain
    import idna  # noqa: PLC0415  slow, and few domains need it

    try:
        # IDNA also reads some full stops outside ASCII as dots.
        return idna.encode(domain, uts46=True).decode().rstrip(".")
    except idna.IDNAError:
        return ""


def _is_domain(key: str) -> bool:
    """Whether a folded domain can be the name of a host, or is an address literal."""
    return bool(_LITERAL.fullmatch(key) or (len(key) <= _LONGEST_HOST and _HOST.fullmatch(key)))


def _bounded(text: str) -> str:
    """The text; of a text that is too long, its start and a digest that keeps it distinct."""
    if len(text) <= MAX_LENGTH:
        return text
    digest = hashlib.sha256(text.encode(errors="replace")).hexdigest()[:32]
    return f"{text[: MAX_LENGTH - len(digest) - 1]}#{digest}"
