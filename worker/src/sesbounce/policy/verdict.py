"""From all that is known of an address to one verdict: may it be mailed, and if not, why?

What is known is a small `State` whose merge is commutative, associative and idempotent: the
same events, in any order, any number of times and in any split over workers, give the same
state. The verdict is a function of the state and the policy alone. No clock takes part in
either; a verdict is asked for a moment (`Verdict.suppressed_at`), so that what is stored never
depends on when it was judged.
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
    """The numbers of the judgement.

    Attributes:
        strikes: how many strikes, with no delivery in between, suppress an address.
        window: the time within which they must have come.
        probation: how long they suppress it, the first time.
        probation_growth: by what each further probation is longer than the one before.
        probation_longest: the limit of that growth.
        not_attempted: how long an address is suppressed that SES did not attempt.
        possible_complaint: what a complaint does that names several recipients, one of whom
            made it: a strike for each, the suppression of all, or nothing.
    """

    strikes: int = 3
    window: timedelta = timedelta(days=14)
    probation: timedelta = timedelta(days=14)
    probation_growth: float = 2.0
    probation_longest: timedelta = timedelta(days=180)
    not_attempted: timedelta = timedelta(days=30)
    possible_complaint: Literal["strike", "suppress", "ignore"] = "strike"


class Verdict(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The judgement of one address.

    Attributes:
        since: when it became suppressed; None where nothing speaks against mailing it.
        until: when it may be mailed again; None for never.
        reason: the reason of the evidence that decided.
        kind: what told of it.
        why: the judgement in one sentence.
    """

    since: datetime | None = None
    until: datetime | None = None
    reason: Reason | None = None
    kind: Kind | None = None
    why: str = "nothing speaks against mailing it"

    @property
    def for_good(self) -> bool:
        """Whether it suppresses without an end."""
        return self.since is not None and self.until is None

    def suppressed_at(self, now: datetime) -> bool:
        """Whether the address must not be mailed at this moment."""
        return self.since is not None and (self.until is None or now < self.until)


def judge(state: State, policy: Policy) -> Verdict:
    """The verdict on an address of which `state` is known.

    The newest decision of a person holds until something comes later that suppresses for good.
    Of what does, a complaint comes before all; else what suppresses longest counts.
    """
    for_good = list(_for_good(state, policy))
    manual = state.manual
    if manual:
        for_good = [(evidence, what) for evidence, what in for_good if evidence.at > manual.at]
    if for_good:
        evidence, what = for_good[0]
        return _verdict(evidence, None, f"{what}: {evidence.in_words()}; not to be mailed again")
    if manual:
        return _decided(manual)
    timed = [v for v in (_not_attempted(state, policy), _probation(state, policy)) if v]
    return max(timed, key=attrgetter("until"), default=Verdict())


def _for_good(state: State, policy: Policy) -> Iterator[tuple[Evidence, str]]:
    """What suppresses for good, the weightiest first, and what it is called."""
    shared = state.possible_complaint if policy.possible_complaint == "suppress" else None
    for evidence, what in (
        (state.complaint, "complaint"),
        (shared, "possible complaint"),
        (state.hard, "hard bounce"),
        (state.unsubscribed, "opted out"),
    ):
        if evidence:
            yield evidence, what


def _decided(manual: Evidence) -> Verdict:
    """What a person has decided."""
    if manual.reason is Reason.SUPPRESSED_BY_HAND:
        return _verdict(manual, None, manual.in_words())
    return Verdict(why=manual.in_words())


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
    why = f"SES did not try: {state.not_attempted.in_words()}; mailable again on {until:%Y-%m-%d}"
    return _verdict(state.not_attempted, until, why)


def _probation(state: State, policy: Policy) -> Verdict | None:
    """The last probation that the strikes amount to, oldest strike first.

    Strikes that come during a probation were in flight when it began and count for nothing;
    after it the count starts anew, and the next probation is longer.
    """
    if len(state.strikes) < policy.strikes:
        return None
    last: Verdict | None = None
    length = min(policy.probation, policy.probation_longest)
    run: list[Evidence] = []
    for strike in reversed(_since_delivery(state)):
        if (last and last.suppressed_at(strike.at)) or not _counts(strike, policy):
            continue
        run = [*(s for s in run if strike.at - s.at <= policy.window), strike]
        if len(run) >= policy.strikes:
            until = strike.at + length
            why = (
                f"{len(run)} strikes in {policy.window.days} days, last: {strike.in_words()}; "
                f"mailable again on {until:%Y-%m-%d}"
            )
            last = _verdict(strike, until, why)
            length = min(length * policy.probation_growth, policy.probation_longest)
            run = []
    return last


def _since_delivery(state: State) -> Sequence[Evidence]:
    """The strikes since something was delivered for good, newest first.

    Some hosts accept a mail and send it back later: its delivery proves nothing.
    """
    struck = {strike.mail_id for strike in state.strikes}
    lasting = (d.at for d in state.deliveries if d.mail_id not in struck)
    delivered_at = max(lasting, default=None)
    return [s for s in state.strikes if delivered_at is None or s.at > delivered_at]


def _counts(strike: Evidence, policy: Policy) -> bool:
    return strike.reason.effect is not Effect.COMPLAINT or policy.possible_complaint == "strike"
