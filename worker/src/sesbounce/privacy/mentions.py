"""Finds addresses in texts of others, and cuts them out."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import quote, unquote

import idna
import msgspec

from sesbounce.feedback.address import parse
from sesbounce.feedback.extract import Event
from sesbounce.policy.state import Evidence, Spelling, State, map_evidence

ERASED = "[forgotten]"


# The columns of a event that hold words of others, any of which may name somebody.
WORDS = (
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


# Whatever may be an address in a text, also one in a link.
_CANDIDATE = re.compile(r"""(?<![^\s<>()\[\],;:\\"@])([^\s<>()\[\],;:\\"@]+)(?:@|%40)([\w.-]+)""")


_IN_A_LINK = re.compile(r"[=&?/]")


class Mentions:
    """Finds addresses in texts of others, however they are written there.

    Letter case, display names, IDNA, links (`jane%40example.com`) and the return paths of
    mailing lists (`bounce+jane=example.com@lists.example`) make no difference; somebody whose
    address merely ends or begins in the same way is not touched.
    """

    def __init__(self, addresses: Iterable[str]) -> None:
        """Take the keys of the addresses."""
        self._keys = list(addresses)
        self._pattern = re.compile("|".join(map(_pattern, self._keys)), re.IGNORECASE)

    def within(self, text: str | None) -> bool:
        """Whether a text names one of them."""
        return bool(text and self._pattern.search(unicodedata.normalize("NFC", text)))

    def cut(self, text: str) -> str:
        """The text without them."""
        return self._pattern.sub(ERASED, unicodedata.normalize("NFC", text))

    def cut_event(self, event: Event) -> Event:
        """A event about somebody else, without them."""
        named = {
            name: self.cut(text) for name in WORDS if self.within(text := getattr(event, name))
        }
        return msgspec.structs.replace(event, **named) if named else event

    def cut_state(self, state: State) -> State:
        """The state of somebody else, without them."""

        def cut(evidence: Evidence) -> Evidence:
            words = ("mail_id", "status", "note")
            return msgspec.structs.replace(
                evidence, **{name: self.cut(getattr(evidence, name)) for name in words}
            )

        spelling = state.spelling and Spelling(state.spelling.at, self.cut(state.spelling.text))
        return map_evidence(msgspec.structs.replace(state, spelling=spelling), cut)

    def within_payload(self, payload: str) -> bool:
        """Whether a message names one of them."""
        return any(map(self.within, _texts(payload)))

    @property
    def tokens(self) -> list[str] | None:
        """What texts that name them contain in any case, as no writer of JSON escapes it.

        None where there is no such thing, as in an address without any ASCII letter.
        """
        locals_ = [key.rpartition("@")[0] or key for key in self._keys]
        runs = [max(re.findall("[a-z0-9]+", text), key=len, default="") for text in locals_]
        return runs if all(runs) else None


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
    """A domain as A-labels and as U-labels."""
    try:
        return {domain, idna.decode(domain)}
    except idna.IDNAError:
        return {domain}


def addresses_in(payload: str) -> set[str]:
    """The keys of all that may be an address in a message."""
    # Reading JSON is only needed for what it escapes.
    texts = _texts(payload) if "\\u" in payload else [payload]
    found = {pair for text in texts for pair in _CANDIDATE.findall(text)}
    users = {(user, host) for local, host in found for user in (local, _IN_A_LINK.split(local)[-1])}
    return {parse(f"{unquote(user)}@{host}").key for user, host in users}


def _texts(payload: str) -> Iterator[str]:
    """All strings of a message that is JSON; else its text."""
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
