"""Environments made for real from a folder of packages, and what is said when that fails."""

import base64
import hashlib
import importlib.util
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from scripts.setup import __main__ as setup
from scripts.setup import side_by_side, uv, venvs
from scripts.setup.uv import ROOT, UvError
from scripts.setup.venvs import Venv


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A package of nothing, in a folder that is the only index."""
    folder = tmp_path / "packages"
    folder.mkdir()
    file = folder / "nothing-1.0-py3-none-any.whl"
    info = "nothing-1.0.dist-info"
    members = {
        "nothing.py": "",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: nothing\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [f"{name},sha256={_urlsafe(text)},{len(text)}" for name, text in members.items()]
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
        archive.writestr(f"{info}/RECORD", "\n".join([*record, f"{info}/RECORD,,", ""]))
    return file


def _urlsafe(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@pytest.fixture
def venv(tmp_path: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch) -> Venv:
    """An environment that wants the package."""
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(wheel.parent))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    requirements = tmp_path / "requirements.txt"
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    requirements.write_text(f"nothing==1.0 --hash=sha256:{digest}\n")
    return Venv("the thing", tmp_path / "venv", requirements)


def test_an_environment_is_installed_once(venv: Venv) -> None:
    lines: list[str] = []
    for _ in range(2):
        python = venvs.ensure(venv, lines.append)
    subprocess.run([str(python), "-c", "import nothing"], check=True)
    assert lines == ["Installing the thing from the package index (once)"]
    assert venv.is_made


def test_a_wrong_hash_is_refused(venv: Venv) -> None:
    venv.requirements.write_text(f"nothing==1.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(UvError, match=r"(?si)hash mismatch.*pip config list"):
        venvs.ensure(venv, print)
    assert not venv.is_made


def test_without_ensurepip_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uv, "_VENV", tmp_path / "uv")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(UvError, match=r"ensurepip is missing.*apt install python3-venv"):
        uv.install()


def test_an_index_that_does_not_answer_is_told_in_pip_s_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setattr(uv, "_VENV", tmp_path / "uv")
    with pytest.raises(UvError, match=r"(?s)No matching distribution.*pip config list"):
        uv.install()


def test_an_old_python_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 4))
    with pytest.raises(SystemExit, match=r"Python 3\.11 or newer is needed.* is 3\.10\.4"):
        setup.check_python()


def test_an_environment_that_there_is_not_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert side_by_side.main(["dev", "balloon"]) == 2
    assert "no environment balloon; there are dev, bench, checkov" in capsys.readouterr().err


def test_one_that_fails_is_told_when_all_have_ended(
    venv: Venv, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = Venv("the broken one", venv.folder.with_name("broken"), ROOT / "requirements-dev.txt")
    monkeypatch.setattr(side_by_side, "_VENVS", {"good": lambda: venv, "broken": lambda: broken})
    monkeypatch.setattr(side_by_side, "NAMES", ("good", "broken"))
    assert side_by_side.main(["broken", "good"]) == 1
    assert venv.is_made
    assert not broken.is_made
    assert "setup: `" in capsys.readouterr().err


def test_a_build_takes_no_tool_whose_hash_is_not_locked(
    venv: Venv, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The tool that it builds with is the package of nothing, under a hash that is not its own.
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["nothing"]\nbuild-backend = "nothing"\n'
        '[project]\nname = "built"\nversion = "1"\n'
    )
    tools = tmp_path / "tools.txt"
    tools.write_text(f"nothing==1.0 --hash=sha256:{'0' * 64}\n")
    monkeypatch.setattr(venvs, "_BUILD_TOOLS", tools)
    with pytest.raises(UvError, match=r"(?si)nothing.*hash mismatch"):
        venvs.ensure(Venv("built", venv.folder, venv.requirements, project), print)
