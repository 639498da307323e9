"""Fetches Terraform into the checkout where the machine has none that is recent enough.

    python3 -m scripts.terraform.fetch

It runs before anything is installed, under the system's Python: standard library only. The release
and its digests are pinned here. `SESBOUNCE_TERRAFORM_RELEASES` names a copy of HashiCorp's folder
of releases; proxies are those that urllib knows (`HTTPS_PROXY`, `NO_PROXY`).
"""

import hashlib
import os
import shutil
import sys
import tempfile
import time
import urllib.request
import zipfile
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path

from scripts.terraform import env
from scripts.terraform.env import (
    TerraformError,
    TerraformMissingError,
    platform_name,
    terraform_binary,
)

RELEASES_VARIABLE = "SESBOUNCE_TERRAFORM_RELEASES"
VERSION = "1.11.4"
DIGESTS = {
    "darwin_amd64": "a56d5002b9f7647291faccc3dd1a70350e60fb61e4c45037629508b8fdc2575b",
    "darwin_arm64": "867e0808fa971217043e25b7a792b10720c79b1546f8a68479b74f138be73e18",
    "linux_amd64": "1ce994251c00281d6845f0f268637ba50c0005657eb3cf096b92f753b42ef4dc",
    "linux_arm64": "a43d1d0da9b9bab214a8305a39db0e40869572594ccf50c416a7756499143633",
}

_RELEASES = "https://releases.hashicorp.com/terraform"
_MOST_BYTES = 100_000_000  # more than thrice the size of the archive
_MOST_SECONDS = 600.0
_SILENCE_SECONDS = 30.0
_CHUNK = 1 << 16


class FetchError(TerraformError):
    """The pinned Terraform can't be fetched."""


def ensure(base: Mapping[str, str] = os.environ) -> Path:
    """Return the Terraform that every script runs, and fetch it first where there is none.

    Raises:
        TerraformError: the fetch has failed, or `TERRAFORM` names a binary that does not do.
    """
    try:
        return terraform_binary(base)
    except TerraformMissingError as missing:
        try:
            _fetch(env.FETCHED, base)
        # A ValueError is about a text that is no URL.
        except (FetchError, OSError, HTTPException, ValueError) as error:
            raise FetchError(f"Terraform {VERSION} can't be fetched: {error}. {missing}") from error
    return terraform_binary(base)


def _fetch(binary: Path, base: Mapping[str, str]) -> None:
    """Put the pinned release in its place, whole or not at all."""
    platform = platform_name()
    if platform not in DIGESTS:
        raise FetchError(f"no release is pinned for {platform}")
    releases = (base.get(RELEASES_VARIABLE) or _RELEASES).rstrip("/")
    url = f"{releases}/{VERSION}/terraform_{VERSION}_{platform}.zip"
    print(f"terraform: fetching {url}", file=sys.stderr, flush=True)
    binary.parent.mkdir(parents=True, exist_ok=True)
    # Each process writes to a folder of its own; the rename is one step, and the last one counts.
    with tempfile.TemporaryDirectory(prefix=".terraform-", dir=binary.parent) as folder:
        archive, unpacked = Path(folder, "terraform.zip"), Path(folder, "terraform")
        digest = _download(url, archive)
        if digest != DIGESTS[platform]:
            raise FetchError(f"its SHA-256 is {digest}, not {DIGESTS[platform]}")
        with (
            zipfile.ZipFile(archive) as members,
            members.open("terraform") as source,
            unpacked.open("wb") as target,
        ):
            shutil.copyfileobj(source, target)
        unpacked.chmod(0o755)
        unpacked.replace(binary)


def _download(url: str, target: Path) -> str:
    """Write what a URL holds into a file, and return its SHA-256."""
    digest = hashlib.sha256()
    deadline = time.monotonic() + _MOST_SECONDS
    with (
        urllib.request.build_opener().open(url, timeout=_SILENCE_SECONDS) as answer,
        target.open("wb") as file,
    ):
        while chunk := answer.read1(_CHUNK):
            digest.update(chunk)
            file.write(chunk)
            if file.tell() > _MOST_BYTES:
                raise FetchError(f"it is larger than {_MOST_BYTES:,} bytes")
            if time.monotonic() > deadline:
                raise FetchError(f"it takes longer than {_MOST_SECONDS:.0f} seconds")
    return digest.hexdigest()


def main() -> int:
    """Run the command line; returns the exit code."""
    try:
        ensure()
    except TerraformError as error:
        print(f"terraform: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
