"""The wheel in clean environments: what each extra brings, and what the others are told.

The environments get the locked versions, which the cache of uv holds already.
"""

import functools
import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts.image.build import context_files
from scripts.setup.uv import ROOT, uv
from sesbounce.extras import MODULES
from sesbounce.feedback.manual import decide
from sesbounce.feedback.reason import Reason
from sesbounce.policy.verdict import Policy
from sesbounce.store.engine import open_database
from sesbounce.store.store import Store
from sesbounce.store.strike_off import StrikeOff
from tests.ports import LOOPBACK, silent_port
from tests.support import AT, disposed

BASE = ""
LOCKED = ("worker/requirements.txt", "requirements-dev.txt")
# The distributions of which a program that sends loads modules, when it imports one of these.
LOADED = {
    "sesbounce.client": {"msgspec", "sesbounce", "sqlalchemy", "typing_extensions"},
    "sesbounce.guard": {"msgspec", "sesbounce", "typing_extensions"},
    "sesbounce.api_client": {"msgspec", "sesbounce", "typing_extensions"},
}
LIST_LOADED = """
import importlib, json, sys
importlib.import_module(sys.argv[1])
names = {name.partition(".")[0] for name in sys.modules}
from importlib.metadata import packages_distributions
known = packages_distributions()
print(json.dumps(sorted({known[name][0].lower() for name in names & known.keys()})))
"""
LIST_FOUND = """
import json, sys
from importlib.util import find_spec
print(json.dumps([name for name in sys.argv[1:] if find_spec(name)]))
"""
SENDER = """\
from sesbounce.client import may_mail
from sesbounce.guard import Guard
reveal_type(may_mail(["jane@example.com"]))
Guard(on_error="pass")
"""
# The other packages have types of their own, which take ten seconds to read.
MYPY = """\
[mypy]
strict = true
[mypy-sqlalchemy.*,msgspec.*]
follow_imports = skip
"""


@dataclass(frozen=True)
class Environment:
    """A virtual environment that holds the wheel and what it brings, and nothing else."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin/python"

    def read(self, program: str, *arguments: str) -> list[str]:
        """The list of names that a Python program prints."""
        command = [str(self.python), "-c", program, *arguments]
        run = subprocess.run(command, env={}, capture_output=True, text=True, check=True)
        found: list[str] = json.loads(run.stdout)
        return found

    def sesbounce(self, *arguments: str, **settings: str) -> tuple[int, str]:
        """The exit code of the command, and what it prints on both streams."""
        run = subprocess.run(
            [self.folder / "bin/sesbounce", *arguments],
            cwd=self.folder,
            env={f"SESBOUNCE_{name}": value for name, value in settings.items()},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return run.returncode, run.stdout


Install = Callable[[str], Environment]


def build(folder: Path, umask: int = 0o022) -> dict[str, Path]:
    """Build the package; returns both files by their suffixes."""
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1800000000"}
    command = ["make", "--no-print-directory", "build", f"DIST={folder}"]
    subprocess.run(
        command, cwd=ROOT, env=environment, umask=umask, capture_output=True, text=True, check=True
    )
    return {path.suffix: path for path in folder.iterdir()}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return build(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def install(built: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Install:
    """Makes the environment of an extra, once."""

    @functools.cache
    def install(extra: str) -> Environment:
        made = Environment(tmp_path_factory.mktemp("environment"))
        uv("venv", "--python", sys.executable, "--allow-existing", str(made.folder))
        constraints = [text for file in LOCKED for text in ("--constraint", file)]
        wheel = f"{built['.whl']}[{extra}]" if extra else str(built[".whl"])
        uv("pip", "install", "--python", str(made.python), *constraints, wheel)
        return made

    return install


@pytest.fixture(scope="module")
def url(install: Install, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database that the worker's environment has made, and in which Jane is suppressed."""
    url = f"sqlite:///{tmp_path_factory.mktemp('database')}/sesbounce.sqlite3"
    code, said = install("worker").sesbounce("db", "upgrade", DATABASE_URL=url)
    assert code == 0, said
    with disposed(open_database(url)) as engine:
        decision = decide("jane@example.com", Reason.SUPPRESSED_BY_HAND, AT)
        Store(engine, Policy(), StrikeOff()).record([decision], AT)
    return url


def test_the_same_sources_give_the_same_files(built: dict[str, Path], tmp_path: Path) -> None:
    twice = build(tmp_path, umask=0o077)
    assert twice.keys() == built.keys() == {".whl", ".gz"}
    for suffix, path in built.items():
        assert twice[suffix].name == path.name
        assert twice[suffix].read_bytes() == path.read_bytes()


def test_the_wheel_holds_what_the_image_holds_and_describes_itself(built: dict[str, Path]) -> None:
    with zipfile.ZipFile(built[".whl"]) as wheel:
        files = set(wheel.namelist())
        (metadata,) = [wheel.read(name).decode() for name in files if name.endswith("/METADATA")]
        (licence,) = [wheel.read(name) for name in files if name.endswith("/licenses/LICENSE")]
        times = {entry.date_time[0] for entry in wheel.infolist()}
    sources = Path("worker/src")
    own = [path for path in context_files() if path.is_relative_to(sources)]
    assert {name for name in files if not name.startswith("sesbounce-")} == {
        path.relative_to(sources).as_posix() for path in own
    }
    assert licence == (ROOT / "LICENSE").read_bytes()
    assert times == {2027}
    for line in ("License-Expression: Apache-2.0", "Classifier: Typing :: Typed"):
        assert f"\n{line}\n" in metadata
    text = metadata.partition("\n\n")[2]
    assert text.startswith("# sesbounce\n")
    # A page of a registry knows no other file of this checkout.
    assert [link for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link] == []


def test_the_source_distribution_holds_what_a_build_needs(built: dict[str, Path]) -> None:
    with tarfile.open(built[".gz"]) as archive:
        names = {member.name.partition("/")[2] for member in archive.getmembers()}
    assert {"pyproject.toml", "README.md", "LICENSE", "src/sesbounce/py.typed"} <= names
    assert {name.partition("/")[0] for name in names} == {
        *("pyproject.toml", "README.md", "LICENSE", "PKG-INFO", ".gitignore", "src"),
    }


@pytest.mark.parametrize("extra", [BASE, *MODULES, "all"])
def test_an_extra_brings_its_modules_and_no_other(install: Install, extra: str) -> None:
    environment = install(extra)
    known = {module for modules in MODULES.values() for module in modules}
    brought = known if extra == "all" else set(MODULES.get(extra, ()))
    assert set(environment.read(LIST_FOUND, *known)) == brought
    uv("pip", "check", "--python", str(environment.python))


@pytest.mark.parametrize("module", LOADED)
def test_a_program_that_sends_loads_next_to_nothing(install: Install, module: str) -> None:
    assert set(install(BASE).read(LIST_LOADED, module)) == LOADED[module]


def test_the_base_answers_questions(install: Install, url: str) -> None:
    base = install(BASE)
    code, said = base.sesbounce("check", "Jane <Jane@example.com>", DATABASE_URL=url)
    assert (code, said.partition(" (")[0]) == (1, "jane@example.com: no")
    code, said = base.sesbounce("why", "jane@example.com", DATABASE_URL=url)
    assert code == 0
    assert "suppressed_by_hand" in said
    code, said = base.sesbounce("gate", DATABASE_URL=url)
    assert (code, said.partition(":")[0]) == (2, "unknown")


def test_the_help_says_which_commands_need_an_extra(install: Install) -> None:
    code, said = install(BASE).sesbounce("--help")
    assert code == 0
    lines = dict(re.findall(r"^  ([a-z]+) +(\S.*)$", said, re.MULTILINE))
    assert lines["run"] == lines["doctor"] == "(needs sesbounce[worker], which is not installed)"
    assert lines["check"].startswith("Check whether ADDRESS")


SERVER = {"DATABASE_URL": "postgresql://reader@localhost/app"}
MISSING = [
    (BASE, "run --until-empty", {}, "the command run needs cryptography", "worker"),
    (BASE, "serve", {}, "the command serve needs structlog", "server"),
    ("worker", "serve", {}, "the command serve needs uvicorn", "server"),
    ("server", "run", {}, "the command run needs botocore", "worker"),
    (
        "server",
        "serve",
        {"SES_SUPPRESSION_LIST": "true"},
        "a target that the settings name needs botocore",
        "worker",
    ),
    (
        BASE,
        "check jane@example.com",
        SERVER,
        "the postgresql URL in SESBOUNCE_DATABASE_URL needs psycopg",
        "postgresql",
    ),
    (
        BASE,
        "check jane@example.com",
        {"DATABASE_URL": "mysql+pymysql://reader@localhost/app"},
        "the mysql URL in SESBOUNCE_DATABASE_URL needs pymysql",
        "mysql",
    ),
    (
        "postgresql",
        "check jane@example.com",
        {**SERVER, "DATABASE_PASSWORD_FROM": "rds-iam"},
        "SESBOUNCE_DATABASE_PASSWORD_FROM needs botocore",
        "worker",
    ),
]


@pytest.mark.parametrize(("installed", "command", "settings", "problem", "extra"), MISSING)
def test_what_is_missing_is_one_line(
    install: Install,
    installed: str,
    command: str,
    settings: dict[str, str],
    problem: str,
    extra: str,
) -> None:
    line = f"sesbounce: {problem}, which is not installed: pip install 'sesbounce[{extra}]'\n"
    assert install(installed).sesbounce(*command.split(), **settings) == (2, line)


@pytest.mark.parametrize(("extra", "scheme"), [("postgresql", "postgresql"), ("mysql", "mysql")])
def test_a_driver_reaches_for_its_database(install: Install, extra: str, scheme: str) -> None:
    with silent_port() as port:
        url = f"{scheme}://reader@{LOOPBACK}:{port}/app"
        code, said = install(extra).sesbounce("check", "jane@example.com", DATABASE_URL=url)
    assert code == 2
    assert "onnection refused" in said
    assert said.count("\n") == 1


def test_the_worker_runs_until_it_needs_a_queue(install: Install, url: str) -> None:
    code, said = install("worker").sesbounce("run", DATABASE_URL=url)
    assert code == 2
    assert "SESBOUNCE_QUEUE_URL is not set" in said


def test_the_server_runs_until_it_needs_a_token(install: Install, url: str) -> None:
    settings = {"DATABASE_URL": url, "SERVE_HOST": "0.0.0.0", "SERVE_CONSOLE": "true"}  # noqa: S104
    code, said = install("server").sesbounce("serve", **settings)
    assert code == 2
    assert "there is no token" in said


def test_a_program_that_sends_sees_the_types(install: Install, tmp_path: Path) -> None:
    (tmp_path / "sender.py").write_text(SENDER)
    (tmp_path / "mypy.ini").write_text(MYPY)
    run = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--no-error-summary", "--config-file", "mypy.ini"),
            *("--python-executable", str(install(BASE).python), "sender.py"),
        ],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout.splitlines() == [
        'sender.py:3: note: Revealed type is "dict[str, bool]"',
        'sender.py:4: error: Argument "on_error" to "Guard" has incompatible type '
        """"Literal['pass']"; expected "Literal['refuse', 'send']"  [arg-type]""",
    ], run.stderr
