"""Judges the states of addresses, and compares the verdicts before and after a change."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property

import msgspec
import sqlalchemy as sa

from sesbounce.policy.incident import Incident
from sesbounce.policy.state import State
from sesbounce.policy.verdict import Policy, Verdict, judge, judge_streams
from sesbounce.store.address_rows import AddressRow
from sesbounce.store.incidents import confirmed_incidents

# Maps the states of addresses to their new states.
Revision = Callable[[Mapping[str, State]], Mapping[str, State]]
NO_ADDRESSES: Mapping[str, str] = {}


def unchanged(states: Mapping[str, State]) -> Mapping[str, State]:
    """The revision that leaves all states as they are: they are only judged."""
    return states


class VerdictChange(msgspec.Struct, frozen=True):
    """A verdict on one address before and after a change of its row.

    Attributes:
        address: the key of the address.
        before: the verdict before.
        after: the verdict after.
        stream: the only stream that it is about; empty where it counts for all.
    """

    address: str
    before: Verdict
    after: Verdict
    stream: str = ""


class Judge:
    """Judges states under a policy and the incidents, which it reads when it needs them.

    An incident changes the verdict on an address only if it has bounced hard and had a delivery.
    """

    def __init__(
        self,
        connection: sa.Connection,
        policy: Policy,
        incidents: Sequence[Incident] | None = None,
    ) -> None:
        self._connection = connection
        self._policy = policy
        self._given = incidents

    @cached_property
    def _confirmed(self) -> Sequence[Incident]:
        return confirmed_incidents(self._connection) if self._given is None else self._given

    def _incidents(self, state: State) -> Sequence[Incident]:
        return self._confirmed if state.hard and (state.first_delivery or state.deliveries) else ()

    def __call__(self, key: str, state: State) -> Verdict:
        """The verdict on an address, for all streams."""
        return judge(state, self._policy, self._incidents(state), key)

    def streams(self, key: str, state: State) -> Mapping[str, Verdict]:
        """The verdicts of those streams in which the address is suppressed beyond all streams."""
        if not state.streams:
            return {}
        return judge_streams(state, self._policy, self._incidents(state), key)


def revised(
    judged: Judge,
    known: Mapping[str, AddressRow],
    revision: Revision,
    plain_addresses: Mapping[str, str] = NO_ADDRESSES,
) -> list[AddressRow]:
    """Revise the states of rows and judge them; returns the rows that differ, by their keys.

    Args:
        judged: judges the new states.
        known: the rows, by key.
        revision: maps the states to the new ones.
        plain_addresses: the addresses behind the keyed hashes of forgotten ones, by hash.
    """
    changed = []
    states = revision({key: row.state for key, row in known.items()})
    for key, state in sorted(states.items()):
        before = known[key]
        verdict, streams = judged(key, state), judged.streams(key, state)
        if (state, verdict, streams) != (before.state, before.verdict, before.streams):
            plain_address = plain_addresses.get(key, "")
            changed.append(before.changed(state, verdict, streams, plain_address))
    return changed


def compared(known: Mapping[str, AddressRow], changed: Iterable[AddressRow]) -> list[VerdictChange]:
    """The changes of each row: the verdict for all streams, and those of streams that differ."""
    changes = []
    for row in changed:
        before = known[row.key]
        changes.append(VerdictChange(row.key, before.verdict, row.verdict))
        changes += (
            VerdictChange(row.key, was, now, stream)
            for stream in sorted({*before.streams, *row.streams})
            if (was := before.streams.get(stream, Verdict()))
            != (now := row.streams.get(stream, Verdict()))
        )
    return changes
