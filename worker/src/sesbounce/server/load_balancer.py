"""Pure: verifies what an Application Load Balancer says about a person, in `x-amzn-oidc-data`.

The header holds a JSON Web Token, but for the padding of its base64, which the load balancer signs
with it: libraries for such tokens reject it (PyJWT does since 2.14), so it is read here.
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/listener-authenticate-users.html
"""

import base64
import binascii
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from sesbounce.errors import IdentityError
from sesbounce.oidc_settings import LoadBalancer

_T = TypeVar("_T")

_TOKEN = re.compile(r"([\w-]+={0,2})\.([\w-]+={0,2})\.([\w-]+={0,2})", re.ASCII)
_KEY_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_ALGORITHM = "ES256"
# Of ES256, RFC 7518, 3.4: two numbers of 32 bytes.
_NUMBER_BYTES = 32
# OpenID Connect Core, 2.
_LONGEST_SUBJECT = 255


class _Header(msgspec.Struct, frozen=True):
    alg: str
    kid: str
    signer: str
    iss: str
    client: str
    exp: int
    crit: Any = None


def verified_claims(
    token: str,
    balancer: LoadBalancer,
    key_of: Callable[[str], EllipticCurvePublicKey],
    now: datetime,
) -> dict[str, Any]:
    """What the load balancer says about a person; `sub` is among it, and a text.

    Args:
        token: the header of the request.
        balancer: the load balancer that must have signed it.
        key_of: finds the public key by its id, which is a UUID.
        now: the time, UTC.

    Raises:
        IdentityError: the load balancer has not said this, or not for now.
    """
    parts = _TOKEN.fullmatch(token)
    if not parts:
        raise IdentityError("it is no JSON Web Token")
    header = _decoded(parts[1], _Header)
    _check(header, balancer, now)
    # The load balancer signs the padding, too.
    signed = token.rpartition(".")[0].encode("ascii")
    _verify(_bytes(parts[3]), signed, key_of(header.kid))
    claims = _decoded(parts[2], dict[str, Any])
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT:
        raise IdentityError("it names no subject")
    return claims


def _check(header: _Header, balancer: LoadBalancer, now: datetime) -> None:
    if header.alg != _ALGORITHM or header.crit is not None:
        raise IdentityError(f"its algorithm is not {_ALGORITHM}")
    if header.signer != balancer.arn:
        raise IdentityError("another load balancer has signed it")
    if header.iss != balancer.issuer:
        raise IdentityError("it comes from another issuer")
    if header.client != balancer.client:
        raise IdentityError("it is for another client")
    if not _KEY_ID.fullmatch(header.kid):
        raise IdentityError("the id of its key is no UUID")
    if header.exp <= now.timestamp():
        raise IdentityError("it has expired")


def _verify(signature: bytes, signed: bytes, key: EllipticCurvePublicKey) -> None:
    if len(signature) != 2 * _NUMBER_BYTES:
        raise IdentityError("its signature has the wrong length")
    numbers = signature[:_NUMBER_BYTES], signature[_NUMBER_BYTES:]
    encoded = encode_dss_signature(*(int.from_bytes(number) for number in numbers))
    try:
        key.verify(encoded, signed, ECDSA(SHA256()))
    except InvalidSignature:
        raise IdentityError("its signature is wrong") from None


def _decoded(part: str, kind: type[_T]) -> _T:
    try:
        return msgspec.json.decode(_bytes(part), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise IdentityError("a part of it is not what a load balancer writes") from None


def _bytes(part: str) -> bytes:
    bare = part.rstrip("=")
    try:
        return base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
    except binascii.Error:
        raise IdentityError("a part of it is no base64") from None
