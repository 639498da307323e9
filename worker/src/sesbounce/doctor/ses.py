"""Checks SES: identities may send, and SES publishes events of their mail to the topic."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import boto3

from sesbounce.doctor.declared import Wiring, event_type
from sesbounce.doctor.finding import Finding, broken, hint

if TYPE_CHECKING:
    from types_boto3_ses.client import SESClient
    from types_boto3_ses.type_defs import (
        IdentityDkimAttributesTypeDef,
        IdentityMailFromDomainAttributesTypeDef,
        IdentityNotificationAttributesTypeDef,
    )

_AT_ONCE = 100  # the most identities that SES takes in one call
_RECORDS = "the output dns_records (make outputs), or the SES console, has them"

# The account of LocalStack, which accepts the topics of an identity and never returns them.
_LOCALSTACK = "000000000000"

Destination = tuple[str | None, Sequence[str]]
"""An event destination: the ARN of its topic, if it has one, and its event types."""


def identities(wiring: Wiring, session: boto3.Session) -> Iterator[Finding]:
    """Each identity is verified, and SES publishes its declared notifications to the topic."""
    has_sets = wiring.configuration_sets or "configuration_sets" in wiring.unknown
    if not wiring.identities and not has_sets:
        yield hint(
            "nothing publishes to the topic",
            "no bounce and no complaint reaches the worker",
            "Add your SES identities to the variable identities, and run make deploy",
        )
    client: SESClient = session.client("ses")
    for names in batches(list(wiring.identities)):
        answer = client.get_identity_verification_attributes(Identities=names)
        statuses = answer["VerificationAttributes"]
        notified = client.get_identity_notification_attributes(Identities=names)
        notifications = notified["NotificationAttributes"]
        for name in names:
            status = statuses[name]["VerificationStatus"] if name in statuses else "NotStarted"
            yield from _verification(name, status)
            yield from _notifications(wiring, name, notifications.get(name))


def address_identities(wiring: Wiring, session: boto3.Session) -> Iterator[Finding]:
    """No address of a domain is an identity too, whose settings override the domain's.

    https://docs.aws.amazon.com/ses/latest/dg/configure-identities.html
    """
    domains = set(_domains(wiring))
    if not domains:
        return
    client: SESClient = session.client("ses")
    pages = client.get_paginator("list_identities").paginate(IdentityType="EmailAddress")
    own = [
        address
        for page in pages
        for address in page["Identities"]
        if address not in wiring.identities and address.rpartition("@")[2].lower() in domains
    ]
    for names in batches(own):
        notified = client.get_identity_notification_attributes(Identities=names)
        for name, attributes in notified["NotificationAttributes"].items():
            if attributes.get("BounceTopic") != wiring.topic_arn:
                yield hint(
                    f"the address {name} is an identity beside its domain",
                    "its settings override the domain's, and do not name the topic",
                    "Add it to the variable identities, or delete that identity",
                )


def configuration_sets(wiring: Wiring, session: boto3.Session) -> Iterator[Finding]:
    """Each configuration set publishes its declared event types to the topic."""
    for name, types in wiring.configuration_sets.items():
        if missing := types - _event_types(wiring, session, name):
            yield broken(
                f"the configuration set {name} does not publish {', '.join(sorted(missing))} to "
                "the topic",
                "these events of mail that is sent with it never reach the worker",
                wiring.restore,
            )


def dkim(wiring: Wiring, session: boto3.Session) -> Iterator[Finding]:
    """SES signs the mail of each domain with DKIM.

    An address has the settings of its domain. One call of version 1 of SES's API answers for a
    hundred identities, one of version 2 for a single one.
    """
    client: SESClient = session.client("ses")
    for names in batches(_domains(wiring)):
        keys = client.get_identity_dkim_attributes(Identities=names)["DkimAttributes"]
        for name in filter(keys.get, names):
            yield from _dkim(name, keys[name])


def mail_from(wiring: Wiring, session: boto3.Session) -> Iterator[Finding]:
    """SES finds the MAIL FROM domain of each domain that has one."""
    client: SESClient = session.client("ses")
    for names in batches(_domains(wiring)):
        answer = client.get_identity_mail_from_domain_attributes(Identities=names)
        attributes = answer["MailFromDomainAttributes"]
        for name in filter(attributes.get, names):
            yield from _mail_from(name, attributes[name])


def _domains(wiring: Wiring) -> list[str]:
    return [name for name in wiring.identities if "@" not in name]


def _verification(name: str, status: str) -> Iterator[Finding]:
    why = "SES does not send mail from it"
    if status == "Pending":
        remedy = (
            "Open the link in the mail that SES has sent to it"
            if "@" in name
            else "Add the records that the SES console shows to its DNS"
        )
        yield hint(f"the identity {name} is not verified yet", why, remedy)
    elif status != "Success":
        yield broken(
            f"the identity {name} is not verified (SES says: {status})",
            why,
            "Verify it in the SES console, in the region of the stack",
        )


def _dkim(name: str, found: "IdentityDkimAttributesTypeDef") -> Iterator[Finding]:
    status = found["DkimVerificationStatus"]
    why = "receivers can't tell its mail from a forgery, and some reject it"
    if not found["DkimEnabled"] or status == "NotStarted":
        yield hint(
            f"SES does not sign the mail of {name} with DKIM",
            why,
            "Switch Easy DKIM on in the SES console, and add its records to the DNS",
        )
    elif status != "Success":
        yield hint(
            f"SES does not sign the mail of {name} with DKIM yet (SES says: {status})",
            why,
            f"Add the three CNAME records to its DNS: {_RECORDS}",
        )


def _mail_from(name: str, found: "IdentityMailFromDomainAttributesTypeDef") -> Iterator[Finding]:
    domain, status = found.get("MailFromDomain"), found.get("MailFromDomainStatus")
    if not domain or status == "Success":
        return
    what = f"SES does not use the MAIL FROM domain {domain} of {name} (SES says: {status})"
    remedy = f"Add its MX and TXT records to the DNS: {_RECORDS}"
    if found["BehaviorOnMXFailure"] == "RejectMessage":
        yield broken(what, f"SES rejects all mail from {name}", remedy)
    else:
        yield hint(
            what,
            "SES uses amazonses.com in its place, so that SPF does not speak for your domain",
            remedy,
        )


def _notifications(
    wiring: Wiring, name: str, found: "IdentityNotificationAttributesTypeDef | None"
) -> Iterator[Finding]:
    if found is None or wiring.account == _LOCALSTACK:
        yield hint(
            f"the notifications of the identity {name} can't be read",
            "SES may not publish them to the topic",
            "Look at the identity's notifications in the SES console",
        )
        return
    topics = {
        "Bounce": found.get("BounceTopic"),
        "Complaint": found.get("ComplaintTopic"),
        "Delivery": found.get("DeliveryTopic"),
    }
    missing = [kind for kind in wiring.identities[name] if topics[kind] != wiring.topic_arn]
    if missing:
        yield broken(
            f"the identity {name} does not publish {', '.join(sorted(missing))} to the topic",
            "these notifications of mail that is sent from it never reach the worker",
            wiring.restore,
        )


def _event_types(wiring: Wiring, session: boto3.Session, name: str) -> set[str]:
    """The event types that a configuration set publishes to the topic."""
    return {
        event_type(type_)
        for topic, types in destinations(session, name, v1=wiring.ses_v1)
        if topic == wiring.topic_arn
        for type_ in types
    }


def destinations(session: boto3.Session, name: str, *, v1: bool) -> Iterator[Destination]:
    """The enabled event destinations of a configuration set.

    Version 2 of SES's API returns all of them. An emulator may have version 1 alone (`v1`).
    """
    return (_destinations_v1 if v1 else _destinations_v2)(session, name)


def _destinations_v2(session: boto3.Session, name: str) -> Iterator[Destination]:
    answer = session.client("sesv2").get_configuration_set_event_destinations(
        ConfigurationSetName=name
    )
    for found in answer.get("EventDestinations", []):
        if found.get("Enabled"):
            yield found.get("SnsDestination", {}).get("TopicArn"), found["MatchingEventTypes"]


def _destinations_v1(session: boto3.Session, name: str) -> Iterator[Destination]:
    answer = session.client("ses").describe_configuration_set(
        ConfigurationSetName=name, ConfigurationSetAttributeNames=["eventDestinations"]
    )
    for found in answer.get("EventDestinations", []):
        if found.get("Enabled"):
            yield found.get("SNSDestination", {}).get("TopicARN"), found["MatchingEventTypes"]


def batches(names: Sequence[str]) -> Iterator[list[str]]:
    """Names of identities, as many at once as SES takes in one call."""
    rest = iter(names)
    while batch := list(islice(rest, _AT_ONCE)):
        yield batch
