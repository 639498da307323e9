"""A moto of the tests' own, in a process of its own: it is patched, see `moto_server.py`."""

import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from scripts.local import localstack
from scripts.local.localstack import CHECKOUT
from tests.ports import free_port


@dataclass(frozen=True)
class Moto:
    """A moto that answers.

    Attributes:
        endpoint: its URL.
        calls: file of the calls that Terraform has made, `service:Action` a line.
    """

    endpoint: str
    calls: Path

    @property
    def environment(self) -> Mapping[str, str]:
        """A process's whole environment, in which AWS is this moto."""
        return localstack.environment(self.endpoint, {**os.environ, "AWS_REGION": "us-east-1"})

    def client(self, service: str) -> Any:
        client: Any = boto3.client
        return client(
            service,
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )


@contextmanager
def running_moto(folder: Path) -> Iterator[Moto]:
    """Start one, with its files in `folder`, and end it after the block."""
    port = free_port()
    moto = Moto(f"http://127.0.0.1:{port}", folder / "calls")
    moto.calls.touch()
    command = [sys.executable, "-m", "tests.terraform.moto_server", str(port), str(moto.calls)]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(command, cwd=CHECKOUT, stdout=log, stderr=log) as server,
    ):
        try:
            _await(moto.endpoint, server, folder / "log")
            yield moto
        finally:
            server.terminate()


def _await(endpoint: str, server: subprocess.Popen[bytes], log: Path) -> None:
    while server.poll() is None:
        try:
            urllib.request.urlopen(f"{endpoint}/moto-api/data.json").close()  # noqa: S310  ours
            return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"moto has ended: {log.read_text()}")
