"""Decides whether to trust a message: by its topic and by SNS's signature.

The queue's policy decides which topics may send to it. This check is a second one, for queues
to which other topics may send as well.
"""

import threading
import time
from collections.abc import Callable, Collection

import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from sesbounce.aws.certificates import fetch
from sesbounce.aws.sns_signature import certificate_url, key_of, verify
from sesbounce.errors import CertificateError, TrustError
from sesbounce.feedback.envelope import Sns

Fetch = Callable[[str], bytes]

# A region has one certificate at a time; old messages name older ones.
MOST_KEYS = 64
# A host that can't be reached is not asked again for each message.
FAILURE_SECONDS = 30.0


class _Failure(msgspec.Struct, frozen=True):
    """A fetch that failed, and until when `Trust` remembers it."""

    error: CertificateError
    until: float


class Trust:
    """The rules by which messages are trusted.

    Attributes:
        topics: the ARNs of the allowed topics; empty to allow all.
        signatures: whether every message must have a valid signature of SNS.
    """

    def __init__(
        self,
        topics: Collection[str] = (),
        *,
        signatures: bool = False,
        fetch: Fetch = fetch,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.topics = frozenset(topics)
        self.signatures = signatures
        self._fetch = fetch
        self._clock = clock
        self._keys: dict[str, RSAPublicKey] = {}
        self._failures: dict[str, _Failure] = {}
        self._lock = threading.Lock()

    def check(self, sns: Sns | None) -> None:
        """Verify that a message may be trusted; fetch its certificate where it is not at hand.

        Args:
            sns: the fields of its SNS envelope; None where it has none.

        Raises:
            TrustError: it must not be trusted.
            CertificateError: the certificate can't be fetched.
        """
        url = self._certificate_url(sns)
        if sns is not None and url is not None:
            verify(sns, self._key(url))

    def missing(self, sns: Sns | None) -> str | None:
        """The URL of a certificate that `check` would have to fetch first; None if it need not.

        Raises:
            TrustError: the message must not be trusted, whatever the certificate.
        """
        url = self._certificate_url(sns)
        if url is None or url in self._keys:
            return None
        failure = self._failure(url)
        return None if failure and failure.lasting else url

    def fetch(self, url: str) -> None:
        """Fetch a certificate, so that `check` has it at hand.

        Raises:
            CertificateError: it can't be fetched, or could not be half a minute ago.
        """
        self._key(url)

    def _certificate_url(self, sns: Sns | None) -> str | None:
        """The URL of the certificate to verify with; None where signatures are not checked."""
        if not self.topics and not self.signatures:
            return None
        if sns is None:
            raise TrustError(
                "the message has no SNS envelope, so its topic and signature can't be checked: "
                "switch raw message delivery off, or unset SESBOUNCE_TOPIC_ARNS and "
                "SESBOUNCE_VERIFY_SIGNATURES"
            )
        if self.topics and sns.topic_arn not in self.topics:
            raise TrustError("SESBOUNCE_TOPIC_ARNS does not allow the topic", "$.TopicArn")
        return certificate_url(sns) if self.signatures else None

    def _key(self, url: str) -> RSAPublicKey:
        """The public key of a certificate. It is cached; a failure for half a minute."""
        key = self._keys.get(url)
        if key is None:
            if failure := self._failure(url):
                raise failure
            try:
                key = key_of(url, self._fetch(url))
            except CertificateError as error:
                self._remember(url, error)
                raise
            self._keep(url, key)
        return key

    def _keep(self, url: str, key: RSAPublicKey) -> None:
        """Cache a key; the one that was fetched first makes room."""
        with self._lock:
            newest = list(self._keys.items())[-(MOST_KEYS - 1) :]
            self._keys = dict([*newest, (url, key)])

    def _failure(self, url: str) -> CertificateError | None:
        """The error of a fetch that failed within the last half minute."""
        failure = self._failures.get(url)
        return failure.error if failure and failure.until > self._clock() else None

    def _remember(self, url: str, error: CertificateError) -> None:
        now = self._clock()
        recent = {u: f for u, f in list(self._failures.items()) if f.until > now}
        self._failures = {**recent, url: _Failure(error, now + FAILURE_SECONDS)}
