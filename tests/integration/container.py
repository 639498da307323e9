"""Images and containers where nothing is to be had but Debian: buildah builds, podman runs.

The base is made of Debian's packages in the manner of python.org's images: with pip, and without
the bytecode of the standard library. What the two programs keep is in a folder of the tests' own,
and gone after them; only the base's archive is kept in `.local/`.
"""

import base64
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

from scripts.image.build import CHECKOUT
from scripts.image.container_engine import ENGINE_VARIABLE
from tests.debian import apt_get, update
from tests.ports import free_port

BASE = "localhost/base-of-the-tests:debian"

_PROGRAMS = ("buildah", "podman", "crun", "mmdebstrap")
_DEBIAN = Path("/etc/debian_version")
_MOST_SECONDS = 1800
_READY_SECONDS = 120
_SUITE = "bookworm"
_BASE_OPTIONS = (
    "--mode=root",
    "--variant=essential",
    "--include=python3,python3-venv,ca-certificates",
    *(
        f"--dpkgopt=path-exclude=/usr/share/{folder}/*"
        for folder in ("doc", "info", "locale", "man")
    ),
    # Half the time: nothing of it has to outlive a power failure.
    "--dpkgopt=force-unsafe-io",
    """--customize-hook=find "$1/usr/lib" -path '*/python3*' -name '*.pyc' -delete""",
)
# crun refuses to work where the cgroups of both versions are mounted. It works where nobody sees
# the second, and then every container's mounts are its own as well.
_HYBRID = "/sys/fs/cgroup/unified"
_HIDE_HYBRID = ("unshare", "--mount", "sh", "-c", f'umount {_HYBRID} && exec "$@"', "sh")


_PASSWORD = "wrong way up"
_PASSWORD_HASH = "$2b$05$abcdefghijklmnopqrstuuDgX1t2CjvtkGRTz7KGH7BQXhsnZFfP2"


class ContainerError(Exception):
    """A program has failed; the message holds its words."""


@contextmanager
def tools() -> Iterator[Path]:
    """Have the programs, with all that they keep in the folder that this yields.

    What is missing is installed. Where that can't be, the tests are skipped; in CI that fails.
    """
    _require_programs()
    # Not in pytest's folders: those of the last runs are kept, and this is hundreds of megabytes.
    with (
        tempfile.TemporaryDirectory(prefix="sesbounce-image-test-") as name,
        pytest.MonkeyPatch.context() as patch,
    ):
        folder = Path(name)
        storage = folder / "storage.conf"
        storage.write_text(
            "[storage]\n"
            f'driver = "{os.environ.get("STORAGE_DRIVER", "overlay")}"\n'
            f'graphroot = "{folder / "storage"}"\n'
            f'runroot = "{folder / "run"}"\n',
            encoding="utf-8",
        )
        patch.setenv("CONTAINERS_STORAGE_CONF", str(storage))
        patch.setenv(ENGINE_VARIABLE, "buildah")
        try:
            yield folder
        finally:
            podman("rm", "--all", "--force", "--time=0")
            run("buildah", "rm", "--all")
            for mount in (folder / "storage/overlay", folder / "storage"):
                if mount.is_mount():
                    run("umount", str(mount))


def make_base() -> None:
    """Make the image `BASE`; some 30 s for the first time, then 5."""
    archive = _base_archive()
    container = run("buildah", "from", "scratch").strip()
    run("buildah", "add", "--quiet", container, str(archive), "/")
    run("buildah", "commit", "--quiet", "--rm", container, BASE)


def podman(*arguments: str) -> str:
    """What a command of podman prints."""
    return run(*podman_command(*arguments))


def podman_command(*arguments: str) -> list[str]:
    """A command of podman, for whoever starts it."""
    hide = _HIDE_HYBRID if Path(_HYBRID).is_mount() else ()
    return [*hide, "podman", "--log-level=error", *arguments]


def hardened() -> list[str]:
    """The options of `podman run` for a container that may do as little as can be.

    Of the file system it may write /tmp alone. It shares the machine's network, where LocalStack
    is.
    """
    return [
        "--read-only",
        "--read-only-tmpfs=false",
        "--tmpfs=/tmp",
        "--cap-drop=all",
        "--security-opt=no-new-privileges",
        "--network=host",
        # By itself podman raises them, which not every root may.
        "--ulimit=nofile=1024:1024",
        "--ulimit=nproc=1024:1024",
    ]


@dataclass(frozen=True)
class Registry:
    """A registry that wants a password."""

    host: str
    username: str = "AWS"
    password: str = _PASSWORD

    def get(self, path: str) -> Any:
        """What it answers, read as JSON."""
        login = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        headers = {
            "Authorization": f"Basic {login}",
            "Accept": "application/vnd.docker.distribution.manifest.v2+json",
        }
        connection = HTTPConnection(self.host, timeout=60)
        with closing(connection):
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            assert answer.status == HTTPStatus.OK, answer.read()
            return json.load(answer)


@contextmanager
def registry(folder: Path) -> Iterator[Registry]:
    """Run Debian's registry out of its package; installed, it would be a service of the machine."""
    program = _registry_program(folder)
    registry = Registry(f"127.0.0.1:{free_port()}")
    htpasswd = folder / "htpasswd"
    htpasswd.write_text(f"{registry.username}:{_PASSWORD_HASH}\n", encoding="ascii")
    config = {
        "version": 0.1,
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "registry")}},
        "http": {"addr": registry.host},
        "auth": {"htpasswd": {"realm": "tests", "path": str(htpasswd)}},
    }
    (folder / "registry.json").write_text(json.dumps(config), encoding="utf-8")
    trusted = folder / "registries.conf"
    trusted.write_text(f'[[registry]]\nlocation = "{registry.host}"\ninsecure = true\n')
    with (
        pytest.MonkeyPatch.context() as patch,
        subprocess.Popen([program, "serve", folder / "registry.json"]) as process,
    ):
        patch.setenv("CONTAINERS_REGISTRIES_CONF", str(trusted))
        try:
            _wait_for(registry, process)
            yield registry
        finally:
            process.terminate()


def _registry_program(folder: Path) -> Path:
    package = folder / "package"
    package.mkdir()
    package.chmod(0o755)
    done = subprocess.run(
        ["apt-get", "--quiet", "download", "docker-registry"],
        cwd=package,
        capture_output=True,
        text=True,
        timeout=_MOST_SECONDS,
        check=False,
    )
    if done.returncode:
        raise ContainerError(done.stderr)
    run("dpkg-deb", "--extract", *map(str, package.glob("*.deb")), str(package))
    return package / "usr/bin/docker-registry"


def _wait_for(registry: Registry, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _READY_SECONDS
    while True:
        try:
            registry.get("/v2/")
            return
        except OSError as error:
            if process.poll() is not None or time.monotonic() > end:
                raise ContainerError(f"the registry does not answer: {error}") from error
        time.sleep(0.05)


def run(*command: str) -> str:
    """What a command prints."""
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_MOST_SECONDS,
        check=False,
    )
    if done.returncode:
        raise ContainerError(f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout


def _require_programs() -> None:
    if os.geteuid() != 0 or not _DEBIAN.exists() or not shutil.which("apt-get"):
        pytest.skip(
            "THE IMAGE IS NOT TESTED: its tests need root, and Debian to install what they need"
        )
    if missing := _missing():
        _install(missing)


def _missing() -> list[str]:
    return [program for program in _PROGRAMS if not shutil.which(program)]


def _install(packages: Sequence[str]) -> None:
    said = update() or apt_get("install", "--no-install-recommends", *packages)
    if said:
        raise ContainerError(said)


def _base_archive() -> Path:
    command = ["mmdebstrap", "--quiet", *_BASE_OPTIONS, _SUITE]
    digest = hashlib.sha256("\0".join(command).encode()).hexdigest()[:12]
    archive = CHECKOUT / f".local/image-base-{digest}.tar"
    if not archive.exists():
        archive.parent.mkdir(exist_ok=True)
        unfinished = archive.with_suffix(".new.tar")
        run(*command, str(unfinished), *_mirror())
        unfinished.rename(archive)
    return archive


def _mirror() -> list[str]:
    """The machine's own way to Debian, if it is one for the suite."""
    targets = run(
        "apt-get", "indextargets", "--format=$(REPO_URI) $(RELEASE)", "Created-By: Packages"
    )
    lines = (line.split() for line in targets.splitlines())
    return [uri for uri, release in lines if release == _SUITE][:1]
