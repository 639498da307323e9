"""terraform/.terraform.lock.hcl: a fresh checkout runs the provider that the tests ran with.

The lock holds HashiCorp's own digests of the archives for all platforms (`zh:`), so that a machine
of any platform may fetch the provider from the registry or from a mirror of archives, and the
digest of the unpacked provider (`h1:`) for the platform of the mirror that the tests use.
"""

import re

import hcl2
import pytest
from packaging.specifiers import SpecifierSet

from scripts.terraform.output import advice
from tests.terraform.conftest import SOURCE, Terraform

LOCK = SOURCE / ".terraform.lock.hcl"
PROVIDER = "registry.terraform.io/hashicorp/aws"
# The platforms for which HashiCorp builds the provider, and the manifest.
MOST_ARCHIVES = 15


@pytest.fixture(scope="module")
def lock() -> str:
    return LOCK.read_text("utf-8")


def test_it_locks_one_provider(lock: str) -> None:
    assert re.findall(r'^provider "(.*)" {', lock, re.MULTILINE) == [PROVIDER]


def test_no_platform_is_shut_out(lock: str) -> None:
    """A lock with the digest of one platform alone stops all others."""
    hashes = hcl2.loads(lock)["provider"][0][f'"{PROVIDER}"']["hashes"]
    kinds = [re.fullmatch(r'"(zh:[0-9a-f]{64}|h1:[A-Za-z0-9+/]{43}=)"', each) for each in hashes]
    assert all(kinds)
    assert sum("zh:" in each for each in hashes) == MOST_ARCHIVES


def test_it_satisfies_the_modules(lock: str) -> None:
    (written,) = re.findall(r'version = "(>= 5.*)"', (SOURCE / "versions.tf").read_text("utf-8"))
    (constraints,) = re.findall(r'constraints = "(.*)"', lock)
    assert SpecifierSet(constraints) == SpecifierSet(written)


def test_all_folders_want_the_same_provider() -> None:
    wanted = {
        tuple(re.findall(r'version += "(.*)"', file.read_text("utf-8")))
        for file in SOURCE.rglob("versions.tf")
    }
    assert len(wanted) == 1


def test_the_tests_run_with_the_locked_provider(terraform: Terraform, lock: str) -> None:
    terraform.init(".")
    (version,) = re.findall(r'version     = "(.*)"', lock)
    assert version in terraform("version").stdout
    # Terraform has not written what it found into its copy.
    assert (terraform.root / "terraform/.terraform.lock.hcl").read_text("utf-8") == lock


def test_another_provider_than_the_locked_one_is_refused(terraform: Terraform, lock: str) -> None:
    terraform.init(".")
    folder = terraform.root / "terraform/locked"
    folder.mkdir()
    (folder / "versions.tf").write_text((SOURCE / "versions.tf").read_text("utf-8"))
    # No digest is that of this machine's provider, whether it is unpacked or an archive.
    others = re.sub(r"(h1:|zh:).{8}", r"\g<1>00000000", lock)
    (folder / ".terraform.lock.hcl").write_text(others)
    mirror = f"-plugin-dir={terraform.root / 'data' / 'providers'}"
    done = terraform("init", "-no-color", mirror, folder="locked")
    assert done.returncode != 0
    assert advice(done.stderr).startswith("This copy of the provider is not the one")
