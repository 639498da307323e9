"""SES's end: who sends, and whether SES tells the topic what became of it."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import boto3

from sesbounce.doctor.declared import Wiring, event_type
from sesbounce.doctor.finding import Finding, broken, hint

if TYPE_CHECKING:
    from types_boto3_ses.client import SESClient
    from types_boto3_ses.type_defs import IdentityNotificationAttributesTypeDef

_AT_ONCE = 100  # as many identities as SES takes in one call
_REDO = "Attach it again: make deploy"

# Its account. LocalStack takes an identity's topics, and does not read them back.
_LOCALSTACK = "000000000000"

# Which event types only the second API tells.
_OF_V2 = frozenset({"DELIVERYDELAY", "SUBSCRIPTION"})


def identities(wiring: Wiring, session: boto3.Session) -> Iterator[Finding]:
    """Each identity is verified, and tells the topic what it should."""
    if not wiring.identities and not wiring.configuration_sets:
        yield hint(
            "nothing publishes to the topic",
            "no bounce and no complaint is told",
            "Name your SES identities in the variable identities, and make deploy",
        )
    client: SESClient = session.client("ses")
    for names in _batches(list(wiring.identities)):
        answer = client.get_identity_verification_attributes(Identities=names)
        statuses = answer["VerificationAttributes"]
        told = client.get_identity_notification_attributes(Identities=names)
        for name in names:
            status = statuses[name]["VerificationStatus"] if name in statuses else "NotStarted"
            yield from _verification(name, status)
            yield from _notifications(wiring, name, told["NotificationAttributes"].get(name))


def addresses_of_their_own(wiring: Wiring, session: boto3.Session) -> Iterator[Finding]:
    """No address of a domain has settings of its own, which count more than the domain's.

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
        told = client.get_identity_notification_attributes(Identities=names)
        for name, attributes in told["NotificationAttributes"].items():
            if attributes.get("BounceTopic") != wiring.topic_arn:
                yield hint(
                    f"the address {name} is an identity of its own beside its domain",
                    "its settings count more than the domain's, and it does not tell our topic",
                    "Add it to the variable identities, or delete that identity",
                )


def configuration_sets(wiring: Wiring, session: boto3.Session) -> Iterator[Finding]:
    """Each configuration set tells the topic what it should."""
    for name, types in wiring.configuration_sets.items():
        told = _event_types(wiring, session, name, types)
        if missing := types - told:
            yield broken(
                f"the configuration set {name} does not tell the topic of "
                f"{', '.join(sorted(missing))}",
                "of mail that is sent with it, these never reach the worker",
                _REDO,
            )


def account(wiring: Wiring, session: boto3.Session) -> Iterator[Finding]:
    """The account may send, to whom it likes."""
    answer = session.client("sesv2").get_account()
    if not answer.get("SendingEnabled", True):
        yield broken(
            f"SES has stopped sending in {wiring.region}",
            "no mail leaves the account",
            "See AWS's mails and the SES console for the reason, and ask for a review",
        )
    if answer.get("EnforcementStatus", "HEALTHY") == "PROBATION":
        yield hint(
            f"SES has the account under review in {wiring.region}",
            "sending is stopped next if bounces or complaints stay too many",
            "See the reputation metrics in the SES console",
        )
    if not answer.get("ProductionAccessEnabled", True):
        yield hint(
            f"the account is in SES's sandbox in {wiring.region}",
            "mail goes to verified addresses and the mailbox simulator only",
            "Ask for production access in the SES console",
        )


def _verification(name: str, status: str) -> Iterator[Finding]:
    why = "SES does not send from it"
    if status == "Pending":
        remedy = (
            "Open the link that SES has mailed to it"
            if "@" in name
            else "Put the records that the SES console shows into its DNS"
        )
        yield hint(f"the identity {name} is not verified yet", why, remedy)
    elif status != "Success":
        yield broken(
            f"the identity {name} is not verified (SES says: {status})",
            why,
            "Verify it in the SES console; is this the region it is in?",
        )


def _notifications(
    wiring: Wiring, name: str, told: "IdentityNotificationAttributesTypeDef | None"
) -> Iterator[Finding]:
    if told is None or wiring.account == _LOCALSTACK:
        yield hint(
            f"what SES tells of the identity {name} can't be read",
            "so it is not known whether the topic is attached to it",
            "Look in the SES console: identity, notifications",
        )
        return
    topics = {
        "Bounce": told.get("BounceTopic"),
        "Complaint": told.get("ComplaintTopic"),
        "Delivery": told.get("DeliveryTopic"),
    }
    missing = [kind for kind in wiring.identities[name] if topics[kind] != wiring.topic_arn]
    if missing:
        yield broken(
            f"the identity {name} does not tell the topic of {', '.join(sorted(missing))}",
            "of mail that is sent from it, these never reach the worker",
            _REDO,
        )


def _event_types(
    wiring: Wiring, session: boto3.Session, name: str, wanted: frozenset[str]
) -> set[str]:
    """What a configuration set tells the topic, by the API that knows what is wanted."""
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
