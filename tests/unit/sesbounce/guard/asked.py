"""Answers for the tests of the guard."""

from collections.abc import Sequence
from typing import NamedTuple

from sesbounce.errors import StoreError
from sesbounce.feedback.address import parse


class Said(NamedTuple):
    may_mail: bool
    why: str


class Suppressing:
    """Answers that suppress some keys, as the client does, and that write down what was asked."""

    def __init__(self, *suppressed: str) -> None:
        self.suppressed = set(suppressed)
        self.asked: list[str] = []
        self.fails = False

    def __call__(self, addresses: Sequence[str], /) -> dict[str, Said]:
        self.asked += addresses
        if self.fails:
            raise StoreError("the database can't answer")
        return {address: self._said(address) for address in addresses}

    def _said(self, address: str) -> Said:
        found = parse(address)
        if not found.parsed:
            return Said(False, "it is no address")
        if found.key in self.suppressed:
            return Said(False, "hard bounce")
        return Said(True, "nothing is recorded about it")
