"""Signs requests with AWS Signature Version 4, byte for byte as botocore does.

It signs POST requests without a query, whose path never changes: each call of an AWS service
with a JSON protocol is one. Nothing here reads a clock or the environment.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
"""

import hmac
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from botocore.credentials import ReadOnlyCredentials
from botocore.utils import is_valid_ipv6_endpoint_url, normalize_url_path

_ALGORITHM = "AWS4-HMAC-SHA256"
_DEFAULT_PORTS = {"http": 80, "https": 443}


class _DayKey(NamedTuple):
    """The key that signs the requests of one secret key on one day."""

    secret: str | None
    day: str
    key: bytes


class Signer:
    """Signs requests to one endpoint. It may be used by several threads at once.

    Attributes:
        host: the value of the header Host, which the request must carry as it is here.
    """

    def __init__(self, endpoint: str, region: str, service: str) -> None:
        """Make a signer.

        Args:
            endpoint: the URL to which the requests go.
            region: the region that is signed for.
            service: the name of the service that is signed for.
        """
        self.host = _host(endpoint)
        path = quote(normalize_url_path(urlsplit(endpoint).path), safe="/~")
        self._head = f"POST\n{path}\n\n"
        self._region = region
        self._service = service
        self._day_key = _DayKey("", "", b"")

    def sign(
        self,
        headers: Mapping[str, str],
        body: bytes,
        credentials: ReadOnlyCredentials,
        at: datetime,
    ) -> dict[str, str]:
        """Sign one request.

        Args:
            headers: headers of the request to sign beside its own; their names in lower case,
                their values without blanks around them or twice in a row.
            body: the request's body.
            credentials: the credentials of one moment, as `get_frozen_credentials` returns them.
            at: the time of the request, UTC.

        Returns:
            The request's headers: the given ones, and those of the signature.
        """
        time = f"{at:%Y%m%dT%H%M%SZ}"
        signed = {**headers, "host": self.host, "x-amz-date": time}
        if credentials.token:
            signed["x-amz-security-token"] = credentials.token
        names = sorted(signed)
        lines = "".join([f"{name}:{signed[name]}\n" for name in names])
        listed = ";".join(names)
        request = f"{self._head}{lines}\n{listed}\n{sha256(body).hexdigest()}"
        scope = f"{time[:8]}/{self._region}/{self._service}/aws4_request"
        digest = sha256(request.encode()).hexdigest()
        signature = hmac.digest(
            self._key(credentials.secret_key, time[:8]),
            f"{_ALGORITHM}\n{time}\n{scope}\n{digest}".encode(),
            "sha256",
        ).hex()
        signed["authorization"] = (
            f"{_ALGORITHM} Credential={credentials.access_key}/{scope}, "
            f"SignedHeaders={listed}, Signature={signature}"
        )
        return signed

    def _key(self, secret: str | None, day: str) -> bytes:
        """The signing key of the day, which the signer keeps until the day or the secret ends."""
        kept = self._day_key  # one read: another thread may replace it
        if kept.secret != secret or kept.day != day:
            key = f"AWS4{secret}".encode()
            for part in (day, self._region, self._service, "aws4_request"):
                key = hmac.digest(key, part.encode(), "sha256")
            kept = self._day_key = _DayKey(secret, day, key)
        return kept.key


def _host(endpoint: str) -> str:
    """The value of the header Host: the port is named unless it is the scheme's own."""
    url = urlsplit(endpoint)
    host = url.hostname or ""
    if is_valid_ipv6_endpoint_url(endpoint):
        host = f"[{host}]"
    port = url.port
    return host if port in (None, _DEFAULT_PORTS.get(url.scheme)) else f"{host}:{port}"
