"""The overview: what happened lately, and whether the senders may go on."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import reduce
from typing import NamedTuple

import sqlalchemy as sa
from starlette.responses import Response

from sesbounce.console.answers import Row, count_faults, faults_of, providers_of, reasons_of
from sesbounce.console.asking import PLACES, Ask
from sesbounce.console.rated import Rated, accounts_of
from sesbounce.console.workers import Workers, age, sentence, workers_of
from sesbounce.policy.rates import Metric, Numbers, total
from sesbounce.store.engine import answering
from sesbounce.store.gate import judged_senders
from sesbounce.store.incidents import IncidentRow
from sesbounce.store.overview import (
    ALL_SENT,
    MOST_WAITING,
    Answered,
    NotSent,
    Period,
    Waiting,
    periods_of,
    read_answers,
    read_newest,
    read_not_sent,
    read_oldest,
    read_open_incidents,
    read_waiting,
)
from sesbounce.store.workers import read_workers

# Charts of more identities would make the page long; the command prints all.
MOST_IDENTITIES = 12


class Seen(NamedTuple):
    """All that the overview shows.

    Attributes:
        now: the time of the numbers, UTC.
        newest: when the newest event was recorded, UTC; None if there is none.
        oldest: when the oldest event was recorded, UTC; None if there is none.
        accounts: the accounts by region, with their identities.
        tiles: the numbers of today, yesterday, and of 7 and 30 days, by the key of their names.
        reasons: the reasons of bounces and complaints, the most frequent first.
        faults: the reasons of the sender's own faults, of events of all kinds.
        providers: the shares of bounces by receiving provider, the largest provider first.
        waiting: what waits in the outbox.
        incidents: the incidents that go on.
        workers: the workers, and what they know of the queue.
    """

    now: datetime
    newest: datetime | None
    oldest: datetime | None
    accounts: Sequence[Rated]
    tiles: Mapping[str, Sequence[int]]
    reasons: Sequence[Row]
    faults: Sequence[Row]
    providers: Sequence[Row]
    waiting: Waiting
    incidents: Sequence[IncidentRow]
    workers: Workers

    @property
    def is_empty(self) -> bool:
        """Whether nothing is counted in the last 30 days."""
        return not self.accounts and not any(map(any, self.tiles.values()))


def show(ask: Ask) -> Response:
    """Show the overview."""
    incidents = next((place for place in PLACES if place.key == "incidents"), None)
    return ask.page(
        "overview",
        seen=gather(ask.console.engine, ask.console.now()),
        age=age,
        sentence=sentence,
        metrics=list(Metric),
        most_waiting=MOST_WAITING,
        most_identities=MOST_IDENTITIES,
        has_targets=bool(ask.console.parts.opened.targets),
        examined=ask.console.examiner.last,
        incidents_path=incidents.path if incidents and ask.may(incidents.scope) else None,
    )


def gather(engine: sa.Engine, now: datetime) -> Seen:
    """Gather the numbers.

    Args:
        engine: the database.
        now: the time, UTC.

    Raises:
        StoreError: the database can't answer.
    """
    periods = periods_of(now.date())
    with answering("the overview was not read"), engine.connect() as connection:
        senders, hours = judged_senders(connection, now)
        not_sent = read_not_sent(connection, periods)
        answers = read_answers(connection, periods)
        newest, oldest = read_newest(connection), read_oldest(connection)
        waiting = read_waiting(connection)
        incidents = read_open_incidents(connection, now)
        workers = read_workers(connection)
    accounts = accounts_of(senders, hours, not_sent, now.date())
    return Seen(
        now=now,
        newest=newest,
        oldest=oldest,
        accounts=accounts,
        tiles=_tiles(accounts, not_sent.values(), answers, periods),
        reasons=reasons_of(answers),
        faults=faults_of(answers),
        providers=providers_of(answers),
        waiting=waiting,
        incidents=incidents,
        workers=workers_of(workers, now),
    )


def _tiles(
    accounts: Sequence[Rated],
    not_sent: Iterable[NotSent],
    answers: Sequence[Answered],
    periods: Sequence[Period],
) -> Mapping[str, Sequence[int]]:
    counted = [
        [
            total(n for day, n in account.days.items() if first <= day <= last)
            for account in accounts
        ]
        for first, last in periods
    ]

    def sums(number: Callable[[Numbers], int]) -> list[int]:
        return [sum(map(number, numbers)) for numbers in counted]

    added = reduce(NotSent.plus, not_sent, ALL_SENT)
    return {
        "mails": sums(lambda numbers: numbers.mails),
        "hard": sums(lambda numbers: numbers.hard),
        "soft": sums(lambda numbers: numbers.soft),
        "complaints": sums(lambda numbers: numbers.complaints),
        "not_attempted": added.not_attempted,
        "rejected": added.rejected,
        "sender_faults": count_faults(answers, len(periods)),
    }
