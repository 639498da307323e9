"""The verdict on one address: may the sender mail it, and if not, why?

`judge` computes the verdict from the address's `State`, the `Policy` and the incidents alone,
without a clock, so that the stored verdict never depends on when it was computed.
`Verdict.suppressed_at` answers for a moment.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Literal, NamedTuple

import msgspec

from sesbounce.feedback.kind import Kind
from sesbounce.feedback.reason import Effect, Reason
from sesbounce.policy.incident import Incident, covering
from sesbounce.policy.merge import in_stream
from sesbounce.policy.period import counts_at
from sesbounce.policy.state import Evidence, State, arrived, hard_bounces, newest_by_mail


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """The thresholds and durations that `judge` applies; each is a setting.

    Attributes:
        strikes: the number of strikes, without a delivery in between, that suppress an address.
            The failing mails of one day (UTC) are one strike.
        window: the time within which the strikes must fall; and the time after a probation within
            which one more strike begins the next one.
        probation: how long the first probation suppresses the address.
        probation_growth: the factor by which each probation is longer than the one before.
        probation_longest: the longest probation.
        not_attempted: how long an address is suppressed after SES did not try to deliver to it.
        possible_complaint: the effect of a complaint that names several recipients, though only one
            complained: a strike for each, the suppression of all, or nothing.
    """

    strikes: int = 3
    window: timedelta = timedelta(days=75)
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
        return counts_at(now, self.since, self.until)


class _Hard(msgspec.Struct, frozen=True, gc=False):
    """The hard bounces of an address.

    Attributes:
        suppresses: the latest one that suppresses the address; None where there is none.
        softened: those inside an incident, which count as strikes.
    """

    suppresses: Evidence | None
    softened: Sequence[Evidence] = ()


class Strikes(NamedTuple):
    """What the strikes of an address are, for people who look at its events.

    Attributes:
        counting: those that count now, towards the next suppression; the oldest first.
        softened: the hard bounces inside an incident, which are strikes.
    """

    counting: Sequence[Evidence]
    softened: Sequence[Evidence]


def judge(
    state: State, policy: Policy, incidents: Sequence[Incident] = (), address: str = ""
) -> Verdict:
    """The verdict on the address whose state this is, which counts for all streams.

    The latest manual decision holds until later evidence suppresses the address without an end.
    Such evidence comes before a suppression with an end, and a complaint before other evidence.
    Of several suppressions with an end, the one that ends last counts. A hard bounce inside an
    incident is a strike if the address has had a delivery before.

    Args:
        state: the state.
        policy: the thresholds and durations.
        incidents: all incidents, also those of other providers.
        address: the key of the address, which tells the provider.
    """
    hard = _hard(state, incidents, address)
    endless = list(_endless(state, hard.suppresses, policy))
    manual = state.manual
    if manual:
        endless = [(evidence, what) for evidence, what in endless if evidence.at > manual.at]
    if endless:
        evidence, what = endless[0]
        return _verdict(evidence, None, f"{what}: {evidence.describe()}; not to be mailed again")
    if manual:
        return _manual(manual)
    probation, strikes = _probation(_failing_days(state, hard.softened, policy), policy)
    timed = [v for v in (_not_attempted(state, policy), probation) if v]
    return max(timed, key=attrgetter("until"), default=_unsuppressed(strikes, policy))


def strikes_of(
    state: State, policy: Policy, incidents: Sequence[Incident] = (), address: str = ""
) -> Strikes:
    """The strikes of the address; the arguments are those of `judge`."""
    hard = _hard(state, incidents, address)
    _, counting = _probation(_failing_days(state, hard.softened, policy), policy)
    return Strikes(counting, hard.softened)


def judge_streams(
    state: State, policy: Policy, incidents: Sequence[Incident] = (), address: str = ""
) -> Mapping[str, Verdict]:
    """The verdicts of those streams in which the address is suppressed when it is not in all.

    Args: those of `judge`, which judges the evidence of a stream together with all that counts for
        every stream.
    """
    if not state.streams:
        return _NO_STREAMS
    for_all = judge(state, policy, incidents, address)
    verdicts = {
        stream: judge(in_stream(state, stream), policy, incidents, address)
        for stream in state.streams
    }
    return {stream: own for stream, own in verdicts.items() if _goes_beyond(own, for_all)}


_NO_STREAMS: Mapping[str, Verdict] = {}


def _goes_beyond(own: Verdict, for_all: Verdict) -> bool:
    """Whether a suppression in one stream lasts longer than the one in all streams, if any."""
    if own.since is None or for_all.for_good:
        return False
    if for_all.until is None or own.until is None:
        return True
    return own.until > for_all.until


def _hard(state: State, incidents: Sequence[Incident], address: str) -> _Hard:
    """Divide the hard bounces into those that suppress the address and those of an incident."""
    if not incidents or not state.hard:
        return _Hard(state.hard)
    bounces = newest_by_mail(hard_bounces(state))
    softened = [
        evidence
        for evidence in bounces
        if covering(incidents, evidence, address) and _delivered_before(state, evidence)
    ]
    return _Hard(next((e for e in bounces if e not in softened), None), softened)


def _delivered_before(state: State, bounce: Evidence) -> bool:
    """Whether a mail that did not bounce was delivered to the address before this bounce."""
    return any(one.at < bounce.at for one in arrived(state))


def _endless(state: State, hard: Evidence | None, policy: Policy) -> Iterator[tuple[Evidence, str]]:
    """The evidence that suppresses without an end, most important first, with its label."""
    shared = state.possible_complaint if policy.possible_complaint == "suppress" else None
    for evidence, what in (
        (state.complaint, "complaint"),
        (shared, "possible complaint"),
        (hard, "hard bounce"),
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
        f"last: {_describe_strike(strikes[-1])}"
    )


def _describe_strike(strike: Evidence) -> str:
    """A strike in words. A hard bounce is one inside an incident alone."""
    inside = ", during an incident of its provider" if strike.reason.effect is Effect.HARD else ""
    return f"{strike.describe()}{inside}"


def _failing_days(state: State, softened: Sequence[Evidence], policy: Policy) -> Sequence[Evidence]:
    """The strikes since the last delivery, oldest first: the latest failing mail of each day."""
    newest_first = [s for s in state.strikes if _counts_as_strike(s, policy)]
    if softened:
        newest_first = sorted([*newest_first, *softened], reverse=True)
    if not newest_first:  # as of most addresses
        return ()
    delivered_at = next((one.at for one in arrived(state)), None)
    by_day = {
        evidence.at.astimezone(UTC).date(): evidence
        for evidence in reversed(newest_by_mail(newest_first))
        if delivered_at is None or evidence.at > delivered_at
    }
    return list(by_day.values())


def _counts_as_strike(strike: Evidence, policy: Policy) -> bool:
    return strike.reason.effect is not Effect.COMPLAINT or policy.possible_complaint == "strike"


def _probation(
    strikes: Iterable[Evidence], policy: Policy
) -> tuple[Verdict | None, Sequence[Evidence]]:
    """The last probation that the strikes lead to, and the strikes that count after it.

    Strikes during a probation do not count: their mails were in flight when it began. One strike
    after a probation begins the next one, which is longer; unless it comes so much later that a
    new count begins.

    Args:
        strikes: at most one a day, oldest first.
        policy: the thresholds and durations.
    """
    last: Verdict | None = None
    length = min(policy.probation, policy.probation_longest)
    run: list[Evidence] = []
    for strike in strikes:
        if last and last.suppressed_at(strike.at):
            continue
        if last and last.until and strike.at - last.until <= policy.window:
            length = min(length * policy.probation_growth, policy.probation_longest)
            last = _on_probation(strike, length, "failed once more after a probation")
            continue
        run = [*(s for s in run if strike.at - s.at <= policy.window), strike]
        if len(run) >= policy.strikes:
            if last:
                length = min(length * policy.probation_growth, policy.probation_longest)
            strikes_in = "1 strike in" if len(run) == 1 else f"{len(run)} strikes in"
            what = f"{strikes_in} {policy.window.days} days"
            last = _on_probation(strike, length, what)
            run = []
    return last, run


def _on_probation(strike: Evidence, length: timedelta, what: str) -> Verdict:
    until = strike.at + length
    why = f"{what}, last: {_describe_strike(strike)}; mailable again on {until:%Y-%m-%d}"
    return _verdict(strike, until, why)
