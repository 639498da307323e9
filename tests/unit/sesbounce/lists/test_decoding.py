"""What a file's bytes are: which text, and which values."""

import csv
import io
import json
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from sesbounce.cli import main
from sesbounce.errors import ListError
from sesbounce.feedback.manual import decide
from sesbounce.feedback.reason import Reason
from sesbounce.lists.decoding import delimiter_of
from sesbounce.policy.verdict import Policy
from sesbounce.store.store import Store
from sesbounce.store.strike_off import StrikeOff
from tests.support import AT

BAD = "müller@example.com"
TEXT = f"email,name\n{BAD},Jürgen\nfine@example.com,Zoë\n"


def sesbounce(*arguments: str | Path, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(main, [*map(str, arguments)], input=stdin, catch_exceptions=False)


def answers(result: Result) -> list[tuple[str, ...]]:
    """Each row's first values and its may_mail."""
    rows = list(csv.reader(io.StringIO(result.stdout)))
    place = rows[0].index("may_mail") if "may_mail" in rows[0] else -3
    return [(*row[:place], row[place]) for row in rows]


@pytest.fixture(autouse=True)
def one_is_suppressed(engine: sa.Engine, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(engine, Policy(), StrikeOff())
    store.prepare()
    store.record([decide(BAD, Reason.SUPPRESSED_BY_HAND, AT, by="ann", note=None)], AT)
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", url)


class TestEncoding:
    @pytest.mark.parametrize(
        ("encoding", "options"),
        [
            ("utf-8", []),
            ("utf-8-sig", []),
            ("utf-16", []),
            ("utf-32", []),
            ("utf-16-le", ["--encoding", "utf-16-le"]),
            ("cp1252", ["--encoding", "cp1252"]),
            ("latin-1", ["--encoding", "latin-1"]),
            ("utf-8-sig", ["--encoding", "latin-1"]),
        ],
    )
    def test_a_file_whose_encoding_is_known_is_answered_in_utf_8(
        self, encoding: str, options: list[str]
    ) -> None:
        result = sesbounce("check", "--file", "-", *options, stdin=TEXT.encode(encoding))
        assert result.exit_code == 0
        assert answers(result) == [
            ("email", "name", "may_mail"),
            (BAD, "Jürgen", "no"),
            ("fine@example.com", "Zoë", "yes"),
        ]

    def test_utf_16_in_big_endian(self) -> None:
        content = b"\xfe\xff" + TEXT.encode("utf-16-be")
        assert answers(sesbounce("check", "--file", "-", stdin=content))[1] == (
            BAD,
            "Jürgen",
            "no",
        )

    def test_an_address_in_another_encoding_has_no_answer(self, tmp_path: Path) -> None:
        file = tmp_path / "answers.csv"
        arguments = ["check", "--file", "-", "--output", str(file)]
        result = sesbounce(*arguments, stdin=TEXT.encode("latin-1"))
        assert result.exit_code == 3
        assert "1 of them can't be read and have no answer" in result.stderr
        head, bad, fine = file.read_bytes().splitlines()
        assert head == b"email,name,may_mail,reason,why"
        # The row leaves as it came.
        assert bad.startswith(b"m\xfcller@example.com,J\xfcrgen,no,,")
        assert b"name the file's encoding with --encoding" in bad
        assert fine == b"fine@example.com,Zo\xeb,yes,,"

    def test_an_address_in_another_encoding_has_no_answer_in_json(self) -> None:
        result = sesbounce("check", "--file", "-", "--json", stdin=TEXT.encode("latin-1"))
        assert result.exit_code == 3
        bad, fine = map(json.loads, result.stdout.splitlines())
        assert (bad["written"], bad["may_mail"]) == (r"m\xfcller@example.com", False)
        assert (fine["written"], fine["may_mail"]) == ("fine@example.com", True)

    def test_without_a_header_it_is_a_row_all_the_same(self) -> None:
        result = sesbounce("check", "--file", "-", stdin=f"{BAD}\n".encode("latin-1"))
        assert result.exit_code == 3
        assert "1 address: 0 may be mailed, 1 may not." in result.stderr

    def test_an_address_that_another_program_has_damaged_has_no_answer(self) -> None:
        result = sesbounce(
            "check", "--file", "-", stdin="m\N{REPLACEMENT CHARACTER}ller@a.example\n"
        )
        assert result.exit_code == 3
        assert ",no,," in result.stdout

    @pytest.mark.parametrize("command", [["check", "--file", "-"], ["import", "-"]])
    @pytest.mark.parametrize(
        ("content", "options", "problem"),
        [
            (TEXT.encode("utf-16-le"), [], "the file is no text in UTF-8"),
            (b"PK\x03\x04\x14\0\x06\0\x08\0", [], "the file is no text in UTF-8"),
            (TEXT.encode(), ["--encoding", "bogus"], "no encoding has the name bogus"),
            (TEXT.encode(), ["--encoding", "hex"], "no encoding has the name hex"),
        ],
    )
    def test_what_can_t_be_decoded_at_all_is_refused(
        self, command: list[str], content: bytes, options: list[str], problem: str
    ) -> None:
        result = sesbounce(*command, *options, stdin=content)
        assert result.exit_code == 2
        assert problem in result.stderr
        assert "--encoding, for example cp1252" in result.stderr

    def test_half_a_character_of_utf_16_is_refused(self) -> None:
        content = "email\nfine@example.com\n".encode("utf-16")[:-1]
        result = sesbounce("check", "--file", "-", stdin=content)
        assert result.exit_code == 2
        assert "the file has another encoding" in result.stderr

    @pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
    def test_an_import_decodes_alike(self, encoding: str) -> None:
        text = "address,reason,since\njürgen@example.com,unsubscribed,2026-01-01\n"
        options = ["--encoding", encoding] if encoding == "cp1252" else []
        result = sesbounce("import", "-", *options, stdin=text.encode(encoding))
        assert result.exit_code == 0
        assert sesbounce("check", "jürgen@example.com").exit_code == 1

    @pytest.mark.parametrize(
        "text",
        [
            "address,reason\njürgen@example.com,unsubscribed\n",
            '{"address": "jürgen@example.com", "reason": "unsubscribed"}\n',
        ],
    )
    def test_an_import_records_no_address_of_another_encoding(
        self, text: str, engine: sa.Engine
    ) -> None:
        result = sesbounce("import", "-", stdin=text.encode("latin-1"))
        assert result.exit_code == 3
        assert "its address is no text in UTF-8: name the file's encoding" in result.stderr
        with engine.connect() as connection:
            found = connection.exec_driver_sql("SELECT count(*) FROM feedback_event").scalar()
        assert found == 1  # of the fixture


class TestDelimiter:
    @pytest.mark.parametrize(
        ("text", "delimiter"),
        [
            ("email,name\nx@a.example,X\n", ","),
            ("email;name\nx@a.example;X\n", ";"),
            ("email\tname\nx@a.example\tX\n", "\t"),
            ("email;name, first\nx@a.example;X, Y\ny@a.example;Z\n", ";"),
            ("email;name, first\nx@a.example;X, Y\n", ";"),
            ('email;note\nx@a.example;"a, b, c"\n', ";"),
            ("email,note; other\nx@a.example,a; b\ny@a.example,c\n", ","),
            ("x@a.example;Doe, X\ny@a.example;Doe, Y\n", ";"),
            ("email\nx@a.example\n", ","),
            ("", ","),
        ],
    )
    def test_it_is_found(self, text: str, delimiter: str) -> None:
        assert delimiter_of(text.splitlines(keepends=True)) == (delimiter, 0)

    @pytest.mark.parametrize("line", ["sep=;\n", "SEP=;\r\n", '"sep=;"\n'])
    def test_excel_s_own_line_names_it(self, line: str) -> None:
        text = f"{line}email;name\n{BAD};X\n"
        assert delimiter_of(text.splitlines(keepends=True)) == (";", 1)
        assert answers(sesbounce("check", "--file", "-", stdin=text)) == [
            ("email", "name", "may_mail"),
            (BAD, "X", "no"),
        ]

    def test_what_can_t_be_told_is_refused(self) -> None:
        with pytest.raises(ListError, match="commas, semicolons or tabs"):
            delimiter_of(["a,b;c\n", "1,2;3\n"])

    @pytest.mark.parametrize("delimiter", [",", ";", "\t"])
    def test_answers_are_about_the_address_alone(self, delimiter: str) -> None:
        rows = [["name", "email"], ["Doe", BAD], ["Roe", "fine@example.com"]]
        text = "".join(f"{delimiter.join(row)}\n" for row in rows)
        result = sesbounce("check", "--file", "-", stdin=text)
        assert [row[-1] for row in answers(result)] == ["may_mail", "no", "yes"]


class TestColumn:
    @pytest.mark.parametrize(
        "text",
        [
            f"id,email\n1,{BAD}\n2,fine@example.com\n",
            f"id,email\n1,\n2,{BAD}\n3,fine@example.com\n",
            f"handle,email\n@jane,{BAD}\n@mary,fine@example.com\n",
            f"1,{BAD}\n2,fine@example.com\n",
            f"Doe, Jane <{BAD}>\nRoe, Mary <fine@example.com>\n",
        ],
    )
    def test_the_only_column_with_addresses_is_taken(self, text: str) -> None:
        result = sesbounce("check", "--file", "-", stdin=text)
        assert result.exit_code == 0
        assert [row[-1] for row in answers(result)][-2:] == ["no", "yes"]

    @pytest.mark.parametrize(
        ("text", "options", "problem"),
        [
            ("id,from,to\n1,a@a.example,b@a.example\n", [], "several columns hold addresses"),
            ("1,a@a.example,b@a.example\n", [], "several columns hold addresses (2, 3)"),
            (
                "email,id,Email\na@a.example,1,b@a.example\n",
                ["--column", "email"],
                "several columns",
            ),
            ("a@a.example\n", ["--column", "email"], "the file has no column email"),
        ],
    )
    def test_where_it_can_t_be_told_the_file_is_refused(
        self, text: str, options: list[str], problem: str
    ) -> None:
        result = sesbounce("check", "--file", "-", *options, stdin=text)
        assert result.exit_code == 2
        assert problem in result.stderr
        assert result.stdout == ""

    def test_a_row_with_more_values_than_columns_has_no_answer(self) -> None:
        text = "name,email\nDoe, Jane,fine@example.com\nRoe,fine@example.com,\n"
        result = sesbounce("check", "--file", "-", "--column", "email", stdin=text)
        assert result.exit_code == 3
        assert result.stdout.splitlines()[1].startswith("Doe, Jane,fine@example.com,no,,no answer")
        assert result.stdout.splitlines()[2] == "Roe,fine@example.com,,yes,,"

    def test_a_row_that_ends_before_the_address_has_no_answer(self) -> None:
        text = f"Doe, Jane <{BAD}>\nfine@example.com\n"
        result = sesbounce("check", "--file", "-", stdin=text)
        assert result.exit_code == 3
        assert result.stdout.splitlines()[1].startswith("fine@example.com,no,,no answer")
