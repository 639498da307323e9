"""Commands that only ask load no more than the answer takes.

To import is nearly all that such a command does: `make bench-ask` measures it.
"""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from sesbounce.policy.verdict import Policy
from sesbounce.store.store import Store
from sesbounce.store.strike_off import StrikeOff
from tests import sending

# The distributions whose modules a question to SQLite may load.
NEEDED = {"click", "sqlalchemy", "msgspec", "idna", "sesbounce"}

COMMAND = "from sesbounce.cli import main; main({arguments}, standalone_mode=False)"
CLIENT = "from sesbounce.client import may_mail; may_mail(['jane@example.com'])"
WORKER = "import sesbounce.cli.work, sesbounce.cli.token"
HEALTH = "import sesbounce.cli.health"


def loaded(code: str, url: str) -> set[str]:
    """The modules that a program loads on top of what SQLAlchemy, click and msgspec do."""
    program = (
        "import click, sqlalchemy, msgspec, sys\n"
        "before = set(sys.modules)\n"
        f"{code}\n"
        "import json; print('\\n' + json.dumps(sorted(set(sys.modules) - before)))\n"
    )
    environment = {**os.environ, "SESBOUNCE_DATABASE_URL": url}
    run = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    return set(json.loads(run.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "code",
    [
        COMMAND.format(arguments=["check", "jane@example.com"]),
        COMMAND.format(arguments=["check", "jane@example.com", "--json"]),
        COMMAND.format(arguments=["why", "jane@example.com"]),
        COMMAND.format(arguments=["list"]),
        COMMAND.format(arguments=["gate", "--stream", "critical"]),
        CLIENT,
        HEALTH,
    ],
)
def test_a_question_loads_only_what_it_needs(code: str, engine: sa.Engine, url: str) -> None:
    Store(engine, Policy(), StrikeOff()).prepare()
    found = loaded(code, url)
    assert "sesbounce" in found
    others = {name.partition(".")[0] for name in found} - NEEDED - set(sys.stdlib_module_names)
    assert others == set()
    # Of the dialects, SQLite's alone; nothing of the loop, the targets or the lists.
    other_dialects = ("sqlalchemy.dialects.mysql", "sqlalchemy.dialects.postgresql")
    assert not [name for name in found if name.startswith(other_dialects)]
    packages = {name.split(".")[1] for name in found if name.startswith("sesbounce.")}
    assert packages.isdisjoint({"lists", "operations", "outbound", "settings", "worker"})
    # Nor the rules by which replies are classified and addresses judged: many regular expressions.
    assert found.isdisjoint({"sesbounce.feedback.classify", "sesbounce.policy.verdict", "idna"})


def test_the_gate_needs_no_extra(engine: sa.Engine, url: str) -> None:
    Store(engine, Policy(), StrikeOff()).prepare()
    sending.count(engine, datetime.now(UTC), delivered=1)
    found = loaded(COMMAND.format(arguments=["gate"]), url)
    others = {name.partition(".")[0] for name in found} - NEEDED - set(sys.stdlib_module_names)
    assert others == set()


def test_only_serve_loads_the_http_api(url: str) -> None:
    found = loaded(WORKER, url)
    assert "sesbounce.worker.loop" in found
    programs = {name.partition(".")[0] for name in found}
    assert programs.isdisjoint({"anyio", "starlette", "uvicorn"})
    assert not [name for name in found if name.startswith("sesbounce.server")]


def test_the_guard_loads_no_framework_no_boto3_and_no_database(url: str) -> None:
    found = loaded("import sesbounce.guard", url)
    others = {name.partition(".")[0] for name in found} - NEEDED - set(sys.stdlib_module_names)
    assert others == set()
    packages = {name.split(".")[1] for name in found if name.startswith("sesbounce.")}
    assert packages == {"errors", "feedback", "guard", "variables"}
