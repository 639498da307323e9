"""Makes the virtual environments, each once for each set of versions."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from scripts.setup.once import is_made, once
from scripts.setup.uv import ROOT, uv

Progress = Callable[[str], None]

_BUILD_TOOLS = ROOT / "requirements-build.txt"


@dataclass(frozen=True)
class Venv:
    """A virtual environment and what is installed into it."""

    name: str
    """What people call it in progress and errors."""
    folder: Path
    requirements: Path
    """The locked versions, with their hashes."""
    project: Path | None = None
    """The folder of a project that is installed so that changes of its sources take effect."""

    @property
    def python(self) -> Path:
        """Its Python."""
        return self.folder / "bin" / "python"

    @property
    def sources(self) -> tuple[Path, ...]:
        """The files that say what is in it."""
        project = (self.project / "pyproject.toml",) if self.project else ()
        return (_BUILD_TOOLS, self.requirements, *project)

    @property
    def is_made(self) -> bool:
        """Whether it holds the versions that it should."""
        return is_made(self.folder, self.sources)


def ensure(venv: Venv, progress: Progress = print) -> Path:
    """Return the environment's Python, after making the environment if it is missing or stale.

    Raises:
        UvError: uv can't be had, or it could not install something.
    """

    def make() -> None:
        progress(f"Installing {venv.name} from the package index (once)")
        _make(venv)

    def waiting() -> None:
        progress(f"Waiting for another run that installs {venv.name}")

    once(venv.folder, venv.sources, make, waiting)
    return venv.python


def _make(venv: Venv) -> None:
    uv("venv", "--allow-existing", "--python", sys.executable, str(venv.folder))
    # The locked build tools are constraints with hashes: no build fetches anything unchecked.
    install = ["pip", "install", "--python", str(venv.python), "--build-constraints"]
    install.append(str(_BUILD_TOOLS))
    uv(*install, "--require-hashes", "--requirement", str(venv.requirements))
    if venv.project:
        uv(*install, "--no-deps", "--editable", str(venv.project))
