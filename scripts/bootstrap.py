"""Makes the virtual environment from the hash-locked requirements (`make setup`).

Runs under the system's Python, before anything is installed: standard library only.
"""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST = (3, 11)


def fail(message: str) -> None:
    """Exit with a message for the person at the terminal."""
    sys.exit(f"setup: {message}")


def check_python() -> None:
    """Refuse a Python that is too old or that cannot make environments."""
    if sys.version_info < OLDEST:
        have = ".".join(map(str, sys.version_info[:3]))
        want = ".".join(map(str, OLDEST))
        fail(
            f"Python {want} or newer is needed, {sys.executable} is {have}. "
            "Name another one: make setup PYTHON=python3.12"
        )
    try:
        import ensurepip  # noqa: F401, PLC0415  (Debian leaves it out of python3)
    except ImportError:
        fail("this Python cannot make virtual environments: apt install python3-venv")


def pip(venv: Path, *arguments: str) -> None:
    """Run the environment's pip quietly; its own words on failure."""
    command = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", *arguments]
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        fail("pip failed, see above. Nothing else was changed; run make setup again.")


def main() -> None:
    """Make the environment named on the command line."""
    check_python()
    venv = ROOT / sys.argv[1]
    print(f"setup: {venv.name} with {sys.executable} (about a minute the first time)", flush=True)
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(venv)], check=True)
    # The build tools come first and hash-checked: pip's build isolation would fetch them unchecked.
    pip(venv, "--require-hashes", "-r", "requirements-build.txt")
    pip(venv, "--require-hashes", "--no-build-isolation", "-r", "requirements-dev.txt")
    pip(venv, "--no-deps", "--no-build-isolation", "--editable", "worker")


if __name__ == "__main__":
    main()
