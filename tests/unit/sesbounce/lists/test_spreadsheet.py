import csv
import io
import json
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from sesbounce.cli import main
from sesbounce.feedback.decode import decode
from sesbounce.lists.spreadsheet import guarded, unguarded
from sesbounce.policy.verdict import Policy
from sesbounce.store.engine import open_database
from sesbounce.store.migrate import upgrade
from sesbounce.store.store import Store
from sesbounce.store.strike_off import StrikeOff
from tests.support import AT, mail, said

FORMULAS = ["=cmd|x@x.example", "+1+cmd@x.example", "-2+3+cmd@x.example"]
ADDRESSES = [*FORMULAS, "'=quoted@x.example", "jane@x.example"]


def sesbounce(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, arguments, input=stdin, catch_exceptions=False)


@pytest.fixture
def recorded(engine: sa.Engine, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", url)
    store = Store(engine, Policy(), StrikeOff())
    store.prepare()
    messages = [said(about=mail(address, f"m{n}")) for n, address in enumerate(ADDRESSES)]
    store.record([decode(json.dumps(message)) for message in messages], AT)


@pytest.mark.parametrize(
    "cell",
    [
        "=1",
        "=cmd|' /C calc'!A0",
        "+a",
        "-a",
        "@SUM(1)",
        "\t=1",
        "\r=1",
        "\n=1",
        " =1",
        "\uff1d1",
        "'=1",
    ],
)
def test_a_formula_gets_an_apostrophe(cell: str) -> None:
    assert guarded(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["", "a", "a=1", "-5", "+49 (30) 12-34", "-1,234.50", "-", "'tis"])
def test_numbers_and_texts_stay(cell: str) -> None:
    assert guarded(cell) == cell


@given(st.text(alphabet="'=+-@a1 \t\r\n"))
def test_a_cell_can_be_read_back(cell: str) -> None:
    assert unguarded(guarded(cell)) == cell


@pytest.mark.usefixtures("recorded")
class TestCommands:
    def test_an_export_holds_no_formula_and_is_read_back(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        text = sesbounce("export").stdout
        cells = [cell for row in csv.reader(io.StringIO(text)) for cell in row]
        assert not [cell for cell in cells if cell[:1] in tuple("=+-@\t\r")]
        assert f"'{FORMULAS[0]}" in cells
        other = f"sqlite:///{tmp_path}/other.sqlite3"
        engine = open_database(other)
        upgrade(engine)
        engine.dispose()
        monkeypatch.setenv("SESBOUNCE_DATABASE_URL", other)
        assert sesbounce("import", "-", stdin=text).exit_code == 0
        for address in ADDRESSES:
            assert sesbounce("check", "--", address).exit_code == 1
        assert len(sesbounce("list").stdout.splitlines()) == len(ADDRESSES)

    def test_raw_writes_addresses_as_they_are(self) -> None:
        rows = csv.DictReader(io.StringIO(sesbounce("export", "--raw").stdout))
        assert {row["address"] for row in rows} == set(ADDRESSES)

    def test_ses_gets_addresses_as_they_are(self) -> None:
        text = sesbounce("export", "--format", "ses").stdout
        assert {row[0] for row in csv.reader(io.StringIO(text))} == set(ADDRESSES)

    def test_a_checked_file_holds_no_formula(self) -> None:
        text = "email,=name,phone\n" + "".join(f"{a},@SUM(1),+49 30\n" for a in FORMULAS)
        head, *rows = csv.reader(io.StringIO(sesbounce("check", "--file", "-", stdin=text).stdout))
        assert head[:3] == ["email", "'=name", "phone"]
        for row, address in zip(rows, FORMULAS, strict=True):
            assert row[:4] == [f"'{address}", "'@SUM(1)", "+49 30", "no"]
        raw = sesbounce("check", "--file", "-", "--raw", stdin=text).stdout
        assert raw.splitlines()[1].startswith(f"{FORMULAS[0]},@SUM(1),+49 30,no,")

    def test_an_exported_list_can_be_checked(self) -> None:
        text = sesbounce("export").stdout
        rows = csv.DictReader(io.StringIO(sesbounce("check", "--file", "-", stdin=text).stdout))
        assert [row["may_mail"] for row in rows] == ["no"] * len(ADDRESSES)
