"""An SQLite file that this user may not change can be asked."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from scripts.local.ses_messages import Scenario
from sesbounce.feedback.decode import decode
from sesbounce.policy.verdict import Policy
from sesbounce.store.engine import open_database
from sesbounce.store.store import Store
from sesbounce.store.strike_off import StrikeOff
from tests.support import AT, disposed, mail, said

ASK = """
import os, sys
from datetime import UTC, datetime
from sesbounce.store.engine import open_database
from sesbounce.store.lookup import Lookup
open_database("sqlite://").connect().close()  # imports all that is needed
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
engine = open_database(f"sqlite:///{sys.argv[1]}", read_only=True)
lookup = Lookup(engine)
for _ in sys.stdin:
    print(lookup.check("mary@example.com", datetime.now(UTC)).may_mail, flush=True)
print(lookup.check("jane@example.com", datetime.now(UTC)).may_mail)
print(len(lookup.why("jane@example.com")), len(list(lookup.suppressed(datetime.now(UTC)))))
engine.dispose()
"""


@pytest.mark.parametrize("folder_mode", [0o755, 0o555, 0o777])
@pytest.mark.parametrize("file_mode", [0o444, 0o644])
def test_a_file_that_may_not_be_changed_can_be_asked(folder_mode: int, file_mode: int) -> None:
    with tempfile.TemporaryDirectory(prefix="sesbounce-") as made:
        folder = Path(made)
        path = folder / "a b.sqlite3"
        with disposed(open_database(f"sqlite:///{path}")) as engine:
            store = Store(engine, Policy(), StrikeOff())
            store.prepare()
            store.record([decode(json.dumps(said(Scenario.BOUNCE, mail())))], AT)
        path.chmod(file_mode)
        folder.chmod(folder_mode)
        done = subprocess.run(
            [sys.executable, "-c", ASK, path],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        folder.chmod(0o755)
        assert done.stdout == "False\n1 1\n", done.stderr


def test_a_file_that_another_user_changes_is_read_as_it_is_now() -> None:
    """The first answer finds no log beside the file, and the next ones find one."""
    with tempfile.TemporaryDirectory(prefix="sesbounce-") as made:
        folder = Path(made)
        path = folder / "sesbounce.sqlite3"
        url = f"sqlite:///{path}"
        with disposed(open_database(url)) as engine:
            Store(engine, Policy(), StrikeOff()).prepare()
        path.chmod(0o644)
        folder.chmod(0o555)
        with subprocess.Popen(
            [sys.executable, "-c", ASK, path],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as asking:

            def may_mail_mary() -> str:
                assert asking.stdin
                assert asking.stdout
                asking.stdin.write("mary\n")
                asking.stdin.flush()
                return asking.stdout.readline().strip()

            assert may_mail_mary() == "True"
            folder.chmod(0o755)
            with disposed(open_database(url)) as engine:
                store = Store(engine, Policy(), StrikeOff())
                bounce = said(Scenario.BOUNCE, mail("mary@example.com"))
                store.record([decode(json.dumps(bounce))], AT)
                assert may_mail_mary() == "False"
            assert may_mail_mary() == "False", "also where the worker has ended"
