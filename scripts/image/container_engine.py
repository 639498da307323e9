"""Builds and pushes images with docker, podman or buildah, behind one set of methods.

The first of them that answers is used; `CONTAINER_ENGINE` chooses another. They differ in how they
take a time and a registry's password, and in what they report about an image.
"""

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from scripts import ScriptError

ENGINE_VARIABLE = "CONTAINER_ENGINE"
Kind = Literal["docker", "podman", "buildah"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
_ANSWER_SECONDS = 30.0

_LAST_LINES = 50
_FOREIGN_CPU = (
    "This machine can't run programs of the image's CPU. Either build for this machine's: worker = "
    '{ cpu_architecture = "X86_64" } in the variables of the stack ("ARM64" on an ARM machine), or '
    "--platform of make image. Or let it emulate the other CPU: docker run --privileged --rm "
    "tonistiigi/binfmt --install all (Debian and Ubuntu: apt install qemu-user-static)"
)


class EngineError(ScriptError):
    """No container engine answers, or one failed; its output is on standard error."""


@dataclass(frozen=True)
class Build:
    """The options of a build.

    Attributes:
        context: the folder that COPY reads.
        dockerfile: the path of the Dockerfile.
        names: names with tags; the image gets all of them.
        arguments: the Dockerfile's arguments; the image's history shows them.
        labels: the image's labels.
        secrets: by id, files that `--mount=type=secret,id=…` mounts; the image keeps none.
        platform: such as `linux/arm64`; None: this machine's.
        created: the creation time of the image and its files, in seconds since 1970.
    """

    context: Path
    dockerfile: Path
    names: Sequence[str]
    arguments: Mapping[str, str]
    labels: Mapping[str, str]
    secrets: Mapping[str, Path]
    platform: str | None
    created: int


@dataclass(frozen=True)
class Credentials:
    """A login to a registry."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True)
class Engine:
    """A container engine, and the path of its program."""

    program: str
    kind: Kind

    def build(self, build: Build) -> str:
        """Build an image; the engine's output goes to standard error.

        Returns:
            The image's id, `sha256:…`: the digest of its configuration, which lists all layers.

        Raises:
            EngineError: the build fails.
        """
        with tempfile.TemporaryDirectory(prefix="sesbounce-build-") as folder:
            iid = Path(folder, "id")
            options = [
                f"--file={build.dockerfile}",
                f"--iidfile={iid}",
                *(f"--tag={name}" for name in build.names),
                *(f"--build-arg={name}={value}" for name, value in build.arguments.items()),
                *(f"--label={name}={value}" for name, value in build.labels.items()),
                *(f"--secret=id={name},src={path}" for name, path in build.secrets.items()),
                *([f"--platform={build.platform}"] if build.platform else []),
            ]
            self._build([*options, *self._own_options(build.created), str(build.context)])
            return iid.read_text(encoding="ascii").strip()

    def size(self, name: str) -> str:
        """The size of an image's layers, unpacked, such as `215 MB`."""
        if self.kind == "buildah":
            return str(json.loads(self._ask("images", "--json", name))[0]["size"])
        return f"{int(self._ask('image', 'inspect', '--format={{.Size}}', name)) / 1e6:.0f} MB"

    def push(self, name: str, target: str, credentials: Credentials | None = None) -> str:
        """Push an image.

        Args:
            name: the image's name in the engine.
            target: registry, repository and tag.
            credentials: by default the engine's own for the registry.

        Returns:
            Registry, repository and the digest that the image has there.

        Raises:
            EngineError: the registry rejects it, or can't be reached.
        """
        self._run("tag", name, target)
        repository = target.rpartition(":")[0]
        # Nobody else can read the folder, which is removed with the password in it.
        with tempfile.TemporaryDirectory(prefix="sesbounce-push-") as folder_name:
            folder = Path(folder_name)
            if credentials:
                _write_login(folder, repository, credentials)
            if self.kind == "docker":
                self._run(*([f"--config={folder}"] if credentials else []), "push", target)
                return self._pushed_by_docker(target, repository)
            login = [f"--authfile={folder / 'config.json'}"] if credentials else []
            self._run("push", *login, f"--digestfile={folder / 'digest'}", target)
            digest = (folder / "digest").read_text(encoding="ascii").strip()
            return f"{repository}@{digest}"

    def _own_options(self, created: int) -> list[str]:
        if self.kind == "docker":
            # Docker takes the values from the environment: they may hold a password.
            proxies = [f"--build-arg={name}" for name in _PROXIES if name in os.environ]
            return [f"--build-arg=SOURCE_DATE_EPOCH={created}", *proxies]
        # OCI's own format has no HEALTHCHECK. In a chroot, commands run even where no container
        # can be started, as in another container.
        return ["--format=docker", "--layers", "--isolation=chroot", f"--timestamp={created}"]

    def _pushed_by_docker(self, target: str, repository: str) -> str:
        names: list[str] = json.loads(
            self._ask("image", "inspect", "--format={{json .RepoDigests}}", target)
        )
        for name in names:
            if name.startswith(f"{repository}@"):
                return name
        raise EngineError(f"`{self.program} push` recorded no digest in {repository}")

    def _build(self, options: Sequence[str]) -> None:
        """Run the build, pass its output on, and explain a failure that its last lines show."""
        command = [self.program, "build", *options]
        last: deque[str] = deque(maxlen=_LAST_LINES)
        with subprocess.Popen(
            command,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            for line in process.stdout or ():
                sys.stderr.write(line)
                last.append(line)
        if process.returncode != 0:
            what = f"`{self.program} build` failed; its output is above"
            foreign = any("exec format error" in line.lower() for line in last)
            raise EngineError(f"{what}. {_FOREIGN_CPU}" if foreign else what)

    def _run(self, *arguments: str) -> None:
        run = subprocess.run(
            [self.program, *arguments],
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr,
            check=False,
        )
        if run.returncode != 0:
            command = next(argument for argument in arguments if not argument.startswith("-"))
            raise EngineError(f"`{self.program} {command}` failed; its output is above")

    def _ask(self, *arguments: str) -> str:
        run = subprocess.run(
            [self.program, *arguments], capture_output=True, text=True, check=False
        )
        if run.returncode != 0:
            raise EngineError(f"`{self.program} {' '.join(arguments)}`: {run.stderr.strip()}")
        return run.stdout.strip()


def find_engine(environment: Mapping[str, str] = os.environ) -> Engine:
    """The engine that `CONTAINER_ENGINE` chooses, or the first of the three that answers.

    Raises:
        EngineError: none answers.
    """
    if chosen := environment.get(ENGINE_VARIABLE):
        return _chosen(chosen)
    for kind in KINDS:
        program = shutil.which(kind)
        if program and not _problem(program):
            return Engine(program, kind)
    raise EngineError(
        "No container engine answers. Start Docker, or install one of docker, podman and buildah "
        "(Debian and Ubuntu: apt install buildah)"
    )


def _chosen(name: str) -> Engine:
    program = shutil.which(name)
    kind = next((kind for kind in KINDS if kind == Path(name).name), None)
    if kind is None:
        raise EngineError(f"{ENGINE_VARIABLE} is {name}; it should be one of {', '.join(KINDS)}")
    if program is None:
        raise EngineError(f"{ENGINE_VARIABLE} is {name}, but there is no such program; install it")
    if problem := _problem(program):
        raise EngineError(f"{ENGINE_VARIABLE} is {name}, but it does not answer: {problem}")
    return Engine(program, kind)


def _problem(program: str) -> str:
    """Why an engine does not work, or nothing: docker may be installed without its engine."""
    try:
        run = subprocess.run(
            [program, "info"], capture_output=True, text=True, timeout=_ANSWER_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return "" if run.returncode == 0 else run.stderr.strip() or f"exit code {run.returncode}"


def _environment() -> dict[str, str]:
    """The environment, with the builder of docker that supports secrets."""
    return {**os.environ, "DOCKER_BUILDKIT": "1"}


def _write_login(folder: Path, repository: str, credentials: Credentials) -> None:
    """Write a login that all three read; others could see a password on a command line.

    Docker reads this folder instead of the user's own, so the user's context, which says where the
    engine runs, is copied.
    """
    own = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    login = base64.b64encode(f"{credentials.username}:{credentials.password}".encode()).decode()
    config: dict[str, object] = {"auths": {repository.partition("/")[0]: {"auth": login}}}
    if (own / "config.json").is_file():
        context = json.loads((own / "config.json").read_text(encoding="utf-8")).get(
            "currentContext"
        )
        config |= {"currentContext": context} if context else {}
    if (own / "contexts").is_dir():
        (folder / "contexts").symlink_to(own / "contexts")
    file = folder / "config.json"
    file.touch(0o600)
    file.write_text(json.dumps(config), encoding="utf-8")
