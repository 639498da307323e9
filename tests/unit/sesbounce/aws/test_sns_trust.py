import base64
import csv
import json
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
from sesbounce.aws.sns_signature import certificate_url, signed_text, verify
from sesbounce.aws.sns_trust import Trust
from sesbounce.errors import CertificateError, TrustError
from sesbounce.feedback.decode import decode
from sesbounce.feedback.envelope import Sns, open_envelope
from tests.support import AT, TOPIC, in_sns, said
from tests.unit.sesbounce.feedback.test_corpus import CORPUS, bodies

URL = "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0.pem"


def certificate(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    """A certificate that expired long ago, like those of old messages."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    valid_until = datetime(2021, 1, 1, tzinfo=AT.tzinfo)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(valid_until - timedelta(days=365))
        .not_valid_after(valid_until)
    )
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM)


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def signed(key: rsa.RSAPrivateKey, version: str = "1", **more: Any) -> Sns:
    body = in_sns(said(), SignatureVersion=version, SigningCertURL=URL, **more)
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
    "field", ["MessageId", "TopicArn", "Timestamp", "Subject", "Message", "Type", "Signature"]
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
    "url",
    [
        URL,
        "https://sns.eu-central-1.amazonaws.com/a.pem",
        "https://sns.us-gov-west-1.amazonaws.com/a.pem",
        "https://sns.cn-north-1.amazonaws.com.cn/a.pem",
    ],
)
def test_certificates_come_from_aws(url: str) -> None:
    assert certificate_url(Sns(signing_cert_url=url)) == url


@pytest.mark.parametrize(
    "url",
    [
        None,
        "",
        "http://sns.us-east-1.amazonaws.com/a.pem",
        "https://sns.us-east-1.amazonaws.com.evil.example/a.pem",
        "https://evil.example/sns.us-east-1.amazonaws.com/a.pem",
        "https://sns.us-east-1.amazonaws.com@evil.example/a.pem",
        "https://evil.example#sns.us-east-1.amazonaws.com/a.pem",
        "https://sns.us-east-1.amazonaws.com:8443/a.pem",
        "https://bucket.s3.amazonaws.com/a.pem",
        "https://sns.evil.us-east-1.amazonaws.com/a.pem",
        "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription",
        "https://sns.us-east-1.amazonaws.com\n/a.pem",
        "https://[::1/a.pem",
    ],
)
def test_certificates_from_elsewhere_are_rejected(url: str | None) -> None:
    with pytest.raises(TrustError, match="certificate is not from"):
        certificate_url(Sns(signing_cert_url=url))


def test_without_settings_every_message_is_trusted() -> None:
    Trust().check(None)
    Trust().check(decode(in_sns(said())).sns)


def test_only_allowed_topics_are_trusted() -> None:
    trust = Trust([TOPIC])
    trust.check(decode(in_sns(said())).sns)
    for topic in (f"{TOPIC}2", None):
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


def test_a_host_that_does_not_answer_is_a_certificate_error() -> None:
    with pytest.raises(CertificateError, match="can't be fetched"):
        fetch("https://127.0.0.1:9/a.pem")


def vectors() -> list[dict[str, str]]:
    if not CORPUS.is_dir():
        return []
    with (CORPUS / "VECTORS.tsv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


@pytest.mark.parametrize(
    "row", vectors(), ids=lambda row: f"{row['file']}-{row['SignatureVersion']}"
)
def test_messages_that_aws_signed_verify(row: dict[str, str]) -> None:
    content = (CORPUS / "payloads" / row["file"]).read_bytes()
    body = list(bodies(content))[int(row["nth SNS envelope in it"])]
    # Lambda spells two keys in another way.
    text = body if isinstance(body, str) else body.decode()
    sns = open_envelope(text.replace("SigningCertUrl", "SigningCertURL")).sns
    assert sns
    pem = (CORPUS / row["certificate"]).read_bytes()
    Trust(signatures=True, fetch=Certificates(pem)).check(sns)
