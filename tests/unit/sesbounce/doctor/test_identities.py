"""The checks of SES's identities and configuration sets."""

from dataclasses import replace
from typing import Any

import pytest

from sesbounce.doctor import ses
from sesbounce.doctor.finding import Finding, Weight
from tests.unit.sesbounce.doctor.stubbed import SET, TOPIC, WIRING, texts


def notifications(topic_arn: str = TOPIC, **more: str) -> dict[str, Any]:
    """SES's answer about an identity that publishes bounces and complaints."""
    topics = {"BounceTopic": topic_arn, "ComplaintTopic": topic_arn, "DeliveryTopic": ""}
    return {"ForwardingEnabled": True} | topics | more


def identity(answers: Any, status: str | None, topics: dict[str, Any]) -> list[tuple[str, str]]:
    verified = {"example.com": {"VerificationStatus": status}} if status else {}
    answers.to("ses", "get_identity_verification_attributes", {"VerificationAttributes": verified})
    answers.to(
        "ses",
        "get_identity_notification_attributes",
        {"NotificationAttributes": {"example.com": topics}},
    )
    return texts(ses.identities(WIRING, answers))


@pytest.mark.parametrize(
    ("status", "found"),
    [
        ("Success", []),
        ("Pending", [("hint", "the identity example.com is not verified yet")]),
        ("Failed", [("broken", "the identity example.com is not verified (SES says: Failed)")]),
        (None, [("broken", "the identity example.com is not verified (SES says: NotStarted)")]),
    ],
)
def test_identities_are_verified(
    answers: Any, status: str | None, found: list[tuple[str, str]]
) -> None:
    assert identity(answers, status, notifications()) == found


@pytest.mark.parametrize(
    ("topics", "missing"),
    [
        (notifications(""), "Bounce, Complaint"),
        (notifications(f"{TOPIC}-2"), "Bounce, Complaint"),
        (notifications(ComplaintTopic=f"{TOPIC}-2"), "Complaint"),
    ],
)
def test_identities_publish_to_the_topic(
    answers: Any, topics: dict[str, Any], missing: str
) -> None:
    what = f"the identity example.com does not publish {missing} to the topic"
    assert identity(answers, "Success", topics) == [("broken", what)]


def test_an_address_identity_beside_its_domain_is_found(answers: Any) -> None:
    own = ["a@example.com", "b@example.com", "c@example.org"]
    answers.to("ses", "list_identities", {"Identities": own})
    topics = {"a@example.com": notifications(""), "b@example.com": notifications()}
    answers.to("ses", "get_identity_notification_attributes", {"NotificationAttributes": topics})
    what = "the address a@example.com is an identity beside its domain"
    assert texts(ses.address_identities(WIRING, answers)) == [("hint", what)]


NOT_PUBLISHED = "the configuration set set does not publish {} to the topic"


def test_version_2_of_the_api_tells_all_events(answers: Any) -> None:
    def destination(topic_arn: str, *types: str, enabled: bool = True) -> dict[str, Any]:
        settings = {"Enabled": enabled, "Name": "a", "MatchingEventTypes": list(types)}
        return settings | {"SnsDestination": {"TopicArn": topic_arn}}

    found = [
        destination(TOPIC, "BOUNCE", "DELIVERY_DELAY"),
        destination(f"{TOPIC}-2", "SUBSCRIPTION"),
        destination(TOPIC, "SUBSCRIPTION", enabled=False),
        {"Enabled": True, "Name": "b", "MatchingEventTypes": ["SUBSCRIPTION"]},
    ]
    answers.to("sesv2", "get_configuration_set_event_destinations", {"EventDestinations": found})
    what = NOT_PUBLISHED.format("SUBSCRIPTION")
    assert texts(ses.configuration_sets(SET, answers)) == [("broken", what)]


def test_a_stack_with_version_1_alone_asks_version_1(answers: Any) -> None:
    destination = {"Enabled": True, "Name": "a", "MatchingEventTypes": ["bounce"]}
    answers.to(
        "ses",
        "describe_configuration_set",
        {"EventDestinations": [destination | {"SNSDestination": {"TopicARN": TOPIC}}]},
    )
    what = NOT_PUBLISHED.format("DELIVERYDELAY, SUBSCRIPTION")
    assert texts(ses.configuration_sets(replace(SET, ses_v1=True), answers)) == [("broken", what)]


SIGNED = {"DkimEnabled": True, "DkimVerificationStatus": "Success"}
PLAIN_FROM = {
    "BehaviorOnMXFailure": "UseDefaultValue",
    "MailFromDomain": "",
    "MailFromDomainStatus": "",
}
OWN_FROM = PLAIN_FROM | {"MailFromDomain": "bounce.example.com", "MailFromDomainStatus": "Success"}


def authentication(
    answers: Any, dkim: dict[str, Any] = SIGNED, mail_from: dict[str, Any] = PLAIN_FROM
) -> list[Finding]:
    wired = replace(WIRING, identities={"example.com": frozenset(), "me@example.org": frozenset()})
    keys = {"DkimAttributes": {"example.com": dkim}}
    answers.to("ses", "get_identity_dkim_attributes", keys)
    from_ = {"MailFromDomainAttributes": {"example.com": mail_from}}
    answers.to("ses", "get_identity_mail_from_domain_attributes", from_)
    return [*ses.dkim(wired, answers), *ses.mail_from(wired, answers)]


def test_signed_mail_needs_no_mail_from_domain(answers: Any) -> None:
    assert authentication(answers) == []
    assert authentication(answers, mail_from=OWN_FROM) == []


@pytest.mark.parametrize(
    ("dkim", "what", "remedy"),
    [
        ({"DkimEnabled": False}, "with DKIM", "Switch Easy DKIM on"),
        ({"DkimVerificationStatus": "NotStarted"}, "with DKIM", "Switch Easy DKIM on"),
        (
            {"DkimVerificationStatus": "Pending"},
            "with DKIM yet (SES says: Pending)",
            "Add the three CNAME records to its DNS: the output dns_records",
        ),
        (
            {"DkimVerificationStatus": "Failed"},
            "with DKIM yet (SES says: Failed)",
            "Add the three CNAME records to its DNS: the output dns_records",
        ),
    ],
)
def test_mail_without_dkim_is_a_hint(
    answers: Any, dkim: dict[str, Any], what: str, remedy: str
) -> None:
    (found,) = authentication(answers, SIGNED | dkim)
    assert (found.weight, found.what) == (
        Weight.HINT,
        f"SES does not sign the mail of example.com {what}",
    )
    assert found.remedy.startswith(remedy)


@pytest.mark.parametrize(
    ("behaviour", "weight", "why"),
    [
        ("UseDefaultValue", Weight.HINT, "SES uses amazonses.com in its place"),
        ("RejectMessage", Weight.BROKEN, "SES rejects all mail from example.com"),
    ],
)
def test_a_mail_from_domain_that_ses_does_not_find_is_found(
    answers: Any, behaviour: str, weight: Weight, why: str
) -> None:
    failed = OWN_FROM | {"MailFromDomainStatus": "Failed", "BehaviorOnMXFailure": behaviour}
    (found,) = authentication(answers, mail_from=failed)
    assert found.weight is weight
    assert found.what == (
        "SES does not use the MAIL FROM domain bounce.example.com of example.com (SES says: Failed)"
    )
    assert found.why.startswith(why)
