"""Answers whether mail of an identity may be sent, from the counts of all senders.

The identity counts, and the account in the region that it belongs to: AWS judges that one.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from sesbounce.feedback.address import parse
from sesbounce.policy.forecast import Forecast, forecasts
from sesbounce.policy.hourly import Hours
from sesbounce.policy.rates import SendingState
from sesbounce.policy.sending import Judged, Resume, is_counted, judge_sending, worst

# Mail of this stream passes a stop: a password reset must not wait for a newsletter's bounces.
CRITICAL = "critical"


class SenderName(NamedTuple):
    """Which sender: an identity, or a whole account in a region.

    Attributes:
        account_id: the number of the AWS account; empty is not known.
        region: the AWS region; empty is not known.
        identity: the domain or address that SES has verified; empty for the whole account.
    """

    account_id: str
    region: str
    identity: str = ""

    @property
    def label(self) -> str:
        """The name for people, which `gate resume` takes: an identity, or `ACCOUNT/REGION`."""
        return self.identity or f"{self.account_id or 'unknown'}/{self.region or 'unknown'}"


class Sender(Judged, frozen=True, kw_only=True):
    """One sender as it is judged.

    Attributes:
        name: the identity, or `ACCOUNT/REGION` for a whole account in a region.
        account_id: the number of the AWS account; empty is not known.
        region: the AWS region; empty is not known.
        identity: the identity; None for the whole account.
        forecasts: for a whole account, estimates of when AWS may review it.
    """

    name: str
    account_id: str = ""
    region: str = ""
    identity: str | None = None
    forecasts: Sequence[Forecast] = ()


class SendingAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Whether mail may be sent.

    Attributes:
        may_send: whether it may; None where the counts can't tell.
        state: the worst state of the senders: `ok`, `warn`, `stop` or `unknown`.
        why: the answer in one sentence.
        senders: the senders that were judged, the whole accounts first; by the HTTP API for callers
            with the scope `read`, and none for others.
    """

    may_send: bool | None
    state: SendingState
    why: str
    senders: Sequence[Sender]


def identities_of(text: str) -> list[str]:
    """The identities under which SES may send the mail of an address or domain, in lower case.

    SES takes the address itself if it is verified, else its domain, else a parent of this.
    https://docs.aws.amazon.com/ses/latest/dg/creating-identities.html
    """
    name = _name_of(text)
    labels = name.rpartition("@")[2].split(".")
    domains = [".".join(labels[place:]) for place in range(len(labels))]
    found = [name, *(domain for domain in domains if "." in domain)]
    return list(dict.fromkeys(found))


def _name_of(text: str) -> str:
    """The address or domain as SES writes it: in lower case, the domain in A-labels."""
    if "@" in text:
        return parse(text).key
    found = parse(f"x@{text}")
    return found.key.removeprefix("x@") if found.parsed else text.strip().lower()


def chosen(names: Iterable[SenderName], identity: str) -> Iterator[SenderName]:
    """Of some identities, in each account and region the one under which SES sends a mail.

    If there are several that differ in upper and lower case alone, each of them counts.
    """
    rank = {name: number for number, name in enumerate(identities_of(identity))}
    known = [name for name in names if name.identity.lower() in rank]
    best: dict[tuple[str, str], int] = {}
    for name in known:
        place, own = name[:2], rank[name.identity.lower()]
        best[place] = min(own, best.get(place, own))
    return (name for name in known if rank[name.identity.lower()] == best[name[:2]])


def judge_senders(
    hours: Mapping[SenderName, Hours],
    resumes: Mapping[SenderName, Sequence[Resume]],
    now: datetime,
) -> list[Sender]:
    """Judge the senders of which something is counted, the whole accounts first.

    Args:
        hours: what was counted by sender and hour, in the last 31 days at least.
        resumes: what people resumed, by sender.
        now: the time, UTC.
    """
    return [
        _sender(name, judge_sending(hours[name], resumes.get(name, ()), now), hours[name], now)
        for name in sorted(hours, key=lambda name: (name.identity != "", name))
        if is_counted(hours[name], now)
    ]


def _sender(name: SenderName, judged: Judged, hours: Hours, now: datetime) -> Sender:
    found = {field: getattr(judged, field) for field in judged.__struct_fields__}
    return Sender(
        **found,
        name=name.label,
        account_id=name.account_id,
        region=name.region,
        identity=name.identity or None,
        forecasts=() if name.identity else forecasts(hours, now),
    )


def answer_of(
    senders: Sequence[Sender], *, identity: str | None = None, stream: str | None = None
) -> SendingAnswer:
    """The answer for mail of these senders.

    Args:
        senders: the senders concerned; all accounts, if nothing is counted of the identity.
        identity: the identity that was asked about.
        stream: the stream of the mail; `critical` passes a stop.
    """
    if not _are_known(senders, identity):
        state = SendingState.UNKNOWN
        why = (
            f"no event of {identity} was counted in the last 30 days: is it an identity of SES, "
            "and does it publish Delivery or Send events to sesbounce?"
            if identity
            else "no event was counted in the last 30 days: let SES publish Delivery or Send "
            "events to sesbounce"
        )
    else:
        state = worst([sender.state for sender in senders])
        first = next(sender for sender in senders if sender.state is state)
        why = f"{first.name}: {first.why}"
    may_send = None if state is SendingState.UNKNOWN else state is not SendingState.STOP
    if (stream or "").strip() == CRITICAL and not may_send:
        may_send, why = True, f"critical mail passes ({why})"
    return SendingAnswer(may_send=may_send, state=state, why=why, senders=senders)


def _are_known(senders: Sequence[Sender], identity: str | None) -> bool:
    """Whether the senders give an answer.

    Without counts nobody knows to which account an identity belongs. If all of them are stopped,
    its own one is.
    """
    found = identity is None or any(sender.identity for sender in senders)
    return bool(senders) and (found or all(sender.state is SendingState.STOP for sender in senders))
