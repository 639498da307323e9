"""The root certificates of RDS in the package."""

import re
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from scripts.image import rds_roots
from sesbounce.store.rds_roots import ROOTS
from tests.certificates import self_signed

DOCS = Path(__file__).parents[4] / "docs/database.md"
# A certificate that ends within this time has to be replaced in a release before.
MARGIN = timedelta(days=365)


@pytest.fixture(scope="module")
def bundled() -> list[x509.Certificate]:
    return list(rds_roots.certificates(ROOTS.read_text(encoding="ascii")))


def test_the_package_holds_valid_roots_of_rds_and_no_other(
    bundled: list[x509.Certificate],
) -> None:
    assert len(bundled) > 50
    for each in bundled:
        assert rds_roots.is_root(each), rds_roots.name(each)
        assert each.not_valid_after_utc > datetime.now(UTC) + MARGIN
        (organisation,) = each.subject.get_attributes_for_oid(x509.NameOID.ORGANIZATION_NAME)
        assert organisation.value == "Amazon Web Services, Inc."
    assert len(set(bundled)) == len(bundled)


def test_python_s_tls_reads_the_file(bundled: list[x509.Certificate]) -> None:
    context = ssl.create_default_context(cafile=str(ROOTS))
    assert context.cert_store_stats()["x509_ca"] == len(bundled)


def test_the_docs_list_their_regions(bundled: list[x509.Certificate]) -> None:
    regions = {rds_roots.name(each).removeprefix("Amazon RDS ").split()[0] for each in bundled}
    line = next(
        line
        for line in DOCS.read_text(encoding="utf-8").splitlines()
        if "`sslrootcert=rds`" in line
    )
    listed = set(re.findall(r"`([a-z]+-[a-z]+-\d)`", line))
    assert listed == regions


def test_what_is_no_root_of_rds_is_refused(bundled: list[x509.Certificate], tmp_path: Path) -> None:
    now = datetime.now(UTC)
    other = x509.load_pem_x509_certificate(self_signed("other.example", tmp_path)[0].read_bytes())
    with pytest.raises(
        rds_roots.RootsError, match=r"holds other\.example, which is no root of RDS"
    ):
        rds_roots.text([*bundled, other], "a file", now)
    with pytest.raises(rds_roots.RootsError, match="no valid root"):
        rds_roots.text(bundled, "a file", datetime(2500, 1, 1, tzinfo=UTC))


def test_a_certificate_that_another_has_issued_is_no_root(
    bundled: list[x509.Certificate], tmp_path: Path
) -> None:
    now, key = datetime.now(UTC), ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Amazon RDS eu-west-1 Root")])
    between = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(bundled[0].subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    assert not rds_roots.is_root(between)


def test_what_is_no_certificate_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bundle.pem"
    file.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    assert rds_roots.main([str(file)]) == 1
    assert capsys.readouterr().err.startswith("rds_roots: ")


def test_a_bundle_of_aws_is_taken_from_a_file(
    bundled: list[x509.Certificate],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file, target = tmp_path / "global-bundle.pem", tmp_path / "roots.pem"
    file.write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in bundled[:3] * 2))
    monkeypatch.setattr(rds_roots, "ROOTS", target)
    assert rds_roots.main([str(file)]) == 0
    assert set(rds_roots.certificates(target.read_text())) == set(bundled[:3])
    assert rds_roots.main([str(tmp_path / "none.pem")]) == 1
    assert "none.pem" in capsys.readouterr().err
