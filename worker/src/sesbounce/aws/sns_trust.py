"""Decides whether a message comes from whom it should: topics by name, signatures by SNS.

The queue's policy is the boundary. This is the second line, for queues that others share.
"""

from collections.abc import Callable, Collection

import urllib3
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.x509 import load_pem_x509_certificate

from sesbounce.aws.sns_signature import certificate_url, verify
from sesbounce.errors import CertificateError, TrustError
from sesbounce.feedback.envelope import Sns

Fetch = Callable[[str], bytes]

_TIMEOUT_SECONDS = 5
_LARGEST_CERTIFICATE = 64 * 1024


def fetch(url: str) -> bytes:
    """Get a certificate.

    Raises:
        CertificateError: it can't be had; the message may be tried again later.
    """
    try:
        response = urllib3.request(
            "GET",
            url,
            timeout=_TIMEOUT_SECONDS,
            retries=False,
            redirect=False,
            preload_content=False,
        )
        content = response.read(_LARGEST_CERTIFICATE)
    except urllib3.exceptions.HTTPError as error:
        raise CertificateError(f"{url} can't be fetched: {error}") from error
    if response.status != 200:  # noqa: PLR2004  HTTP's OK
        raise CertificateError(f"{url} can't be fetched: HTTP status {response.status}")
    return content


class Trust:
    """What is trusted.

    Attributes:
        topics: ARNs of the topics that may send; empty for all.
        signatures: whether every message must carry SNS's signature.
    """

    def __init__(
        self, topics: Collection[str] = (), *, signatures: bool = False, fetch: Fetch = fetch
    ) -> None:
        self.topics = frozenset(topics)
        self.signatures = signatures
        self._fetch = fetch
        self._keys: dict[str, RSAPublicKey] = {}

    def check(self, sns: Sns | None) -> None:
        """Make sure that a message may be believed.

        Raises:
            TrustError: it may not.
            CertificateError: the certificate can't be had now.
        """
        if not self.topics and not self.signatures:
            return
        if sns is None:
            raise TrustError(
                "no SNS envelope, so its topic and signature can't be checked: switch raw message "
                "delivery off, or unset SESBOUNCE_TOPIC_ARNS and SESBOUNCE_VERIFY_SIGNATURES"
            )
        if self.topics and sns.topic_arn not in self.topics:
            raise TrustError("a topic that SESBOUNCE_TOPIC_ARNS does not name", "$.TopicArn")
        if self.signatures:
            verify(sns, self._key(certificate_url(sns)))

    def _key(self, url: str) -> RSAPublicKey:
        """The key behind a certificate; kept once it is had, while a failure is not."""
        if url not in self._keys:
            self._keys[url] = _public_key(url, self._fetch(url))
        return self._keys[url]


def _public_key(url: str, certificate: bytes) -> RSAPublicKey:
    # The dates do not matter: backlogs and redrives are older than certificates get.
    try:
        key = load_pem_x509_certificate(certificate).public_key()
    except ValueError as error:
        raise CertificateError(f"{url} holds no certificate: {error}") from error
    if not isinstance(key, RSAPublicKey):
        raise CertificateError(f"{url} holds a certificate without an RSA key")
    return key
