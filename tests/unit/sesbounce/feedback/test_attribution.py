import json
from typing import Any

import msgspec
import pytest

from sesbounce.feedback.attribution import Attribution, completed, read_tags
from sesbounce.feedback.decode import Decoded, decode
from tests.support import AT, in_sns, mail, said

ACCOUNT = "000000000000"  # of scripts.local.ses_messages
TAGS = {
    "ses:configuration-set": ["newsletter"],
    "ses:tenant-name": ["shop"],
    "ses:from-domain": ["example.com"],
    "campaign": ["spring"],
    "odd": ["first", "second"],
}


def tagged(tags: Any) -> dict[str, Any]:
    """A bounce event of a configuration set, with these tags."""
    message = said(schema="event")
    message["mail"]["tags"] = tags
    return message


def with_headers(*headers: tuple[str, str]) -> dict[str, Any]:
    """A bounce notification of an identity, with these headers of the mail."""
    message = said()
    message["mail"]["headers"] += [{"name": name, "value": value} for name, value in headers]
    return message


def attribution(body: Any, *tags: str) -> Attribution:
    decoded = decode(body if isinstance(body, str) else json.dumps(body), AT, tags=tags)
    return decoded.events[0].attribution


def test_event_publishing_names_all_of_it() -> None:
    assert attribution(tagged(TAGS), "campaign", "absent", "odd") == Attribution(
        configuration_set="newsletter",
        identity="sender@example.com",
        region="us-east-1",
        tenant="shop",
        tags='{"campaign":"spring","odd":"first"}',
        account_id=ACCOUNT,
    )


def test_no_tag_is_kept_unless_it_is_chosen() -> None:
    assert attribution(tagged(TAGS)).tags is None
    assert read_tags(None) is None
    chosen = attribution(tagged(TAGS), "ses:from-domain", "ses:configuration-set").tags
    assert read_tags(chosen) == {
        "ses:from-domain": "example.com",
        "ses:configuration-set": "newsletter",
    }


def test_a_notification_names_the_identity_and_its_region() -> None:
    expected = Attribution(identity="sender@example.com", region="us-east-1", account_id=ACCOUNT)
    assert attribution(said(), "campaign") == expected


@pytest.mark.parametrize(
    "spelled", [str, str.lower, str.title], ids=["as AWS", "as Node.js", "as Go"]
)
def test_headers_say_what_the_tags_of_a_notification_would(spelled: Any) -> None:
    message = with_headers(
        (spelled("X-SES-CONFIGURATION-SET"), " newsletter "),
        (spelled("X-SES-TENANT"), "shop"),
        (spelled("X-SES-MESSAGE-TAGS"), "campaign=spring, other=x,broken"),
    )
    found = attribution(message, "campaign", "broken")
    assert (found.configuration_set, found.tenant) == ("newsletter", "shop")
    assert found.tags == '{"campaign":"spring"}'


def test_headers_do_not_count_beside_tags() -> None:
    """SES uses the tags of the call alone, if both are there."""
    message = with_headers(("X-SES-CONFIGURATION-SET", "other"), ("X-SES-MESSAGE-TAGS", "a=b"))
    message["mail"]["tags"] = TAGS
    found = attribution(message, "a")
    assert (found.configuration_set, found.tags) == ("newsletter", None)


@pytest.mark.parametrize(
    ("tags", "configuration_set"),
    [
        ({"ses:configuration-set": []}, None),
        ({"ses:configuration-set": [""]}, None),
        ({"ses:configuration-set": ["a\nb"]}, None),
        ({"ses:configuration-set": ["\N{SNOWMAN}"]}, None),
        ({"ses:configuration-set": ["\0"]}, None),
        ({"ses:configuration-set": ["x" * 257]}, None),
        ({"ses:configuration-set": ["x" * 256]}, "x" * 256),
        ({"ses:configuration-set": "alone"}, "alone"),
        ({"ses:configuration-set": 7}, None),
        ({"ses:configuration-set": ["newsletter"], "odd": {"a": 1}}, "newsletter"),
        ({"ses:configuration-set": ["newsletter"], "odd": None}, "newsletter"),
        ({"ses:configuration-set": ["newsletter"], "long": ["x" * 9999]}, "newsletter"),
        (["ses:configuration-set"], None),
        ("text", None),
        (None, None),
        ({}, None),
    ],
)
def test_odd_tags_cost_no_bounce(tags: Any, configuration_set: str | None) -> None:
    found = attribution(tagged(tags), "odd")
    assert (found.configuration_set, found.tags) == (configuration_set, None)


@pytest.mark.parametrize(
    "headers", ["X-SES-TENANT", [{"name": "X-SES-TENANT"}], [["X-SES-TENANT", "shop"]], {}]
)
def test_odd_headers_cost_no_bounce(headers: Any) -> None:
    message = said()
    message["mail"]["headers"] = headers
    assert attribution(message).tenant is None


@pytest.mark.parametrize(
    ("arn", "identity", "region"),
    [
        ("arn:aws:ses:eu-west-1:111122223333:identity/example.com", "example.com", "eu-west-1"),
        ("arn:aws-us-gov:ses:us-gov-west-1:1:identity/a@b.example", "a@b.example", "us-gov-west-1"),
        ("arn:aws:ses:<region>:1:identity/example.com", "example.com", None),
        ("arn:aws:ses:eu-west-1:1:configuration-set/x", None, "eu-west-1"),
        ("arn:aws:ses:eu-west-1:1:identity/" + "x" * 321, None, "eu-west-1"),
        ("arn:aws:ses:eu-west-1:1:identity/a\nb", None, "eu-west-1"),
        ("x" * 10_000, None, None),
        ("", None, None),
        (None, None, None),
        (7, None, None),
    ],
)
def test_the_arn_of_the_identity(arn: Any, identity: str | None, region: str | None) -> None:
    message = said()
    message["mail"]["sourceArn"] = arn
    assert attribution(message) == Attribution(identity=identity, region=region, account_id=ACCOUNT)


@pytest.mark.parametrize(
    ("sending", "arn", "topic", "account_id"),
    [
        ("111122223333", "222233334444", "333344445555", "111122223333"),
        (None, "222233334444", "333344445555", "222233334444"),
        ("", "222233334444", "333344445555", "222233334444"),
        ("account", "222233334444", "333344445555", "222233334444"),
        ("1" * 10_000, "222233334444", "333344445555", "222233334444"),
        ("11112222333\N{ARABIC-INDIC DIGIT THREE}", "2222", "333344445555", "333344445555"),
        (111122223333, "222233334444", "333344445555", "111122223333"),
        (None, None, "333344445555", "333344445555"),
        (None, None, None, None),
    ],
)
def test_the_account_is_the_sender_s_or_that_of_the_identity_or_of_the_topic(
    sending: Any, arn: str | None, topic: str | None, account_id: str | None
) -> None:
    message = said()
    message["mail"]["sendingAccountId"] = sending
    message["mail"]["sourceArn"] = arn and f"arn:aws:ses:us-east-1:{arn}:identity/example.com"
    sent = topic and in_sns(message, TopicArn=f"arn:aws:sns:us-east-1:{topic}:feedback")
    assert attribution(sent or message).account_id == account_id


def test_without_it_the_region_is_that_of_the_topic_or_of_eventbridge() -> None:
    message = said()
    del message["mail"]["sourceArn"]
    topic = "arn:aws:sns:ap-south-1:000000000000:feedback"
    assert attribution(in_sns(message, TopicArn=topic)).region == "ap-south-1"
    event = {"detail-type": "Email Bounced", "region": "eu-west-3", "detail": message}
    assert attribution(event).region == "eu-west-3"
    assert attribution(event | {"region": {"odd": 1}}).region is None
    assert attribution(event | {"region": "\N{SNOWMAN}"}).region is None


def test_it_is_no_part_of_the_dedupe_key() -> None:
    def keys(decoded: Decoded) -> list[str]:
        return [event.dedupe_key for event in decoded.events]

    one = keys(decode(json.dumps(said()), AT))
    assert keys(decode(json.dumps(tagged(TAGS)), AT, tags=("campaign",))) == one
    assert keys(decode(json.dumps(with_headers(("X-SES-TENANT", "shop"))), AT)) == one


def test_every_recipient_has_the_attribution_of_the_mail() -> None:
    message = tagged(TAGS)
    message["bounce"]["bouncedRecipients"] = [
        {"emailAddress": f"{n}@example.com", "status": "5.1.1"} for n in range(3)
    ]
    events = decode(json.dumps(message), AT, tags=("campaign",)).events
    assert {event.attribution.tags for event in events} == {'{"campaign":"spring"}'}


def test_two_messages_complete_each_other_in_any_order() -> None:
    one = Attribution(identity="example.com", region="us-east-1", tags='{"a":"x"}')
    other = Attribution(configuration_set="newsletter", region="us-east-1", tags='{"a":"y"}')
    both = Attribution("newsletter", "example.com", "us-east-1", None, '{"a":"y"}')
    assert completed(one, other) == completed(other, one) == both
    assert completed(both, one) == completed(one, both) == both
    assert completed(Attribution(), one) == one


def test_it_is_shown_as_far_as_it_is_known() -> None:
    (event,) = decode(json.dumps(said(about=mail())), AT).events
    shown = msgspec.json.decode(msgspec.json.encode(event))
    assert shown["attribution"] == {
        "identity": "sender@example.com",
        "region": "us-east-1",
        "account_id": ACCOUNT,
    }
