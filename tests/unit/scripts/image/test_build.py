"""The files in the image, and its name; tests/integration builds it."""

import io
import os
import re
import shutil
import typing
from pathlib import Path

import pytest

from scripts.image.build import (
    CHECKOUT,
    ImageError,
    build,
    content_tag,
    context_files,
    default_base,
    is_pinned,
    main,
    push,
)
from scripts.image.container_engine import Build, Credentials, Engine, EngineError
from scripts.image.registry import RegistryError
from scripts.package import build as package
from sesbounce.aws import clients as aws

PINNED = f"docker.io/library/python@sha256:{'0' * 64}"
DOCKERFILE = (CHECKOUT / "worker/Dockerfile").read_text()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A checkout of the files that the image needs, and of files that it must not get."""
    root = tmp_path / "checkout"
    for path in (
        *context_files(),
        Path("worker/Dockerfile"),
        Path("worker/Dockerfile.dockerignore"),
    ):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(CHECKOUT / path, root / path)
    (root / "terraform").mkdir()
    for secret in (
        ".env",
        "sesbounce.sqlite3",
        "terraform/terraform.tfstate",
        "terraform/terraform.tfvars",
        "worker/.env",
        "worker/sesbounce.sqlite3",
        "worker/src/sesbounce/.env",
        "worker/src/sesbounce/sesbounce.sqlite3",
        "worker/src/sesbounce/cli/list.csv",
    ):
        (root / secret).write_text("secret")
    return root


class Recording(Engine):
    """An engine that records each build, and the files of its context."""

    builds: typing.ClassVar[list[Build]] = []
    files: typing.ClassVar[dict[str, tuple[int, float]]] = {}

    def build(self, build: Build) -> str:
        self.builds.append(build)
        for path in build.context.rglob("*"):
            if path.is_file():
                mode_and_time = (path.stat().st_mode & 0o777, path.stat().st_mtime)
                self.files[str(path.relative_to(build.context))] = mode_and_time
        return "sha256:0"

    def size(self, name: str) -> str:
        return "1 MB"

    def push(self, name: str, target: str, credentials: Credentials | None = None) -> str:
        login = f"{credentials.username}/{credentials.password}" if credentials else "nobody"
        return f"{target} by {login}"


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Recording:
    engine = Recording("/bin/false", "docker")
    Recording.builds.clear()
    Recording.files.clear()
    monkeypatch.setattr("scripts.image.build.find_engine", lambda: engine)
    return engine


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The digests that registries tell, by the name of the image."""
    digests: dict[str, str] = {}

    def digest(reference: str) -> str:
        if reference not in digests:
            raise RegistryError("The registry is silent.")
        return digests[reference]

    monkeypatch.setattr("scripts.image.registry.digest", digest)
    return digests


class TestContext:
    def test_it_holds_nothing_but_what_is_allowed(self, root: Path, engine: Recording) -> None:
        build(root=root)
        instructions = {"worker/Dockerfile", "worker/Dockerfile.dockerignore"}
        assert set(engine.files) == {*map(str, context_files()), *instructions}

    def test_it_holds_every_source_of_the_worker(self) -> None:
        source = CHECKOUT / "worker/src"
        sources = {
            path.relative_to(CHECKOUT)
            for pattern in ("*.py", "*.mako", "*.pem", "py.typed")
            for path in source.rglob(pattern)
        }
        assert len(sources) > 50
        assert sources - set(context_files()) == set()

    def test_it_holds_all_that_is_copied(self) -> None:
        copied = re.findall(r"^COPY (?!--from)(\S+) ", DOCKERFILE, re.MULTILINE)
        assert len(copied) > 3
        files = context_files()
        for path in copied:
            assert any(file.is_relative_to(path) for file in files), path

    def test_neither_times_nor_modes_of_the_checkout_matter(
        self, root: Path, engine: Recording, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (root / "LICENSE").chmod(0o600)
        monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
        build(root=root)
        assert set(engine.files.values()) == {(0o644, 0.0)}
        monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
        build(root=root)
        assert set(engine.files.values()) == {(0o644, 86400.0)}
        assert engine.builds[-1].created == 86400

    def test_a_missing_file_is_reported(self, root: Path) -> None:
        (root / "LICENSE").unlink()
        with pytest.raises(ImageError, match="LICENSE is missing"):
            context_files(root)


class TestTag:
    def test_the_same_sources_have_the_same_tag(self, root: Path) -> None:
        tag = content_tag(root=root)
        assert re.fullmatch(r"sha-[0-9a-f]{12}", tag)
        os.utime(root / "LICENSE", (1, 1))
        (root / "README.md").write_text("other words")
        assert content_tag(root=root) == tag == content_tag()

    @pytest.mark.parametrize(
        "path",
        ["worker/Dockerfile", "worker/requirements.txt", "worker/src/sesbounce/cli/work.py"],
    )
    def test_other_sources_have_another(self, root: Path, path: str) -> None:
        tag = content_tag(root=root)
        with (root / path).open("a") as file:
            file.write("\n# other\n")
        assert content_tag(root=root) != tag

    def test_another_base_or_platform_has_another(self) -> None:
        tags = {content_tag(), content_tag(base=PINNED), content_tag("linux/arm64")}
        assert len(tags) == 3
        assert content_tag(base=default_base()) == content_tag()


class TestBase:
    def test_it_is_the_one_of_the_dockerfile(self) -> None:
        assert default_base().startswith("docker.io/library/python:3.")

    def test_a_tag_is_not_pinned(self) -> None:
        assert is_pinned(PINNED)
        assert is_pinned(PINNED.replace("@", ":3.13-slim@"))
        assert not is_pinned("docker.io/library/python:3.13-slim")
        assert not is_pinned("docker.io/library/python@sha256:00")

    def test_a_base_without_digest_is_refused_on_demand(self, engine: Recording) -> None:
        with pytest.raises(ImageError, match=r"python:3\.13@sha256:…"):
            build(base="python:3.13", require_pinned=True)
        assert engine.builds == []
        assert build(base=PINNED, require_pinned=True).id == "sha256:0"
        assert engine.builds[0].arguments == {"PYTHON_IMAGE": PINNED}

    def test_a_dockerfile_without_one_is_an_error(self, root: Path) -> None:
        (root / "worker/Dockerfile").write_text("FROM scratch\n")
        with pytest.raises(ImageError, match="ARG PYTHON_IMAGE"):
            default_base(root)


def test_it_has_its_tag_and_latest(engine: Recording) -> None:
    built = build("1.0", "linux/arm64")
    assert built.name == "sesbounce:1.0"
    assert engine.builds[0].names == ["sesbounce:1.0", "sesbounce:latest"]
    assert engine.builds[0].platform == "linux/arm64"
    assert push(built, "registry.example/acme") == "registry.example/acme:1.0 by nobody"


def test_the_services_that_the_worker_calls_are_left_in_botocore() -> None:
    kept = set(re.findall(r"! -name (\S+)", DOCKERFILE))
    assert kept == {
        *("sqs", "sns", "sesv2", "secretsmanager", "rds"),
        *("sts", "sso", "sso-oidc", "signin"),
    }
    # Under TYPE_CHECKING alone the types of the clients are known; the services always are.
    called = typing.get_args(aws.open_client.__annotations__["service"])
    assert called
    # ECS reads parameters for the worker; a function in AWS Lambda reads them itself.
    assert set(called) - kept == {"ssm"}
    # A function gets its messages from Lambda, and nobody calls `sesbounce dlq` in one.
    assert set(called) - {"sqs", "sns"} == package._SERVICES


@pytest.mark.usefixtures("registry")
class TestCommand:
    def test_the_tag(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["tag", "--platform", "linux/arm64"]) == 0
        assert capsys.readouterr().out == f"{content_tag('linux/arm64')}\n"

    def test_a_newer_base_has_another_tag(
        self, engine: Recording, registry: dict[str, str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        tags = []
        for digit in "12":
            registry[default_base()] = f"sha256:{digit * 64}"
            assert main(["tag"]) == 0
            assert main(["build"]) == 0
            tags.append(capsys.readouterr().out.split()[0])
            base = f"{default_base()}@sha256:{digit * 64}"
            assert engine.builds[-1].arguments == {"PYTHON_IMAGE": base}
            assert tags[-1] == content_tag(base=base)
        assert tags[0] != tags[1]

    def test_a_base_that_somebody_must_pin_is_not_pinned_for_them(
        self, engine: Recording, registry: dict[str, str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        registry[default_base()] = f"sha256:{'1' * 64}"
        assert main(["build", "--require-pinned"]) == 1
        assert "is a tag, whose image can change. Add its digest" in capsys.readouterr().err

    def test_building_says_what_was_built(
        self, engine: Recording, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["build"]) == 0
        said = capsys.readouterr()
        assert said.out == f"sesbounce:{content_tag()}  sha256:0  1 MB\n"
        assert "is a tag, whose image can change" in said.err
        assert main(["build", "--base", PINNED]) == 0
        assert capsys.readouterr().err == ""

    def test_pushing_reads_the_password_from_standard_input(
        self, engine: Recording, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO("wrong way up\n"))
        assert main(["push", "registry.example/acme", "--username", "AWS"]) == 0
        pushed = capsys.readouterr().out.splitlines()[1]
        assert pushed == f"registry.example/acme:{content_tag()} by AWS/wrong way up"

    def test_an_error_is_reported(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def none() -> Engine:
            raise EngineError("No container engine answers")

        monkeypatch.setattr("scripts.image.build.find_engine", none)
        assert main(["build", "--base", PINNED]) == 1
        assert capsys.readouterr().err == "image: No container engine answers\n"
