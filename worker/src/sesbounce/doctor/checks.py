"""The checks of the wiring as it is in AWS: does each event of SES reach the queue and a worker?

Terraform shows whether resources are as declared. These checks show whether they work together,
whether somebody has changed them since, and what only a person can do, such as confirming a
subscription.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import boto3

from sesbounce.doctor import (
    alarms,
    extra_topics,
    function,
    queues,
    recommendations,
    rights,
    rights_report,
    schedule,
    service,
    ses,
    ses_account,
    topic,
)
from sesbounce.doctor.declared import Wiring
from sesbounce.doctor.examine import Check, Group
from sesbounce.doctor.finding import Finding
from sesbounce.doctor.rights import Rights
from sesbounce.errors import NotCheckedError


def _without(name: str, what: str) -> Callable[[Wiring, boto3.Session], str]:
    """Why a check is skipped without this part of the wiring; empty with it."""

    def reason(wiring: Wiring, _session: boto3.Session) -> str:
        if getattr(wiring, name):
            return ""
        if name in wiring.unknown:
            return wiring.unknown[name]
        unknown = "" if wiring.declared else "; Terraform's state may name one (--terraform)"
        return f"there is no {what}{unknown}"

    return reason


def _known(*names: str) -> Callable[[Wiring, boto3.Session], str]:
    """Why a check is skipped where a part of the wiring could not be read; empty otherwise."""

    def reason(wiring: Wiring, _session: boto3.Session) -> str:
        return next((wiring.unknown[name] for name in names if name in wiring.unknown), "")

    return reason


_IDENTITIES = _known("identities")

CHECKS = (
    Check("ses.account", "SES lets the account send mail", ses_account.account),
    Check("ses.identities", "the identities publish to the topic", ses.identities, _IDENTITIES),
    Check("ses.dkim", "SES signs the mail of the domains with DKIM", ses.dkim, _IDENTITIES),
    Check("ses.mail-from", "SES finds the MAIL FROM domains", ses.mail_from, _IDENTITIES),
    Check(
        "ses.addresses",
        "no address overrides the settings of its domain",
        ses.address_identities,
        _IDENTITIES,
    ),
    Check(
        "ses.configuration-sets",
        "the configuration sets publish to the topic",
        ses.configuration_sets,
        _without("configuration_sets", "configuration set"),
    ),
    Check(
        "ses.configuration-set-settings",
        "SES sends mail with the configuration sets",
        ses_account.configuration_set_settings,
        _without("configuration_sets", "configuration set"),
    ),
    Check(
        "ses.recommendations",
        "SES recommends nothing for the identities",
        recommendations.recommendations,
        _IDENTITIES,
    ),
    Check(
        "sns.topic",
        "SES may publish to the topic",
        topic.topic,
        _known("identities", "configuration_sets"),
    ),
    Check(
        "sns.subscription",
        "the queue receives each message of the topic",
        topic.subscription,
        _known("subscription_arn"),
    ),
    Check("sns.people", "each subscriber by e-mail has confirmed", topic.people),
    Check(
        "sns.extra-topics",
        "the queue receives each message of the extra topics",
        extra_topics.extra_topics,
        _without("extra_topic_arns", "extra topic"),
    ),
    Check("sqs.queue", "the topic may send to the queue", queues.queue),
    Check(
        "sqs.subscription-dlq",
        "SNS may send what it can't deliver to its dead-letter queue",
        queues.subscription_dlq,
        _without("subscription_dlq_url", "dead-letter queue of the subscription"),
    ),
    Check("sqs.dead-letters", "no dead letter waits", queues.dead_letters),
    Check("sqs.backlog", "a worker reads the queue", queues.backlog),
    Check(
        "ecs.service",
        "the worker's service runs",
        service.service,
        _without("service", "service of the worker"),
    ),
    Check(
        "ecs.api",
        "the service of the HTTP API runs",
        service.api,
        _without("api", "service of the HTTP API"),
    ),
    Check(
        "ecs.schedule",
        "the worker's schedule starts it",
        schedule.schedule,
        _without("schedule", "schedule of the worker"),
    ),
    Check(
        "lambda.function",
        "the worker's function gets the queue's messages",
        function.function,
        _without("function", "function of the worker"),
    ),
    Check(
        "lambda.sweep",
        "the worker's function sweeps",
        function.sweep,
        _without("function", "function of the worker"),
    ),
    Check(
        "cloudwatch.alarms",
        "the alarms reach somebody",
        alarms.alarms,
        _without("alarm_topic_arn", "topic of the alarms"),
    ),
)


def of_rights(answers: Sequence[Rights]) -> Iterator[Finding]:
    """What is not as it should be in the rights of the identities that read the queue.

    Raises:
        NotCheckedError: IAM's policy simulator answered about none of them.
    """
    if answers and all(each.skipped for each in answers):
        raise NotCheckedError("; ".join(each.skipped for each in answers))
    yield from rights_report.findings(answers)


RIGHTS = Check(
    "iam.rights",
    "the worker may read the queue, and no more",
    lambda wiring, session: of_rights(rights.rights(wiring, session)),
)


def group(find: Callable[[], tuple[Wiring, boto3.Session]], *more: Check) -> Group:
    """The checks of a wiring, which `find` finds, and more of the same kind."""
    subject: Callable[[], tuple[Any, ...]] = find
    return Group((*CHECKS, *more), subject)
