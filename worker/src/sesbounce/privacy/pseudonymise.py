"""What is left of an address that was forgotten: a keyed hash of it, and facts that name nobody.

A person's address must go, and must stay suppressed. So its rows are renamed to an HMAC of the
address under a key that is not in the database: whoever has the key recognises the address when
it is asked about, nobody can read it back.
"""

import hmac
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import quote, unquote

import idna
import msgspec

from sesbounce.errors import ConfigurationError
from sesbounce.feedback.address import parse
from sesbounce.feedback.decode import Decoded
from sesbounce.feedback.extract import Feedback
from sesbounce.policy.verdict import Delivered, Evidence, Spelling, State, merge

# The keys of addresses are in lower case: none can begin like this.
PREFIX = "HMAC-SHA256:"
ERASED = "[forgotten]"

# The columns of a fact that hold words of others, any of which may name somebody.
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

# Words of AWS and of the RFCs (`Permanent`, `5.1.1`, `not-spam`): they name nobody.
_TERM = re.compile(r"[A-Za-z0-9.-]{1,40}")
# Whatever may be an address in a text, also one in a link.
_CANDIDATE = re.compile(r"""(?<![^\s<>()\[\],;:\\"@])([^\s<>()\[\],;:\\"@]+)(?:@|%40)([\w.-]+)""")
_IN_A_LINK = re.compile(r"[=&?/]")


class HashKeys:
    """The secret keys of the hashes, newest first; none where nobody is forgotten."""

    def __init__(self, keys: Sequence[str] = ()) -> None:
        self._keys = [key.encode() for key in keys]

    def __bool__(self) -> bool:
        return bool(self._keys)

    def hashes(self, address: str) -> list["Hash"]:
        """What an address is called once it is forgotten, under each key, newest first.

        Args:
            address: the key of the address; see `sesbounce.feedback.address`.
        """
        return [Hash(PREFIX + _hmac(key, address), key) for key in self._keys]

    @property
    def checks(self) -> list[str]:
        """What tells the keys from others without telling them, newest first."""
        return [_hmac(key, "")[:16] for key in self._keys]

    def demand(self, checks: str) -> None:
        """Make sure that all keys are here under which addresses have been forgotten.

        Args:
            checks: their `checks`, separated by commas.

        Raises:
            ConfigurationError: one is missing.
        """
        missing = {check for check in checks.split(",") if check} - set(self.checks)
        if missing:
            raise ConfigurationError(
                "addresses were forgotten under a key that SESBOUNCE_HASH_KEY does not hold: "
                "without it they would seem unknown and be mailed again. Give this process the "
                "keys of the worker, the newest first, separated by commas"
            )


NO_KEYS = HashKeys()


class Hash(msgspec.Struct, frozen=True):
    """The name of one forgotten address, and how to hash what belongs to it.

    Attributes:
        name: `HMAC-SHA256:` and 64 hex digits; stands where the key of the address stood.
        key: the secret under which it was made.
    """

    name: str
    key: bytes

    def of(self, text: str) -> str:
        """64 hex digits, equal for equal texts of this address alone.

        Nothing links the facts of one address to those of another, not even the id of a mail
        that went to both.
        """
        # As databases keep it: see `columns.Words`.
        kept = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
        return _hmac(self.key, f"{self.name}\n{kept}")


def _hmac(key: bytes, text: str) -> str:
    return hmac.digest(key, text.encode(errors="replace"), "sha256").hex()


def is_forgotten(address: str) -> bool:
    """Whether a key of the table of addresses is the name of a forgotten one."""
    return address.startswith(PREFIX)


def hidden_fact(fact: Feedback, hashed: Hash) -> Feedback:
    """A fact about a forgotten address: what happened and when, and nothing that names anybody."""
    return msgspec.structs.replace(
        fact,
        address=hashed.name,
        original=hashed.name,
        mail_id=hashed.of(fact.mail_id) if fact.mail_id else None,
        source=None,
        type=_term(fact.type),
        sub_type=_term(fact.sub_type),
        status=_term(fact.status),
        action=_term(fact.action),
        diagnostic=None,
        feedback_id=None,
        basis=ERASED,
        dedupe_key=hashed.of(fact.dedupe_key),
    )


def hidden_state(state: State, hashed: Hash) -> State:
    """The state that the hidden facts amount to."""

    def hide(evidence: Evidence) -> Evidence:
        return msgspec.structs.replace(
            evidence,
            mail_id=hashed.of(evidence.mail_id),
            status=_term(evidence.status) or "",
            note="",
        )

    deliveries = tuple(Delivered(one.at, hashed.of(one.mail_id)) for one in state.deliveries)
    return _each(msgspec.structs.replace(state, spelling=None, deliveries=deliveries), hide)


def _term(text: str | None) -> str | None:
    return text if text and _TERM.fullmatch(text) else None


def _each(state: State, change: Any) -> State:
    """The state with each piece of evidence changed, and all in their order again."""
    changed = {
        name: change(value)
        for name in state.__struct_fields__
        if isinstance(value := getattr(state, name), Evidence)
    }
    strikes = tuple(map(change, state.strikes))
    return merge(State(), msgspec.structs.replace(state, strikes=strikes, **changed))


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

    def cut_fact(self, fact: Feedback) -> Feedback:
        """A fact about somebody else, without them."""
        named = {name: self.cut(text) for name in WORDS if self.within(text := getattr(fact, name))}
        return msgspec.structs.replace(fact, **named) if named else fact

    def cut_state(self, state: State) -> State:
        """The state of somebody else, without them."""

        def cut(evidence: Evidence) -> Evidence:
            words = ("mail_id", "status", "note")
            return msgspec.structs.replace(
                evidence, **{name: self.cut(getattr(evidence, name)) for name in words}
            )

        spelling = state.spelling and Spelling(state.spelling.at, self.cut(state.spelling.text))
        return _each(msgspec.structs.replace(state, spelling=spelling), cut)

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


def hidden_message(message: Decoded, names: dict[str, Hash]) -> Decoded:
    """A message that names forgotten addresses, without them; its payload is given up whole.

    Args:
        message: what came.
        names: how to hash what belongs to each of the addresses, by their keys.
    """
    mentions = Mentions(names)
    feedback = [
        hidden_fact(fact, names[fact.address]) if fact.address in names else mentions.cut_fact(fact)
        for fact in message.feedback
    ]
    return msgspec.structs.replace(
        message, feedback=feedback, mail_id=None, payload=ERASED.encode()
    )
