"""The package of the function in AWS Lambda: built twice, and run by a clean Python."""

import json
import os
import platform
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from scripts.image.build import CHECKOUT
from scripts.package import build as module
from scripts.package.build import MOST_BYTES, MOST_ZIPPED_BYTES, PackageError, build, content_tag
from sesbounce.store.engine import open_database
from tests.invoking import bounced, failures, messages
from tests.stored import rows
from tests.support import disposed

HERE = {"aarch64": "arm64", "arm64": "arm64"}.get(platform.machine(), "x86_64")
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
RUN = """
import json, sys
sys.path.insert(0, sys.argv[1])
from sesbounce.lambda_function.handler import handler
class Context:
    def get_remaining_time_in_millis(self):
        return 60_000
print(json.dumps(handler(json.load(sys.stdin), Context())))
print(json.dumps(handler({"sesbounce": "sweep"}, Context())))
"""


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package for this machine and this Python."""
    return build(HERE, tmp_path_factory.mktemp("package") / "here.zip", python=PYTHON).path


def test_the_same_sources_give_the_same_file(package: Path, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        again = build(HERE, tmp_path / "again.zip", python=PYTHON)
    finally:
        os.umask(before)
    assert again.path.read_bytes() == package.read_bytes()
    assert again.tag == content_tag(HERE, python=PYTHON)
    assert again.tag != content_tag(HERE, python="3.14")


@pytest.mark.skipif(sys.platform != "linux", reason="the wheels are Linux's")
def test_a_clean_python_runs_the_function_from_the_package(package: Path, tmp_path: Path) -> None:
    unpacked = tmp_path / "task"
    with zipfile.ZipFile(package) as archive:
        archive.extractall(unpacked)
    url = f"sqlite:///{tmp_path}/sesbounce.sqlite3"
    run = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", RUN, str(unpacked)],
        input=json.dumps(messages(bounced(), "no JSON")),
        env={"AWS_LAMBDA_FUNCTION_NAME": "sesbounce", "SESBOUNCE_DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert [json.loads(line) for line in run.stdout.splitlines()] == [failures(1), {}]
    with disposed(open_database(url)) as engine:
        assert rows(engine, "SELECT address FROM suppressed") == [("jane@example.com",)]


def test_the_package_for_lambda_holds_what_it_needs_and_is_small_enough(tmp_path: Path) -> None:
    package = build("arm64", tmp_path / "arm64.zip")
    assert package.path.stat().st_size < MOST_ZIPPED_BYTES / 2
    with zipfile.ZipFile(package.path) as archive:
        entries = {entry.filename: entry for entry in archive.infolist()}
    assert sum(entry.file_size for entry in entries.values()) < MOST_BYTES / 2
    own = {
        file.relative_to(CHECKOUT / "worker/src").as_posix()
        for file in (CHECKOUT / "worker/src/sesbounce").rglob("*.py")
    }
    assert own <= entries.keys()
    assert "sesbounce/store/migrations/script.py.mako" in entries
    native = [name for name in entries if ".so" in name]
    assert [name for name in native if "x86_64" in name] == []
    assert any("cpython-313-aarch64" in name for name in native)
    described = {name.split("/")[2] for name in entries if name.startswith("botocore/data/")}
    assert {"secretsmanager", "sesv2", "ssm", "endpoints.json", "partitions.json"} <= described
    assert "s3" not in described
    assert {entry.date_time for entry in entries.values()} == {(1980, 1, 1, 0, 0, 0)}
    assert list(entries) == sorted(entries)


def test_a_package_that_lambda_does_not_accept_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        module, "_install", lambda tree, *_: (tree / "botocore/data").mkdir(parents=True)
    )
    monkeypatch.setattr(module, "MOST_BYTES", 1000)
    with pytest.raises(PackageError, match="unpacked, and Lambda accepts 0 MiB"):
        build("arm64", tmp_path / "package.zip")
    assert list(tmp_path.iterdir()) == []


def test_a_version_is_built_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in (module._REQUIREMENTS, Path("worker/Dockerfile.dockerignore")):
        (tmp_path / file).parent.mkdir(exist_ok=True)
        (tmp_path / file).write_text("# none\n")
    installed: list[Path] = []

    def install(tree: Path, *_: object) -> None:
        (tree / "botocore/data").mkdir(parents=True)
        installed.append(tree)

    monkeypatch.setattr(module, "_install", install)
    first = build("arm64", root=tmp_path)
    assert build("arm64", root=tmp_path) == first
    assert len(installed) == 1
    (tmp_path / module._REQUIREMENTS).write_text("# others\n")
    assert build("arm64", root=tmp_path).tag != first.tag
