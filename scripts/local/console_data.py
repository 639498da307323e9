"""Ninety days of a sender's life for the console: made-up messages of SES, recorded as they came.

The messages go through the decoder and the store, as those of a queue do, and the worker's sweep
finds the outage among them. The same seed and time give the same data.
"""

import json
import random
import uuid
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import Any

import sqlalchemy as sa

from scripts.local.demo import RESTORE_SQL, STRIKE_OFF_SQL
from scripts.local.ses_messages import Mail, Scenario, messages
from sesbounce.aws.depth import Depth
from sesbounce.feedback.decode import decode
from sesbounce.feedback.manual import decide
from sesbounce.feedback.reason import Reason
from sesbounce.feedback.recording import Recording
from sesbounce.feedback.stream import read_stream_by
from sesbounce.opening import Opened, disposed, open_store
from sesbounce.operations.incidents import Incidents
from sesbounce.settings import load_settings
from sesbounce.store import gate, outbox, schema
from sesbounce.store.engine import open_database, translated, write
from sesbounce.store.workers import Mode, WorkerRow, save_worker

DAYS = 90
_DAY = timedelta(days=1)
_ACCOUNT = "111122223333"
_REGION = "eu-west-1"
_OUTAGE_AGO = timedelta(hours=5)
_OUTAGE_ADDRESSES = 30

SETTINGS: Mapping[str, Any] = {
    "strike_off_sql": STRIKE_OFF_SQL,
    "restore_sql": RESTORE_SQL,
    "stream_by": "configuration-set",
    "hash_key": "the key of the demo: it protects nobody",
    "webhooks": json.dumps(
        {
            "crm": {"url": "https://crm.example.com/hooks/mail"},
            "desk": {"url": "https://desk.example.com/in/42", "types": ["address.suppressed"]},
        }
    ),
    "webhook_secrets": json.dumps({"crm": "not a secret at all", "desk": "not a secret at all"}),
}
"""The settings of the demo, by their names; no worker runs, so nothing is posted."""

LOOK_UP = {
    "ann-gone@example.org": "bounced for good, after weeks of deliveries",
    "max-full@example.net": "three strikes: on probation, after a full mailbox",
    "lea-back@example.org": "bounced, was allowed by a person with a note",
    "connie-plaint@yahoo.com": "complained about the newsletter, and may get mail about orders",
    "member-1@gmail.com": "bounced in Gmail's outage of today, which costs only a strike",
}
"""Addresses worth seeing, and why."""

_STREAM_BY = read_stream_by(SETTINGS["stream_by"])
# Gmail has no hyphens in its names: nobody gets mail at these addresses.
_SHARES = {
    "gmail.com": 45,
    "outlook.com": 20,
    "yahoo.com": 12,
    "icloud.com": 8,
    "gmx.de": 5,
    "example.com": 10,
}
_UNKNOWN_USER = {
    "gmail.com": ("5.1.1", "550-5.1.1 The email account that you tried to reach does not exist."),
    "outlook.com": ("5.5.0", "550 5.5.0 Requested action not taken: mailbox unavailable"),
    "yahoo.com": ("5.0.0", "554 delivery error: dd This user doesn't have a yahoo.com account"),
}


@dataclass(frozen=True)
class _Sender:
    """A sender, with the number of its mails on a day."""

    source: str
    configuration_set: str
    mails: int


_NEWS = _Sender("news@shop.example.com", "newsletter", 48)
_ORDERS = _Sender("orders@shop.example.com", "orders", 14)
_PROMO = _Sender("promo@shop.example.com", "promotion", 0)
# Hosts that reject the mail because of its sender, in their own words.
_BLOCKED = (
    "5.7.1",
    "554 5.7.1 Client host [192.0.2.1] blocked using Spamhaus",
)
_UNSIGNED = ("5.7.26", "550-5.7.26 This mail is unauthenticated: it has neither SPF nor DKIM")
# A list that the sender had bought: it stopped the sender within an hour.
_BOUGHT, _BOUGHT_AGO = 240, 12
_NOTES = (
    (80.2, "ann", "asked by letter"),
    (61.7, "mary", "wrote to the data protection officer"),
    (44.4, "token crm", "closed the account in the shop"),
    (33.9, "ann", "the owner of the domain asked for it"),
    (15.3, "mary", "asked by phone: ticket 4802"),
    (4.6, "token crm", "closed the account in the shop"),
    (0.3, "ann", "asked in the chat: ticket 4913"),
)


@dataclass
class Life:
    """What happens in the ninety days.

    Attributes:
        chance: chooses what happens.
        begins: when the first day begins, UTC.
        ends: when the last day ends, UTC.
        days: messages of SES and people's decisions with their times, by the number of the day.
        people: the addresses of the people who get mail.
        gone: those of them to whom the sender does not mail any more.
    """

    chance: random.Random
    begins: datetime
    ends: datetime
    days: dict[int, list[tuple[datetime, str | Recording]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    people: list[str] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)

    def mail(
        self,
        at: datetime,
        sender: _Sender,
        recipient: str,
        scenario: Scenario,
        words: tuple[str, str] | None = None,
    ) -> None:
        """Let SES publish what happens to a mail that was sent at a time.

        Args:
            at: the time, UTC.
            sender: the sender.
            recipient: the address.
            scenario: what happens.
            words: the status and the reply of the receiving host, if it has words of its own.
        """
        if at >= self.ends:
            return
        name = str(uuid.UUID(int=self.chance.getrandbits(128), version=4))
        mail = Mail(
            f"0100{name}",
            sender.source,
            recipient,
            at - timedelta(seconds=self.chance.randint(1, 20)),
            account_id=_ACCOUNT,
            region=_REGION,
            configuration_set=sender.configuration_set,
        )
        for message in messages(scenario, mail, at, "event"):
            _use_words_of_host(message, words or _UNKNOWN_USER.get(recipient.rpartition("@")[2]))
            self._add(at, json.dumps(message))

    def decision(
        self, at: datetime, address: str, by: str, note: str, *, allow: bool = False
    ) -> None:
        """Let a person decide about an address."""
        reason = Reason.ALLOWED_BY_HAND if allow else Reason.SUPPRESSED_BY_HAND
        self._add(at, decide(address, reason, at, by=by, note=note))

    def moment(self, day: int) -> datetime:
        """A random time of a day; the first day is 0."""
        return self.begins + (day + self.chance.random()) * _DAY

    def _add(self, at: datetime, one: str | Recording) -> None:
        self.days[(at - self.begins) // _DAY].append((at, one))


def make(url: str, now: datetime, seed: int = 1) -> int:
    """Fill a new database, and return the number of events.

    Args:
        url: the SQLAlchemy URL of a database without tables.
        now: the time at which the data ends, UTC.
        seed: other seeds give other data.

    Raises:
        StoreError: the database can't be used.
    """
    life = live(now, seed)
    _make_members(url, [*LOOK_UP, *life.people])
    with open_store(load_settings(database_url=url, **SETTINGS), migrate=True) as opened:
        _record(opened, life)
        _leave_waiting(opened, now)
        with opened.engine.connect() as connection:
            return connection.scalar(sa.text("SELECT count(*) FROM feedback_event")) or 0


def keep_worker(url: str, now: datetime) -> None:
    """Let a made-up worker say that it lives; its host says that it is made up.

    Raises:
        StoreError: the database can't be used.
    """
    row = WorkerRow(
        id="made up",
        mode=Mode.RUN,
        host="made up: no worker runs",
        process=1,
        version=version("sesbounce"),
        queue="sesbounce-feedback",
        started_at=now - 3 * _DAY,
        seen_at=now,
        polled_at=now - timedelta(seconds=4),
        depth=Depth(3, 10, 0),
        oldest_seconds=2,
        dead_letters=1,
    )
    engine = open_database(url)
    hint = "ARGS=--fresh makes the data once more"
    with disposed(engine), translated("no worker was made up", hint), write(engine) as connection:
        save_worker(connection, row)


def live(now: datetime, seed: int = 1) -> Life:
    """What happens in the ninety days before a time."""
    life = Life(random.Random(seed), now - DAYS * _DAY, now)  # noqa: S311  made-up data
    people = _people(life.chance)
    life.people += (one for some in people.values() for one in some)
    _usual(life, people)
    _stories(life)
    _outage(life, people["gmail.com"])
    return life


def _people(chance: random.Random) -> Mapping[str, list[str]]:
    """The people who get mail, by the domain of their addresses."""
    people: dict[str, list[str]] = defaultdict(list)
    for domain in chance.choices(list(_SHARES), list(_SHARES.values()), k=600):
        people[domain].append(f"member-{len(people[domain]) + 1}@{domain}")
    return people


def _usual(life: Life, people: Mapping[str, list[str]]) -> None:
    """Mail of each day, nearly all of it delivered; new members mistype their addresses."""
    chance = life.chance
    in_outage = {*people["gmail.com"][:_OUTAGE_ADDRESSES]}
    scenarios = {
        Scenario.SUCCESS: 985,
        Scenario.OOTO: 6,
        Scenario.MAILBOX_FULL: 5,
        Scenario.BOUNCE: 2,
        Scenario.COMPLAINT: 1,
        Scenario.SUPPRESSIONLIST: 1,
    }
    for day in range(DAYS):
        for sender in (_NEWS, _ORDERS):
            for _ in range(chance.randint(sender.mails * 3 // 4, sender.mails * 5 // 4)):
                recipient = chance.choice(life.people)
                (scenario,) = chance.choices(list(scenarios), list(scenarios.values()))
                if recipient not in life.gone:
                    usual = Scenario.SUCCESS if recipient in in_outage else scenario
                    life.mail(life.moment(day), sender, recipient, usual)
                    if usual in {Scenario.BOUNCE, Scenario.COMPLAINT, Scenario.SUPPRESSIONLIST}:
                        life.gone.add(recipient)
        if day % 2:
            (domain,) = chance.choices(list(_SHARES), list(_SHARES.values()))
            life.mail(life.moment(day), _NEWS, f"typo-{day}@{domain}", Scenario.BOUNCE)


def _stories(life: Life) -> None:
    """What the addresses of `LOOK_UP` and some others have behind them."""

    def ago(days: float) -> datetime:
        return life.ends - days * _DAY

    for name in ("ann-gone@example.org", "max-full@example.net", "connie-plaint@yahoo.com"):
        for week in range(4, 12):
            life.mail(ago(7 * week), _NEWS, name, Scenario.SUCCESS)
    life.mail(ago(2.2), _NEWS, "ann-gone@example.org", Scenario.BOUNCE)
    for days in (17.1, 10.2, 3.1):
        life.mail(ago(days), _NEWS, "max-full@example.net", Scenario.MAILBOX_FULL)
    life.mail(ago(6.3), _NEWS, "connie-plaint@yahoo.com", Scenario.COMPLAINT)
    life.mail(ago(1.4), _ORDERS, "connie-plaint@yahoo.com", Scenario.SUCCESS)
    life.mail(ago(30.5), _ORDERS, "lea-back@example.org", Scenario.BOUNCE)
    life.decision(ago(28.3), "lea-back@example.org", "mary", "asked by phone", allow=True)
    life.mail(ago(5.5), _ORDERS, "lea-back@example.org", Scenario.SUCCESS)
    for number, (days, by, note) in enumerate(_NOTES, 1):
        life.decision(ago(days), f"by-letter-{number}@example.org", by, note)
    for number in range(_BOUGHT):
        scenario = Scenario.BOUNCE if number % 8 == 0 else Scenario.SUCCESS
        at = _hour(ago(_BOUGHT_AGO)) + timedelta(seconds=14 * number)
        life.mail(at, _PROMO, f"bought-{number}@example.net", scenario)
        if number % 20 == 1:
            life.mail(at, _PROMO, f"guarded-{number}@example.net", Scenario.BOUNCE, _BLOCKED)
    for number in range(1, 4):
        at = ago(2.9 * number - 2.7)
        life.mail(at, _NEWS, f"strict-{number}@example.org", Scenario.BOUNCE, _UNSIGNED)


def _outage(life: Life, at_gmail: list[str]) -> None:
    """Bounces of living mailboxes within one hour of today."""
    for number, recipient in enumerate(at_gmail[:_OUTAGE_ADDRESSES]):
        life.mail(life.ends - 3 * _DAY, _NEWS, recipient, Scenario.SUCCESS)
        at = _hour(life.ends - _OUTAGE_AGO) + timedelta(minutes=number)
        life.mail(at, _NEWS, recipient, Scenario.BOUNCE)


def _hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)


def _use_words_of_host(message: dict[str, Any], words: tuple[str, str] | None) -> None:
    """Let the host of the recipient say in its own words why it does not accept the mail."""
    for bounced in message.get("bounce", {}).get("bouncedRecipients", []):
        if words and "user unknown" in bounced.get("diagnosticCode", ""):
            status, reply = words
            bounced |= {"status": status, "diagnosticCode": f"smtp; {reply}"}


def _recording(one: str | Recording) -> Recording:
    return decode(one, stream_by=_STREAM_BY) if isinstance(one, str) else one


def _record(opened: Opened, life: Life) -> None:
    """Record each day at its end, and let the sweep do what it does."""
    incidents = Incidents(opened.store)
    for day, happened in sorted(life.days.items()):
        now = min(life.begins + (day + 1) * _DAY, life.ends)
        if day == DAYS - 1:
            with write(opened.engine) as connection:  # all but those of today are delivered
                connection.execute(sa.delete(schema.outbox))
        happened.sort(key=lambda one: one[0])
        opened.store.record([_recording(one) for _, one in happened], now)
        opened.store.sweep(now)
        incidents.sweep(now)
        if day == DAYS - _BOUGHT_AGO:
            for sender in (_PROMO.source, f"{_ACCOUNT}/{_REGION}"):
                gate.resume(opened.engine, sender, "mary", "the bought list is removed", now)


def _leave_waiting(opened: Opened, now: datetime) -> None:
    """Leave one webhook with failed attempts, and the other one stopped."""
    crm, desk = (target.name for target in opened.targets)
    for row in outbox.due(opened.engine, crm, now)[::2]:
        outbox.postpone(opened.engine, row, now + timedelta(minutes=10), "HTTP status 503")
    outbox.stop(opened.engine, desk, "HTTP status 410: the receiver is gone")


def _make_members(url: str, addresses: list[str]) -> None:
    """Create the sender's own table, as the demo does."""
    engine = open_database(url, create=True)
    with disposed(engine), write(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE member (name TEXT, email TEXT, mailable INTEGER)")
        connection.execute(
            sa.text("INSERT INTO member VALUES (:name, :email, 1)"),
            [{"name": address.partition("@")[0], "email": address} for address in addresses],
        )
