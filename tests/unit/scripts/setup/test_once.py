"""An environment is made once, whoever asks for it at the same time."""

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.setup.once import STAMP, is_made, locked, once
from scripts.setup.uv import ROOT


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "requirements.txt"
    file.write_text("one==1\n")
    return file


class Maker:
    """Makes the least that an environment is, and counts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls = 0

    def __call__(self) -> None:
        self.calls += 1
        (self.folder / "bin").mkdir()
        (self.folder / "bin" / "python").touch()


def not_waiting() -> None:
    pytest.fail("nobody else holds the lock")


def test_it_is_made_once(tmp_path: Path, source: Path) -> None:
    make = Maker(tmp_path / "venv")
    for _ in range(2):
        once(make.folder, [source], make, not_waiting)
    assert make.calls == 1


def test_other_versions_make_it_anew(tmp_path: Path, source: Path) -> None:
    make = Maker(tmp_path / "venv")
    once(make.folder, [source], make, not_waiting)
    (make.folder / "old").mkdir()
    source.write_text("one==2\n")
    assert not is_made(make.folder, [source])
    once(make.folder, [source], make, not_waiting)
    assert make.calls == 2
    assert not (make.folder / "old").exists()


def test_a_half_made_one_is_made_anew(tmp_path: Path, source: Path) -> None:
    make = Maker(tmp_path / "venv")

    def fail() -> None:
        (make.folder / "half").touch()
        raise RuntimeError("no such package")

    with pytest.raises(RuntimeError, match="no such package"):
        once(make.folder, [source], fail, not_waiting)
    assert not (make.folder / STAMP).exists()
    once(make.folder, [source], make, not_waiting)
    assert not (make.folder / "half").exists()


def test_one_whose_python_has_gone_is_made_anew(tmp_path: Path, source: Path) -> None:
    make = Maker(tmp_path / "venv")
    once(make.folder, [source], make, not_waiting)
    python = make.folder / "bin" / "python"
    python.unlink()
    python.symlink_to(tmp_path / "uninstalled")
    assert not is_made(make.folder, [source])
    once(make.folder, [source], make, not_waiting)
    assert make.calls == 2


PROCESS = """
import sys, time
from pathlib import Path
from scripts.setup.once import once

folder, source = map(Path, sys.argv[1:])

def make():
    print("made", flush=True)
    time.sleep(0.5)
    (folder / "bin").mkdir()
    (folder / "bin/python").touch()

once(folder, [source], make, lambda: None)
assert (folder / "bin/python").exists()
"""


def test_processes_at_the_same_time_make_one(tmp_path: Path, source: Path) -> None:
    command = [sys.executable, "-c", PROCESS, str(tmp_path / "venv"), str(source)]
    started = [
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    said = [process.communicate(timeout=60)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0]
    assert "".join(said) == "made\n"


def test_who_waits_for_a_lock_says_so(tmp_path: Path) -> None:
    file = tmp_path / "new" / "lock"
    holder = (
        "import sys; from pathlib import Path; from scripts.setup.once import locked\n"
        "with locked(Path(sys.argv[1]), sys.exit):\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", holder, str(file)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stdout.readline() == b"held\n"
        # However the holder ends, the lock is free after it.
        with locked(file, process.kill):
            assert process.wait(timeout=60) < 0
