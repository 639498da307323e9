"""Checks SES: identities may send, and SES publishes events of their mail to the topic."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import boto3

from sesbounce.doctor.declared import Wiring, event_type
from sesbounce.doctor.finding import Finding, broken, hint

if TYPE_CHECKING:
    from types_boto3_ses.client import SESClient
    from types_boto3_ses.type_defs import IdentityNotificationAttributesTypeDef

_AT_ONCE = 100  # the most identities that SES takes in one call
_REDO = "Attach the topic: make deploy"

# The account of LocalStack, which accepts the topics of an identity and never returns them.
_LOCALSTACK = "000000000000"

# The event types that only SES's second API knows.
_OF_V2 = frozenset({"DELIVERYDELAY", "SUBSCRIPTION"})


def identities(wiring: Wiring, session: boto3.Session) -> Iterator[Finding]:
    """Each identity is verified, and SES publishes its declared notifications to the topic."""
    if not wiring.identities and not wiring.configuration_sets:
        yield hint(
            "nothing publishes to the topic",
            "no bounce and no complaint reaches the worker",
            "Add your SES identities to the variable identities, and run make deploy",
        )
    client: SESClient = session.client("ses")
    for names in _batches(list(wiring.identities)):
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
    domains = {name for name in wiring.identities if "@" not in name}
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
    for names in _batches(own):
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
        published = _event_types(wiring, session, name, types)
        if missing := types - published:
            yield broken(
                f"the configuration set {name} does not publish {', '.join(sorted(missing))} to "
                "the topic",
                "these events of mail that is sent with it never reach the worker",
                _REDO,
            )


def account(wiring: Wiring, session: boto3.Session) -> Iterator[Finding]:
    """SES lets the account send mail, to any address."""
    answer = session.client("sesv2").get_account()
    if not answer.get("SendingEnabled", True):
        yield broken(
            f"SES has stopped sending in {wiring.region}",
            "no mail leaves the account",
            "Read the reason in AWS's mails and the SES console, and ask for a review",
        )
    if answer.get("EnforcementStatus", "HEALTHY") == "PROBATION":
        yield hint(
            f"SES has the account under review in {wiring.region}",
            "SES stops its sending next, if the bounce or complaint rate stays too high",
            "See the reputation metrics in the SES console",
        )
    if not answer.get("ProductionAccessEnabled", True):
        yield hint(
            f"the account is in SES's sandbox in {wiring.region}",
            "mail goes to verified addresses and the mailbox simulator only",
            "Ask for production access in the SES console",
        )


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
            _REDO,
        )


def _event_types(
    wiring: Wiring, session: boto3.Session, name: str, wanted: frozenset[str]
) -> set[str]:
    """The event types that a configuration set publishes to the topic.

    Only an API of SES that knows some of the wanted types is called.
    """
    found: set[str] = set()
    if wanted - _OF_V2:
        described = session.client("ses").describe_configuration_set(
            ConfigurationSetName=name, ConfigurationSetAttributeNames=["eventDestinations"]
        )
        for destination in described.get("EventDestinations", []):
            to = destination.get("SNSDestination", {}).get("TopicARN")
            if destination.get("Enabled") and to == wiring.topic_arn:
                found.update(map(event_type, destination["MatchingEventTypes"]))
    if wanted & _OF_V2:
        answer = session.client("sesv2").get_configuration_set_event_destinations(
            ConfigurationSetName=name
        )
        for newer in answer.get("EventDestinations", []):
            to = newer.get("SnsDestination", {}).get("TopicArn")
            if newer.get("Enabled") and to == wiring.topic_arn:
                found.update(map(event_type, newer["MatchingEventTypes"]))
    return found


def _batches(names: Sequence[str]) -> Iterator[list[str]]:
    rest = iter(names)
    while batch := list(islice(rest, _AT_ONCE)):
        yield batch
