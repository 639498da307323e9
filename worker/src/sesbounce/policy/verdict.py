"""The verdict on one address: may the sender mail it, and if not, why?

`judge` computes the verdict from the address's `State` and the `Policy` alone, without a clock,
so that the stored verdict never depends on when it was computed. `Verdict.suppressed_at` answers
for a moment.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Literal

import msgspec

from sesbounce.feedback.notification import Kind
from sesbounce.feedback.reason import Effect, Reason
from sesbounce.policy.state import Evidence, State


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """The thresholds and durations that `judge` applies; each is a setting.

    Attributes:
        strikes: the number of strikes, without a delivery in between, that suppress an address.
        window: the time within which the strikes must fall.
        probation: how long the first probation suppresses the address.
        probation_growth: the factor by which each probation is longer than the one before.
        probation_longest: the longest probation.
        not_attempted: how long an address is suppressed after SES did not try to deliver to it.
        possible_complaint: the effect of a complaint that names several recipients, though only one
            complained: a strike for each, the suppression of all, or nothing.
    """

    strikes: int = 3
    window: timedelta = timedelta(days=14)
    probation: timedelta = timedelta(days=14)
    probation_growth: float = 2.0
    probation_longest: timedelta = timedelta(days=180)
    not_attempted: timedelta = timedelta(days=30)
    possible_complaint: Literal["strike", "suppress", "ignore"] = "strike"


class Verdict(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The verdict on one address.

    Attributes:
        since: when the suppression began, UTC; None where the sender may mail the address.
        until: when the suppression ends, UTC; None where it has no end.
        reason: the reason of the evidence that decided; None where there is none.
        kind: the kind of event that the evidence comes from; None where there is none.
        why: the verdict in one sentence.
    """

    since: datetime | None = None
    until: datetime | None = None
    reason: Reason | None = None
    kind: Kind | None = None
    why: str = "nothing is recorded against it"

    @property
    def for_good(self) -> bool:
        """Whether the address is suppressed without an end."""
        return self.since is not None and self.until is None

    def suppressed_at(self, now: datetime) -> bool:
        """Whether the sender must not mail the address at this moment."""
        return self.since is not None and (self.until is None or now < self.until)


def judge(state: State, policy: Policy) -> Verdict:
    """The verdict on the address whose state this is.

    The latest manual decision holds until later evidence suppresses the address without an end.
    Such evidence comes before a suppression with an end, and a complaint before other evidence.
    Of several suppressions with an end, the one that ends last counts.
    """
    endless = list(_endless(state, policy))
    manual = state.manual
    if manual:
        endless = [(evidence, what) for evidence, what in endless if evidence.at > manual.at]
    if endless:
        evidence, what = endless[0]
        return _verdict(evidence, None, f"{what}: {evidence.describe()}; not to be mailed again")
    if manual:
        return _manual(manual)
    probation, strikes = _probation(state, policy)
    timed = [v for v in (_not_attempted(state, policy), probation) if v]
    return max(timed, key=attrgetter("until"), default=_unsuppressed(strikes, policy))


def _endless(state: State, policy: Policy) -> Iterator[tuple[Evidence, str]]:
    """The evidence that suppresses without an end, most important first, with its label."""
    shared = state.possible_complaint if policy.possible_complaint == "suppress" else None
    for evidence, what in (
        (state.complaint, "complaint"),
        (shared, "possible complaint"),
        (state.hard, "hard bounce"),
        (state.unsubscribed, "opted out"),
    ):
        if evidence:
            yield evidence, what


def _manual(decision: Evidence) -> Verdict:
    if decision.reason is Reason.SUPPRESSED_BY_HAND:
        return _verdict(decision, None, decision.describe())
    return Verdict(why=decision.describe())


def _verdict(evidence: Evidence, until: datetime | None, why: str) -> Verdict:
    return Verdict(
        since=evidence.at,
        until=until,
        reason=evidence.reason,
        kind=evidence.kind,
        why=why,
    )


def _not_attempted(state: State, policy: Policy) -> Verdict | None:
    if not state.not_attempted:
        return None
    until = state.not_attempted.at + policy.not_attempted
    why = f"SES did not try: {state.not_attempted.describe()}; mailable again on {until:%Y-%m-%d}"
    return _verdict(state.not_attempted, until, why)


def _unsuppressed(strikes: Sequence[Evidence], policy: Policy) -> Verdict:
    """The verdict on an address with too few strikes, or none, to suppress it."""
    if not strikes:
        return Verdict()
    return Verdict(
        why=f"{len(strikes)} of {policy.strikes} strikes in {policy.window.days} days, "
        f"last: {strikes[-1].describe()}"
    )


def _probation(state: State, policy: Policy) -> tuple[Verdict | None, Sequence[Evidence]]:
    """The last probation that the strikes lead to, and the strikes that count after it.

    They are counted from the oldest strike on.

    Strikes during a probation do not count: their mails were in flight when it began. After it
    the count starts at zero, and the next probation is longer.
    """
    last: Verdict | None = None
    length = min(policy.probation, policy.probation_longest)
    run: list[Evidence] = []
    for strike in reversed(_since_delivery(state)):
        if (last and last.suppressed_at(strike.at)) or not _counts_as_strike(strike, policy):
            continue
        run = [*(s for s in run if strike.at - s.at <= policy.window), strike]
        if len(run) >= policy.strikes:
            until = strike.at + length
            why = (
                f"{len(run)} strikes in {policy.window.days} days, last: {strike.describe()}; "
                f"mailable again on {until:%Y-%m-%d}"
            )
            last = _verdict(strike, until, why)
            length = min(length * policy.probation_growth, policy.probation_longest)
            run = []
    return last, run


def _since_delivery(state: State) -> Sequence[Evidence]:
    """The strikes since the last delivery of a mail that did not bounce, newest first.

    Some hosts accept a mail and send it back later: the delivery of such a mail proves nothing.
    """
    bounced = {strike.mail_id for strike in state.strikes}
    delivered_at = max((d.at for d in state.deliveries if d.mail_id not in bounced), default=None)
    return [s for s in state.strikes if delivered_at is None or s.at > delivered_at]


def _counts_as_strike(strike: Evidence, policy: Policy) -> bool:
    return strike.reason.effect is not Effect.COMPLAINT or policy.possible_complaint == "strike"
