"""Real processes, whose output breaks, fills a disk or is interrupted."""

import fcntl
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO

import pytest

from sesbounce.feedback.manual import decide
from sesbounce.feedback.reason import Reason
from sesbounce.policy.verdict import Policy
from sesbounce.store.engine import open_database
from sesbounce.store.store import Store
from sesbounce.store.strike_off import StrikeOff
from tests.support import AT

COMMAND = [sys.executable, "-c", "from sesbounce.cli import main; main()"]
FULL = Path("/dev/full")
# More than a pipe holds.
MANY = 1500

pytestmark = pytest.mark.skipif(not FULL.exists(), reason="needs Linux's /dev/full")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database in which many addresses are suppressed."""
    file = tmp_path_factory.mktemp("filled") / "sesbounce.sqlite3"
    engine = open_database(f"sqlite:///{file}")
    store = Store(engine, Policy(), StrikeOff())
    store.prepare()
    reason = Reason.SUPPRESSED_BY_HAND
    them = [f"{number:04}-{'x' * 40}@example.com" for number in range(MANY)]
    store.record([decide(one, reason, AT, by="ann", note=None) for one in them], AT)
    engine.dispose()
    return file


@pytest.fixture
def environment(filled: Path, tmp_path: Path) -> dict[str, str]:
    file = shutil.copy(filled, tmp_path / "sesbounce.sqlite3")
    # What Python does not buffer can't fail at its end.
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return {**inherited, "SESBOUNCE_DATABASE_URL": f"sqlite:///{file}"}


@pytest.fixture
def addresses(tmp_path: Path) -> Path:
    file = tmp_path / "addresses.csv"
    file.write_text("email\n" + "".join(f"{number}@example.com\n" for number in range(5 * MANY)))
    return file


@pytest.fixture
def full() -> Iterator[IO[str]]:
    with FULL.open("w") as stream:
        yield stream


def without_progress(said: str) -> str:
    """What a command says on standard error, without the lines of progress of a slow machine."""
    return re.sub(r"(?m)^(checking|importing): [\d,]+ rows?( \(\d+ % of the file\))?\n", "", said)


def arguments(command: str, addresses: Path) -> list[str]:
    return [*COMMAND, *command.replace("FILE", str(addresses)).split()]


PRINTING = [
    "--help",
    "list --help",
    "--version",
    "check jane@example.com",
    "check jane@example.com --json",
    "list",
    "list --json",
    "export",
    "export --json",
    "check --file FILE",
    "check --file FILE --json",
    "stats",
    "db current",
]


@pytest.mark.parametrize("command", PRINTING)
def test_a_full_disk_is_one_line_and_exit_code_2(
    command: str, environment: dict[str, str], addresses: Path, full: IO[str]
) -> None:
    run = subprocess.run(
        arguments(command, addresses),
        env=environment,
        stdout=full,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    lines = without_progress(run.stderr).splitlines()
    counted = [line for line in lines if "may be mailed" not in line]
    assert counted == ["sesbounce: the output was not written: No space left on device"]
    assert run.returncode == 2


@pytest.mark.parametrize("command", ["export", "check --file FILE"])
def test_a_disk_that_takes_only_a_part_is_an_error_without_a_buffer_too(
    command: str, environment: dict[str, str], addresses: Path, tmp_path: Path
) -> None:
    # The container image sets the variable. SQLite needs 32 KB for a file beside the database.
    shell = ["sh", "-c", 'ulimit -f 80; exec "$@"', "sh", *arguments(command, addresses)]
    with (tmp_path / "list.csv").open("w") as file:
        run = subprocess.run(
            shell,
            env={**environment, "PYTHONUNBUFFERED": "1"},
            stdout=file,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert "sesbounce: the output was not written: File too large\n" in run.stderr
    assert run.returncode == 2


@pytest.mark.parametrize("command", ["list", "list --json", "export", "check --file FILE"])
def test_a_pipe_that_nobody_reads_any_more_ends_the_command_quietly(
    command: str, environment: dict[str, str], addresses: Path
) -> None:
    with subprocess.Popen(
        arguments(command, addresses),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stderr
        assert process.stdout.readline()
        process.stdout.close()
        said = without_progress(process.stderr.read())
        assert (process.wait(60), said) == (141, "")


@pytest.mark.parametrize(
    "command", ["--help", "check jane@example.com", "list --limit 1", "export"]
)
def test_a_pipe_that_nobody_has_read_ends_the_command_quietly(
    command: str, environment: dict[str, str], addresses: Path
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        run = subprocess.run(
            arguments(command, addresses),
            env=environment,
            stdout=pipe,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (run.returncode, run.stderr) == (141, "")


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("check nothing", 2),
        ("bogus", 2),
        ("list --reason bogus", 2),
        ("check 0001@example.com", 0),
        ("check --file FILE --output /dev/null", 2),
        ("forget 0001@example.com", 2),
    ],
)
def test_standard_error_that_takes_no_more_leaves_the_exit_code(
    command: str, code: int, environment: dict[str, str], addresses: Path, full: IO[str]
) -> None:
    run = subprocess.run(
        arguments(command, addresses),
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=full,
        check=False,
    )
    assert run.returncode == code


@pytest.mark.parametrize("command", ["export", "check --file FILE"])
def test_an_output_on_a_full_disk_is_named(
    command: str, environment: dict[str, str], addresses: Path
) -> None:
    run = subprocess.run(
        [*arguments(command, addresses), "--output", str(FULL)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    said = without_progress(run.stderr)
    assert said == f"sesbounce: {FULL} was not written: No space left on device\n"
    assert run.returncode == 2


def closed(
    stream: str, command: str, environment: dict[str, str], addresses: Path
) -> "subprocess.CompletedProcess[str]":
    """Run a command whose shell has closed one of its streams: `>&-`."""
    shell = ["sh", "-c", f'exec "$@" {stream}', "sh", *arguments(command, addresses)]
    return subprocess.run(shell, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "command",
    ["--help", "check 0001@example.com", "list", "export --json", "check --file FILE", "stats"],
)
def test_standard_output_that_is_closed_is_one_line_and_exit_code_2(
    command: str, environment: dict[str, str], addresses: Path
) -> None:
    run = closed(">&-", command, environment, addresses)
    counted = [line for line in run.stderr.splitlines() if "may be mailed" not in line]
    assert counted == ["sesbounce: the output was not written: standard output is closed"]
    assert run.returncode == 2


@pytest.mark.parametrize(
    ("command", "code"),
    [("list --limit 1", 0), ("check --file FILE", 0), ("check nothing", 2), ("bogus", 2)],
)
def test_standard_error_that_is_closed_leaves_output_and_exit_code(
    command: str, code: int, environment: dict[str, str], addresses: Path
) -> None:
    run = closed("2>&-", command, environment, addresses)
    assert (run.returncode, bool(run.stdout)) == (code, code == 0)


@pytest.mark.parametrize(("command", "code"), [("prune --older-than 1d", 4), ("import -", 2)])
def test_standard_input_that_is_closed_is_empty(
    command: str, code: int, environment: dict[str, str], addresses: Path
) -> None:
    run = closed("<&-", command, environment, addresses)
    assert run.returncode == code
    assert "no answer on standard input" in run.stderr or "the list is empty" in run.stderr


def test_all_streams_may_be_closed(environment: dict[str, str], addresses: Path) -> None:
    run = closed("<&- >&- 2>&-", "check 0001@example.com", environment, addresses)
    assert run.returncode == 2


def test_characters_that_a_terminal_lacks_are_escaped(environment: dict[str, str]) -> None:
    run = subprocess.run(
        [*COMMAND, "check", "jürgen-ł@example.com"],
        env={**environment, "PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        encoding="latin-1",
        check=False,
    )
    assert run.stdout.startswith(r"jürgen-\u0142@example.com: yes")
    assert (run.returncode, run.stderr) == (0, "")


class TestCtrlC:
    @pytest.fixture(autouse=True)
    def ctrl_c_reaches_commands(self) -> Iterator[None]:
        """A shell that starts the tests in the background has SIGINT ignored in all it starts."""
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        yield
        signal.signal(signal.SIGINT, before)

    @contextmanager
    def fed(
        self, command: Sequence[str], environment: dict[str, str], text: str
    ) -> Iterator["subprocess.Popen[str]"]:
        """A command that reads standard input, which stays open behind the text."""
        with subprocess.Popen(
            [*COMMAND, *command],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdin
            process.stdin.write(text)
            process.stdin.flush()
            yield process

    def interrupt(self, process: "subprocess.Popen[str]") -> tuple[int, str]:
        """Press Ctrl-C; returns the exit code, and what the command says."""
        assert process.stderr
        await_true(lambda: sleeps(process))
        process.send_signal(signal.SIGINT)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            # It came between Python's last look for signals and the call that waits for input.
            if sleeps(process):
                process.send_signal(signal.SIGINT)
        return process.wait(60), process.stderr.read()

    def test_an_import_says_how_far_it_got_and_goes_on(
        self, environment: dict[str, str], tmp_path: Path
    ) -> None:
        url = environment["SESBOUNCE_DATABASE_URL"]
        rows = "".join(f"{n}-{'y' * 9}@example.com,unsubscribed\n" for n in range(1700))
        text = f"address,reason\n{rows}"
        command = ["import", "--at", "2026-01-01"]
        with self.fed([*command, "-"], environment, text) as process:
            # It has recorded three batches of 500 rows, and waits for the end of the fourth.
            await_true(lambda: unread(process) == 0 and events(url) == MANY + 1500)
            code, said = self.interrupt(process)
        assert code == 130
        (last,) = without_progress(said).splitlines()
        assert last.startswith(
            "sesbounce: interrupted after 1,500 rows, which are recorded. Run the same"
        )
        assert events(url) == MANY + 1500
        file = tmp_path / "list.csv"
        file.write_text(text)
        run = subprocess.run(
            [*COMMAND, *command, str(file)],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert "200 recorded, 1,500 known already" in run.stdout

    def test_a_check_leaves_no_output(self, environment: dict[str, str], tmp_path: Path) -> None:
        output = tmp_path / "answers.csv"
        output.write_text("those of yesterday")
        text = "email\n" + "".join(f"{n}@example.com\n" for n in range(2000))
        command = ["check", "--file", "-", "--output", str(output)]
        with self.fed(command, environment, text) as process:
            await_true(lambda: unread(process) == 0)
            code, said = self.interrupt(process)
        assert code == 130
        assert f"{output} was not written" in said
        assert output.read_text() == "those of yesterday"
        assert list(tmp_path.glob(".sesbounce-*")) == []

    def test_at_a_question_it_is_no_answer(self, environment: dict[str, str]) -> None:
        command = ["prune", "--older-than", "1d"]
        with self.fed(command, environment, "") as process:
            assert process.stderr
            assert process.stderr.read(7) == "Delete "
            assert self.interrupt(process)[0] == 130


def await_true(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def events(url: str) -> int:
    """How many events are recorded."""
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
        (number,) = connection.execute("SELECT count(*) FROM feedback_event").fetchone()
    return int(number)


def sleeps(process: "subprocess.Popen[str]") -> bool:
    """Whether the process waits for something, by Linux's account of it."""
    _name, _, state = Path(f"/proc/{process.pid}/stat").read_text().rpartition(") ")
    return state.startswith("S")


def unread(process: "subprocess.Popen[str]") -> int:
    """How many bytes of standard input the process has still to read."""
    assert process.stdin
    number = fcntl.ioctl(process.stdin.fileno(), termios.FIONREAD, bytes(4))
    return int.from_bytes(number, sys.byteorder)


@pytest.mark.parametrize(("answer", "code"), [("n\n", 4), ("", 4), ("y\n", 0)])
def test_a_person_who_declines_is_no_error(
    answer: str, code: int, environment: dict[str, str]
) -> None:
    run = subprocess.run(
        [*COMMAND, "prune", "--older-than", "1d"],
        env=environment,
        input=answer,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == code
    assert ("nothing was changed" in run.stderr) == (code == 4)
