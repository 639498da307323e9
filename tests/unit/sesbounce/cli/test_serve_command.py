import builtins
import socket
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from sesbounce.cli import main
from sesbounce.console.app import routes
from sesbounce.server import serving
from sesbounce.store import tokens
from sesbounce.store.tokens import Scope, Token
from tests.load_balancer import balancer
from tests.support import AT

OVERRIDES = {"serve_console": "--console"}
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(url: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    def run(*options: str, **settings: str) -> tuple[int, str]:
        for name, value in {"DATABASE_URL": url, **settings}.items():
            monkeypatch.setenv(f"SESBOUNCE_{name}", value)
        result = CliRunner().invoke(main, ["serve", *options])
        return result.exit_code, result.stderr

    return run


@pytest.mark.parametrize("missing", ["starlette", "uvicorn", "anyio"])
def test_a_missing_extra_is_one_line(
    run: Run, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    known = builtins.__import__

    def without(name: str, *more: Any) -> Any:
        if name == "sesbounce.server":
            raise ModuleNotFoundError(f"No module named '{missing}'", name=f"{missing}.routing")
        return known(name, *more)

    monkeypatch.setattr(builtins, "__import__", without)
    line = f"the command serve needs {missing}, which is not installed"
    assert run() == (2, f"sesbounce: {line}: pip install 'sesbounce[server]'\n")


def test_the_console_needs_the_extra_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "serve", lambda *_: None)
    line = (
        "sesbounce: the command serve needs jinja2, which is not installed: pip install "
        "'sesbounce[server]'\n"
    )
    known = builtins.__import__

    def without(name: str, *more: Any) -> Any:
        if name == "sesbounce.console.app":
            raise ModuleNotFoundError("No module named 'jinja2'", name="jinja2")
        return known(name, *more)

    monkeypatch.setattr(builtins, "__import__", without)
    assert run() == (0, "")
    assert run("--console") == (2, line)
    assert run(SERVE_CONSOLE="true") == (2, line)
    assert run("--no-console", SERVE_CONSOLE="true") == (0, "")


@pytest.mark.parametrize(
    ("options", "settings", "overrides"),
    [
        ([], {}, None),
        (["--console"], {}, OVERRIDES),
        (["--console"], {"SERVE_CONSOLE": "false"}, OVERRIDES),
        ([], {"SERVE_CONSOLE": "true"}, {}),
        (["--no-console"], {"SERVE_CONSOLE": "true"}, None),
    ],
)
def test_the_console_is_served_if_it_is_asked_for(
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    settings: dict[str, str],
    overrides: dict[str, str] | None,
) -> None:
    given: list[Any] = []
    monkeypatch.setattr(serving, "serve", lambda *both: given.append(both))
    assert run(*options, **settings) == (0, "")
    ((in_force, more),) = given
    served = overrides is not None
    assert in_force.serve_console == served
    assert (more.func if more else None) == (routes if served else None)
    # The page of the settings says which of them an option has set.
    assert more is None or more.keywords == {"options": overrides}


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])  # noqa: S104
def test_other_machines_need_a_token(run: Run, engine: sa.Engine, host: str) -> None:
    code, problem = run(SERVE_HOST=host)
    assert code == 2
    assert "there is no token: make one with `sesbounce token create`" in problem
    made = Token(name="crm", scopes=(Scope.CHECK,), created_at=AT, created_by="jane")
    tokens.create(engine, made)
    # With a token it goes on, to a port that is taken.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with closing(socket.create_server((host, 0), family=family)) as taken:
        code, problem = run(SERVE_HOST=host, SERVE_PORT=str(taken.getsockname()[1]))
    assert code == 2
    assert "change SESBOUNCE_SERVE_PORT or SESBOUNCE_SERVE_HOST, or stop" in problem


def test_a_load_balancer_that_identifies_people_will_do(run: Run, engine: sa.Engine) -> None:
    found = balancer()
    with closing(socket.create_server(("0.0.0.0", 0))) as taken:  # noqa: S104
        code, problem = run(
            SERVE_HOST="0.0.0.0",  # noqa: S104
            SERVE_PORT=str(taken.getsockname()[1]),
            SERVE_OIDC_LOAD_BALANCER=found.arn,
            SERVE_OIDC_ISSUER=found.issuer,
            SERVE_OIDC_CLIENT=found.client,
        )
    assert code == 2
    assert "or stop what listens there" in problem


def test_the_schema_has_to_be_there(run: Run, unmigrated: sa.Engine) -> None:
    code, problem = run()
    assert code == 2
    assert "the database has none of sesbounce's tables" in problem
