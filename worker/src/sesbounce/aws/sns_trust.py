"""Decides whether to trust a message: by its topic and by SNS's signature.

The queue's policy decides which topics may send to it. This check is a second one, for queues
to which other topics may send as well.
"""

from collections.abc import Callable, Collection
from functools import lru_cache

import urllib3
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from sesbounce.aws.sns_signature import certificate_url, key_of, verify
from sesbounce.errors import CertificateError, TrustError
from sesbounce.feedback.envelope import Sns

Fetch = Callable[[str], bytes]

_TIMEOUT_SECONDS = 5
_LARGEST_CERTIFICATE = 64 * 1024
# A region has one certificate at a time; old messages name older ones.
_MOST_KEYS = 64


def fetch(url: str) -> bytes:
    """Fetch a certificate.

    Raises:
        CertificateError: it can't be fetched; the message may be retried later.
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
    """The rules by which messages are trusted.

    Attributes:
        topics: the ARNs of the allowed topics; empty to allow all.
        signatures: whether every message must have a valid signature of SNS.
    """

    def __init__(
        self, topics: Collection[str] = (), *, signatures: bool = False, fetch: Fetch = fetch
    ) -> None:
        self.topics = frozenset(topics)
        self.signatures = signatures
        self._fetch = fetch
        # A failure is not cached.
        self._key = lru_cache(_MOST_KEYS)(self._load_key)

    def check(self, sns: Sns | None) -> None:
        """Verify that a message may be trusted.

        Args:
            sns: the fields of its SNS envelope; None where it has none.

        Raises:
            TrustError: it must not be trusted.
            CertificateError: the certificate can't be fetched at the moment.
        """
        if not self.topics and not self.signatures:
            return
        if sns is None:
            raise TrustError(
                "the message has no SNS envelope, so its topic and signature can't be checked: "
                "switch raw message delivery off, or unset SESBOUNCE_TOPIC_ARNS and "
                "SESBOUNCE_VERIFY_SIGNATURES"
            )
        if self.topics and sns.topic_arn not in self.topics:
            raise TrustError("SESBOUNCE_TOPIC_ARNS does not allow the topic", "$.TopicArn")
        if self.signatures:
            verify(sns, self._key(certificate_url(sns)))

    def _load_key(self, url: str) -> RSAPublicKey:
        return key_of(url, self._fetch(url))
