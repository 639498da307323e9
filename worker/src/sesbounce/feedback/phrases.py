"""Phrases: patterns of whole words that stand for many texts of the same meaning.

A phrase has one or more parts, and each part lists the words that may stand there:

    no such + user | mailbox          `+`: the next word follows at once
    {mailbox} ~ unknown | not exist*  `~`: up to eight words of the same sentence lie between, and
                                      no colon that ends an address: `<jane@example.org>: …`
    {mailbox} - unknown | not exist*  `-`: the same, also beyond such a colon, and none of the words
                                      is an `{other subject}`

`{mailbox}` inserts a list of the vocabulary, and `*` stands for any ending. Phrases are written
like the words that they are compared with (`sesbounce.feedback.reply`): in lower case, without
accents, hyphens and apostrophes. Chinese and Japanese characters count as words.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property

from sesbounce.feedback.reply import folded, spaced, unspaced

Vocabulary = Mapping[str, str]

_JOINT = re.compile(r" ([+~-]) ")
_INSERTED = re.compile(r"\{([^}]+)\}")
_WORD_BETWEEN = "[^ .!?;]+"
# Not the colon after an address, either.
_WORD_OF_THE_SAME = rf"(?!(?<=@ ): ){_WORD_BETWEEN}"
# The list of the vocabulary with the words over which a gap does not reach.
_OTHER_SUBJECT = "other subject"
# Four letters tell most words apart, and those are in no need of their endings.
_KEY_LETTERS = 4


class Phrase:
    """A phrase. Its pattern is compiled when a text is first compared with it.

    Attributes:
        keys: for each part, the beginnings of words of which the text must hold one.
    """

    def __init__(self, text: str, vocabulary: Vocabulary) -> None:
        first, *others = _JOINT.split(text)
        self._joints = others[::2]
        self._parts = [_alternatives(part, vocabulary) for part in (first, *others[1::2])]
        self._other = vocabulary[_OTHER_SUBJECT] if "-" in self._joints else ""
        self.keys = [frozenset(map(_key, part)) for part in self._parts]

    def find(self, words: str) -> str | None:
        """The words that match, ` … ` for those between; None if the phrase does not occur."""
        found = self._pattern.search(words)
        return unspaced(" … ".join(found.groups())) if found else None

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        pattern = f"(?<= ){_group(self._parts[0])}"
        for joint, part in zip(self._joints, self._parts[1:], strict=True):
            pattern += f"{self._gap(joint)} {_group(part)}"
        return re.compile(f"{pattern}(?= )")

    def _gap(self, joint: str) -> str:
        if joint == "+":
            return ""
        if joint == "~":
            return f"(?: {_WORD_OF_THE_SAME}){{0,8}}"
        return f"(?: (?!(?:{self._other}) ){_WORD_BETWEEN}){{0,8}}"


class Phrases:
    """A table of phrases. Finding one costs little more for many phrases than for a few.

    A search tries only phrases for whose parts the text has a word each: one bit a phrase.
    """

    def __init__(self, texts: Iterable[str], vocabulary: Vocabulary) -> None:
        self._phrases = [Phrase(text, vocabulary) for text in texts]
        longest = max((len(phrase.keys) for phrase in self._phrases), default=0)
        self._having: list[dict[str, int]] = [defaultdict(int) for _ in range(longest)]
        self._shorter = [0] * longest
        for number, phrase in enumerate(self._phrases):
            for part, having in enumerate(self._having):
                if part >= len(phrase.keys):
                    self._shorter[part] |= 1 << number
                    continue
                for key in phrase.keys[part]:
                    having[key] |= 1 << number

    def find(self, words: str) -> Iterator[tuple[int, str]]:
        """The phrases that occur, in the order of the table: the number, and what matches."""
        candidates = self._candidates(words)
        while candidates:
            lowest = candidates & -candidates
            candidates ^= lowest
            number = lowest.bit_length() - 1
            if found := self._phrases[number].find(words):
                yield number, found

    def _candidates(self, words: str) -> int:
        keys = {word[:_KEY_LETTERS] for word in words.split()}
        candidates = -1
        for having, shorter in zip(self._having, self._shorter, strict=True):
            some = shorter
            for key in keys & having.keys():
                some |= having[key]
            candidates &= some
        return max(candidates, 0)


def _alternatives(part: str, vocabulary: Vocabulary) -> list[str]:
    """What may stand in a part, the longest first."""
    listed = spaced(folded(_INSERTED.sub(lambda name: vocabulary[name[1]], part)))
    return sorted((" ".join(p.split()) for p in listed.split("|")), key=len, reverse=True)


def _group(alternatives: Iterable[str]) -> str:
    escaped = (re.escape(a).replace(r"\*", "[^ ]*").replace(r"\ ", " ") for a in alternatives)
    return f"({'|'.join(escaped)})"


def _key(phrase: str) -> str:
    """The beginning of the longest word of an alternative: the one that tells most."""
    word = max(phrase.split(), key=len)
    key = word.rstrip("*")[:_KEY_LETTERS]
    if "*" in word and len(key) < _KEY_LETTERS:
        raise ValueError(f"{word}: at least {_KEY_LETTERS} letters stand before a *")
    return key
