"""A LocalStack in a container."""

import subprocess
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from scripts.local.localstack_shared import (
    Files,
    Kind,
    LocalStackError,
    settings,
    tail,
)
from scripts.ports import free_port

IMAGE = "localstack/localstack:4.12.0"

_ANSWER_SECONDS = 5


class DockerError(LocalStackError):
    """The docker command failed; these are its words."""


@dataclass(frozen=True)
class Container:
    """A LocalStack container."""

    kind: ClassVar[Kind] = "container"
    port: int
    id: str

    @property
    def endpoint(self) -> str:
        """Its URL."""
        return f"http://127.0.0.1:{self.port}"

    def alive(self) -> bool:
        """Whether the container runs."""
        return self._listed()

    def end(self) -> None:
        """Remove the container with its data."""
        if self._listed("--all"):
            docker("rm", "--force", "--volumes", self.id)

    def log_end(self, _: Files) -> str:
        """Return the end of its log, for an error message."""
        return f"The end of its log:\n{tail(docker('logs', '--tail', '15', self.id))}"

    def _listed(self, *options: str) -> bool:
        try:
            return bool(docker("ps", "--quiet", "--filter", f"id={self.id}", *options))
        except DockerError as error:
            raise LocalStackError(
                f"LocalStack was started in container {self.id[:12]}, but Docker says: {error}\n"
                "Start the Docker engine, or delete .local/localstack to forget the container."
            ) from error


def start() -> Container:
    """Start a container whose port is published on the loopback alone."""
    port = free_port()
    given = [f"--env={name}={value}" for name, value in settings(port).items()]
    # No --rm: the log of a container that ends at once would go with it.
    said = docker("run", "--detach", f"--publish=127.0.0.1:{port}:4566", *given, IMAGE)
    return Container(port, id=said.splitlines()[-1])


def docker_answers() -> bool:
    """Whether there is a Docker engine on this machine: another's ports are not on our loopback."""
    ask = partial(docker, timeout=_ANSWER_SECONDS)
    try:
        version = ask("info", "--format", "{{.ServerVersion}}")
        host = ask("context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
    except DockerError:
        return False
    return bool(version) and host.splitlines()[-1].startswith("unix://")


def docker(*arguments: str, timeout: float | None = None) -> str:
    """Run the docker command and return what it said, on both streams."""
    try:
        run = subprocess.run(
            ["docker", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=True,
        )
    except FileNotFoundError as error:
        raise DockerError("there is no docker command on the PATH") from error
    except subprocess.TimeoutExpired as error:
        raise DockerError(f"no answer within {timeout:.0f} s") from error
    except subprocess.CalledProcessError as error:
        raise DockerError(tail(error.stdout)) from error
    return run.stdout.strip()
