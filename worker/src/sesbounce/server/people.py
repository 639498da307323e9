"""Identifies people by the load balancer that has authenticated them."""

import hashlib
from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus

import structlog

from sesbounce.errors import CertificateError, IdentityError
from sesbounce.oidc_settings import LoadBalancer, verified_email
from sesbounce.server.access import Caller, unauthorized
from sesbounce.server.load_balancer import verified_claims
from sesbounce.server.problems import RequestError
from sesbounce.server.public_keys import PublicKeys

_RETRY_SECONDS = 5
_DIGITS = 16

log = structlog.get_logger()


class People:
    """The people whom a load balancer lets in. Threads may share it."""

    def __init__(
        self,
        balancer: LoadBalancer,
        clock: Callable[[], datetime],
        keys: PublicKeys | None = None,
    ) -> None:
        """Prepare; nothing is fetched yet.

        Args:
            balancer: the load balancer, and what people may do.
            clock: tells the time, UTC.
            keys: the public keys; None for those of the load balancer's region.
        """
        self._balancer = balancer
        self._clock = clock
        self._keys = keys or PublicKeys(balancer.keys)

    def identify(self, data: str) -> Caller:
        """The person of whom the load balancer speaks.

        Args:
            data: the header `x-amzn-oidc-data`.

        Raises:
            RequestError: the load balancer has not said this (401), or nobody knows, because its
                public key can't be fetched (503).
        """
        try:
            claims = verified_claims(data, self._balancer, self._keys.key, self._clock())
        except IdentityError as error:
            raise unauthorized(
                f"the header x-amzn-oidc-data is not valid: {error}", 'error="invalid_token"'
            ) from error
        except CertificateError as error:
            log.warning("person not identified", problem=str(error))
            if error.lasting:
                raise unauthorized(
                    "the header x-amzn-oidc-data is not valid: AWS knows no such key",
                    'error="invalid_token"',
                ) from error
            raise RequestError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "the public key of the load balancer can't be fetched, so nobody knows who asks: "
                "retry",
                headers={"Retry-After": str(_RETRY_SECONDS)},
            ) from error
        subject = claims["sub"]
        digest = hashlib.sha256(subject.encode(errors="backslashreplace")).hexdigest()[:_DIGITS]
        return Caller(
            # The log must not hold an address, which a subject may be.
            id=f"person:{digest}",
            name=verified_email(claims) or f"person {subject}",
            scopes=self._balancer.scopes_of(claims),
            is_person=True,
        )
