"""Sends mail to the SES mailbox simulator, which bounces it or complains.

On AWS the mail and its events are real. LocalStack accepts mail and never bounces it: there this
script acts as SES, and publishes the messages that AWS documents to the stack's topic.
"""

import argparse
import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from scripts import ScriptError
from scripts.local import ses_messages
from scripts.local.ses_messages import (
    SCHEMAS,
    SIMULATOR_DOMAIN,
    Mail,
    Scenario,
    Schema,
    outcome_of,
    scenario_of,
)
from sesbounce.errors import SesBounceError
from sesbounce.settings import load_settings
from sesbounce.store.engine import open_database
from sesbounce.store.lookup import Lookup

if TYPE_CHECKING:
    from types_boto3_ses.client import SESClient
    from types_boto3_sns.client import SNSClient

_POLL_SECONDS = 1.0
# SES publishes events of these by default, and deliveries only with Delivery in feedback_types.
_PUBLISHED_BY_DEFAULT = (
    Scenario.BOUNCE,
    Scenario.OOTO,
    Scenario.COMPLAINT,
    Scenario.SUPPRESSIONLIST,
)


class SimulateError(ScriptError):
    """The mail could not be sent, or its events did not reach the database."""


@dataclass(frozen=True)
class Target:
    """A recipient, what happens to mail to it, and how many days ago it was sent."""

    address: str
    scenario: Scenario
    days_ago: int = 0


def parse_target(text: str) -> Target:
    """Read `bounce@simulator.amazonses.com`, or `jane@example.com=mailbox-full`.

    Raises:
        argparse.ArgumentTypeError: the scenario is missing or unknown.
    """
    address, _, name = text.rpartition("=")
    if address:
        scenario = Scenario(name) if name in list(Scenario) else None
    else:
        address, scenario = text, scenario_of(text)
    if "@" not in address or scenario is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is neither an address of the mailbox simulator (bounce@{SIMULATOR_DOMAIN}) "
            f"nor ADDRESS=SCENARIO with one of {', '.join(Scenario)}"
        )
    return Target(address, scenario)


def send(ses: "SESClient", source: str, targets: Iterable[Target]) -> list[tuple[Target, Mail]]:
    """Send one mail to each target through SES.

    Raises:
        SimulateError: SES rejects it.
    """
    sent = []
    for target in targets:
        sent_at = datetime.now(UTC) - timedelta(days=target.days_ago)
        try:
            answer = ses.send_email(
                Source=source,
                Destination={"ToAddresses": [target.address]},
                Message={
                    "Subject": {"Data": "Hello"},
                    "Body": {"Text": {"Data": "A mail of sesbounce's simulator."}},
                },
            )
        except (ClientError, BotoCoreError) as error:
            raise SimulateError(
                f"SES rejects mail from {source}: {error}. "
                "Is that address, or its domain, a verified identity in this region?"
            ) from error
        mail = Mail(answer["MessageId"], source, target.address, sent_at)
        sent.append((target, mail))
    return sent


def act_as_ses(
    sns: "SNSClient",
    topic_arn: str,
    sent: Iterable[tuple[Target, Mail]],
    schemas: Sequence[Schema] = SCHEMAS,
) -> int:
    """Publish SES's messages about the mails, and return the number of messages.

    Raises:
        SimulateError: SNS rejects one.
    """
    published = 0
    for (target, mail), schema in itertools.product(sent, schemas):
        at = datetime.now(UTC) - timedelta(days=target.days_ago)
        for message in ses_messages.messages(target.scenario, mail, at, schema):
            try:
                sns.publish(TopicArn=topic_arn, Message=json.dumps(message))
            except (ClientError, BotoCoreError) as error:
                raise SimulateError(f"can't publish to {topic_arn}: {error}") from error
            published += 1
    return published


def wait_until_recorded(
    sent: Sequence[tuple[Target, Mail]],
    lookup: Lookup,
    timeout_seconds: float,
    progress: Callable[[str], None],
) -> None:
    """Wait until the database holds the last event of every mail.

    Raises:
        SimulateError: an event is missing after the time.
    """
    missing = {(mail.message_id, outcome_of(target.scenario)) for target, mail in sent}
    recipients = {target.address for target, _ in sent}
    deadline = time.monotonic() + timeout_seconds
    while True:
        for address in recipients:
            for event in lookup.why(address):
                found = (event.mail_id, event.kind)
                if found in missing:
                    missing.discard(found)
                    progress(f"{address}: {event.kind} ({event.reason})")
        if not missing:
            return
        if time.monotonic() >= deadline:
            raise SimulateError(
                f"no events of {len(missing)} of {len(sent)} mails after {timeout_seconds:.0f} s."
                " Is the worker running, and does SES publish to the queue's topic?"
                " (SES publishes deliveries only with Delivery in feedback_types.)"
            )
        time.sleep(_POLL_SECONDS)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        _run(options)
    except (ScriptError, SesBounceError) as error:
        print(f"simulate: {error}", file=sys.stderr)
        return 1
    return 0


def _run(options: argparse.Namespace) -> None:
    emulated = bool(os.environ.get("AWS_ENDPOINT_URL"))
    invented = [t.address for t in options.to if not scenario_of(t.address)]
    if invented and not emulated:
        raise SimulateError(
            f"{', '.join(invented)}: on AWS only the addresses of @{SIMULATOR_DOMAIN} can be used; "
            "real bounces would count against your account"
        )
    if emulated and not options.topic_arn:
        raise SimulateError(
            "--topic-arn (or SESBOUNCE_TOPIC_ARNS) is missing: the stack's topic, to which this "
            "command publishes, since an emulated SES never bounces mail"
        )
    try:
        # boto3 itself reads AWS_DEFAULT_REGION alone.
        aws = boto3.Session(region_name=os.environ.get("AWS_REGION") or None)
        ses, sns = aws.client("ses"), aws.client("sns")
    except (BotoCoreError, ValueError) as error:
        raise SimulateError(f"AWS can't be reached: {error} Is AWS_REGION set?") from error
    sent = send(ses, options.source, options.to)
    print(f"simulate: SES accepted {len(sent)} mails")
    if emulated:
        published = act_as_ses(sns, options.topic_arn, sent, options.schema)
        print(f"simulate: published {published} messages as SES would")
    if options.wait:
        url = load_settings().database
        print(
            f"simulate: waiting up to {options.wait:.0f} s until the worker has recorded the events"
        )
        lookup = Lookup(open_database(url, read_only=True))
        wait_until_recorded(sent, lookup, options.wait, lambda line: print(f"simulate: {line}"))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.local.simulate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--from",
        dest="source",
        required=True,
        metavar="ADDRESS",
        help="the sender: a verified identity in SES",
    )
    parser.add_argument(
        "--to",
        nargs="+",
        type=parse_target,
        default=[Target(f"{s}@{SIMULATOR_DOMAIN}", s) for s in _PUBLISHED_BY_DEFAULT],
        metavar="ADDRESS[=SCENARIO]",
        help="addresses of the simulator (default: all but success@, as SES publishes deliveries "
        "only with Delivery in feedback_types); with AWS_ENDPOINT_URL set, any address with one "
        f"of the scenarios {', '.join(Scenario)}",
    )
    parser.add_argument(
        "--topic-arn",
        default=os.environ.get("SESBOUNCE_TOPIC_ARNS", "").split(",")[0],
        help="the topic to publish to as SES would; used only with AWS_ENDPOINT_URL",
    )
    parser.add_argument(
        "--schema",
        nargs="+",
        choices=SCHEMAS,
        default=list(SCHEMAS),
        help="SES's schemas to publish in (default: both, as from two sources)",
    )
    parser.add_argument(
        "--wait",
        type=float,
        default=120,
        metavar="SECONDS",
        help="how long to wait until the database (SESBOUNCE_DATABASE_URL) holds the events; "
        "0: do not wait (default: %(default)s)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
