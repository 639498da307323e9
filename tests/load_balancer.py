"""An Application Load Balancer that has authenticated somebody, and AWS's endpoint for its keys."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sesbounce.oidc_settings import LoadBalancer, read_load_balancer
from tests.listening import listening
from tests.ports import LOOPBACK
from tests.support import AT

ARN = (
    "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/sesbounce/"
    "50dc6c495c0c9188"
)
ISSUER = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_abc"
CLIENT = "4example23456789"
KEY_ID = "12345678-1234-1234-1234-123456789012"
ANN = {"sub": "1234567890", "email": "ann@example.com", "email_verified": "true"}


def balancer(scopes: str = "check,read", grants: str | None = None) -> LoadBalancer:
    found = read_load_balancer(ARN, ISSUER, CLIENT, scopes, grants)
    assert found
    return found


def padded(raw: bytes) -> str:
    """base64, as load balancers write it."""
    return base64.urlsafe_b64encode(raw).decode()


class Signer:
    """Signs as a load balancer does."""

    def __init__(self, key_id: str = KEY_ID) -> None:
        self.key_id = key_id
        self.key = generate_private_key(SECP256R1())
        self.pem = self.key.public_key().public_bytes(
            Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
        )

    def token(self, claims: Any = ANN, **header: Any) -> str:
        """A token; a part of its header that is None is missing."""
        whole = {
            "typ": "JWT",
            "kid": self.key_id,
            "alg": "ES256",
            "iss": ISSUER,
            "client": CLIENT,
            "signer": ARN,
            "exp": int(AT.timestamp()) + 120,
            **header,
        }
        present = {name: value for name, value in whole.items() if value is not None}
        return self.signed(json.dumps(present).encode(), json.dumps(claims).encode())

    def signed(self, header: bytes, payload: bytes) -> str:
        signed = f"{padded(header)}.{padded(payload)}"
        return f"{signed}.{padded(self.signature(signed.encode()))}"

    def signature(self, signed: bytes) -> bytes:
        numbers = decode_dss_signature(self.key.sign(signed, ECDSA(SHA256())))
        return b"".join(number.to_bytes(32) for number in numbers)


class Endpoint:
    """Publishes keys.

    Attributes:
        keys: the keys by their ids.
        asked: the ids that were asked for.
        status: the status of an answer; None for that of a host that works.
    """

    def __init__(self) -> None:
        self.keys: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.status: int | None = None
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                key_id = self.path.rpartition("/")[2]
                endpoint.asked.append(key_id)
                content = endpoint.keys.get(key_id, b"")
                self.send_response(endpoint.status or (200 if content else 403))
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.http = ThreadingHTTPServer((LOOPBACK, 0), Handler)
        self.url = f"http://{LOOPBACK}:{self.http.server_port}/keys"


@contextmanager
def endpoint(*signers: Signer) -> Iterator[Endpoint]:
    made = Endpoint()
    made.keys = {signer.key_id: signer.pem for signer in signers}
    with listening(made.http):
        yield made
