"""Fetches the public keys with which load balancers sign, and keeps them for a day."""

import threading
import time
from collections.abc import Callable
from typing import NamedTuple, TypeVar

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from sesbounce.aws.certificates import fetch
from sesbounce.errors import CertificateError
from sesbounce.server.rate import RateLimit

_T = TypeVar("_T")

_KEPT_SECONDS = 86_400.0
# AWS's endpoint has no key of this id; or it can't be reached.
_UNKNOWN_SECONDS, _AWAY_SECONDS = 60.0, 5.0
# A region has few keys at a time. Whoever sends ids that do not exist must push none of them out,
# so the keys that could not be fetched are kept apart.
_MOST = 32
# Such ids cost no more than one request in a second.
_FETCHES_A_SECOND = 1.0
# Threads that wait here answer nobody else.
_WAIT_SECONDS = 1.0


class _Failure(NamedTuple):
    error: CertificateError
    until: float


class PublicKeys:
    """The keys by their ids. Threads may share it."""

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        """Fetch nothing yet.

        Args:
            url: the URL below which the keys are.
            clock: tells the seconds.
        """
        self._url = url
        self._clock = clock
        self._keys: dict[str, tuple[EllipticCurvePublicKey, float]] = {}
        self._failures: dict[str, _Failure] = {}
        self._away: _Failure | None = None
        self._limit = RateLimit(_FETCHES_A_SECOND, clock)
        self._lock = threading.Lock()

    def key(self, key_id: str) -> EllipticCurvePublicKey:
        """The key with an id, which is a UUID.

        Raises:
            CertificateError: it can't be fetched; the error is lasting if there is no such key.
        """
        return self._known(key_id) or self._fetched(key_id)

    def _known(self, key_id: str) -> EllipticCurvePublicKey | None:
        now = self._clock()
        key, until = self._keys.get(key_id, (None, 0.0))
        if key and now < until:
            return key
        for failure in (self._failures.get(key_id), self._away):
            if failure and now < failure.until:
                raise failure.error
        return None

    def _fetched(self, key_id: str) -> EllipticCurvePublicKey:
        if not self._lock.acquire(timeout=_WAIT_SECONDS):
            raise CertificateError("another request waits for a public key")
        try:
            if known := self._known(key_id):  # another thread has fetched it meanwhile
                return known
            if self._limit.wait(""):
                raise CertificateError("requests name too many public keys that are not known")
            return self._ask(key_id)
        finally:
            self._lock.release()

    def _ask(self, key_id: str) -> EllipticCurvePublicKey:
        url = f"{self._url}/{key_id}"
        try:
            key = _read(url, fetch(url))
        except CertificateError as error:
            now = self._clock()
            if error.lasting:
                _keep(self._failures, key_id, _Failure(error, now + _UNKNOWN_SECONDS))
            else:
                self._away = _Failure(error, now + _AWAY_SECONDS)
            raise
        _keep(self._keys, key_id, (key, self._clock() + _KEPT_SECONDS))
        return key


def _keep(kept: dict[str, _T], key_id: str, value: _T) -> None:
    """Keep a value; the oldest one makes room."""
    kept.pop(key_id, None)
    kept[key_id] = value
    while len(kept) > _MOST:
        del kept[next(iter(kept))]


def _read(url: str, pem: bytes) -> EllipticCurvePublicKey:
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateError(f"{url} holds no public key: {error}", lasting=True) from error
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, SECP256R1):
        raise CertificateError(f"{url} holds a public key that is none for ES256", lasting=True)
    return key
