"""Checks what this process calls AWS with: credentials, region and clock."""

from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from sesbounce.aws.clients import error_text, region_in
from sesbounce.doctor.examine import Check
from sesbounce.doctor.finding import Finding, broken, hint

# AWS rejects a signature that is five minutes old.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/signature-v4-troubleshooting.html
_REJECTED_SECONDS = 300
_CLOCK_SECONDS = 60
_NO_MESSAGE = "the worker receives no message"


def credentials(session: boto3.Session, _queue_url: str) -> Iterator[Finding]:
    """AWS accepts the credentials."""
    try:
        session.client("sts").get_caller_identity()
    except ClientError as error:
        yield broken(
            f"AWS rejects the credentials ({error_text(error)})",
            _NO_MESSAGE,
            "Log in again, or check AWS_PROFILE and AWS_ACCESS_KEY_ID",
        )
    except BotoCoreError as error:
        yield broken(
            str(error).rstrip("."),
            _NO_MESSAGE,
            "Log in (aws sso login), or set AWS_PROFILE; and check AWS_REGION and the network",
        )


def region(session: boto3.Session, queue_url: str) -> Iterator[Finding]:
    """boto3 asks the region of the queue."""
    of_queue = region_in(queue_url.partition("//")[2].partition("/")[0])
    if of_queue and of_queue != session.region_name:
        yield broken(
            f"the queue is in {of_queue}, and AWS_REGION is {session.region_name}",
            _NO_MESSAGE,
            f"Set AWS_REGION={of_queue}",
        )


def clock(session: boto3.Session, _queue_url: str) -> Iterator[Finding]:
    """This machine's clock and that of AWS agree."""
    answer = session.client("sts").get_caller_identity()
    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    if not date:
        return
    off = abs((datetime.now(UTC) - parsedate_to_datetime(date)).total_seconds())
    if off > _CLOCK_SECONDS:
        finding = broken if off > _REJECTED_SECONDS else hint
        yield finding(
            f"this machine's clock and that of AWS differ by {off:.0f} seconds",
            f"AWS rejects calls when they differ by more than {_REJECTED_SECONDS} seconds",
            "Let this machine take its time from NTP",
        )


CHECKS = (
    Check("aws.credentials", "AWS accepts the credentials", credentials),
    Check("aws.region", "AWS_REGION is the region of the queue", region),
    Check("aws.clock", "this machine's clock is right", clock),
)
