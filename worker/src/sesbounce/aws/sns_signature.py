"""Verifies that SNS signed a message: the pure part, with the certificate at hand.

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

# By SignatureVersion. SHA-1 is what a topic signs with unless it is told otherwise.
_HASHES: dict[str, HashAlgorithm] = {"1": SHA1(), "2": SHA256()}  # noqa: S303

# Only hosts that AWS runs SNS on: https://docs.aws.amazon.com/general/latest/gr/sns.html
_HOST = re.compile(r"sns\.[a-z0-9-]+\.amazonaws\.com(\.cn)?", re.ASCII)


def certificate_url(sns: Sns) -> str:
    """The address of the certificate, if it is one that AWS can have written.

    Raises:
        TrustError: it is missing, or it leads elsewhere.
    """
    url = sns.signing_cert_url or ""
    try:
        parts = urlsplit(url)
        genuine = (
            url.isprintable()  # urlsplit would overlook line ends
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
    """Make sure that the key's owner signed the message, both versions (1: SHA-1, 2: SHA-256).

    Raises:
        TrustError: the signature is missing or wrong, or of a version that is not known.
    """
    algorithm = _HASHES.get(sns.signature_version or "")
    if algorithm is None:
        raise TrustError("a SignatureVersion that is not 1 or 2", "$.SignatureVersion")
    try:
        signature = base64.b64decode(sns.signature or "", validate=True)
        key.verify(signature, signed_text(sns), PKCS1v15(), algorithm)
    except (InvalidSignature, ValueError):  # ValueError: no base64
        raise TrustError("the signature is wrong", "$.Signature") from None


def signed_text(sns: Sns) -> bytes:
    """What SNS signs: some fields, each a line with its name and a line with its value."""
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
