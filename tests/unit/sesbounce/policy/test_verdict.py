import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import reduce

import pytest

from scripts.local.ses_messages import Scenario
from sesbounce.feedback.decode import decode
from sesbounce.feedback.extract import Event
from sesbounce.feedback.manual import decide
from sesbounce.feedback.reason import Reason
from sesbounce.policy.incident import Incident
from sesbounce.policy.merge import learn, merge
from sesbounce.policy.state import State
from sesbounce.policy.verdict import Policy, Verdict, judge, strikes_of
from tests.support import AT, bounce, in_sns, mail, said

DAY = timedelta(days=1)
POLICY = Policy()


def event(scenario: Scenario, at: datetime = AT, mail_id: str = "mail-1") -> Event:
    message = said(scenario, mail(message_id=mail_id), at=at)
    return decode(json.dumps(message)).events[-1]


def strike(day: float, mail_id: str | None = None) -> Event:
    return event(Scenario.MAILBOX_FULL, AT + day * DAY, mail_id or f"mail-{day}")


def verdict(*events: Event, policy: Policy = POLICY) -> Verdict:
    state = State()
    for each in events:
        state = merge(state, learn(each))
    return judge(state, policy)


def test_an_unknown_address_is_not_suppressed() -> None:
    assert judge(State(), POLICY) == Verdict()
    assert not Verdict().suppressed_at(AT)


def test_a_hard_bounce_suppresses_without_an_end() -> None:
    result = verdict(event(Scenario.BOUNCE))
    assert (result.since, result.until) == (AT, None)
    assert result.reason is Reason.NO_SUCH_MAILBOX
    assert result.why == "hard bounce: no such mailbox (5.1.1), 2026-11-20; not to be mailed again"
    assert result.suppressed_at(AT + 10_000 * DAY)


def test_a_delivery_lifts_no_hard_bounce_older_or_newer() -> None:
    bounced = event(Scenario.BOUNCE)
    for day in (-1, 1):
        delivered = event(Scenario.SUCCESS, AT + day * DAY, "mail-2")
        assert verdict(bounced, delivered).since == AT


def test_a_complaint_comes_before_a_later_hard_bounce() -> None:
    result = verdict(event(Scenario.COMPLAINT), event(Scenario.BOUNCE, AT + DAY, "mail-2"))
    assert result.reason is Reason.COMPLAINT_ABUSE
    assert result.why.startswith("complaint: abuse, 2026-11-20")


def test_not_spam_suppresses_nothing_and_lifts_nothing() -> None:
    message = said(Scenario.COMPLAINT)
    message["complaint"]["complaintFeedbackType"] = "not-spam"
    (not_spam,) = decode(json.dumps(message)).events
    assert verdict(not_spam) == Verdict()
    assert verdict(not_spam, event(Scenario.COMPLAINT)).reason is Reason.COMPLAINT_ABUSE


def strikes_alone(number: int, day: int, last: str = "mailbox full (4.2.2)") -> Verdict:
    """The verdict on an address with strikes that do not suppress it, the last one on that day."""
    return Verdict(why=f"{number} of 3 strikes in 75 days, last: {last}, {AT + day * DAY:%Y-%m-%d}")


def test_a_delivery_ends_the_run_and_leaves_no_strike() -> None:
    delivered = event(Scenario.SUCCESS, AT + 2 * DAY, "mail-d")
    assert verdict(strike(0), strike(1), delivered) == Verdict()


def test_strikes_within_the_window_suppress_for_a_time() -> None:
    assert verdict(strike(0), strike(1)) == strikes_alone(2, 1)
    result = verdict(strike(0), strike(1), strike(14))
    assert result.why == (
        "3 strikes in 75 days, last: mailbox full (4.2.2), 2026-12-04; mailable again on 2026-12-18"
    )
    assert result.since == AT + 14 * DAY
    assert result.until == AT + 28 * DAY
    assert result.suppressed_at(result.until - timedelta(microseconds=1))
    assert not result.suppressed_at(result.until)


def test_the_strikes_that_count_can_be_told_from_the_others() -> None:
    events = [strike(-100), event(Scenario.SUCCESS, AT - 90 * DAY, "m"), strike(-80), strike(-1)]
    state = reduce(merge, map(learn, [*events, strike(-0.9), strike(0)]))
    found = strikes_of(state, POLICY)
    # That of 80 days ago is outside the window, and of one day the latest counts.
    assert [one.mail_id for one in found.counting] == ["mail--0.9", "mail-0"]
    assert found.softened == ()
    bounced = merge(state, learn(event(Scenario.BOUNCE, AT + DAY, "hard")))
    outage = Incident(provider="example.com", begins=AT)
    found = strikes_of(bounced, POLICY, [outage], "jane@example.com")
    assert [one.mail_id for one in found.softened] == ["hard"]
    assert strikes_of(bounced, POLICY).softened == ()


def test_strikes_outside_the_window_suppress_nothing() -> None:
    assert verdict(strike(0), strike(1), strike(75.01)) == strikes_alone(2, 75)


def test_the_failing_mails_of_a_day_are_one_strike() -> None:
    of_a_day = [strike(n / 100) for n in range(40)]
    assert verdict(*of_a_day) == strikes_alone(1, 0)
    assert verdict(*of_a_day, strike(1)) == strikes_alone(2, 1)
    # AT is noon in UTC.
    assert verdict(strike(0.49), strike(0.51)) == strikes_alone(2, 1)


def failing(every: timedelta, until: float, delivered: Sequence[float] = ()) -> list[Event]:
    """The mails of a sender that fail until a day, and the deliveries in between."""
    times = (n * every / DAY for n in range(int(until * DAY / every) + 1))
    return [strike(day) for day in times] + [
        event(Scenario.SUCCESS, AT + day * DAY, f"delivered-{day}") for day in delivered
    ]


@pytest.mark.parametrize(
    ("every", "until", "delivered", "since", "days"),
    [
        # An hourly sender: three days, and not three hours.
        (timedelta(hours=1), 0.4, [], None, None),
        (timedelta(hours=1), 1.4, [], None, None),
        (timedelta(hours=1), 2, [], 2, 14),
        # A daily sender, who goes on sending: the next probation begins with the first failure.
        (DAY, 1, [], None, None),
        (DAY, 2, [], 2, 14),
        (DAY, 15, [], 2, 14),
        (DAY, 16, [], 16, 28),
        (DAY, 44, [], 44, 56),
        # A weekly newsletter.
        (7 * DAY, 7, [], None, None),
        (7 * DAY, 14, [], 14, 14),
        (7 * DAY, 21, [], 14, 14),
        (7 * DAY, 28, [], 28, 28),
        (7 * DAY, 56, [], 56, 56),
        (7 * DAY, 14, [8], None, None),
        # A monthly one.
        (31 * DAY, 31, [], None, None),
        (31 * DAY, 62, [], 62, 14),
        (31 * DAY, 93, [], 93, 28),
        (31 * DAY, 124, [], 124, 56),
        (31 * DAY, 93, [80], None, None),
        # Failures half a year apart say nothing, also where no delivery is ever reported.
        (180 * DAY, 1800, [], None, None),
    ],
)
def test_who_is_suppressed_when_by_how_often_the_sender_mails(
    every: timedelta, until: float, delivered: list[float], since: float | None, days: int | None
) -> None:
    result = verdict(*failing(every, until, delivered))
    assert result.since == (None if since is None else AT + since * DAY)
    assert result.until == (None if since is None else AT + (since + (days or 0)) * DAY)


def test_one_failure_after_a_probation_begins_the_next_one() -> None:
    first = [strike(day) for day in (0, 1, 2)]
    result = verdict(*first, strike(40))
    assert (result.since, result.until) == (AT + 40 * DAY, AT + 68 * DAY)
    assert result.why == (
        "failed once more after a probation, last: mailbox full (4.2.2), 2026-12-30; "
        "mailable again on 2027-01-27"
    )
    delivered = event(Scenario.SUCCESS, AT + 30 * DAY, "mail-d")
    assert verdict(*first, delivered, strike(40)) == strikes_alone(1, 40)


def test_a_failure_long_after_a_probation_begins_a_new_count() -> None:
    first = [strike(day) for day in (0, 1, 2)]
    assert verdict(*first, strike(16 + 75)).since == AT + 91 * DAY
    assert verdict(*first, strike(16 + 76)) == verdict(*first)
    later = [strike(day) for day in (92, 93, 94)]
    assert verdict(*first, *later).until == AT + (94 + 28) * DAY


def test_a_delivery_in_between_ends_the_run() -> None:
    delivered = event(Scenario.SUCCESS, AT + 1.5 * DAY, "mail-d")
    assert verdict(strike(0), strike(1), delivered, strike(2)) == strikes_alone(1, 2)
    assert verdict(strike(0), strike(1), delivered, strike(2), strike(3), strike(4)).since


def test_a_mail_that_bounces_after_its_delivery_is_a_strike() -> None:
    events = []
    for day in (0, 1, 2):
        at = AT + day * DAY
        events += [event(Scenario.SUCCESS, at - timedelta(minutes=3), f"mail-{day}"), strike(day)]
    assert verdict(*events).why.startswith("3 strikes in 75 days")
    delivered = event(Scenario.SUCCESS, AT + 1.5 * DAY, "mail-d")
    assert verdict(*events, delivered) == strikes_alone(1, 2)


def test_one_mail_is_one_strike() -> None:
    repeated = (decode(json.dumps(bounce("Transient", s))).events[0] for s in "abc")
    assert verdict(*repeated) == strikes_alone(1, 0, "temporary failure")


def test_each_probation_is_longer_than_the_one_before() -> None:
    first = [strike(day) for day in (0, 1, 2)]
    in_flight = [strike(day) for day in (3, 5, 10)]
    assert verdict(*first, *in_flight) == verdict(*first)
    second = [strike(day) for day in (20, 21, 22)]
    result = verdict(*first, *in_flight, *second)
    assert result.since == AT + 20 * DAY
    assert result.until == AT + (20 + 28) * DAY


def test_probations_do_not_grow_beyond_the_limit() -> None:
    policy = Policy(probation=100 * DAY, probation_longest=150 * DAY)
    events = [strike(day) for day in (0, 1, 2, 200, 201, 202)]
    assert verdict(*events, policy=policy).until == AT + (202 + 150) * DAY


def test_a_mail_that_ses_did_not_attempt_suppresses_for_a_time() -> None:
    result = verdict(event(Scenario.SUPPRESSIONLIST))
    assert result.until == AT + 30 * DAY
    assert result.why == (
        "SES did not try: suppressed globally (5.1.1), 2026-11-20; mailable again on 2026-12-20"
    )


def test_the_longest_of_the_timed_suppressions_counts() -> None:
    strikes = [strike(day) for day in (27, 28, 29)]
    assert verdict(event(Scenario.SUPPRESSIONLIST), *strikes).reason is Reason.MAILBOX_FULL


@pytest.mark.parametrize(
    ("sub_type", "reason"),
    [("MessageTooLarge", None), ("UnsubscribedRecipient", Reason.UNSUBSCRIBED)],
)
def test_the_fault_of_the_message_and_consent(sub_type: str, reason: Reason | None) -> None:
    events = [decode(json.dumps(bounce("Transient", sub_type))).events[0]] * 3
    assert verdict(*events).reason is reason


def test_the_policy_decides_what_a_shared_complaint_does() -> None:
    def shared(day: int) -> Event:
        message = said(Scenario.COMPLAINT, mail(message_id=f"mail-{day}"), at=AT + day * DAY)
        message["complaint"]["complainedRecipients"] += [{"emailAddress": "mary@example.com"}]
        return decode(json.dumps(message)).events[0]

    one, three = [shared(0)], [shared(day) for day in (0, 1, 2)]
    assert verdict(*one) == strikes_alone(1, 0, "abuse")
    assert verdict(*three).why.startswith("3 strikes in 75 days, last: abuse")
    assert verdict(*one, policy=Policy(possible_complaint="suppress")).why.startswith(
        "possible complaint: abuse"
    )
    assert verdict(*three, policy=Policy(possible_complaint="ignore")) == Verdict()


def test_strikes_in_flight_do_not_shorten_a_probation() -> None:
    strikes = [strike(day) for day in (0, 1, 2, 20, 21, 22)]
    in_flight = [strike(23 + n / 100, f"in-flight-{n}") for n in range(40)]
    assert verdict(*strikes, *in_flight) == verdict(*strikes)


def test_the_limit_holds_for_the_first_probation_too() -> None:
    policy = Policy(probation=100 * DAY, probation_longest=10 * DAY)
    assert verdict(strike(0), strike(1), strike(2), policy=policy).until == AT + 12 * DAY


def by_hand(reason: Reason, day: float, note: str | None = None) -> Event:
    return decide("jane@example.com", reason, AT + day * DAY, by="ann", note=note).events[0]


def test_a_person_may_suppress_and_allow() -> None:
    suppressed = by_hand(Reason.SUPPRESSED_BY_HAND, 0, "asked by phone")
    result = verdict(suppressed)
    assert result.why == "suppressed by hand (asked by phone), 2026-11-20"
    assert (result.since, result.until) == (AT, None)
    allowed = by_hand(Reason.ALLOWED_BY_HAND, 1)
    assert verdict(suppressed, allowed) == Verdict(why="allowed by hand, 2026-11-21")
    assert verdict(allowed, suppressed) == verdict(suppressed, allowed)
    assert verdict(allowed, suppressed, by_hand(Reason.SUPPRESSED_BY_HAND, 2)).since


@pytest.mark.parametrize("scenario", [Scenario.BOUNCE, Scenario.COMPLAINT])
def test_allowing_holds_until_a_later_hard_bounce_or_complaint(scenario: Scenario) -> None:
    allowed = by_hand(Reason.ALLOWED_BY_HAND, 1)
    assert verdict(event(scenario), allowed).since is None
    later = event(scenario, AT + 2 * DAY)
    assert verdict(allowed, later).since == later.occurred_at


def test_strikes_and_mails_not_attempted_do_not_overrule_a_person() -> None:
    allowed = by_hand(Reason.ALLOWED_BY_HAND, 0)
    later = [strike(day) for day in (1, 2, 3)] + [event(Scenario.SUPPRESSIONLIST, AT + DAY)]
    assert verdict(allowed, *later).since is None
    assert verdict(*later).since


def test_a_later_hard_bounce_overrules_an_earlier_decision_to_suppress() -> None:
    result = verdict(by_hand(Reason.SUPPRESSED_BY_HAND, 0), event(Scenario.BOUNCE, AT + DAY))
    assert result.reason is Reason.NO_SUCH_MAILBOX


@pytest.mark.parametrize("claimed", ["2199-12-31T23:59:59Z", "2027-01-01T00:00:00Z"])
@pytest.mark.parametrize("in_envelope", [True, False])
def test_an_event_from_the_future_does_not_outweigh_what_is_decided_later(
    claimed: str, in_envelope: bool
) -> None:
    message = said()
    message["bounce"]["timestamp"] = message["mail"]["timestamp"] = claimed
    body = in_sns(message) if in_envelope else json.dumps(message)
    bounced = learn(decode(body, AT).events[0])
    allowed = learn(decide("jane@example.com", Reason.ALLOWED_BY_HAND, AT + DAY).events[0])
    assert judge(bounced, Policy()).for_good
    for state in (merge(bounced, allowed), merge(allowed, bounced)):
        assert judge(state, Policy()).since is None


def test_an_event_from_the_future_counts_the_same_when_it_is_redriven() -> None:
    message = said(at=AT.replace(year=2199))
    once, redriven = (decode(in_sns(message), AT + days * DAY).events for days in (0, 365))
    assert once == redriven
