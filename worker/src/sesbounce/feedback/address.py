"""One e-mail address, as SES wrote it, brought to the key under which it is remembered."""

import hashlib
import unicodedata
from email.utils import quote, unquote

import idna
import msgspec

# RFC 5321, 4.5.3.1: 64 octets of local part, "@", 255 octets of domain.
MAX_LENGTH = 320

# RFC 5322, 2.1.1. What is longer is no address, and would take its time to normalise.
_LONGEST_LINE = 998

# RFC 5322, 3.2.3 `atext` leaves these out; an unquoted local part or a domain with one of
# them is no address.
_FORBIDDEN = frozenset(' ()<>[]:;@\\,"')


class Address(msgspec.Struct, frozen=True):
    """An address and its key.

    Attributes:
        key: what equal mailboxes share: no display name, lower case, the domain as IDNA
            A-label (RFC 5891), at most 320 characters.
        original: the text as it was received.
        parsed: whether the text is an address; if not, the key is the text itself, folded.
    """

    key: str
    original: str
    parsed: bool


def parse(text: str) -> Address:
    """Read one address as it stands in an SES message, with or without a display name.

    The local part is folded to lower case although RFC 5321 lets a host tell cases apart:
    none of note does. Dots and `+tags` stay, for what they mean is the provider's affair.
    Never raises: what is no address is kept and flagged.
    """
    if len(text) > _LONGEST_LINE:
        return _unparsed(text)
    bare = without_display_name(unicodedata.normalize("NFC", text))
    local, _, domain = bare.rpartition("@")
    key = f"{_fold_local(local)}@{_fold_domain(domain)}"
    if key.startswith("@") or key.endswith("@") or len(key) > MAX_LENGTH:
        return _unparsed(text)
    return Address(key, text, parsed=True)


def _unparsed(text: str) -> Address:
    # Databases differ on NUL; a key must be the same in all of them.
    folded = " ".join(text.lower().split()).replace("\0", "\N{REPLACEMENT CHARACTER}")
    return Address(_bounded(folded), text, parsed=False)


def without_display_name(text: str) -> str:
    """The address as it was written: what stands in the angle brackets, if there are any.

    The parsers of RFC 5322 headers give up on the unquoted commas and dots that real display
    names hold, or take the first word for the address; the brackets are what counts.
    """
    text = text.strip()
    return text[:-1].rpartition("<")[2].strip() if text.endswith(">") else text


def _fold_local(local: str) -> str:
    """The local part in lower case, quoted only where it must be; empty if it is none."""
    quoted = len(local) > 1 and local[0] == local[-1] == '"'
    content = unquote(local) if quoted else local
    if not content or not content.isprintable():
        return ""
    if _FORBIDDEN.isdisjoint(content):
        return content.lower()
    return f'"{quote(content.lower())}"' if quoted else ""


def _fold_domain(domain: str) -> str:
    """The domain in lower case as A-labels, without the root's dot; empty if it is none.

    Real bounces come from domains that DNS names but IDNA forbids (underscores): ASCII
    domains are folded, not judged.
    """
    domain = domain.rstrip(".").lower()
    literal = domain.removeprefix("[").removesuffix("]") if domain.startswith("[") else domain
    if not domain or not domain.isprintable() or ".." in domain:
        return ""
    # An address literal (RFC 5321, 4.1.3) may hold the colons of IPv6.
    if not (_FORBIDDEN - {":"} if literal != domain else _FORBIDDEN).isdisjoint(literal):
        return ""
    if domain.isascii():
        return domain
    try:
        # IDNA knows full stops that are not ASCII's.
        return idna.encode(domain, uts46=True).decode().rstrip(".")
    except idna.IDNAError:
        return ""


def _bounded(text: str) -> str:
    """The text, or for an overlong one its start and a digest that keeps it distinct."""
    if len(text) <= MAX_LENGTH:
        return text
    digest = hashlib.sha256(text.encode(errors="replace")).hexdigest()[:32]
    return f"{text[: MAX_LENGTH - len(digest) - 1]}#{digest}"
