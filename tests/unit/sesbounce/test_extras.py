"""A package that is not installed is one line, which names the extra.

tests/acceptance/test_install.py tries each extra in an environment of its own.
"""

import ast
import importlib
import sys
import tomllib
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from sesbounce.cli.group import LazyCommands
from sesbounce.client import may_mail
from sesbounce.errors import ConfigurationError, MissingExtraError
from sesbounce.extras import MODULES, needed_by
from sesbounce.store.engine import open_database
from tests.support import disposed

WORKER = Path(__file__).parents[3] / "worker"
PROJECT = tomllib.loads((WORKER / "pyproject.toml").read_text())["project"]
BASE = {"click", "idna", "msgspec", "sqlalchemy"}
# What the guard wraps: its users have it, and no extra brings it.
WRAPPED = {"anymail", "django", "flask", "flask_mailman"}


def remove(monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    """Make the import of a module fail, as if it were not installed."""
    for name in [name for name in sys.modules if name.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)


def imported(file: Path) -> set[str]:
    """The modules of others that a file imports when it runs, by their first name."""
    found: set[str] = set()
    nodes: list[ast.AST] = [ast.parse(file.read_text("utf-8"))]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        nodes += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names) - {"sesbounce"}


def test_every_module_that_the_package_imports_comes_with_an_extra_or_the_base() -> None:
    found = {name for file in WORKER.glob("src/**/*.py") for name in imported(file)}
    brought = {module for modules in MODULES.values() for module in modules}
    assert found - WRAPPED | {"pymysql"} == BASE | brought  # SQLAlchemy imports that one
    assert brought.isdisjoint(BASE)


def test_the_extras_are_those_of_the_package() -> None:
    extras = PROJECT["optional-dependencies"]
    assert extras.keys() == MODULES.keys() | {"all"}
    assert extras["all"] == [f"sesbounce[{','.join(sorted(MODULES))}]"]


@pytest.mark.parametrize(
    ("module", "preferred", "extra"),
    [
        ("boto3", "server", "worker"),
        ("structlog", "worker", "worker"),
        ("structlog", "server", "server"),
        ("psycopg.types", "worker", "postgresql"),
    ],
)
def test_the_extra_that_brings_the_module_is_named(module: str, preferred: str, extra: str) -> None:
    with pytest.raises(MissingExtraError) as caught, needed_by("the command x", preferred):
        raise ModuleNotFoundError(f"No module named '{module}'", name=module)
    name = module.partition(".")[0]
    line = f"the command x needs {name}, which is not installed: pip install 'sesbounce[{extra}]'"
    assert str(caught.value) == line
    assert caught.value.extra == extra


@click.command()
def ask() -> None:
    """Ask what only an extra can answer."""
    raise ModuleNotFoundError("No module named 'botocore.config'", name="botocore.config")


COMMANDS = LazyCommands(places={"ask": f"{__name__}:ask", "go": "boto3.nothing:go"})


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("ask", "this command needs botocore, which is not installed"),
        ("go", "the command go needs boto3, which is not installed"),
        ("go --help", "the command go needs boto3, which is not installed"),
        ("go --of file -x", "the command go needs boto3, which is not installed"),
    ],
)
def test_a_command_without_its_extra_is_one_line(
    monkeypatch: pytest.MonkeyPatch, arguments: str, line: str
) -> None:
    remove(monkeypatch, "boto3")
    result = CliRunner().invoke(COMMANDS, arguments.split())
    assert result.exit_code == 2
    assert result.output == f"sesbounce: {line}: pip install 'sesbounce[worker]'\n"


@pytest.mark.parametrize("name", [None, "django.core", "sesbounce.stroe"])
def test_the_error_of_a_module_that_no_extra_brings_stays_as_it_is(name: str | None) -> None:
    error = ModuleNotFoundError("No such module", name=name)
    with pytest.raises(ModuleNotFoundError) as caught, needed_by("the command x"):
        raise error
    assert caught.value is error


@pytest.mark.parametrize(
    ("url", "module", "line"),
    [
        (
            "postgresql://reader@localhost/app",
            "psycopg",
            "the postgresql URL in SESBOUNCE_DATABASE_URL needs psycopg, which is not installed: "
            "pip install 'sesbounce[postgresql]'",
        ),
        (
            "mysql+pymysql://reader@localhost/app",
            "pymysql",
            "the mysql URL in SESBOUNCE_DATABASE_URL needs pymysql, which is not installed: "
            "pip install 'sesbounce[mysql]'",
        ),
    ],
)
def test_the_client_says_which_driver_a_url_needs(
    monkeypatch: pytest.MonkeyPatch, url: str, module: str, line: str
) -> None:
    remove(monkeypatch, module)
    with pytest.raises(MissingExtraError) as caught:
        may_mail(["jane@example.com"], url)
    assert str(caught.value) == line


def test_a_driver_that_can_t_be_loaded_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    remove(monkeypatch, "psycopg_binary")
    remove(monkeypatch, "psycopg")
    monkeypatch.delitem(sys.modules, "psycopg")  # it is there, and finds no library
    monkeypatch.setattr("ctypes.util.find_library", lambda _: None)
    with pytest.raises(ConfigurationError) as caught:
        open_database("postgresql://reader@localhost/app")
    line = "the postgresql URL in SESBOUNCE_DATABASE_URL needs a driver that can't be loaded: "
    assert str(caught.value).startswith(f"{line}no pq wrapper available. Attempts made: - ")
    assert "\n" not in str(caught.value)


def test_pymysql_without_cryptography_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    pymysql = importlib.import_module("pymysql")
    authentication = importlib.import_module("pymysql._auth")

    def log_in(*_: object, **__: object) -> None:
        authentication.sha2_rsa_encrypt(b"secret", b"salt", b"key")

    monkeypatch.setattr(authentication, "_have_cryptography", False)
    monkeypatch.setattr(pymysql, "connect", log_in)
    with (
        disposed(open_database("mysql://reader@localhost/app")) as engine,
        pytest.raises(MissingExtraError, match="'cryptography' package is required") as caught,
    ):
        engine.connect()
    assert str(caught.value).endswith(": pip install 'sesbounce[mysql]'")


def test_a_password_from_aws_needs_the_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "sesbounce.aws.database_password", raising=False)
    remove(monkeypatch, "botocore")
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", "postgresql://reader@localhost/app")
    monkeypatch.setenv("SESBOUNCE_DATABASE_PASSWORD_FROM", "rds-iam")
    line = "SESBOUNCE_DATABASE_PASSWORD_FROM needs botocore, which is not installed: "
    with pytest.raises(MissingExtraError) as caught:
        may_mail(["jane@example.com"])
    assert str(caught.value) == f"{line}pip install 'sesbounce[worker]'"
