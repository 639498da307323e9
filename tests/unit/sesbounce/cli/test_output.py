import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from sesbounce.cli import main
from sesbounce.cli.output import written
from sesbounce.errors import ListError
from sesbounce.policy.verdict import Policy
from sesbounce.store.store import Store
from sesbounce.store.strike_off import StrikeOff

ADDRESSES = "email\nfine@example.com\n"
ANSWERS = "email,may_mail,reason,why\nfine@example.com,yes,,\n"


def sesbounce(*arguments: str | Path, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments)], input=stdin, catch_exceptions=False)


def write(content: str, path: Path, *sources: IO[Any]) -> None:
    with written(path, *sources) as text:
        text.write(content)


@pytest.fixture(autouse=True)
def database(engine: sa.Engine, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Store(engine, Policy(), StrikeOff()).prepare()
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", url)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    file = tmp_path / "addresses.csv"
    file.write_text(ADDRESSES)
    return file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "out"
    place.mkdir()
    return place


@pytest.fixture
def usual_umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


class TestSameFile:
    def refused(self, *arguments: str | Path) -> bool:
        result = sesbounce(*arguments)
        assert result.exit_code == 2
        return "is a file that the command reads, and would be lost" in result.stderr

    def test_the_file_itself(self, source: Path) -> None:
        assert self.refused("check", "--file", source, "--output", source)
        detour = source.parent / "out" / ".." / source.name
        (source.parent / "out").mkdir()
        assert self.refused("check", "--file", source, "--output", detour)
        assert source.read_text() == ADDRESSES

    def test_a_link_of_either_kind_and_in_either_place(self, source: Path, tmp_path: Path) -> None:
        soft, hard = tmp_path / "soft", tmp_path / "hard"
        soft.symlink_to(source)
        hard.hardlink_to(source)
        for link in (soft, hard):
            assert self.refused("check", "--file", source, "--output", link)
            assert self.refused("check", "--file", link, "--output", source)
        assert source.read_text() == hard.read_text() == ADDRESSES

    @pytest.mark.parametrize("end", ["", "-wal"])
    @pytest.mark.parametrize("command", [["export"], ["check", "--file", "FILE"]])
    def test_the_database(
        self, command: list[str], end: str, url: str, source: Path, engine: sa.Engine
    ) -> None:
        database = Path(url.removeprefix("sqlite:///") + end)
        assert database.exists()
        before = database.read_bytes()
        arguments = [source if one == "FILE" else one for one in command]
        assert self.refused(*arguments, "--output", database)
        assert database.read_bytes() == before

    def test_standard_input_and_output(self, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with source.open("a") as output, source.open("rb") as stream:
            with pytest.raises(ListError, match="would be lost"):
                write("", source, stream)
            monkeypatch.setattr("sys.stdout", output)
            with pytest.raises(ListError, match="standard output is a file"):
                write("", Path("-"), stream)
        assert source.read_text() == ADDRESSES


class TestFailure:
    @pytest.mark.parametrize(
        "arguments",
        [
            ["check", "--file", "FILE", "--column", "other"],
            ["check", "--file", "FILE", "--encoding", "bogus"],
            ["check", "--file", "NOWHERE"],
            ["check", "--file", "BROKEN"],
            ["check", "jane@example.com"],
            ["check"],
            ["export", "--format", "bogus"],
        ],
    )
    def test_a_command_that_fails_leaves_the_file_as_it_was(
        self, arguments: list[str], source: Path, folder: Path
    ) -> None:
        broken = source.with_name("broken.csv")
        broken.write_text('email\na@example.com\n"b@example.com\n')
        places = {"FILE": source, "BROKEN": broken, "NOWHERE": source.with_name("nowhere")}
        output = folder / "answers.csv"
        output.write_text("those of yesterday")
        result = sesbounce(*(places.get(one, one) for one in arguments), "--output", output)
        assert result.exit_code == 2
        assert output.read_text() == "those of yesterday"
        assert list(folder.iterdir()) == [output]

    @pytest.mark.parametrize("command", [["export"], ["check", "--file", "FILE"]])
    def test_without_a_database_nothing_is_touched(
        self, command: list[str], source: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SESBOUNCE_DATABASE_URL", "sqlite:////nowhere/x.sqlite3")
        output = folder / "answers.csv"
        arguments = [source if one == "FILE" else one for one in command]
        assert sesbounce(*arguments, "--output", output).exit_code == 2
        assert list(folder.iterdir()) == []

    def test_a_folder_that_is_not_there(self, source: Path, folder: Path) -> None:
        output = folder / "none" / "answers.csv"
        result = sesbounce("check", "--file", source, "--output", output)
        assert result.stderr == f"sesbounce: {output} was not written: No such file or directory\n"
        assert result.exit_code == 2

    def test_a_fault_in_the_block(self, folder: Path) -> None:
        with pytest.raises(UnicodeEncodeError):
            write("x" * 100_000 + "\ud800", folder / "answers.csv")
        assert list(folder.iterdir()) == []


class TestReplaced:
    @pytest.mark.usefixtures("usual_umask")
    def test_a_new_file_has_the_mode_of_new_files(self, source: Path, folder: Path) -> None:
        output, usual = folder / "answers.csv", folder / "usual"
        usual.touch()
        assert sesbounce("check", "--file", source, "--output", output).exit_code == 0
        assert output.read_text() == ANSWERS
        assert output.stat().st_mode == usual.stat().st_mode

    @pytest.mark.parametrize("mode", [0o600, 0o664, 0o640])
    def test_a_file_that_exists_keeps_its_permissions(
        self, mode: int, source: Path, folder: Path
    ) -> None:
        output = folder / "answers.csv"
        output.write_text("those of yesterday")
        output.chmod(mode)
        os.utime(output, (1, 1))
        assert sesbounce("check", "--file", source, "--output", output).exit_code == 0
        assert output.read_text() == ANSWERS
        assert stat.S_IMODE(output.stat().st_mode) == mode
        assert output.stat().st_mtime > 1

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
    def test_a_file_that_exists_keeps_its_owner(self, source: Path, folder: Path) -> None:
        output = folder / "answers.csv"
        output.touch()
        os.chown(output, 65534, 65534)
        assert sesbounce("check", "--file", source, "--output", output).exit_code == 0
        assert (output.stat().st_uid, output.stat().st_gid) == (65534, 65534)

    @pytest.mark.parametrize("exists", [True, False])
    def test_a_link_stays_a_link(self, exists: bool, source: Path, folder: Path) -> None:
        link, behind = folder / "latest.csv", source.with_name("2026-11-20.csv")
        link.symlink_to(behind)
        if exists:
            behind.write_text("those of yesterday")
        assert sesbounce("check", "--file", source, "--output", link).exit_code == 0
        assert link.is_symlink()
        assert behind.read_text() == ANSWERS

    def test_a_name_as_long_as_names_can_be(self, source: Path, folder: Path) -> None:
        output = folder / ("x" * 251 + ".csv")
        assert sesbounce("check", "--file", source, "--output", output).exit_code == 0
        assert output.read_text() == ANSWERS

    def test_the_file_appears_only_when_it_is_complete(self, folder: Path) -> None:
        output = folder / "answers.csv"
        with written(output) as text:
            text.write("x")
            text.flush()
            assert not output.exists()
        assert output.read_text() == "x"


def test_a_pipe_gets_the_text_as_it_comes(source: Path, folder: Path) -> None:
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    assert sesbounce("check", "--file", source, "--output", pipe).exit_code == 0
    reader.join(60)
    assert read == [ANSWERS]
    assert pipe.is_fifo()


def test_a_device_stays_one(source: Path) -> None:
    assert sesbounce("check", "--file", source, "--output", "/dev/null").exit_code == 0
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize("options", [["--output", "x"], ["--column", "x"], ["--encoding", "x"]])
def test_options_of_files_go_with_a_file(options: list[str], tmp_path: Path) -> None:
    result = sesbounce("check", "jane@example.com", *options)
    assert result.exit_code == 2
    assert "go with --file" in result.stderr
    assert not Path("x").exists()
