"""The state of one address: what all its events say together, in a small mergeable record.

`sesbounce.policy.merge` makes states of events and merges them; `sesbounce.policy.verdict` judges
them.
"""

from collections.abc import Sequence
from datetime import datetime
from itertools import chain

import msgspec

from sesbounce.feedback.kind import Kind
from sesbounce.feedback.reason import Reason

# How much a state holds. Constants, not settings: two workers with different limits would not
# merge to the same state. The newest ones of all serve to match a bounce with the delivery of the
# same mail; the days are enough that strikes in flight when a probation begins do not push out
# the strikes that led to it; the hours are those in which incidents are looked for, and two more.
NEWEST_HELD = 16
FAILING_DAYS_HELD = 64
HARD_HOURS_HELD = 50
# What exceeds these counts for all streams, so that nobody is mailed who has complained.
STREAMS_HELD = 32
STREAM_STRIKES_HELD = 64


class Evidence(msgspec.Struct, frozen=True, gc=False, order=True, omit_defaults=True):
    """One event as a state keeps it. The order, by time and then by all other fields, is total.

    Attributes:
        at: when the event happened, UTC.
        reason: the reason that the event was classified under.
        mail_id: the SES message id; the event's dedupe key where it has none.
        status: the enhanced status code (RFC 3463); empty where there is none.
        kind: the kind of the event.
        note: the note that a person wrote with a manual decision.
        provider: of a hard bounce, the provider that hosts the recipient's domain, where only the
            reply shows it; see `sesbounce.feedback.provider`.
    """

    at: datetime
    reason: Reason
    mail_id: str = ""
    status: str = ""
    kind: Kind = Kind.BOUNCE
    note: str = ""
    provider: str = ""

    def describe(self) -> str:
        """`mailbox full (4.2.2), 2026-11-20`; a manual decision shows its note for the status."""
        detail = self.status or self.note
        return f"{self.reason.label}{f' ({detail})' if detail else ''}, {self.at.date()}"


class Delivered(msgspec.Struct, frozen=True, gc=False, order=True):
    """One delivery: its time and the SES message id of the mail."""

    at: datetime
    mail_id: str = ""


class Spelling(msgspec.Struct, frozen=True, gc=False, order=True):
    """A spelling of the address that differs from its key, and when SES used it."""

    at: datetime
    text: str


class StreamState(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What is known of one address in one stream alone; see `sesbounce.feedback.stream`.

    Attributes:
        complaint: the latest complaint that names this address alone.
        possible_complaint: the latest complaint that names other recipients too.
        unsubscribed: the latest opt-out.
        strikes: possible complaints, newest first.
    """

    complaint: Evidence | None = None
    possible_complaint: Evidence | None = None
    unsubscribed: Evidence | None = None
    strikes: tuple[Evidence, ...] = ()


# The attributes of a state, and of a stream, that hold the latest evidence of a kind.
LATEST_IN_STREAM = ("complaint", "possible_complaint", "unsubscribed")


class State(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """All that is known of one address.

    Attributes:
        hard: the latest hard bounce.
        earlier_hard: hard bounces before it, newest first: the newest one of each hour, at most
            `HARD_HOURS_HELD` hours with that of `hard`.
        complaint: the latest complaint that names this address alone.
        possible_complaint: the latest complaint that names other recipients too.
        not_attempted: the latest mail that SES did not try to deliver.
        unsubscribed: the latest opt-out.
        first_delivery: the earliest delivery.
        deliveries: the newest deliveries, newest first, one a mail, at most `NEWEST_HELD`.
        strikes: soft bounces and possible complaints, newest first: the newest one of each day
            (UTC), at most `FAILING_DAYS_HELD` days, and the newest `NEWEST_HELD` of all.
        manual: the latest manual decision.
        spelling: the latest spelling of the address that differs from its key.
        streams: what is known in one stream alone, by its name, in the order of names. A complaint
            or an opt-out is here only if it is later than the latest one that counts for all
            streams. Of each, at most `STREAMS_HELD` streams are here, and at most
            `STREAM_STRIKES_HELD` strikes; the older ones count for all streams.
    """

    hard: Evidence | None = None
    earlier_hard: tuple[Evidence, ...] = ()
    complaint: Evidence | None = None
    possible_complaint: Evidence | None = None
    not_attempted: Evidence | None = None
    unsubscribed: Evidence | None = None
    first_delivery: Delivered | None = None
    deliveries: tuple[Delivered, ...] = ()
    strikes: tuple[Evidence, ...] = ()
    manual: Evidence | None = None
    spelling: Spelling | None = None
    streams: dict[str, StreamState] = {}  # msgspec makes a new one for each state


def hard_bounces(state: State) -> tuple[Evidence, ...]:
    """The hard bounces that a state holds, newest first."""
    return (state.hard, *state.earlier_hard) if state.hard else ()


def arrived(state: State) -> list[Delivered]:
    """The deliveries that the state holds of mails that did not bounce, the latest first.

    Some hosts accept a mail and send it back later: the delivery of such a mail proves nothing.
    """
    if not state.first_delivery and not state.deliveries:
        return []
    bounced = {evidence.mail_id for evidence in chain(state.strikes, hard_bounces(state))}
    first = (state.first_delivery,) if state.first_delivery else ()
    return [one for one in (*state.deliveries, *first) if one.mail_id not in bounced]


def newest_by_mail(newest_first: Sequence[Evidence]) -> Sequence[Evidence]:
    """The newest evidence of each mail: one mail is at most one strike."""
    if len(newest_first) <= 1:
        return newest_first
    by_mail: dict[str, Evidence] = {}
    for evidence in newest_first:
        by_mail.setdefault(evidence.mail_id, evidence)
    return list(by_mail.values())
