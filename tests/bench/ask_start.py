"""What a process takes that asks once, next to the imports that no answer can do without.

It does nearly nothing but start: what it takes is compared with a process that imports click,
SQLAlchemy and msgspec, and does no more. `tests/unit/sesbounce/cli/test_loaded_modules.py` holds
what may be imported.
"""

import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from sesbounce.feedback.manual import decide
from sesbounce.feedback.reason import Reason
from sesbounce.policy.verdict import Policy
from sesbounce.store.engine import open_database
from sesbounce.store.store import Store
from sesbounce.store.strike_off import StrikeOff
from tests.bench.processes import Used, used
from tests.support import AT

ADDRESS = "jane@example.com"
BASE = "import click, sqlalchemy, msgspec"
CHECK = f"sesbounce check {ADDRESS}"


def command(*arguments: str) -> str:
    """The code that runs a command of sesbounce, as its entry point does."""
    return f"import sys; sys.argv[1:] = {arguments!r}; from sesbounce.cli import main; main()"


# The code of each program, by what it is called in the table.
PROGRAMS = {
    BASE: BASE,
    CHECK: command("check", ADDRESS),
    f"sesbounce why {ADDRESS}": command("why", ADDRESS),
    "sesbounce list": command("list"),
    "sesbounce.client.may_mail": (
        f"from sesbounce.client import may_mail; may_mail(['{ADDRESS}'])"
    ),
    "import pydantic_settings, which they avoid": f"{BASE}, pydantic_settings",
}


def measured(rounds: int) -> Mapping[str, list[Used]]:
    """What each program took, a value a round.

    They run one after the other in each round; the first round, in which Python compiles modules,
    does not count.
    """
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            "SESBOUNCE_DATABASE_URL": _filled(folder),
            # Bytecode of their own: where none may be written, every run would compile it all.
            "PYTHONPYCACHEPREFIX": folder,
            "PYTHONDONTWRITEBYTECODE": "",
        }
        runs: dict[str, list[Used]] = {name: [] for name in PROGRAMS}
        for number in range(rounds + 1):
            for name, code in PROGRAMS.items():
                taken = used([sys.executable, "-c", code], environment)
                if number:
                    runs[name].append(taken)
    return runs


def _filled(folder: str) -> str:
    """The URL of a database in which one address is suppressed."""
    url = f"sqlite:///{Path(folder, 'sesbounce.sqlite3')}"
    engine = open_database(url)
    store = Store(engine, Policy(), StrikeOff())
    store.prepare()
    store.record([decide(ADDRESS, Reason.SUPPRESSED_BY_HAND, AT, by="bench", note=None)], AT)
    engine.dispose()
    return url
