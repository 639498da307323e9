"""`make deploy` from an account with nothing in it to a service, in moto, which runs nothing.

Terraform, its state and AWS's API are as they are; the container engine is a stand-in, as moto has
no registry to push to. That real engines build and push is shown in `test_image.py`.
"""

import json
import os
import shutil
import subprocess
import sys
import textwrap
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from scripts.deploy import deploy, release
from scripts.image import registry
from scripts.local import localstack
from scripts.local.localstack import CHECKOUT
from tests.ports import free_port
from tests.provider import ATTACH_VARIABLE, running_provider

ACCOUNT = "123456789012"
REPOSITORY = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/sesbounce-staging"
SERVICE = "module.worker_service[0].aws_ecs_service.this[0]"
TASK = "module.worker_service[0].aws_ecs_task_definition.this[0]"

VARIABLES = f"""\
identities = {{ "example.com" = {{ create = true, notifications = false }} }}
worker     = {{ min_tasks = 0 }}
monitoring = null

database_url_secret_arn = "arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:database-AbCdEf"
"""

# moto, whose services go on naming their first task definition, made to name the present one.
SERVER = """\
import runpy

from moto.ecs.models import EC2ContainerServiceBackend

update = EC2ContainerServiceBackend.update_service

def update_and_roll(self, properties):
    service = update(self, properties)
    for deployment in service.deployments:
        deployment["taskDefinition"] = service.task_definition
    return service

EC2ContainerServiceBackend.update_service = update_and_roll
runpy.run_module("tests.terraform.moto_server", run_name="__main__", alter_sys=True)
"""

ENGINE = """\
#!{python}
import hashlib, json, os, sys
import boto3

command, *arguments = sys.argv[1:]
options = dict(a[2:].split("=", 1) for a in arguments if a.startswith("--") and "=" in a)
with open({calls!r}, "a") as calls:
    print(json.dumps(sys.argv[1:]), file=calls)
if command == "build":
    open(options["iidfile"], "w").write("sha256:" + "0" * 64)
elif command == "images":
    print(json.dumps([{{"size": "98.7 MB"}}]))
elif command == "push":
    (login,) = json.load(open(options["authfile"]))["auths"].values()
    assert login["auth"]
    repository, _, tag = arguments[-1].rpartition(":")
    ecr = boto3.client("ecr", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
    put = ecr.put_image(
        repositoryName=repository.partition("/")[2],
        imageManifest=json.dumps({{"config": {{}}, "layers": [], "tag": tag}}),
        imageDigest="sha256:" + hashlib.sha256(tag.encode()).hexdigest(),
        imageManifestMediaType="application/vnd.oci.image.manifest.v1+json",
        imageTag=tag,
    )
    open(options["digestfile"], "w").write(put["image"]["imageId"]["imageDigest"])
"""


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where moto answers."""
    log = tmp_path_factory.mktemp("moto") / "log"
    port = free_port()
    with (
        log.open("wb") as out,
        subprocess.Popen(
            [sys.executable, "-c", SERVER, str(port), os.devnull],
            cwd=CHECKOUT,
            stdout=out,
            stderr=out,
        ) as server,
    ):
        try:
            _await(f"http://127.0.0.1:{port}/moto-api/data.json", server, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def _await(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    while server.poll() is None:
        try:
            with urllib.request.urlopen(url):  # noqa: S310  our own server
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"moto has ended: {log.read_text()}")


class Engine:
    """A stand-in for buildah, on the PATH."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._calls = folder / "calls"
        self.base = f"sha256:{'0' * 64}"  # that the registry tells of every base
        program = folder / "buildah"
        program.write_text(
            textwrap.dedent(ENGINE).format(python=sys.executable, calls=str(self._calls))
        )
        program.chmod(0o755)

    def did(self) -> list[str]:
        """The commands since the last time, without the question whether it is there."""
        lines = self._calls.read_text().splitlines() if self._calls.exists() else []
        self._calls.unlink(missing_ok=True)
        return [command for command, *_ in map(json.loads, lines) if command != "info"]


Deploy = Callable[..., tuple[int, str, str]]


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Engine:
    made = Engine(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("CONTAINER_ENGINE", "buildah")
    monkeypatch.setattr(registry, "digest", lambda _: made.base)
    return made


@pytest.fixture
def account(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """The environment's account, which is empty; makes clients."""
    reset = urllib.request.Request(f"{endpoint}/moto-api/reset", method="POST")  # noqa: S310
    with urllib.request.urlopen(reset):  # noqa: S310  our own server
        pass
    for name, value in localstack.environment(endpoint, {"AWS_REGION": "us-east-1"}).items():
        monkeypatch.setenv(name, value)
    session: Any = boto3.Session(region_name="us-east-1")
    clients: Callable[[str], Any] = session.client
    return clients


@pytest.fixture
def attached(
    provider: Path, account: Callable[[str], Any], monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Terraform attaches to a provider for the account."""
    with running_provider(provider, os.environ) as environment:
        monkeypatch.setenv(ATTACH_VARIABLE, environment[ATTACH_VARIABLE])
        yield


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A copy of the configuration, with variables of the test's own."""
    copy = tmp_path / "terraform"
    leave = shutil.ignore_patterns(".terraform*", "*.tfstate*", "*.tfvars", "tests", "environments")
    shutil.copytree(CHECKOUT / "terraform", copy, ignore=leave)
    (copy / "environments").mkdir()
    (copy / "environments/staging.tfvars").write_text(VARIABLES)
    return copy


@pytest.fixture
def run(
    directory: Path, account: Callable[[str], Any], capfd: pytest.CaptureFixture[str]
) -> Deploy:
    def run(command: str, *arguments: str, answers: str = "") -> tuple[int, str, str]:
        left = iter(answers)
        questions = []

        def ask(question: str) -> str:
            questions.append(question)
            return next(left)

        code = deploy.main([command, "--env", "staging", *arguments], directory, ask)
        assert next(left, None) is None, f"asked only {questions}"
        captured = capfd.readouterr()
        return code, captured.out, captured.err

    return run


def changes(out: str) -> set[str]:
    """The resources in a printed plan."""
    lines = [line[2:] for line in out.splitlines() if line.startswith("  ")]
    return {line for line in lines if not line.startswith("outputs: ")}


@pytest.mark.usefixtures("attached")
def test_from_nothing_to_a_service(
    run: Deploy, engine: Engine, account: Callable[[str], Any], directory: Path
) -> None:
    tag = release.Sources("linux/arm64").tag

    # Without consent nothing is built, and nothing is created.
    code, out, err = run("apply", answers="n")
    assert (code, err) == (4, "deploy: You declined: this plan is not applied.\n")
    assert "+ create  module.worker_service[0].aws_ecr_repository.this[0]" in changes(out)
    assert f"+ create  {SERVICE}" not in changes(out)
    assert engine.did() == []
    assert account("ecr").describe_repositories()["repositories"] == []

    code, out, err = run("apply", answers="yy")
    assert (code, err) == (0, "")
    assert engine.did() == ["build", "images", "tag", "push"]
    assert f"+ create  {SERVICE}" in changes(out)
    assert "sesbounce-staging is stable." in out
    (pushed,) = account("ecr").describe_images(repositoryName="sesbounce-staging")["imageDetails"]
    assert pushed["imageTags"] == [tag]
    image = f"{REPOSITORY}@{pushed['imageDigest']}"
    assert f"worker_image = {image}" in out
    assert (directory / "environments/staging.tfstate").exists()
    assert not (directory / "terraform.tfstate").exists()

    # The same sources: nothing is built, asked or rolled.
    code, out, _ = run("apply")
    assert code == 0
    assert out.startswith("No changes.\n")
    assert engine.did() == []

    # New tasks, without any change.
    code, out, err = run("restart")
    assert (code, out, err) == (0, "sesbounce-staging is stable.\n", "")

    # A newer base, like other sources, rolls the service, and nothing else.
    engine.base = f"sha256:{'1' * 64}"
    code, out, _ = run("apply", "--yes")
    assert code == 0
    assert engine.did() == ["build", "images", "tag", "push"]
    assert changes(out) == {f"~ update  {SERVICE}", f"± replace {TASK}"}

    # Images in the repository do not stop destroy.
    code, out, _ = run("destroy", answers="y")
    assert code == 0
    assert f"- destroy {SERVICE}" in changes(out)
    assert account("ecr").describe_repositories()["repositories"] == []
