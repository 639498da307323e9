"""Verifies the signature of an SNS message; `sns_trust` fetches the certificate.

Source: https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
"""

import base64
import re
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm

from sesbounce.errors import TrustError
from sesbounce.feedback.envelope import CONFIRMATIONS, Sns

# By SignatureVersion. A topic signs with SHA-1 unless its SignatureVersion is set to 2.
_HASHES: dict[str, HashAlgorithm] = {"1": SHA1(), "2": SHA256()}  # noqa: S303

# Only hosts that AWS runs SNS on: https://docs.aws.amazon.com/general/latest/gr/sns.html
_HOST = re.compile(r"sns\.[a-z0-9-]+\.amazonaws\.com(\.cn)?", re.ASCII)


def certificate_url(sns: Sns) -> str:
    """The URL of the certificate, if it is on a host where AWS runs SNS.

    Raises:
        TrustError: the URL is missing, or on another host.
    """
    url = sns.signing_cert_url or ""
    try:
        parts = urlsplit(url)
        genuine = (
            url.isprintable()  # urlsplit would ignore line ends
            and parts.scheme == "https"
            and _HOST.fullmatch(parts.netloc) is not None
            and parts.path.endswith(".pem")
        )
    except ValueError:
        genuine = False
    if not genuine:
        raise TrustError(
            "the certificate is not from https://sns.….amazonaws.com", "$.SigningCertURL"
        )
    return url


def verify(sns: Sns, key: RSAPublicKey) -> None:
    """Verify that the message is signed with the key: version 1 (SHA-1) or 2 (SHA-256).

    Raises:
        TrustError: the signature is missing or wrong, or its version is unknown.
    """
    algorithm = _HASHES.get(sns.signature_version or "")
    if algorithm is None:
        raise TrustError("the SignatureVersion is not 1 or 2", "$.SignatureVersion")
    try:
        signature = base64.b64decode(sns.signature or "", validate=True)
        key.verify(signature, signed_text(sns), PKCS1v15(), algorithm)
    except (InvalidSignature, ValueError):  # ValueError: no base64
        raise TrustError("the signature is wrong", "$.Signature") from None


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
