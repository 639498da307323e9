"""Certificates that are their own authority, and messages that are signed as SNS signs."""

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from sesbounce.aws.sns_signature import signed_text
from sesbounce.feedback.envelope import open_envelope


def self_signed(host: str, folder: Path, key: rsa.RSAPrivateKey | None = None) -> tuple[Path, Path]:
    """Write a certificate and its key, valid for this day; return their files."""
    key = key or rsa.generate_private_key(65537, 2048)
    # As SNS's certificates are: issued by Amazon.
    attributes = ((NameOID.COMMON_NAME, host), (NameOID.ORGANIZATION_NAME, "Amazon"))
    name = x509.Name([x509.NameAttribute(*attribute) for attribute in attributes])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, SHA256())
    )
    pem, secret = folder / f"{host}.pem", folder / f"{host}.key"
    pem.write_bytes(certificate.public_bytes(Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    )
    return pem, secret


def signed(body: str, key: rsa.RSAPrivateKey, certificate_url: str) -> str:
    """The body of an SNS message, signed with the key."""
    envelope = json.loads(body) | {"SignatureVersion": "2", "SigningCertURL": certificate_url}
    sns = open_envelope(json.dumps(envelope)).sns
    assert sns
    signature = base64.b64encode(key.sign(signed_text(sns), PKCS1v15(), SHA256())).decode()
    return json.dumps(envelope | {"Signature": signature})
