"""What commands print: on a real terminal, 80 columns wide, and where it is none."""

import json
import os
import pty
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from scripts.local.ses_messages import Scenario
from sesbounce.cli import main, progress
from sesbounce.cli.common import counted
from sesbounce.feedback.decode import decode
from sesbounce.policy.verdict import Policy
from sesbounce.store.drift import in_words
from sesbounce.store.engine import open_database, write
from sesbounce.store.migrate import drift, upgrade
from sesbounce.store.outbox import Outbox
from sesbounce.store.store import Store
from sesbounce.store.strike_off import StrikeOff
from tests.support import AT, bounce, mail, said

# Escape sequences, C1 controls, ends of lines, bidi marks, a separator of lines, a zero-width mark.
HOSTILE = "\x1b[2J\x1b]0;x\x07\x9b31m\r\nforged: yes\u202e\u2028\u200b\x7f"
# All that the terminal itself puts in.
ENDS = "\r\n"


def sesbounce(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, arguments, input=stdin, catch_exceptions=False)


def on_a_terminal(*arguments: str) -> str:
    """What a command prints on a terminal of its own, standard error included."""
    reader, terminal = pty.openpty()
    # Read meanwhile: some commands print more than a terminal holds.
    with ThreadPoolExecutor() as beside, pytest.MonkeyPatch.context() as patched:
        printed = beside.submit(_printed, reader)
        with (
            os.fdopen(terminal, "w", encoding="utf-8") as out,
            os.fdopen(os.dup(terminal), "w", encoding="utf-8") as err,
            os.fdopen(os.dup(terminal), encoding="utf-8") as typed,
        ):
            for name, stream in {"stdin": typed, "stdout": out, "stderr": err}.items():
                patched.setattr(sys, name, stream)
            patched.setattr(sys, "__stdout__", out)  # its size is the terminal's
            with pytest.raises(SystemExit) as ended:
                main(arguments)
        assert ended.value.code in {0, 1, 2}, printed.result()
    return printed.result().decode()


def _printed(reader: int) -> bytes:
    """What a terminal has shown when all who had it have closed it."""
    printed = b""
    with os.fdopen(reader, "rb", buffering=0) as shown, suppress(OSError):  # the end, on Linux
        while more := shown.read(65536):
            printed += more
    return printed


@pytest.fixture
def store(engine: sa.Engine, url: str, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", url)
    store = Store(engine, Policy(), StrikeOff(), Outbox(["webhook"]))
    store.prepare()
    return store


@pytest.fixture
def hostile(store: Store, engine: sa.Engine) -> None:
    """An address and a diagnostic that somebody has chosen, and a problem of a target."""
    message = bounce("Permanent", "General", diagnosticCode=f"smtp; 550 5.1.1 {HOSTILE}")
    recipients = message["bounce"]["bouncedRecipients"]
    recipients += [recipients[0] | {"emailAddress": f'"{HOSTILE}"@example.com'}]
    store.record([decode(json.dumps(message))], AT)
    with write(engine) as connection:
        connection.execute(sa.text("UPDATE feedback_outbox SET problem = :p"), {"p": HOSTILE})
        connection.execute(
            sa.text(
                "UPDATE feedback_address SET why = why || :p, address = :a WHERE address <> :j"
            ),
            {"p": HOSTILE, "a": f"{HOSTILE}@example.com", "j": "jane@example.com"},
        )


@pytest.mark.usefixtures("hostile")
@pytest.mark.parametrize(
    "command",
    [
        ["why", "jane@example.com"],
        ["list"],
        ["outbox"],
        ["check", f"{HOSTILE}@example.com"],
        ["check", HOSTILE],
        ["list", "--domain", HOSTILE],
        ["stats", "--by", "domain"],
        ["rebuild", "--dry-run", "--not-attempted-days", "1"],
        ["why", "jane@example.com", "--json"],
        ["list", "--json"],
    ],
)
def test_nothing_that_others_chose_acts_on_the_terminal(command: Sequence[str]) -> None:
    lines = on_a_terminal(*command).split(ENDS)
    assert [line for line in lines if not line.isprintable()] == []
    assert [line for line in lines if line.startswith("forged")] == []
    if "--json" in command:
        assert [json.loads(line) for line in lines if line]


@pytest.mark.usefixtures("hostile")
def test_a_text_that_others_chose_is_shown_and_not_left_out() -> None:
    text = on_a_terminal("why", "jane@example.com")
    assert r"\x1b[2J" in text
    assert r"\r\nforged: yes\u202e" in text


def test_a_row_that_can_t_be_read_is_shown_without_its_effects(store: Store) -> None:
    result = sesbounce("import", "-", stdin='address,reason\n"x\x1b[2J\x9b",unsubscribed\n')
    assert result.exit_code == 3
    assert r"\x1b" in result.stderr
    assert all(line.isprintable() for line in result.stderr.splitlines())


def test_an_error_of_the_sender_s_database_does_not_act_on_the_terminal(
    store: Store, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with write(engine) as connection:
        for sql in (
            "CREATE TABLE reader (email TEXT)",
            "INSERT INTO reader VALUES ('jane@example.com')",
            "CREATE TRIGGER keep BEFORE DELETE ON reader BEGIN SELECT raise(ABORT, '\x1b[2J'); END",
        ):
            connection.exec_driver_sql(sql)
    statement = "DELETE FROM reader WHERE email = :address"
    monkeypatch.setenv("SESBOUNCE_STRIKE_OFF_SQL", statement)
    result = sesbounce("suppress", "jane@example.com")
    assert result.exit_code == 3
    assert "rejected a statement for 1 address; the worker retries it" in result.stderr
    assert r"\x1b[2J" in result.stderr
    assert all(line.isprintable() for line in result.stderr.splitlines())


@pytest.mark.parametrize("by", ["day", "reason", "domain", "sender"])
def test_statistics_fit_a_terminal(store: Store, by: str) -> None:
    messages: list[dict[str, Any]] = []
    for n in range(30):
        scenario = [Scenario.BOUNCE, Scenario.SUCCESS, Scenario.COMPLAINT][n % 3]
        messages.append(said(scenario, mail(f"{n}@long-name.example", f"m{n}")))
    store.record([decode(json.dumps(message)) for message in messages], AT)
    lines = on_a_terminal("stats", "--by", by).split(ENDS)
    assert len(lines) > 2
    assert max(map(len, lines)) <= 80


def test_a_name_of_any_length_stays_on_one_line(store: Store) -> None:
    domain = f"{'x' * 60}.{'y' * 60}.example"
    store.record([decode(json.dumps(said(about=mail(f"jane@{domain}"))))], AT)
    _, line = sesbounce("stats", "--by", "domain").stdout.splitlines()
    assert line.split()[-1] == domain
    assert len(sesbounce("list").stdout.splitlines()) == 1


@pytest.mark.parametrize(("days", "said_of_it"), [(1, "1 of 3 strikes"), (2, "2 of 3 strikes")])
def test_strikes_that_do_not_suppress_are_counted(store: Store, days: int, said_of_it: str) -> None:
    messages = [
        said(Scenario.MAILBOX_FULL, mail("full@example.com", f"m{n}"), at=AT.replace(day=n + 1))
        for n in range(days)
    ]
    store.record([decode(json.dumps(message)) for message in messages], AT)
    result = sesbounce("check", "full@example.com")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"full@example.com: yes ({said_of_it} in ")
    assert said_of_it in sesbounce("why", "full@example.com").stdout.splitlines()[0]


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 addresses"), (1, "1 address"), (2, "2 addresses"), (1234, "1,234 a")],
)
def test_one_is_no_plural(number: int, text: str) -> None:
    assert counted(number, "address", "addresses").startswith(text)


@pytest.mark.parametrize(
    "command", [["import", "list.csv"], ["check", "--file", "list.csv"], ["rebuild"]]
)
def test_a_long_command_says_how_far_it_is_where_there_is_no_terminal(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("list.csv").write_text("address,reason\njane@example.com,unsubscribed\n")
    store.record([decode(json.dumps(said()))], AT)

    monkeypatch.setattr(progress, "_LINE_SECONDS", 0.05)
    for place in (
        "sesbounce.lists.importing.Importer.__call__",
        "sesbounce.cli.bulk._answers",
        "sesbounce.operations.rebuild.Rebuild._apply",
    ):
        module, _, name = place.rpartition(".")
        delayed(monkeypatch, module, name)
    lines = sesbounce(*command).stderr.splitlines()
    word = {"import": "importing: ", "check": "checking: ", "rebuild": "rebuilding: "}[command[0]]
    said_of_it = [line for line in lines if line.startswith(word)]
    assert len(said_of_it) > 1
    if command[0] != "rebuild":
        assert said_of_it[0] == f"{word}0 rows (100 % of the file)"


def delayed(monkeypatch: pytest.MonkeyPatch, module: str, name: str) -> None:
    """Let a function take a third of a second longer."""
    try:
        owner: Any = import_module(module)
    except ModuleNotFoundError:
        module, _, kind = module.rpartition(".")
        owner = getattr(import_module(module), kind)
    function = getattr(owner, name)

    def slow(*arguments: Any, **more: Any) -> Any:
        time.sleep(0.3)
        return function(*arguments, **more)

    monkeypatch.setattr(owner, name, slow)


def test_differences_of_the_schema_are_said_in_words(url: str) -> None:
    engine = open_database(url)
    upgrade(engine)
    assert list(in_words(drift(engine))) == []
    with write(engine) as connection:
        for statement in (
            "DROP TABLE feedback_outbox",
            "ALTER TABLE feedback_message ADD COLUMN odd TEXT",
            "ALTER TABLE feedback_event RENAME COLUMN basis TO base",
        ):
            connection.exec_driver_sql(statement)
        index = sa.inspect(connection).get_indexes("feedback_event")[0]["name"]
        connection.exec_driver_sql(f"DROP INDEX {index}")
    said_of_it = list(in_words(drift(engine)))
    engine.dispose()
    assert "The database lacks the table feedback_outbox." in said_of_it
    assert (
        "The table feedback_message has, and should not have, the column odd (TEXT)." in said_of_it
    )
    assert any(
        s.startswith("The table feedback_event lacks the column basis (") for s in said_of_it
    )
    assert f"The table feedback_event lacks the index {index}." in said_of_it


def test_changed_columns_are_said_in_words() -> None:
    differences: list[Any] = [
        [
            ("modify_nullable", None, "t", "c", {}, True, False),
            ("modify_type", None, "t", "c", {}, sa.Integer(), sa.String(9)),
        ],
        ("modify_default", None, "t", "c", {}, None, sa.DefaultClause("1")),
    ]
    assert list(in_words(differences)) == [
        "The column t.c takes NULL, and should not.",
        "The column t.c has the type INTEGER, and should have VARCHAR(9).",
        "The column t.c has the default none, and should have 1.",
    ]
