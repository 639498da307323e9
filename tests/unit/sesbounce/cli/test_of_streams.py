"""The commands and the client, where complaints are limited to streams."""

import csv
import io
import json

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from scripts.local.ses_messages import Scenario
from sesbounce import client
from sesbounce.cli import main
from sesbounce.feedback.decode import decode
from sesbounce.feedback.stream import read_stream_by
from sesbounce.store.strike_off import StrikeOff
from tests.stored import DAY, store
from tests.support import AT, mail, said

JANE = "jane@example.com"
WHY = "complaint: abuse, 2026-11-20; not to be mailed again"
OF_NEWS = f"{JANE}: no (only in the stream news: {WHY})\n"


def complaint(stream: str) -> str:
    about = mail(JANE, f"mail-{stream}", configuration_set=stream)
    return json.dumps(said(Scenario.COMPLAINT, about, "event"))


def sesbounce(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, arguments, input=stdin, catch_exceptions=False)


@pytest.fixture(autouse=True)
def complained(engine: sa.Engine, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jane has complained about a mail of the stream `news`."""
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", url)
    by = read_stream_by("configuration-set")
    store(engine, StrikeOff()).record([decode(complaint("news"), stream_by=by)], AT)


@pytest.mark.parametrize(
    ("options", "code", "line"),
    [
        ([], 1, OF_NEWS),
        (["--stream", "news"], 1, OF_NEWS),
        (["--stream", "reset"], 0, f"{JANE}: yes (nothing is recorded against it)\n"),
        (["--stream", ""], 1, OF_NEWS),
    ],
)
def test_check_answers_for_a_stream(options: list[str], code: int, line: str) -> None:
    result = sesbounce("check", JANE, *options)
    assert (result.exit_code, result.stdout) == (code, line)


def test_check_names_the_streams_in_json() -> None:
    answer = json.loads(sesbounce("check", JANE, "--json").stdout)
    assert (answer["may_mail"], answer["streams"]) == (False, ["news"])


@pytest.mark.parametrize(("options", "answer"), [([], "no"), (["--stream", "reset"], "yes")])
def test_check_of_a_file_answers_for_a_stream(options: list[str], answer: str) -> None:
    result = sesbounce("check", "--file", "-", *options, stdin=f"{JANE}\nmary@example.com\n")
    found = {row[0]: row[1] for row in csv.reader(io.StringIO(result.stdout))}
    assert found == {JANE: answer, "mary@example.com": "yes"}


def test_why_shows_the_verdict_of_each_stream_and_the_stream_of_each_event() -> None:
    lines = sesbounce("why", JANE).stdout.splitlines(keepends=True)
    assert lines[0] == f"{JANE}: yes (nothing is recorded against it)\n"
    assert lines[1] == OF_NEWS
    assert lines[-1] == "    stream news\n"
    assert json.loads(sesbounce("why", JANE, "--json").stdout)["stream"] == "news"


def test_list_shows_and_selects_streams() -> None:
    assert sesbounce("list").stdout == OF_NEWS
    assert sesbounce("list", "--stream", "news").stdout == OF_NEWS
    assert sesbounce("list", "--stream", "reset").stdout == "No suppressed address matches.\n"


def test_an_export_has_the_stream_and_reads_back() -> None:
    exported = sesbounce("export").stdout
    (row,) = csv.DictReader(io.StringIO(exported))
    assert (row["address"], row["stream"], row["reason"]) == (JANE, "news", "complaint_abuse")
    as_json = json.loads(sesbounce("export", "--json").stdout)
    assert (as_json["stream"], as_json["strikes"]) == ("news", [])
    for_ses = sesbounce("export", "--format", "ses")
    assert (for_ses.stdout, for_ses.stderr) == (
        "",
        "1 address left out: SES has no reason for them.\n",
    )
    imported = sesbounce("import", "-", stdin=exported.replace(",news,", ",offers,"))
    assert imported.exit_code == 0, imported.output
    assert json.loads(sesbounce("check", JANE, "--json").stdout)["streams"] == ["news", "offers"]


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        (f"{JANE},suppressed_by_hand,news", "counts for all streams: leave out the stream"),
        (f"{JANE},no_such_mailbox,news", "counts for all streams: leave out the stream"),
        (f"{JANE},unsubscribed,a@b", "'a@b' can't be the name of a stream"),
    ],
)
def test_an_import_rejects_what_can_t_be_limited_to_a_stream(row: str, problem: str) -> None:
    result = sesbounce("import", "-", stdin=f"address,reason,stream\n{row}\n")
    assert result.exit_code == 3
    assert problem in result.stderr


def test_an_opt_out_of_a_list_is_limited_to_its_stream() -> None:
    row = "mary@example.com,unsubscribed,news"
    assert sesbounce("import", "-", stdin=f"address,reason,stream\n{row}\n").exit_code == 0
    assert client.may_mail(["mary@example.com"], stream="reset") == {"mary@example.com": True}
    assert client.may_mail(["mary@example.com"], stream="news") == {"mary@example.com": False}
    assert client.may_mail(["mary@example.com"]) == {"mary@example.com": False}


def test_decode_shows_the_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "stream" not in json.loads(sesbounce("decode", "-", stdin=complaint("news")).stdout)
    monkeypatch.setenv("SESBOUNCE_STREAM_BY", "configuration-set")
    found = json.loads(sesbounce("decode", "-", stdin=complaint("news")).stdout)
    assert found["stream"] == "news"


def test_rebuild_names_the_stream_of_a_change(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM feedback_stream")
    result = sesbounce("rebuild", "--dry-run")
    assert f"{JANE} in the stream news: " in result.stdout
    assert json.loads(sesbounce("rebuild", "--json").stdout.splitlines()[0])["stream"] == "news"
    assert client.answers([JANE])[JANE].since == AT + DAY / 86_400
