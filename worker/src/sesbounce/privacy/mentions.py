"""Finds addresses in texts (diagnostics, notes, whole messages) and cuts them out."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, unquote

import idna
import msgspec

from sesbounce.feedback.address import parse
from sesbounce.feedback.attribution import Attribution, read_tags
from sesbounce.feedback.extract import Event
from sesbounce.feedback.invisible import without_invisible
from sesbounce.policy.merge import map_evidence
from sesbounce.policy.state import Evidence, Spelling, State

ERASED = "[forgotten]"

# The fields of an event whose text comes from outside, and may contain any address.
TEXT_FIELDS = (
    "original",
    "mail_id",
    "source",
    "type",
    "sub_type",
    "status",
    "action",
    "diagnostic",
    "feedback_id",
    "basis",
)

# The same of its attribution.
ATTRIBUTION_FIELDS = ("configuration_set", "identity", "tenant", "tags")

# A text that may be an address, also in a link.
_CANDIDATE = re.compile(r"""(?<![^\s<>()\[\],;:\\"@])([^\s<>()\[\],;:\\"@]+)(?:@|%40)([\w.-]+)""")
_LINK_SEPARATOR = re.compile(r"[=&?/]")


class Mentions:
    """Finds given addresses in texts, in any spelling.

    It finds them in any letter case, with display names, as IDNA A-labels or U-labels, in links
    (`jane%40example.com`), with invisible characters and in the return paths of mailing lists
    (`bounce+jane=example.com@lists.example`). It does not find them in a longer address that
    begins or ends with the same text.
    """

    def __init__(self, addresses: Iterable[str]) -> None:
        """Compile the pattern of the addresses, given by their keys."""
        self._keys = list(addresses)
        self._pattern = re.compile("|".join(map(_pattern, self._keys)), re.IGNORECASE)

    def within(self, text: str | None) -> bool:
        """Whether a text contains one of the addresses."""
        return bool(text and self._pattern.search(_seen(text)))

    def cut(self, text: str) -> str:
        """The text with each of the addresses replaced by `ERASED`; else as it is."""
        cut, mentions = self._pattern.subn(ERASED, _seen(text))
        return cut if mentions else text

    def cut_event(self, event: Event) -> Event:
        """Cut the addresses out of an event about another address."""
        changed = {
            name: self.cut(text)
            for name in TEXT_FIELDS
            if self.within(text := getattr(event, name))
        }
        attribution = self._cut_attribution(event.attribution)
        if not changed and attribution == event.attribution:
            return event
        return msgspec.structs.replace(event, attribution=attribution, **changed)

    def _cut_attribution(self, attribution: Attribution) -> Attribution:
        cut = {
            name: self.cut_field(name, text)
            for name in ATTRIBUTION_FIELDS
            if (text := getattr(attribution, name))
        }
        return msgspec.structs.replace(attribution, **cut)

    def cut_field(self, name: str, text: str) -> str:
        """Cut the addresses out of a field of an event; of tags, out of their values."""
        if name != "tags":
            return self.cut(text)
        tags = {tag: self.cut(value) for tag, value in (read_tags(text) or {}).items()}
        return msgspec.json.encode(tags).decode()

    def cut_state(self, state: State) -> State:
        """Cut the addresses out of the state of another address."""

        def cut(evidence: Evidence) -> Evidence:
            fields = ("mail_id", "status", "note")
            return msgspec.structs.replace(
                evidence, **{name: self.cut(getattr(evidence, name)) for name in fields}
            )

        spelling = state.spelling and Spelling(state.spelling.at, self.cut(state.spelling.text))
        return map_evidence(msgspec.structs.replace(state, spelling=spelling), cut)

    def within_payload(self, payload: str) -> bool:
        """Whether a message contains one of the addresses, in any of its strings."""
        return any(map(self.within, _texts(payload)))

    def finds(self, text: str) -> bool:
        """Whether a search by `tokens` and then by `within` finds an address in a text."""
        tokens = self.tokens
        found = tokens is None or any(token in text.lower() for token in tokens)
        return found and self.within(text)

    @property
    def tokens(self) -> list[str] | None:
        """A token of ASCII letters and digits for each address, to preselect texts in SQL.

        A text that contains the address contains its token too, in some letter case, unless there
        are invisible characters in it; and no JSON encoder escapes it. None if the local part of
        an address holds no ASCII letter or digit.
        """
        locals_ = [key.rpartition("@")[0] or key for key in self._keys]
        runs = [max(re.findall("[a-z0-9]+", text), key=len, default="") for text in locals_]
        return runs if all(runs) else None


def _seen(text: str) -> str:
    """The text as a reader sees it, as the key of an address is made of it."""
    return without_invisible(unicodedata.normalize("NFC", text))


def _pattern(key: str) -> str:
    local, _, domain = key.rpartition("@")
    if not local:
        return rf"(?<!\w){re.escape(key)}(?!\w)"
    user = "|".join({re.escape(local), re.escape(quote(local)), f'"{re.escape(local)}"'})
    host = "|".join(re.escape(name) for name in _domain_names(domain))
    return (
        rf"(?<![\w.+-])(?:{user})(?:@|%40)(?:{host})(?![\w-]|\.\w)"
        rf"|(?<!\w)(?:{user})=(?:{host})(?![\w-]|\.\w)"
    )


def _domain_names(domain: str) -> set[str]:
    """The spellings of a domain: as A-labels and as U-labels (RFC 5890)."""
    try:
        return {domain, idna.decode(domain)}
    except idna.IDNAError:
        return {domain}


def addresses_in(payload: str) -> set[str]:
    """The keys of all texts in a message that may be addresses."""
    # JSON needs decoding only where it holds escapes.
    texts = _texts(payload) if "\\u" in payload else [payload]
    found = {pair for text in texts for pair in _CANDIDATE.findall(text)}
    users = {
        (user, host) for local, host in found for user in (local, _LINK_SEPARATOR.split(local)[-1])
    }
    return {parse(f"{unquote(user)}@{host}").key for user, host in users}


def _texts(payload: str) -> Iterator[str]:
    """All strings in a message that is JSON; else the message itself."""
    try:
        waiting: list[Any] = [msgspec.json.decode(payload)]
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        waiting = [payload]
    while waiting:
        value = waiting.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            waiting += [*value, *value.values()]
