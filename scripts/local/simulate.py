"""Sends mail to the SES mailbox simulator, so that something bounces.

On AWS the mail is real, and so is the bounce. LocalStack accepts mail but never bounces: there
this script acts as SES does and publishes to the stack's topic what AWS documents for it.
"""

import argparse
import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
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
# Those of which SES tells by default; deliveries only where feedback_types names Delivery.
_TOLD = (Scenario.BOUNCE, Scenario.OOTO, Scenario.COMPLAINT, Scenario.SUPPRESSIONLIST)


class SimulateError(ScriptError):
    """The mail could not be sent, or what SES says of it did not arrive."""


@dataclass(frozen=True)
class Target:
    """A recipient and what is to become of the mail."""

    address: str
    scenario: Scenario


def parse_target(text: str) -> Target:
    """Read `bounce@simulator.amazonses.com`, or `jane@example.com=mailbox-full`.

    Raises:
        argparse.ArgumentTypeError: no scenario, or one that is not known.
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
        SimulateError: SES does not accept it.
    """
    sent = []
    for target in targets:
        sent_at = datetime.now(UTC)
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
                f"SES does not accept mail from {source}: {error}. "
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
    """Publish what SES would say of the mails; returns the number of messages.

    Raises:
        SimulateError: SNS refuses.
    """
    published = 0
    for (target, mail), schema in itertools.product(sent, schemas):
        for message in ses_messages.messages(target.scenario, mail, datetime.now(UTC), schema):
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
    """Wait until the database holds what became of every mail.

    Raises:
        SimulateError: it does not within the time.
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
                f"no feedback on {len(missing)} of {len(sent)} mails after {timeout_seconds:.0f} s."
                " Is the worker running, and does SES publish to the queue's topic?"
                " (Deliveries are published only where feedback_types names Delivery.)"
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
            f"{', '.join(invented)}: on AWS only mail to @{SIMULATOR_DOMAIN} is simulated; real "
            "bounces would count against your account"
        )
    if emulated and not options.topic_arn:
        raise SimulateError(
            "--topic-arn (or SESBOUNCE_TOPIC_ARNS) must name the stack's topic, to which this "
            "command publishes in place of an SES that never bounces"
        )
    try:
        # boto3 itself reads AWS_DEFAULT_REGION alone.
        aws = boto3.Session(region_name=os.environ.get("AWS_REGION") or None)
        ses, sns = aws.client("ses"), aws.client("sns")
    except (BotoCoreError, ValueError) as error:
        raise SimulateError(f"AWS can't be reached: {error} Set AWS_REGION, for one.") from error
    sent = send(ses, options.source, options.to)
    print(f"simulate: SES accepted {len(sent)} mails")
    if emulated:
        published = act_as_ses(sns, options.topic_arn, sent, options.schema)
        print(f"simulate: published {published} messages in place of SES")
    if options.wait:
        url = load_settings().database
        print(f"simulate: waiting {options.wait:.0f} s at most for the worker to record them")
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
        help="the sender, an identity that SES has verified",
    )
    parser.add_argument(
        "--to",
        nargs="+",
        type=parse_target,
        default=[Target(f"{s}@{SIMULATOR_DOMAIN}", s) for s in _TOLD],
        metavar="ADDRESS[=SCENARIO]",
        help="simulator addresses, by default each of them but success@, of whose delivery SES "
        "tells only where it is asked to; with AWS_ENDPOINT_URL set also "
        f"any address with one of {', '.join(Scenario)}",
    )
    parser.add_argument(
        "--topic-arn",
        default=os.environ.get("SESBOUNCE_TOPIC_ARNS", "").split(",")[0],
        help="where to publish in place of SES; only used with AWS_ENDPOINT_URL",
    )
    parser.add_argument(
        "--schema",
        nargs="+",
        choices=SCHEMAS,
        default=list(SCHEMAS),
        help="in which of SES's schemas; by default both, as from two sources",
    )
    parser.add_argument(
        "--wait",
        type=float,
        default=120,
        metavar="SECONDS",
        help="how long to wait until the database (SESBOUNCE_DATABASE_URL) holds what SES said; "
        "0: do not wait (default: %(default)s)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
