import base64
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from sesbounce.aws.certificates import fetch
from sesbounce.aws.sns_signature import certificate_url, key_of, signed_text, verify
from sesbounce.aws.sns_trust import Trust
from sesbounce.errors import CertificateError, TrustError
from sesbounce.feedback.decode import decode
from sesbounce.feedback.envelope import Sns, open_envelope
from tests.corpus import FOLDER, bodies, listed, needs_corpus, payload
from tests.support import AT, TOPIC, in_sns, said

URL = "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0.pem"


PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def named(host: str, organization: str | None = None) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.COMMON_NAME, host)]
    if organization:
        attributes.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(attributes)


def certificate(
    key: PrivateKey,
    host: str = "sns.amazonaws.com",
    issuer: x509.Name = named("Amazon RSA 2048 M01", "Amazon"),  # noqa: B008
    issuer_key: PrivateKey | None = None,
    other_hosts: Sequence[str] = (),
    subject: x509.Name | None = None,
) -> bytes:
    """A certificate that expired long ago, like those of old messages."""
    valid_until = datetime(2021, 1, 1, tzinfo=AT.tzinfo)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject or named(host))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(valid_until - timedelta(days=365))
        .not_valid_after(valid_until)
    )
    if other_hosts:
        names = x509.SubjectAlternativeName([x509.DNSName(name) for name in other_hosts])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(issuer_key or key, SHA256()).public_bytes(Encoding.PEM)


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def signed(key: rsa.RSAPrivateKey, version: str = "1", **more: Any) -> Sns:
    fields = {"SignatureVersion": version, "SigningCertURL": URL} | more
    body = in_sns(fields.pop("Message", said()), **fields)
    sns = open_envelope(body).sns
    assert sns is not None
    algorithm = SHA1() if version == "1" else SHA256()  # noqa: S303
    signature = base64.b64encode(key.sign(signed_text(sns), PKCS1v15(), algorithm)).decode()
    whole = open_envelope(json.dumps(json.loads(body) | {"Signature": signature})).sns
    assert whole is not None
    return whole


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"Subject": None},
        {
            "Type": "SubscriptionConfirmation",
            "Token": "0123",
            "SubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription",
        },
    ],
    ids=["notification", "without subject", "confirmation"],
)
def test_a_message_that_sns_signed_verifies(
    key: rsa.RSAPrivateKey, version: str, more: dict[str, Any]
) -> None:
    verify(signed(key, version, **more), key.public_key())


@pytest.mark.parametrize(
    "field", ["MessageId", "TopicArn", "Timestamp", "Subject", "Message", "Signature"]
)
def test_a_message_that_was_changed_after_signing_is_rejected(
    key: rsa.RSAPrivateKey, field: str
) -> None:
    sns = signed(key)
    attribute = {"MessageId": "message_id", "TopicArn": "topic_arn"}.get(field, field.lower())
    value = str(getattr(sns, attribute))
    changed = {name: getattr(sns, name) for name in sns.__struct_fields__}
    changed[attribute] = ("B" if value[0] == "A" else "A") + value[1:]
    with pytest.raises(TrustError, match="signature is wrong") as caught:
        verify(Sns(**{name: changed[name] for name in Sns.__struct_fields__}), key.public_key())
    assert caught.value.place == "$.Signature"


@pytest.mark.parametrize("signature", [None, "", "é", "no base64", "AAAA"])
def test_a_text_that_is_no_signature_is_rejected(
    key: rsa.RSAPrivateKey, signature: str | None
) -> None:
    sns = open_envelope(in_sns(said(), Signature=signature)).sns
    assert sns
    with pytest.raises(TrustError, match="signature is wrong"):
        verify(sns, key.public_key())


@pytest.mark.parametrize("version", ["", "3"])
def test_unknown_versions_are_rejected(key: rsa.RSAPrivateKey, version: str) -> None:
    sns = open_envelope(in_sns(said(), SignatureVersion=version)).sns
    assert sns
    with pytest.raises(TrustError, match="SignatureVersion"):
        verify(sns, key.public_key())


@pytest.mark.parametrize(
    "kind", ["", "notification", "Notification ", "Notification\nType", "SubscriptionConfirmation"]
)
def test_a_message_whose_type_was_changed_is_rejected(key: rsa.RSAPrivateKey, kind: str) -> None:
    changed = replaced(signed(key), type=kind)
    with pytest.raises(TrustError, match=r"Type is none|field is missing"):
        verify(changed, key.public_key())


def replaced(sns: Sns, **changes: Any) -> Sns:
    fields = {name: getattr(sns, name) for name in Sns.__struct_fields__}
    return Sns(**(fields | changes))


def test_the_fields_of_a_signed_text_can_t_be_cut_in_another_way(key: rsa.RSAPrivateKey) -> None:
    """Somebody's own topic publishes what reads as a message of another topic."""
    evil, own = json.dumps(said()), "arn:aws:sns:us-east-1:666666666666:own"
    told = f"{evil}\nMessageId\n1\nTimestamp\n2026-11-20T12:00:01.000Z\nTopicArn\n{TOPIC}\nType\nx"
    sns = signed(key, Message=told, TopicArn=own, Subject=None)
    verify(sns, key.public_key())
    rest = signed_text(sns).decode().partition(f"TopicArn\n{TOPIC}\nType\n")[2]
    forged = replaced(
        sns, message=evil, message_id="1", topic_arn=TOPIC, type=rest.removesuffix("\n")
    )
    assert signed_text(forged) == signed_text(sns)
    with pytest.raises(TrustError) as caught:
        verify(forged, key.public_key())
    assert caught.value.place == "$.Type"


@pytest.mark.parametrize(
    "separator", ["\n", "\r", "\r\n", "\v", "\f", "\x1e", "\x85", "\u2028", "\u2029"]
)
@pytest.mark.parametrize(
    "field", ["MessageId", "Timestamp", "TopicArn", "Subject", "Token", "SubscribeURL"]
)
def test_no_field_but_the_message_may_hold_line_ends(
    key: rsa.RSAPrivateKey, field: str, separator: str
) -> None:
    fields = {"Token": "0123", "SubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=x"}
    kind = "SubscriptionConfirmation" if field in fields else "Notification"
    verify(signed(key, Type=kind, Message=f"a{separator}b", **fields), key.public_key())
    for value in (f"a{separator}b", f"a{separator}"):
        sns = signed(key, **(fields | {"Type": kind, field: value}))
        with pytest.raises(TrustError, match="more than one line") as caught:
            verify(sns, key.public_key())
        assert caught.value.place == f"$.{field}"


@pytest.mark.parametrize("field", ["MessageId", "Timestamp", "TopicArn"])
def test_no_field_that_sns_signs_may_be_missing(key: rsa.RSAPrivateKey, field: str) -> None:
    values: tuple[Any, ...] = (None, "")
    for value in values:
        with pytest.raises(TrustError, match="field is missing"):
            verify(signed(key, **{field: value}), key.public_key())


def test_the_message_must_be_a_text(key: rsa.RSAPrivateKey) -> None:
    with pytest.raises(TrustError, match="Message is no text"):
        verify(replaced(signed(key), message=said()), key.public_key())


def topic(region: str, partition: str = "aws") -> str:
    return f"arn:{partition}:sns:{region}:000000000000:feedback"


@pytest.mark.parametrize(
    ("arn", "host"),
    [
        (topic("us-east-1"), "sns.us-east-1.amazonaws.com"),
        (topic("eu-central-1"), "sns.eu-central-1.amazonaws.com"),
        (topic("us-gov-west-1", "aws-us-gov"), "sns.us-gov-west-1.amazonaws.com"),
        (topic("cn-north-1", "aws-cn"), "sns.cn-north-1.amazonaws.com.cn"),
        (topic("eusc-de-east-1", "aws-eusc"), "sns.eusc-de-east-1.amazonaws.eu"),
        (f"{topic('us-east-1')}.fifo", "sns.us-east-1.amazonaws.com"),
    ],
)
def test_certificates_come_from_the_host_of_the_topic_s_region(arn: str, host: str) -> None:
    url = f"https://{host}/SimpleNotificationService-9c6465fa7f48f5cacd23014631ec1136.pem"
    assert certificate_url(Sns(topic_arn=arn, signing_cert_url=url)) == url
    for other in (topic("us-west-2"), topic("us-gov-east-1", "aws-us-gov")):
        with pytest.raises(TrustError, match="certificate is not from"):
            certificate_url(Sns(topic_arn=other, signing_cert_url=url))


FILE = "SimpleNotificationService-0.pem"


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        f"http://sns.us-east-1.amazonaws.com/{FILE}",
        f"https://sns.us-east-1.amazonaws.com.evil.example/{FILE}",
        f"https://evil.example/sns.us-east-1.amazonaws.com/{FILE}",
        f"https://sns.us-east-1.amazonaws.com@evil.example/{FILE}",
        f"https://evil@sns.us-east-1.amazonaws.com/{FILE}",
        f"https://evil.example#sns.us-east-1.amazonaws.com/{FILE}",
        f"https://sns.us-east-1.amazonaws.com:8443/{FILE}",
        f"https://sns.us-east-1.amazonaws.com:443/{FILE}",
        f"https://bucket.s3.amazonaws.com/{FILE}",
        f"https://sns.s3.amazonaws.com/{FILE}",
        f"https://sns.s3-us-east-1.amazonaws.com/{FILE}",
        f"https://sns.amazonaws.com/{FILE}",
        f"https://sns.us-east-1.amazonaws.com.cn/{FILE}",
        f"https://sns.us-east-1.amazonaws.eu/{FILE}",
        f"https://SNS.us-east-1.amazonaws.com/{FILE}",
        f"https://snsxus-east-1.amazonaws.com/{FILE}",
        f"https://sns.evil.us-east-1.amazonaws.com/{FILE}",
        "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription",
        "https://sns.us-east-1.amazonaws.com/a.pem",
        f"https://sns.us-east-1.amazonaws.com/a/{FILE}",
        f"https://sns.us-east-1.amazonaws.com/a/../{FILE}",
        f"https://sns.us-east-1.amazonaws.com/{FILE}?a.pem",
        f"https://sns.us-east-1.amazonaws.com/{FILE}#a.pem",
        f"https://sns.us-east-1.amazonaws.com/{FILE}\n",
        f"https://sns.us-east-1.amazonaws.com\n/{FILE}",
        "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-x/y.pem",
        f"https://[::1/{FILE}",
    ],
)
def test_certificates_from_elsewhere_are_rejected(url: str | None) -> None:
    with pytest.raises(TrustError, match="certificate is not from"):
        certificate_url(Sns(topic_arn=TOPIC, signing_cert_url=url))


@pytest.mark.parametrize(
    "arn",
    [
        None,
        "",
        topic("s3"),
        topic("s3-us-east-1"),
        topic("us-east-1.evil.example/"),
        topic("us-east-1", "aws-new"),
        f"{TOPIC}\n",
        TOPIC.replace(":sns:", ":sqs:"),
    ],
)
def test_what_is_no_topic_has_no_certificate(arn: str | None) -> None:
    with pytest.raises(TrustError, match="not the ARN of a topic"):
        certificate_url(Sns(topic_arn=arn, signing_cert_url=URL))


def test_without_settings_every_message_is_trusted() -> None:
    Trust().check(None)
    Trust().check(decode(in_sns(said())).sns)


def test_only_allowed_topics_are_trusted() -> None:
    extra = "arn:aws:sns:eu-west-1:210987654321:SESBounce"
    trust = Trust([TOPIC, extra])
    trust.check(decode(in_sns(said())).sns)
    trust.check(decode(in_sns(said(), TopicArn=extra)).sns)
    for topic in (f"{TOPIC}2", extra.replace("eu-west-1", "eu-west-2"), None):
        with pytest.raises(TrustError, match="SESBOUNCE_TOPIC_ARNS does not allow"):
            trust.check(decode(in_sns(said(), TopicArn=topic)).sns)


@pytest.mark.parametrize("trust", [Trust([TOPIC]), Trust(signatures=True)])
def test_raw_delivery_is_not_trusted(trust: Trust) -> None:
    with pytest.raises(TrustError, match="switch raw message delivery off"):
        trust.check(decode(json.dumps(said())).sns)


class Certificates:
    """A source of certificates that keeps the URLs, and fails the first `failures` times."""

    def __init__(self, content: bytes, failures: int = 0) -> None:
        self.content = content
        self.failures = failures
        self.fetched: list[str] = []

    def __call__(self, url: str) -> bytes:
        self.fetched.append(url)
        if len(self.fetched) <= self.failures:
            raise CertificateError("not now")
        return self.content


def test_a_certificate_is_fetched_once(key: rsa.RSAPrivateKey) -> None:
    source = Certificates(certificate(key))
    trust = Trust(signatures=True, fetch=source)
    trust.check(signed(key))
    trust.check(signed(key, "2"))
    assert source.fetched == [URL]


class TestFailures:
    """A fetch that failed is remembered for half a minute."""

    now = 1000.0

    def trust(self, source: Certificates) -> Trust:
        return Trust(signatures=True, fetch=source, clock=lambda: self.now)

    def test_a_host_that_failed_is_not_asked_for_each_message(self, key: rsa.RSAPrivateKey) -> None:
        source = Certificates(certificate(key), failures=1)
        trust, sns = self.trust(source), signed(key)
        for self.now in (1000.0, 1000.1, 1029.9):
            with pytest.raises(CertificateError, match="not now"):
                trust.check(sns)
        assert source.fetched == [URL]
        self.now = 1030.0
        trust.check(sns)
        assert source.fetched == [URL, URL]

    def test_the_failure_of_one_certificate_is_none_of_another(
        self, key: rsa.RSAPrivateKey
    ) -> None:
        source = Certificates(certificate(key), failures=1)
        trust = self.trust(source)
        with pytest.raises(CertificateError):
            trust.fetch(URL.replace("0.pem", "1.pem"))
        trust.check(signed(key))

    def test_a_certificate_is_missing_until_it_is_fetched(self, key: rsa.RSAPrivateKey) -> None:
        source = Certificates(certificate(key), failures=1)
        trust, sns = self.trust(source), signed(key)
        assert trust.missing(sns) == URL
        with pytest.raises(CertificateError):
            trust.fetch(URL)
        assert trust.missing(sns) == URL
        self.now += 30
        trust.fetch(URL)
        assert trust.missing(sns) is None

    def test_one_that_does_not_exist_is_not_waited_for(self, key: rsa.RSAPrivateKey) -> None:
        trust, sns = self.trust(Certificates(b"<html>")), signed(key)
        with pytest.raises(CertificateError):
            trust.fetch(URL)
        assert trust.missing(sns) is None
        self.now += 30
        assert trust.missing(sns) == URL

    def test_a_message_that_is_not_trusted_needs_no_certificate(
        self, key: rsa.RSAPrivateKey
    ) -> None:
        source = Certificates(certificate(key))
        with pytest.raises(TrustError, match="SESBOUNCE_TOPIC_ARNS"):
            Trust([f"{TOPIC}2"], signatures=True, fetch=source).missing(signed(key))
        elsewhere = open_envelope(in_sns(said(), SigningCertURL="https://evil.example/a.pem")).sns
        with pytest.raises(TrustError):
            self.trust(source).missing(elsewhere)
        assert Trust([TOPIC]).missing(signed(key)) is None
        assert source.fetched == []


def test_a_wrong_signature_is_rejected_with_the_right_certificate(key: rsa.RSAPrivateKey) -> None:
    trust = Trust(signatures=True, fetch=Certificates(certificate(key)))
    with pytest.raises(TrustError, match="signature is wrong"):
        trust.check(decode(in_sns(said())).sns)


def test_a_text_that_is_no_certificate_of_sns_is_a_certificate_error(
    key: rsa.RSAPrivateKey,
) -> None:
    elliptic = certificate(ec.generate_private_key(ec.SECP256R1()))
    for content, problem in ((b"<html>", "holds no certificate"), (elliptic, "without an RSA key")):
        with pytest.raises(CertificateError, match=problem):
            Trust(signatures=True, fetch=Certificates(content)).check(signed(key))


@pytest.mark.parametrize(
    ("host", "other_hosts"),
    [
        ("sns.amazonaws.com", []),
        ("sns.us-east-1.amazonaws.com", []),
        ("sns.cn-north-1.amazonaws.com.cn", []),
        ("Amazon", ["other.amazonaws.com", "sns.us-east-1.amazonaws.com"]),
    ],
)
def test_a_certificate_is_for_sns(
    key: rsa.RSAPrivateKey, host: str, other_hosts: list[str]
) -> None:
    pem = certificate(key, host, other_hosts=other_hosts)
    assert key_of(URL, pem).public_numbers() == key.public_key().public_numbers()


@pytest.mark.parametrize(
    ("host", "other_hosts"),
    [
        ("sqs.us-east-1.amazonaws.com", []),
        ("sns.amazonaws.com.evil.example", []),
        ("sns.s3.evil.amazonaws.com", []),
        ("sns.amazonaws.com", ["s3.amazonaws.com"]),
    ],
)
def test_a_certificate_for_another_host_is_rejected(
    key: rsa.RSAPrivateKey, host: str, other_hosts: list[str]
) -> None:
    with pytest.raises(CertificateError, match="another host than SNS"):
        key_of(URL, certificate(key, host, other_hosts=other_hosts))


def test_a_certificate_of_another_authority_is_rejected(key: rsa.RSAPrivateKey) -> None:
    for issuer in (named("sns.amazonaws.com"), named("Amazon", "Amazon of somebody else")):
        with pytest.raises(CertificateError, match="Amazon's authorities did not issue"):
            key_of(URL, certificate(key, issuer=issuer))


def test_certificates_that_come_along_must_have_issued_the_one_before(
    key: rsa.RSAPrivateKey,
) -> None:
    authority, another = (rsa.generate_private_key(65537, 2048) for _ in range(2))
    issuer = named("Amazon RSA 2048 M01", "Amazon")
    own = certificate(key, issuer=issuer, issuer_key=authority)

    chain = own + certificate(authority, issuer=issuer, subject=issuer)
    assert key_of(URL, chain).public_numbers() == key.public_key().public_numbers()
    with pytest.raises(CertificateError, match="no certificate of SNS"):
        key_of(URL, own + certificate(another, issuer=issuer, subject=issuer))


def test_no_more_keys_are_kept_than_there_is_room_for(key: rsa.RSAPrivateKey) -> None:
    source = Certificates(certificate(key))
    trust = Trust(signatures=True, fetch=source)
    urls = [URL.replace("-0.pem", f"-{number:x}.pem") for number in range(100)]
    messages = [signed(key, SigningCertURL=url) for url in urls]
    for sns in messages:
        trust.check(sns)
    # The first ones were forgotten; the last ones are there.
    trust.check(messages[-1])
    assert source.fetched == urls
    trust.check(messages[0])
    assert source.fetched == [*urls, urls[0]]


def test_a_host_that_does_not_answer_is_a_certificate_error() -> None:
    with pytest.raises(CertificateError, match="can't be fetched"):
        fetch("https://127.0.0.1:9/a.pem")


@needs_corpus
@pytest.mark.parametrize(
    "row", listed("VECTORS.tsv"), ids=lambda row: f"{row['file']}-{row['SignatureVersion']}"
)
def test_messages_that_aws_signed_verify(row: dict[str, str]) -> None:
    content = payload(row["file"])
    body = list(bodies(content))[int(row["nth SNS envelope in it"])]
    # Lambda spells two keys in another way.
    text = body if isinstance(body, str) else body.decode()
    sns = open_envelope(text.replace("SigningCertUrl", "SigningCertURL")).sns
    assert sns
    pem = (FOLDER / row["certificate"]).read_bytes()
    Trust(signatures=True, fetch=Certificates(pem)).check(sns)
