"""Verifies the signature of an SNS message; `sns_trust` fetches the certificate.

Source: https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
"""

import base64
import re
from collections.abc import Sequence
from itertools import pairwise

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm
from cryptography.x509 import (
    Certificate,
    DNSName,
    ExtensionNotFound,
    Name,
    SubjectAlternativeName,
    load_pem_x509_certificates,
)
from cryptography.x509.oid import NameOID, ObjectIdentifier

from sesbounce.errors import CertificateError, TrustError
from sesbounce.feedback.envelope import CONFIRMATIONS, Sns

# By SignatureVersion. A topic signs with SHA-1 unless its SignatureVersion is set to 2.
_HASHES: dict[str, HashAlgorithm] = {"1": SHA1(), "2": SHA256()}  # noqa: S303

# The partitions of AWS, and the domain of their endpoints:
# https://docs.aws.amazon.com/general/latest/gr/sns.html
_DOMAINS = {
    "aws": "amazonaws.com",
    "aws-cn": "amazonaws.com.cn",
    "aws-us-gov": "amazonaws.com",
    "aws-eusc": "amazonaws.eu",
}
_TOPIC = re.compile(
    r"arn:([a-z-]+):sns:([a-z]{2,5}(?:-[a-z]+)+-\d+):\d{12}:[\w-]+(?:\.fifo)?", re.ASCII
)
_PATH = r"/SimpleNotificationService-[0-9a-f]{1,64}\.pem"

_NOTIFICATION = "Notification"
# The fields that SNS always signs, beside the type; `subject` is signed where there is one.
_SIGNED = ("message", "message_id", "timestamp", "topic_arn")
_SIGNED_OF_CONFIRMATIONS = (*_SIGNED, "subscribe_url", "token")

# Amazon Trust Services issues the certificates; before 2016 VeriSign did; DigiCert may, in China.
_ISSUERS = {"Amazon", "VeriSign, Inc.", "Symantec Corporation", "DigiCert Inc", "DigiCert, Inc."}
_SUBJECT = re.compile(r"sns\.(?:[a-z0-9-]+\.)?amazonaws\.(?:com|com\.cn|eu)", re.ASCII)


def certificate_url(sns: Sns) -> str:
    """The URL of the certificate, if it is where SNS keeps that of the topic's region.

    Anybody may have a bucket or a host below amazonaws.com. So host and path are exactly those
    of SNS.

    Raises:
        TrustError: the topic is none, or the URL is missing or another one.
    """
    topic = _TOPIC.fullmatch(sns.topic_arn or "")
    domain = _DOMAINS.get(topic[1]) if topic else None
    if not topic or not domain:
        raise TrustError("the TopicArn is not the ARN of a topic", "$.TopicArn")
    url, host = sns.signing_cert_url or "", f"sns.{topic[2]}.{domain}"
    if not re.fullmatch(rf"https://{re.escape(host)}{_PATH}", url, re.ASCII):
        raise TrustError(
            "the certificate is not from https://sns.….amazonaws.com in the topic's region",
            "$.SigningCertURL",
        )
    return url


def key_of(url: str, pem: bytes) -> RSAPublicKey:
    """The public key of the certificate that was fetched from a URL of `certificate_url`.

    SNS sends its certificate without that of the issuer, so the chain can't be followed to a
    root. What vouches for it is TLS, which the fetch verifies for the exact host. Here the
    certificate must be one for SNS, issued by an authority that Amazon uses, and if further
    certificates come with it, each must have issued the one before.

    The dates are not checked: messages of a backlog or a redrive may be older than they allow.

    Raises:
        CertificateError: it is no such certificate.
    """
    try:
        chain = load_pem_x509_certificates(pem)
        _check_issuers(chain)
    except (ValueError, TypeError, InvalidSignature) as error:
        raise CertificateError(
            f"{url} holds no certificate of SNS: {error}", lasting=True
        ) from error
    own = chain[0]
    if not any(map(_SUBJECT.fullmatch, _hosts(own))):
        raise CertificateError(f"{url} holds a certificate of another host than SNS", lasting=True)
    if not _ISSUERS & set(_texts(own.issuer, NameOID.ORGANIZATION_NAME)):
        raise CertificateError(
            f"{url} holds a certificate that Amazon's authorities did not issue", lasting=True
        )
    key = own.public_key()
    if not isinstance(key, RSAPublicKey):
        raise CertificateError(f"{url} holds a certificate without an RSA key", lasting=True)
    return key


def _check_issuers(chain: Sequence[Certificate]) -> None:
    for issued, issuer in pairwise(chain):
        issued.verify_directly_issued_by(issuer)


def _hosts(certificate: Certificate) -> Sequence[str]:
    """The hosts that a certificate is for."""
    try:
        names = certificate.extensions.get_extension_for_class(SubjectAlternativeName).value
    except ExtensionNotFound:
        return _texts(certificate.subject, NameOID.COMMON_NAME)
    return names.get_values_for_type(DNSName)


def _texts(name: Name, oid: ObjectIdentifier) -> list[str]:
    return [str(attribute.value) for attribute in name.get_attributes_for_oid(oid)]


def verify(sns: Sns, key: RSAPublicKey) -> None:
    """Verify that the message is signed with the key: version 1 (SHA-1) or 2 (SHA-256).

    Raises:
        TrustError: the signature is missing or wrong, its version is unknown, or a field is not
            as SNS writes it.
    """
    _check_fields(sns)
    algorithm = _HASHES.get(sns.signature_version or "")
    if algorithm is None:
        raise TrustError("the SignatureVersion is not 1 or 2", "$.SignatureVersion")
    try:
        signature = base64.b64decode(sns.signature or "", validate=True)
        key.verify(signature, signed_text(sns), PKCS1v15(), algorithm)
    except (InvalidSignature, ValueError):  # ValueError: no base64
        raise TrustError("the signature is wrong", "$.Signature") from None


def _check_fields(sns: Sns) -> None:
    """Check that the signed text can be read in one way only.

    Line ends separate the fields in it. Whoever has one text with a valid signature could
    otherwise cut it into other fields: a topic of their own becomes a part of the message.

    Raises:
        TrustError: a field is missing, or holds more than one line.
    """
    if sns.type != _NOTIFICATION and sns.type not in CONFIRMATIONS:
        raise TrustError("the Type is none that SNS signs", "$.Type")
    if not isinstance(sns.message, str):
        raise TrustError("the Message is no text", "$.Message")
    needed = _SIGNED_OF_CONFIRMATIONS if sns.type in CONFIRMATIONS else _SIGNED
    for field in msgspec.structs.fields(Sns):
        value = getattr(sns, field.name)
        place = f"$.{field.encode_name}"
        if field.name in needed and not value:
            raise TrustError("a field is missing that SNS signs", place)
        if field.name != "message" and value and value.splitlines() != [value]:
            raise TrustError("a field holds more than one line", place)


def signed_text(sns: Sns) -> bytes:
    """The text that SNS signs: for some fields, a line with the name and one with the value."""
    message = sns.message if isinstance(sns.message, str) else None
    fields: tuple[tuple[str, str | None], ...] = (
        ("Message", message),
        ("MessageId", sns.message_id),
        *(
            (("SubscribeURL", sns.subscribe_url),)
            if sns.type in CONFIRMATIONS
            else (("Subject", sns.subject),)
        ),
        ("Timestamp", sns.timestamp),
        *((("Token", sns.token),) if sns.type in CONFIRMATIONS else ()),
        ("TopicArn", sns.topic_arn),
        ("Type", sns.type),
    )
    return "".join(f"{name}\n{value}\n" for name, value in fields if value is not None).encode()
