"""Finds the programs of a server, or installs them where root runs the tests on Debian."""

import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.databases.errors import ServerMissing
from tests.databases.products import Product
from tests.debian import apt_get, update

_FOLDERS = ("/usr/lib/postgresql/*/bin", "/usr/sbin", "/usr/libexec", "/usr/local/sbin")
_DEBIAN = Path("/etc/debian_version")
_NO_CLUSTER = Path("/etc/postgresql-common/createcluster.d/tests.conf")


def find(product: Product) -> list[str] | None:
    found = [_which(names) for names in product.programs]
    return [program for program in found if program] if all(found) else None


def _which(names: tuple[str, ...]) -> str | None:
    return next(filter(None, (shutil.which(name, path=path()) for name in names)), None)


def path() -> str:
    """PATH and the folders where systems put servers; the newest PostgreSQL comes first."""
    folders = [folder for pattern in _FOLDERS for folder in Path("/").glob(pattern[1:])]
    folders.sort(key=_version, reverse=True)
    return os.pathsep.join([os.environ.get("PATH") or os.defpath, *map(str, folders)])


def _version(folder: Path) -> int:
    """The version of the PostgreSQL in /usr/lib/postgresql/<version>/bin; 0 for other folders."""
    return int(folder.parent.name) if folder.parent.name.isdecimal() else 0


def install(product: Product) -> list[str]:
    packages = " ".join(product.packages)
    missing = (
        f"{product.title.upper()} IS MISSING: no {product.programs[1][0]} on PATH. Install it "
        f"(Debian: apt-get install --no-install-recommends {packages}) or start a Docker engine"
    )
    if os.geteuid() != 0 or not _DEBIAN.exists() or not shutil.which("apt-get"):
        raise ServerMissing(missing)
    # Packages are the machine's business: whoever runs the tests should see it.
    print(f"{product.title} is missing: apt-get install {packages}", file=sys.stderr)  # noqa: T201
    with _no_cluster():
        said = update() or apt_get("install", "--no-install-recommends", *product.packages)
    if not (programs := find(product)):
        raise ServerMissing(f"{missing}; apt-get, which was tried, said: {said or 'all is well'}")
    return programs


def find_pgbouncer() -> str:
    """The program of PgBouncer, installed where there is none; the test is skipped without one."""
    found = shutil.which("pgbouncer", path=path())
    if not found and os.geteuid() == 0 and _DEBIAN.exists() and shutil.which("apt-get"):
        print("PgBouncer is missing: apt-get install pgbouncer", file=sys.stderr)  # noqa: T201
        if not update():
            apt_get("install", "--no-install-recommends", "pgbouncer")
        found = shutil.which("pgbouncer", path=path())
    if not found:
        pytest.skip(
            "PGBOUNCER IS MISSING: no pgbouncer on PATH. Install it (Debian: apt-get install "
            "--no-install-recommends pgbouncer)"
        )
    return found


@contextmanager
def _no_cluster() -> Iterator[None]:
    """PostgreSQL's package would make a server of the machine's own, and start it."""
    _NO_CLUSTER.parent.mkdir(parents=True, exist_ok=True)
    _NO_CLUSTER.write_text("create_main_cluster = false\n", encoding="ascii")
    try:
        yield
    finally:
        _NO_CLUSTER.unlink()
        with contextlib.suppress(OSError):  # others' files are in it
            _NO_CLUSTER.parent.rmdir()
