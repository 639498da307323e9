"""Reads a `diagnosticCode`: the first reply of the receiving host, as plain words and codes.

Letter case, accents, hyphens and apostrophes make no difference. Addresses (with the name before
them), URLs and the names of hosts are replaced, so that no word in them counts as the host's.
"""

import re
import unicodedata
from html import unescape

import msgspec

# A diagnostic is a line or two; a much longer one is a mistake or an attack.
_LONGEST = 4000
# The words of the longest replies are within so many characters.
_LONGEST_WORDS = 1500

# Lines of a reply, also where a relay wrote the line break as text.
_LINE_BREAK = re.compile(r"<?cr><?lf>|<crlf>|\\r\\n|\\n|\r")
# What a relay writes before the reply of the host: `5.1.0 - Unknown address error 550-'…'`.
_OF_A_RELAY = re.compile(r"^\s*(?:smtp;)?\s*[45]\.\d\.\d - [a-z ]{1,60}(?=[245]\d\d-')")
# What Postfix and Exim write before the reply of another host.
_OF_A_HOST = re.compile(
    r"^\s*(?:[a-z0-9-]{1,20};)?\s*(?:host \S{1,255} (?:said|refused to talk to me)"
    r"|smtp error from remote mail server [^:\n]{1,40}:?\S{0,255}): (?=[245]\d\d[ -])"
)
# What Postfix and Cisco write after the reply of the host.
_AFTER = re.compile(r"\((?:in\s+reply\s+to\s[a-z\s]{1,40}|delivery attempts: \d{1,9})\)")
# SES's own words, before the last reply of the host.
_EXPIRED = re.compile(
    r"^\s*(?:smtp;)?\s*5\d\d 4\.4\.7 message expired: unable to deliver in \d{1,9} minutes\.?\s*<?"
)
_REPLY_CODE = re.compile(r"\s*(?:[a-z0-9-]{1,20};)?[^\w\n]{0,5}([245]\d\d)(?![\d.])", re.ASCII)
_CODE = re.compile(r"[245]\d\d(?:[ -]|$)", re.ASCII)
# Where a further line or a further reply begins. What another host `said` is no further reply.
# Each way begins with a blank: `re` then skips whatever is none without trying.
_FURTHER = re.compile(
    r"\s(?:(?:(?<=\n)|[/|])\s*([245]\d\d)(?:[ -]+(?:#?([245]\.\d{1,3}\.\d{1,3})\b)?|$)"
    r"|(?<=[\w.)\]] )(?<!said )(?<!with )(?<!was )(?<!error )(?<!reply )"
    r" *([245]\d\d)[ -]#?[245]\.\d{1,3}\.\d{1,3}\b)",
    re.ASCII,
)

# The status code of the last line of a reply; a hyphen says that more lines follow.
_LAST_LINE = re.compile(r" +(?:#?([245]\.\d{1,3}\.\d{1,3})\b)?", re.ASCII)
_BRACKETED = re.compile(r"""(?:"[^"\n]{0,100}"\s{0,5})?<[^<>\s]{0,320}>""")  # "Name" <address>
_QUOTED = re.compile(r""""[^"\n]{1,64}"@[^\s<>"'(),;:]{1,255}""")
# Two sentences without a blank between them.
_NO_BLANK = re.compile(r"\.(?<=[a-z]\.)(?=[A-Z])")
_ADDRESS = re.compile(r"""[^\s<>"'(),;:\[\]=]{1,100}@[^\s<>"'(),;:\[\]]{1,255}""")
_URL = re.compile(r"(?:https?:/{0,2}|www\.)[^\s<>\"']{1,1000}")
_DOTTED = re.compile(r"\.?\w[\w-]{0,63}(?:\.\w[\w-]{0,63}){1,20}")
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}", re.ASCII)
# Exchange writes the names of its classes: RESOLVER.ADR.RecipNotFound.
_CLASS_NAMES = re.compile("resolver|storedrv|exception|smtpsend|routing|queue|mapi")
_BLOCK_LISTS = re.compile(
    "spamhaus|spamcop|barracudacentral|sorbs|uceprotect|abusix|mailspike|abuseat|surbl|uribl|"
    "invaluement|psbl|senderscore|dnsbl|[rd]bl|spamrats|manitu|blocklist|blacklist|senderbase|"
    "talosintelligence|backscatterer"
)
_TOP_LEVEL = re.compile(r"[a-z]{2}|com|net|org|info|biz|edu|gov|mil|arpa|example|invalid|test")
_LABELS_OF_A_HOST = 3

# A sign that ends a sentence is a word of its own; so is a colon that no word precedes.
_ASCII_WORD = re.compile(r"[a-z][a-z0-9_]*|[245]\.\d{1,3}\.\d{1,3}|[@%.!?;]|(?<= ):", re.ASCII)
_HAN_OR_KANA = r"\u3005-\u30ff\u3400-\u9fff\uf900-\ufaff"
_HAN_OR_KANA_CHARACTER = re.compile(rf"[{_HAN_OR_KANA}]")
_BETWEEN_CHARACTERS = re.compile(rf"(?<=[{_HAN_OR_KANA}]) (?=[{_HAN_OR_KANA}])")
_WORD = re.compile(
    rf"[{_HAN_OR_KANA}]|[^\W\d_{_HAN_OR_KANA}][^\W{_HAN_OR_KANA}]*"
    r"|[245]\.\d{1,3}\.\d{1,3}|[@%.!?;]|(?<= ):"
)
_STROKES = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "\u0131": "i"} | {"\u2018": "'", "\u2019": "'", "\u3002": "."}
)


# Marks of Japanese that make another letter: か and が.
_VOICED = "\u3099\u309a"


class Reply(msgspec.Struct, frozen=True, gc=False):
    """The first reply of a host.

    Attributes:
        code: its reply code, three digits, or "".
        words: its words and enhanced status codes, a space before and after each.
    """

    code: str
    words: str

    @property
    def statuses(self) -> list[str]:
        """The enhanced status codes in it, the first one first."""
        return [word for word in self.words.split() if word[0].isdigit() and "." in word]


_NOTHING = Reply("", "")


def read_reply(diagnostic: str | None) -> Reply:
    """The first reply in a diagnostic.

    There may be several, as a host that gives up on a mail quotes another host's reply; then the
    lines of the first one count:
    `550 5.5.0 Invalid recipient.⏎554 5.5.1 No valid recipients⏎421 4.7.0 Too many errors`.
    """
    if not diagnostic:
        return _NOTHING
    text = diagnostic[:_LONGEST]
    text = _NO_BLANK.sub(". ", unescape(text) if "&" in text else text)
    ascii_only = text.isascii()
    text = text.lower() if ascii_only else folded(text)
    if "4.4.7" in text:
        text = _EXPIRED.sub("", text)
    if "reply" in text or "(delivery attempts" in text:
        text = _AFTER.sub("", text)
    if " said: " in text or " to me: " in text or "remote mail server" in text:
        text = _OF_A_HOST.sub("", text)
    if "-'" in text:
        text = _OF_A_RELAY.sub("", text)
    if "\r" in text or "cr>" in text or "<crlf" in text or "\\n" in text:
        text = _LINE_BREAK.sub("\n", text)
    begins = _REPLY_CODE.match(text)
    code = begins[1] if begins else ""
    if begins:
        text = _first_reply(text[begins.end() :], code)
    return Reply(code, _words(text, _ASCII_WORD if ascii_only else _WORD, code))


def folded(text: str) -> str:
    """A text in lower case and without accents."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold().translate(_STROKES))
    plain = "".join(c for c in decomposed if c in _VOICED or not unicodedata.combining(c))
    return unicodedata.normalize("NFC", plain)


def spaced(text: str) -> str:
    """A text with blanks around each Chinese and Japanese character."""
    return _HAN_OR_KANA_CHARACTER.sub(r" \g<0> ", text)


def unspaced(text: str) -> str:
    """The text that `spaced` has put the blanks into."""
    return _BETWEEN_CHARACTERS.sub("", text)


def _first_reply(text: str, code: str) -> str:
    """The lines of the first reply, without the codes that begin its further lines."""
    if not _CODE.search(text):
        return text
    last = _LAST_LINE.match(text)
    lines, begin = [], 0
    for further in _FURTHER.finditer(text):
        lines.append(text[begin : further.start()])
        has_other_status = last and further[2] and further[2] != last[1]
        if (further[1] or further[3]) != code or has_other_status:
            return " ".join(lines)
        last = _LAST_LINE.match(text, further.end(1)) if further[1] else last
        begin = further.end()
    lines.append(text[begin:])
    return " ".join(lines)


def _words(text: str, word: re.Pattern[str], code: str) -> str:
    if "<" in text:
        text = _BRACKETED.sub(" @ ", text)
    if '"@' in text:
        text = _QUOTED.sub(" @ ", text)
    if "." in text or "@" in text or "http" in text:
        text = " " + " ".join([w if w.isalpha() else _plain(w) for w in text.split()])
    text = text[:_LONGEST_WORDS].replace("'s ", " ").replace("'", "").replace("e-mail", "email")
    return f" {code} {' '.join(word.findall(text))} . "


def _plain(word: str) -> str:
    """A word of a reply without an address, a URL or the name of a host in it."""
    if "@" in word:
        word = _ADDRESS.sub(" @ ", word)
    if "http" in word or "www." in word:
        word = _URL.sub(_host, word)
    if "." in word[1:-1] and not _STATUS.fullmatch(word):
        word = _DOTTED.sub(_undotted, word)
    return word


def _host(found: re.Match[str]) -> str:
    """What stands for a URL or a host in the words: block lists are told apart."""
    return " dnsbl " if _BLOCK_LISTS.search(found[0]) else " % "


def _undotted(found: re.Match[str]) -> str:
    """What stands for words with dots between them: a status, a host, or a name."""
    text = found[0].lstrip(".")
    if _STATUS.fullmatch(text):
        return text
    if _CLASS_NAMES.search(text):
        return text.replace(".", " ")
    labels = text.split(".")
    if labels[-1].isdigit() and not text[0].isdigit():
        return " "  # the number of a message: `a8-98c2fsi1134.7`
    if len(labels) >= _LABELS_OF_A_HOST or _TOP_LEVEL.fullmatch(labels[-1]) or text[0].isdigit():
        return _host(found)
    return f" @ {labels[-1]} "  # half an address, or the name of a file
