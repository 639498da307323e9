"""Counts events by sender and hour, and by receiving provider and day.

A sender is an identity of SES in one account and region: AWS judges the rates of an account in a
region, and people look for the identity that is at fault. The numbers follow from the events alone.

What counts is what AWS counts. A hard bounce is one that SES calls `Permanent`, whatever the reply
of the host says, also of an address on SES's global suppression list, but not of one on the
account's own list
(https://docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html). Mail to the mailbox
simulator is left out, as AWS leaves it out
(https://docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html). So are decisions of
people and imported lists, which are about no mail.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime
from typing import NamedTuple

from sesbounce.feedback.extract import Event
from sesbounce.feedback.kind import Kind
from sesbounce.feedback.provider import SIMULATOR, large_provider_of
from sesbounce.feedback.reason import Effect
from sesbounce.policy.outage import hour_of

_LONGEST_IDENTITY = 320
_LONGEST_REGION = 64
# The columns of numbers in the table of senders, in their order.
OUTCOMES = (
    "sent",
    "delivered",
    "hard",
    "soft",
    "complaints",
    "not_attempted",
    "rejected",
    "delays",
)
_SENT, _DELIVERED, _HARD, _SOFT, _COMPLAINT, _NOT_ATTEMPTED, _REJECTED, _DELAYED = range(8)
_OF_KIND = {
    Kind.SEND: _SENT,
    Kind.DELIVERY: _DELIVERED,
    Kind.REJECT: _REJECTED,
    Kind.RENDERING_FAILURE: _REJECTED,
    Kind.DELIVERY_DELAY: _DELAYED,
}
# Bounces of mails that SES did not try to send, and that AWS does not count.
_NOT_COUNTED = frozenset(
    {
        "OnAccountSuppressionList",
        "OnTenantSuppressionList",
        "EmailValidationSuppressed",
        "UnsubscribedRecipient",
    }
)
# What a receiving host, or a person there, has answered.
_ANSWERS = frozenset({Kind.BOUNCE, Kind.COMPLAINT, Kind.DELIVERY, Kind.DELIVERY_DELAY})


_SenderKey = tuple[datetime, str | None, str | None, str | None]


class SenderHour(NamedTuple):
    """One sender in one hour; an empty text is not known.

    Attributes:
        hour: the beginning of the hour, UTC.
        account_id: the number of the AWS account.
        region: the AWS region.
        identity: the domain or address that SES has verified for the sender.
    """

    hour: datetime
    account_id: str
    region: str
    identity: str


class ProviderDay(NamedTuple):
    """One kind of answer of a receiving provider on one day.

    Attributes:
        day: the day, UTC.
        provider: one of `sesbounce.feedback.provider.PROVIDERS`, or `other`.
        kind: bounce, complaint, delivery or delivery_delay.
        reason: the reason, from the closed list.
    """

    day: date
    provider: str
    kind: str
    reason: str


class Tally:
    """The numbers that some events add to the tables."""

    def __init__(self) -> None:
        # Plain tuples: each event of a batch comes here, and few cells come of them.
        self._senders: defaultdict[_SenderKey, list[int]] = defaultdict(_zeros)
        self._providers: defaultdict[tuple[datetime, str, str, str], int] = defaultdict(int)

    def add(self, events: Iterable[Event], sign: int = 1) -> None:
        """Add events, or subtract them with the sign -1."""
        for event in events:
            if not event.mail_id or (provider := large_provider_of(event.address)) == SIMULATOR:
                continue
            hour = hour_of(event.occurred_at)
            self._add_to_provider(event, hour, provider, sign)
            outcome = _outcome(event)
            if outcome is not None:
                by = event.attribution
                self._senders[hour, by.account_id, by.region, by.identity][outcome] += sign

    def senders(self) -> dict[SenderHour, list[int]]:
        """The numbers in the order of `OUTCOMES`, without those that are all 0."""
        found: dict[SenderHour, list[int]] = {}
        for (hour, account_id, region, identity), numbers in self._senders.items():
            if any(numbers):
                cell = SenderHour(
                    hour,
                    account_id or "",
                    (region or "")[:_LONGEST_REGION],
                    (identity or "")[:_LONGEST_IDENTITY],
                )
                known = found.get(cell, _zeros())
                found[cell] = [one + more for one, more in zip(known, numbers, strict=True)]
        return found

    def providers(self) -> dict[ProviderDay, int]:
        """The numbers that are not 0."""
        days: defaultdict[ProviderDay, int] = defaultdict(int)
        for (hour, *names), number in self._providers.items():
            days[ProviderDay(hour.date(), *names)] += number
        return {cell: number for cell, number in days.items() if number}

    def _add_to_provider(self, event: Event, hour: datetime, provider: str, sign: int) -> None:
        if event.kind in _ANSWERS:
            self._providers[hour, provider, event.kind, event.reason] += sign


def _zeros() -> list[int]:
    return [0] * len(OUTCOMES)


def _outcome(event: Event) -> int | None:
    """The place in `OUTCOMES`; None where the event says nothing about the sender."""
    match event.kind:
        case Kind.BOUNCE if event.sub_type in _NOT_COUNTED:
            return _NOT_ATTEMPTED
        case Kind.BOUNCE:
            return _HARD if event.type == "Permanent" else _SOFT
        case Kind.COMPLAINT if event.effect is Effect.NOT_ATTEMPTED:
            return _NOT_ATTEMPTED
        case Kind.COMPLAINT if event.effect is Effect.COMPLAINT:
            return _COMPLAINT if event.counted or not event.shared else None
        case Kind.COMPLAINT:
            return None
    return _OF_KIND.get(event.kind)
