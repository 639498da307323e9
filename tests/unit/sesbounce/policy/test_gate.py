from datetime import timedelta

import pytest

from sesbounce.policy.forecast import forecasts
from sesbounce.policy.gate import (
    SenderName,
    SendingAnswer,
    answer_of,
    chosen,
    identities_of,
    judge_senders,
)
from sesbounce.policy.hourly import Hours
from sesbounce.policy.outage import HOUR, hour_of
from sesbounce.policy.rates import Metric, Numbers, SendingState
from tests.support import AT

NOW = AT + timedelta(minutes=30)
ACCOUNT, REGION = "111122223333", "eu-west-1"
TOTAL = SenderName(ACCOUNT, REGION)
NEWS = SenderName(ACCOUNT, REGION, "news.example.com")
GOOD, BAD = Numbers(delivered=1000), Numbers(delivered=1000, hard=300)
SILENT = Numbers(hard=1)


def answer(
    *, stream: str | None = None, identity: str | None = None, **numbers: Numbers
) -> SendingAnswer:
    names = {"total": TOTAL, "news": NEWS}
    hours = {names[name]: Hours.of({hour_of(NOW): found}) for name, found in numbers.items()}
    return answer_of(judge_senders(hours, {}, NOW), identity=identity, stream=stream)


def test_the_account_and_the_identity_both_count() -> None:
    assert answer(total=GOOD, news=GOOD).may_send is True
    stopped = answer(total=BAD, news=GOOD)
    assert (stopped.may_send, stopped.state) == (False, SendingState.STOP)
    assert stopped.why.startswith(f"{ACCOUNT}/{REGION}: 300 hard bounces")
    assert [sender.name for sender in stopped.senders] == [f"{ACCOUNT}/{REGION}", NEWS.identity]
    assert [sender.identity for sender in stopped.senders] == [None, NEWS.identity]


def test_what_the_counts_can_not_tell_is_no_yes() -> None:
    assert answer(total=GOOD, news=SILENT).may_send is None
    unknown = answer(identity="x.example")
    assert (unknown.may_send, unknown.state) == (None, SendingState.UNKNOWN)
    assert "x.example" in unknown.why
    assert "Delivery or Send events" in answer().why


def test_an_identity_without_counts_is_stopped_where_every_account_is() -> None:
    stopped = answer(identity="new.example.com", total=BAD)
    assert (stopped.may_send, stopped.state) == (False, SendingState.STOP)
    assert stopped.why.startswith(f"{ACCOUNT}/{REGION}: 300 hard bounces")
    assert answer(identity="new.example.com", total=GOOD).state is SendingState.UNKNOWN
    # It may belong to the other account.
    bad, good = (Hours.of({hour_of(NOW): numbers}) for numbers in (BAD, GOOD))
    hours = {TOTAL: bad, SenderName(ACCOUNT, "us-east-1"): good}
    unknown = answer_of(judge_senders(hours, {}, NOW), identity="new.example.com")
    assert (unknown.may_send, unknown.state) == (None, SendingState.UNKNOWN)
    assert "new.example.com" in unknown.why


def test_critical_mail_passes_and_is_told_the_state() -> None:
    passed = answer(total=BAD, stream="critical")
    assert (passed.may_send, passed.state) == (True, SendingState.STOP)
    assert passed.why.startswith("critical mail passes (")
    assert answer(total=BAD, stream="news").may_send is False
    assert answer(stream=" critical ").may_send is True
    assert answer(total=GOOD, stream="critical").why == answer(total=GOOD).why


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("example.com", ["example.com"]),
        ("Mail.Example.com", ["mail.example.com", "example.com"]),
        ("Ann <Ann@Mail.Example.com>", ["ann@mail.example.com", "mail.example.com", "example.com"]),
        ("ann@bücher.example", ["ann@xn--bcher-kva.example", "xn--bcher-kva.example"]),
        ("Bücher.example", ["xn--bcher-kva.example"]),
        (" Example.com. ", ["example.com"]),
        ("no domain", ["no domain"]),
    ],
)
def test_an_address_is_sent_under_itself_its_domain_or_a_parent(
    text: str, names: list[str]
) -> None:
    assert identities_of(text) == names


def test_the_nearest_identity_of_each_account_and_region_is_chosen() -> None:
    elsewhere = SenderName(ACCOUNT, "us-east-1", "Example.com")
    parent = SenderName(ACCOUNT, REGION, "example.com")
    other = SenderName(ACCOUNT, REGION, "example.org")
    found = set(chosen([parent, NEWS, other, elsewhere], "ann@news.example.com"))
    assert found == {NEWS, elsewhere}


def test_identities_that_differ_in_case_alone_all_count() -> None:
    ann, other = (SenderName(ACCOUNT, REGION, f"{name}@example.com") for name in ("ann", "Ann"))
    assert set(chosen([ann, other], "ann@example.com")) == {ann, other}


def test_a_sender_of_whom_nothing_is_counted_any_more_is_left_out() -> None:
    old = {hour_of(NOW - 31 * 24 * HOUR): GOOD, hour_of(NOW): Numbers()}
    assert judge_senders({NEWS: Hours.of(old)}, {}, NOW) == []


def test_a_forecast_says_that_it_is_an_estimate() -> None:
    month = {hour_of(NOW - 100 * HOUR): Numbers(delivered=9900, hard=100)}
    bounces, complaints = forecasts(
        Hours.of(month | {hour_of(NOW): Numbers(delivered=900, hard=100)}), NOW
    )
    assert bounces.rate == 200 / 11_000
    # 350 bounces are missing to 5 % of 11,000 mails, and each such day has 50 more than its 5 %.
    assert bounces.days_to_review == pytest.approx(7.0)
    assert bounces.says.startswith("An estimate: the bounce rate of the last 30 days is 1.82 %")
    assert "in 7.0 days" in bounces.says
    assert (complaints.metric, complaints.days_to_review) == (Metric.COMPLAINT, None)
    assert "does not publish" in complaints.says


def test_a_forecast_knows_what_is_over_the_limit_and_what_stays_below() -> None:
    over, _ = forecasts(Hours.of({hour_of(NOW): Numbers(delivered=900, hard=100)}), NOW)
    assert over.days_to_review == 0
    below, _ = forecasts(Hours.of({hour_of(NOW): Numbers(delivered=990, hard=10)}), NOW)
    assert below.days_to_review is None
    hours = {
        hour_of(NOW - 100 * HOUR): Numbers(delivered=10**6),
        hour_of(NOW): Numbers(delivered=90, hard=10),
    }
    far, _ = forecasts(Hours.of(hours), NOW)
    assert far.days_to_review is None
    assert forecasts(Hours.of({hour_of(NOW): SILENT}), NOW) == []
    (total,) = judge_senders({TOTAL: Hours.of({hour_of(NOW): GOOD})}, {}, NOW)
    assert len(total.forecasts) == 2
