"""Gathers what the page of an address shows, and says the verdict on it in a sentence."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sesbounce.console.asking import Console
from sesbounce.console.rendering import time
from sesbounce.console.texts import Texts
from sesbounce.feedback.explain import Claimed, explain
from sesbounce.feedback.extract import Event
from sesbounce.feedback.kind import Kind
from sesbounce.feedback.manual import UNDOES
from sesbounce.feedback.reason import Effect, Reason
from sesbounce.policy.state import State
from sesbounce.policy.verdict import Policy, Strikes, judge, strikes_of
from sesbounce.store.addresses import names_of
from sesbounce.store.dossier import Dossier, EventPlace, Recorded, read_dossier
from sesbounce.store.lookup import Answer
from sesbounce.store.outbox import Waiting

_EVENTS = 50
_FAILING = frozenset({Effect.HARD, Effect.SOFT, Effect.COMPLAINT})


class Line(NamedTuple):
    """One event on the page.

    Attributes:
        event: the event.
        recorded_at: when it was recorded, UTC.
        claims: what the evidence says, the closest to the truth first.
        strike: which of the counting strikes it is; None if it is none.
        softened: whether it is inside an incident, and counts as a strike only.
    """

    event: Event
    recorded_at: datetime
    claims: Sequence[Claimed]
    strike: int | None
    softened: bool

    @property
    def undo(self) -> str | None:
        """`undone` for a decision that was undone, `undoes` for the event that says so."""
        if self.event.kind is not Kind.MANUAL or self.event.effect is Effect.MANUAL:
            return None
        return "undoes" if self.event.basis == UNDOES else "undone"

    @property
    def attributes(self) -> Mapping[str, str]:
        """What else is known of the mail, by the key of its name."""
        event = self.event
        by = event.attribution
        found = {
            "mail_id": event.mail_id,
            "sender": None if event.kind is Kind.MANUAL else event.source,
            "stream": event.stream,
            "configuration_set": by.configuration_set,
            "identity": by.identity,
            "region": by.region,
            "account_id": by.account_id,
            "tenant": by.tenant,
            "tags": by.tags,
        }
        return {name: value for name, value in found.items() if value}


class Told(NamedTuple):
    """Whether the sender's own tables and the targets know the verdict.

    Attributes:
        own_tables: whether statements for the sender's own tables are configured.
        struck_off: whether these reflect a suppression.
        changed_at: since when, UTC; None where it is not known, and for an address that was never
            struck off.
        due: whether the worker has yet to change them.
        targets: the entry that waits for each target; None where none does.
    """

    own_tables: bool
    struck_off: bool
    changed_at: datetime | None
    due: bool
    targets: Mapping[str, Waiting | None]


class Seen(NamedTuple):
    """All that the page of an address shows.

    Attributes:
        answer: whether the address may be mailed.
        state: what its events say together.
        strikes: the strikes that count; empty where they decide nothing.
        policy: the thresholds.
        expired_at: when the last suppression ended, UTC, if that is why it may be mailed.
        told: where the verdict is known.
        lines: a page of its events, the latest first; None if the person may not read them.
        older: the sealed place of the next page.
        decision: the identity of the latest event, if it is a decision, which can be undone.
    """

    answer: Answer
    state: State
    strikes: Strikes
    policy: Policy
    expired_at: datetime | None
    told: Told
    lines: Sequence[Line] | None
    older: str | None
    decision: str | None

    @property
    def status(self) -> str:
        """`free`, `suppressed`, or `limited` to some streams."""
        if self.answer.may_mail:
            return "free"
        return "limited" if self.answer.streams else "suppressed"

    @property
    def shows_reason(self) -> bool:
        """Whether the reason says more than the sentence does."""
        reason = self.answer.reason
        return reason is not None and Reason(reason).effect is not Effect.MANUAL

    def sentence(self, t: Texts) -> Any:
        """The verdict in one sentence."""
        key, values = self._sentence()
        return t(f"verdict.{key}", **values)

    def _sentence(self) -> tuple[str, dict[str, Any]]:
        answer, manual = self.answer, self.state.manual
        if answer.reason and answer.since:
            kind = Reason(answer.reason).effect
            values = {"since": time(answer.since)}
            if answer.until:
                ending = "not_attempted" if kind is Effect.NOT_ATTEMPTED else "soft"
                return ending, values | {"until": time(answer.until)}
            return kind.value, values
        if manual and manual.reason is Reason.ALLOWED_BY_HAND:
            return "allowed", {"since": time(manual.at)}
        if self.strikes.counting:
            last = time(self.strikes.counting[-1].at)
            days = self.policy.window.days
            return "strikes", {"days": days, "last": last}
        if self.expired_at:
            return "expired", {"until": time(self.expired_at)}
        return ("nothing" if self.state != State() else "unknown"), {}


def gather(console: Console, address: str, after: EventPlace | None, *, with_events: bool) -> Seen:
    """Gather what is recorded about an address.

    Args:
        console: what all pages share.
        address: the key of the address.
        after: where the page of events before ended; None for the first page.
        with_events: whether the person may read the events.

    Raises:
        StoreError: the database can't answer.
    """
    now, settings = console.now(), console.parts.settings
    answer = console.parts.service.lookup.check(address, now)
    names = names_of([address], settings.hash_keys)
    read = read_dossier(console.engine, names, _EVENTS, after)
    policy = settings.policy
    strikes = strikes_of(read.state, policy, read.incidents, address)
    if read.state.manual:  # a person's decision overrules them
        strikes = strikes._replace(counting=())
    verdict = judge(read.state, policy, read.incidents, address)
    ended = verdict.until if answer.may_mail and verdict.since else None
    latest = read.events[0].event if read.events and after is None else None
    return Seen(
        answer=answer,
        state=read.state,
        strikes=strikes,
        policy=policy,
        expired_at=ended,
        told=_told(console, read, suppressed=not answer.may_mail and not answer.streams),
        lines=_lines(read, strikes) if with_events else None,
        older=console.views.seal(read.older) if read.older else None,
        decision=latest.dedupe_key if latest and latest.effect is Effect.MANUAL else None,
    )


def _lines(read: Dossier, strikes: Strikes) -> list[Line]:
    numbers = {one.mail_id: number for number, one in enumerate(strikes.counting, 1)}
    softened = {one.mail_id for one in strikes.softened}
    return [_line(one, numbers, softened) for one in read.events]


def _line(one: Recorded, numbers: Mapping[str, int], softened: set[str]) -> Line:
    event = one.event
    mail = event.mail_id or event.dedupe_key
    failed = event.effect in _FAILING
    return Line(
        event=event,
        recorded_at=one.recorded_at,
        claims=explain(event).claims,
        strike=numbers.get(mail) if failed else None,
        softened=failed and event.effect is Effect.HARD and mail in softened,
    )


def _told(console: Console, read: Dossier, *, suppressed: bool) -> Told:
    settings = console.parts.settings
    waiting = {one.target: one for one in read.waiting}
    configured = {target.name for target in console.parts.opened.targets}
    # Who has no statement that restores an address does so by hand.
    statements = settings.strike_off_sql if suppressed else settings.restore_sql
    # Without such a statement, the time is only that of the entries for targets.
    ran = settings.strike_off_sql if read.struck_off else settings.restore_sql
    return Told(
        own_tables=bool(settings.strike_off_sql or settings.restore_sql)
        and not settings.strike_off_database_url,
        struck_off=read.struck_off,
        changed_at=read.propagated_at if ran else None,
        due=suppressed != read.struck_off and bool(statements or configured),
        targets={name: waiting.get(name) for name in sorted(configured | set(waiting))},
    )
