"""The console as a real process, with data for each of its pages."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import boto3

from scripts.local import localstack
from scripts.local.ses_messages import Scenario
from sesbounce.feedback.decode import Decoded, decode
from sesbounce.opening import disposed
from sesbounce.operations.incident_rows import new
from sesbounce.operations.incidents import Incidents
from sesbounce.policy.incident import Incident
from sesbounce.store import tokens
from sesbounce.store.engine import open_database
from sesbounce.store.incidents import IncidentStatus
from sesbounce.store.store import Store
from sesbounce.store.tokens import Scope, Token
from tests import sending, stored
from tests.ports import LOOPBACK, free_port
from tests.stored import DAY, decoded
from tests.support import AT, in_sns, mail, said, until

COMMAND = [sys.executable, "-c", "from sesbounce.__main__ import main; main()", "serve"]
JANE, CARL, EVE = "jane@example.com", "carl@example.com", "eve@example.net"
# Above the longest address that SMTP takes (RFC 5321, 4.5.3.1): 64 letters before the @.
LONG = f"{'a' * 64}@{'.'.join(['b' * 60] * 4)}.example"


class Console:
    """A server process.

    Attributes:
        url: where it listens.
        token: a token of an administrator.
        file: the SQLite file with the addresses.
        environment: the variables of the process.
    """

    def __init__(self, file: Path, token: str, settings: Mapping[str, str] = {}) -> None:
        port = free_port()
        self.url = f"http://{LOOPBACK}:{port}"
        self.token = token
        self.file = file
        self.log = file.parent / "log"
        self.environment = {
            **os.environ,
            "SESBOUNCE_DATABASE_URL": f"sqlite:///{file}",
            "SESBOUNCE_SERVE_PORT": str(port),
            "SESBOUNCE_STRIKE_OFF_SQL": stored.STRIKE_OFF,
            "SESBOUNCE_RESTORE_SQL": stored.RESTORE,
            **settings,
        }
        with self.log.open("wb") as log:
            command = [*COMMAND, "--console"]
            self.process = subprocess.Popen(command, env=self.environment, stderr=log)
        until(lambda: self.process.poll() is not None or b"serving" in self.log.read_bytes())
        assert self.process.poll() is None, self.log.read_text()

    def end(self) -> None:
        self.process.terminate()
        assert self.process.wait(timeout=60) == 0
        assert JANE not in self.log.read_text()


def make_data(file: Path) -> str:
    """Record some addresses; returns a token of an administrator."""
    engine = open_database(f"sqlite:///{file}")
    with disposed(engine):
        stored.make_members(engine)
        store = stored.store(engine)
        # AT is past or to come: what the pages show has to be recent.
        ago = (datetime.now(UTC) - AT) / DAY - 1
        fall = (datetime(2024, 11, 3, 5, 30, tzinfo=UTC) - AT) / DAY
        store.record(
            [
                decoded(Scenario.SUCCESS, ago - 40),
                decoded(Scenario.MAILBOX_FULL, ago - 9),
                decoded(Scenario.BOUNCE, ago - 1),
                decoded(Scenario.MAILBOX_FULL, ago - 2, CARL),
                decoded(Scenario.SUCCESS, ago - 5, EVE),
                decoded(Scenario.BOUNCE, ago - 1, EVE),
                # In New York, the clock shows 01:30 twice on this day.
                *(decoded(Scenario.SUCCESS, fall + n / 24, "dora@example.com") for n in range(2)),
                long_bounce(ago - 1),
                *(decoded(Scenario.COMPLAINT, ago - n / 9, f"u{n}@example.org") for n in range(60)),
            ],
            datetime.now(UTC),
        )
        for day in range(25):
            past = datetime.now(UTC) - day * DAY
            sending.count(engine, past, sent=1000, hard=9 * (day % 9), complaints=day % 2)
        outage(store, ago)
        made = Token(name="mary", scopes=(Scope.ADMIN,), created_at=AT, created_by="ann")
        return tokens.create(engine, made)


def long_bounce(day: float) -> Decoded:
    """A bounce of a long address, with as long words of the host, none of which has a break."""
    message = said(Scenario.BOUNCE, mail(LONG, "mail-long"), at=AT + day * DAY)
    (recipient,) = message["bounce"]["bouncedRecipients"]
    recipient["diagnosticCode"] = f"smtp; 550 5.1.1 <{LONG}> user unknown {'w' * 900}"
    return decode(json.dumps(message))


def dead_letters(aws: str) -> str:
    """Make a queue with dead letters: three that are understood, and two others; its URL."""
    environment = localstack.environment(aws)
    sqs = boto3.client(
        "sqs",
        endpoint_url=aws,
        region_name=environment["AWS_REGION"],
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    dead = sqs.create_queue(QueueName="dlq")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])
    policy = {"deadLetterTargetArn": arn["Attributes"]["QueueArn"], "maxReceiveCount": 5}
    made = sqs.create_queue(QueueName="feedback", Attributes={"RedrivePolicy": json.dumps(policy)})
    for number in range(3):
        about = mail(f"dead{number}@example.com", f"dead {number}")
        sqs.send_message(QueueUrl=dead, MessageBody=in_sns(said(about=about)))
    for text in ("no JSON: jane@example.com", "no JSON either"):
        sqs.send_message(QueueUrl=dead, MessageBody=text)
    return made["QueueUrl"]


def outage(store: Store, ago: float) -> None:
    """An hour of bounces at a provider, of addresses with an earlier delivery, as suspected."""
    people = [f"v{n}@gmail.com" for n in range(3)]
    store.record(
        [decoded(Scenario.SUCCESS, ago - 5, one) for one in people]
        + [decoded(Scenario.BOUNCE, ago - 1, one) for one in people],
        datetime.now(UTC),
    )
    begins = datetime.now(UTC) - 3 * DAY
    one = Incident(provider="google", begins=begins, ends=begins + 2 * DAY)
    note = "3 hard bounces among 3 mails"
    suspected = new(one, datetime.now(UTC), IncidentStatus.SUSPECTED, note)
    Incidents(store).save(suspected, datetime.now(UTC))
