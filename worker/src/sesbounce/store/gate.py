"""The gate of one database: says whether mail may be sent, and lets stopped senders go on."""

from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa

from sesbounce.errors import GateError
from sesbounce.policy.gate import Sender, SenderName, SendingAnswer, answer_of, judge_senders
from sesbounce.policy.hourly import Hours
from sesbounce.policy.rates import SendingState
from sesbounce.policy.sending import READ, Resume
from sesbounce.store.engine import answering, translated, write
from sesbounce.store.sending import insert_resume, read_resumes, read_senders


def senders(engine: sa.Engine, now: datetime, identity: str | None = None) -> list[Sender]:
    """Judge all senders, the whole accounts first.

    Args:
        engine: the database.
        now: the time, UTC.
        identity: only the identity under which SES sends the mail of this address or domain, and
            the account in each region that it belongs to; None for all. If nothing is counted of
            such an identity, all accounts.

    Raises:
        StoreError: the database can't answer.
    """
    with answering("the senders can't be judged"), engine.connect() as connection:
        hours = read_senders(connection, now, identity)
        resumes = read_resumes(connection, now - READ)
    return judge_senders(hours, resumes, now)


def judged_senders(
    connection: sa.Connection, now: datetime
) -> tuple[list[Sender], Mapping[SenderName, Hours]]:
    """Judge all senders, the whole accounts first; also what was counted of each by hour."""
    hours = read_senders(connection, now)
    return judge_senders(hours, read_resumes(connection, now - READ), now), hours


def stopped_senders(connection: sa.Connection, now: datetime) -> list[Sender]:
    """The senders that are stopped, the whole accounts first."""
    hours = read_senders(connection, now, may_stop=True)
    found = judge_senders(hours, read_resumes(connection, now - READ), now)
    return [sender for sender in found if sender.state is SendingState.STOP]


def may_send(
    engine: sa.Engine, now: datetime, identity: str | None = None, stream: str | None = None
) -> SendingAnswer:
    """Answer whether mail may be sent.

    Args:
        engine: the database.
        now: the time, UTC.
        identity: the address or domain that the mail is from; None for all senders.
        stream: the stream of the mail; `critical` passes a stop.

    Raises:
        StoreError: the database can't answer.
    """
    return answer_of(senders(engine, now, identity), identity=identity, stream=stream)


def resume(engine: sa.Engine, name: str, by: str, note: str, now: datetime) -> list[Sender]:
    """Let stopped senders go on; what was counted so far can't stop them any more.

    Args:
        engine: the database.
        name: an identity, in all accounts and regions, or `ACCOUNT/REGION`.
        by: the person who decides.
        note: the reason.
        now: the time, UTC.

    Returns:
        The senders that were stopped.

    Raises:
        GateError: no sender of this name is stopped.
        StoreError: the database can't be used.
    """
    wanted = name.strip().lower()
    with translated("the sender was not resumed"), write(engine) as connection:
        hours = read_senders(connection, now)
        resumes = read_resumes(connection, now - READ)
        known = [one for one in judge_senders(hours, resumes, now) if one.name.lower() == wanted]
        stopped = [one for one in known if one.state is SendingState.STOP]
        if not stopped:
            raise GateError(_not_stopped(name, known))
        for one in stopped:
            sender = SenderName(one.account_id, one.region, one.identity or "")
            seen = hours[sender].at(now)
            insert_resume(connection, sender, Resume(now, by, note, seen))
    return stopped


def _not_stopped(name: str, known: list[Sender]) -> str:
    if known:
        return f"{name} is not stopped: its state is {known[0].state}"
    return f"there is no sender {name}: `sesbounce gate` prints all"
