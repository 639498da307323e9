"""Builds the zip file with which AWS Lambda runs the worker as a function.

    python -m scripts.package.build [--architecture arm64|x86_64] [--output FILE]

It holds the package of `worker/src` and the wheels of `worker/requirements.txt` for Lambda's Python
and the architecture; no container engine and no compiler is needed. The same sources give the same
file, byte by byte. It lies in `.local/package`, and is built once for each version.
"""

import argparse
import hashlib
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts import ScriptError
from scripts.image.build import CHECKOUT, context_files
from scripts.setup import uv

ARCHITECTURES = ("arm64", "x86_64")
# Of the runtime python3.13, which terraform/modules/worker_lambda names.
PYTHON = "3.13"
# Amazon Linux 2023 has glibc 2.34.
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
_PLATFORMS = {"arm64": "aarch64-manylinux_2_28", "x86_64": "x86_64-manylinux_2_28"}
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MOST_ZIPPED_BYTES = 50 * 1024**2
MOST_BYTES = 250 * 1024**2

_REQUIREMENTS = Path("worker/requirements.txt")
_SOURCES = Path("worker/src")
# botocore describes some 440 services. Lambda gives the function its credentials.
_SERVICES = frozenset({"secretsmanager", "sesv2", "ssm"})
_UNUSED = ("bin", ".lock", "boto3/data", "boto3/examples")
# They name the installer and the machine's cache.
_OF_THE_INSTALLER = frozenset({"INSTALLER", "RECORD", "REQUESTED", "direct_url.json"})
_TAG_DIGITS = 12
# The first that a zip file can hold; no file's time has a meaning here.
_TIME = (1980, 1, 1, 0, 0, 0)


class PackageError(ScriptError):
    """The package can't be built as requested."""


@dataclass(frozen=True)
class Package:
    """The zip file of a function.

    Attributes:
        path: the file.
        tag: the version, `sha-` and 12 hexadecimal digits: a digest of all that gets into the file.
    """

    path: Path
    tag: str

    @property
    def digest(self) -> str:
        """SHA-256 of the file, in hexadecimal digits."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()


def build(
    architecture: str, path: Path | None = None, *, python: str = PYTHON, root: Path = CHECKOUT
) -> Package:
    """Build the package, unless the file of its version is there.

    Args:
        architecture: `arm64` or `x86_64`.
        path: the file to write, which is always built; by default one in `.local/package`.
        python: the version of Python, such as `3.13`.
        root: the checkout.

    Raises:
        PackageError: it is larger than Lambda accepts.
        UvError: a wheel can't be had.
    """
    tag = content_tag(architecture, python=python, root=root)
    target = path or root / ".local" / "package" / f"sesbounce-{architecture}-{tag}.zip"
    if path is None and target.exists():
        return Package(target, tag)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        tree, built = Path(folder, "tree"), Path(folder, "package.zip")
        _install(tree, architecture, python, root)
        _prune(tree)
        for file in _own_files(root):
            copy = tree / file.relative_to(_SOURCES)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / file, copy)
        _check("unpacked", sum(file.stat().st_size for file in _files(tree)), MOST_BYTES)
        _zip(tree, built)
        _check("zipped", built.stat().st_size, MOST_ZIPPED_BYTES)
        built.replace(target)
    return Package(target, tag)


def content_tag(architecture: str, *, python: str = PYTHON, root: Path = CHECKOUT) -> str:
    """The version of the package that would be built.

    It is a digest of this script, the locked requirements, the package's own files, the Python and
    the architecture.
    """
    digest = hashlib.sha256(f"{python}\0{architecture}\0".encode())
    digest.update(Path(__file__).read_bytes())
    for file in (_REQUIREMENTS, *_own_files(root)):
        content = (root / file).read_bytes()
        digest.update(f"{file.as_posix()}\0{len(content)}\0".encode() + content)
    return f"sha-{digest.hexdigest()[:_TAG_DIGITS]}"


def _own_files(root: Path) -> list[Path]:
    """The files of the package `sesbounce`: those that get into the image as well."""
    return [file for file in context_files(root) if file.is_relative_to(_SOURCES)]


def _install(tree: Path, architecture: str, python: str, root: Path) -> None:
    uv.uv(
        *("pip", "install", "--target", str(tree), "--link-mode", "copy"),
        *("--python", sys.executable, "--python-version", python),
        *("--python-platform", _PLATFORMS[architecture]),
        *("--require-hashes", "--no-deps", "--only-binary", ":all:"),
        *("--requirement", str(root / _REQUIREMENTS)),
    )


def _prune(tree: Path) -> None:
    """Remove what the function does not use, and what differs from one machine to the next."""
    for unused in (tree / name for name in _UNUSED):
        if unused.is_dir():
            shutil.rmtree(unused)
        else:
            unused.unlink(missing_ok=True)
    for service in (tree / "botocore/data").iterdir():
        if service.is_dir() and service.name not in _SERVICES:
            shutil.rmtree(service)
    for file in tree.glob("*.dist-info/*"):
        if file.name in _OF_THE_INSTALLER:
            file.unlink()


def _files(tree: Path) -> Iterator[Path]:
    return (path for path in sorted(tree.rglob("*"), key=Path.as_posix) if path.is_file())


def _zip(tree: Path, target: Path) -> None:
    """Write the files of a tree into a zip file, with fixed times and modes."""
    with zipfile.ZipFile(target, "w") as archive:
        for file in _files(tree):
            entry = zipfile.ZipInfo(file.relative_to(tree).as_posix(), _TIME)
            entry.create_system = 3  # Unix, whose modes Lambda reads
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, file.read_bytes(), zipfile.ZIP_DEFLATED)


def _check(what: str, size: int, most: int) -> None:
    if size > most:
        raise PackageError(
            f"The package has {size / 1024**2:.0f} MiB {what}, and Lambda accepts "
            f"{most / 1024**2:.0f} MiB: remove what the function does not use in {__name__}."
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the package, and print where it is."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.package.build",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--architecture",
        choices=ARCHITECTURES,
        default=ARCHITECTURES[0],
        help="that of the function (default: arm64, which costs 20 %% less)",
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="the file to write")
    options = parser.parse_args(arguments)
    try:
        package = build(options.architecture, options.output)
    except ScriptError as error:
        print(f"package: {error}", file=sys.stderr)
        return 1
    size = package.path.stat().st_size / 1024**2
    path = os.path.relpath(package.path)
    print(f"{path}  {package.tag}  {size:.1f} MiB  sha256:{package.digest}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
