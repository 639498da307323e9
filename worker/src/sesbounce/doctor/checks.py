"""Checks the wiring as it is in AWS: does each event of SES reach the queue and a worker?

Terraform shows whether resources are as declared. These checks show whether they work together,
whether somebody has changed them since, and what only a person can do, such as confirming a
subscription.
"""

from collections.abc import Callable, Iterator

import boto3
from botocore.exceptions import ClientError

from sesbounce.aws.clients import error_text
from sesbounce.doctor import (
    alarms,
    extra_topics,
    function,
    queues,
    schedule,
    service,
    ses,
    ses_account,
    topic,
)
from sesbounce.doctor.declared import Wiring
from sesbounce.doctor.finding import Finding, broken, hint
from sesbounce.errors import UnknownPolicyError

Check = Callable[[Wiring, boto3.Session], Iterator[Finding]]

CHECKS: dict[str, Check] = {
    "the SES identities": ses.identities,
    "the DKIM and MAIL FROM settings of the SES identities": ses.authentication,
    "addresses within the SES identities": ses.address_identities,
    "the SES configuration sets": ses.configuration_sets,
    "the settings of the SES configuration sets": ses_account.configuration_set_settings,
    "the SES account": ses_account.account,
    "the topic": topic.topic,
    "the queue's subscription": topic.subscription,
    "people's subscriptions": topic.people,
    "the queue": queues.queue,
    "the subscription's dead-letter queue": queues.subscription_dlq,
    "the extra topics": extra_topics.extra_topics,
    "the dead letters": queues.dead_letters,
    "the backlog": queues.backlog,
    "the worker's service": service.service,
    "the worker's schedule": schedule.schedule,
    "the worker's function": function.function,
    "the function's sweeps": function.sweep,
    "the alarms": alarms.alarms,
}

_GONE = {
    "AWS.SimpleQueueService.NonExistentQueue",
    "QueueDoesNotExist",
    "NotFound",
    "ConfigurationSetDoesNotExist",
    "ConfigurationSetDoesNotExistException",
    "NotFoundException",
    "ClusterNotFoundException",
    "NoSuchEntity",
    "ResourceNotFoundException",
}


def check(wiring: Wiring, session: boto3.Session) -> list[Finding]:
    """Run all the checks.

    What AWS does not let these credentials read becomes a hint, since nothing is known to be wrong
    with it.
    """
    findings: list[Finding] = []
    for what, check_ in CHECKS.items():
        try:
            findings.extend(check_(wiring, session))
        except ClientError as error:
            findings.append(_unread(what, error))
        except UnknownPolicyError as error:
            findings.append(
                hint(f"{what} can't be checked", str(error), "Read that policy yourself")
            )
    return findings


def _unread(what: str, error: ClientError) -> Finding:
    if error.response.get("Error", {}).get("Code") in _GONE:
        return broken(
            f"{what}: AWS finds no such resource ({error_text(error)})",
            "Terraform has created it, and somebody has deleted it",
            "Recreate it: make deploy",
        )
    return hint(
        f"{what} can't be read ({error_text(error)})",
        "that part of the wiring is not checked",
        f"Allow these credentials to call {error.operation_name}, or look in the AWS console",
    )
