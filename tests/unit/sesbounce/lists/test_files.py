import csv
import io
import json
import os
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import click
import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from scripts.local.ses_messages import Scenario
from sesbounce.cli import main
from sesbounce.cli.bulk import check_file
from sesbounce.cli.group import Commands
from sesbounce.cli.transfer import export, import_
from sesbounce.errors import EntryError, ListError
from sesbounce.feedback.decode import Decoded, decode
from sesbounce.feedback.extract import Event
from sesbounce.feedback.manual import decide
from sesbounce.feedback.reason import Reason
from sesbounce.lists.files import ReadList, event_of, read_list
from sesbounce.lists.formats import ListKind
from sesbounce.store.engine import open_database, write
from sesbounce.store.listing import suppressed_rows
from sesbounce.store.migrate import upgrade
from sesbounce.store.store import Store
from sesbounce.store.strike_off import StrikeOff
from tests import stored
from tests.stored import DAY, rows, table
from tests.support import bounce, disposed, mail, said

NOW = datetime.now(UTC)
UNDATED = datetime(2020, 1, 1, tzinfo=UTC)

# As the pages that `formats` names show them, or as the providers' consoles export them.
SENDGRID_BOUNCES = """status,reason,email,created
5.1.1,"550 5.1.1 The account that you tried to reach does not exist, or",a@example.com,1443651125
4.0.0,"452 4.2.2 The email account that you tried to reach is over quota",b@example.com,1443651126
,unable to get mx info: failed to get IPs from PTR record,c@example.com,1443651127
"""
MAILGUN_BOUNCES = """address,code,error,created_at
a@example.com,550,No such mailbox,"Fri, 18 Oct 2024 18:28:14 UTC"
b@example.com,550,5.1.1 user unknown,2024-10-18 18:28:14 +0000 UTC
"""
SES_LIST = {
    "SuppressedDestinationSummaries": [
        {
            "EmailAddress": "a@example.com",
            "Reason": "BOUNCE",
            "LastUpdateTime": "2020-04-10T21:03:05.104000+00:00",
        },
        {"EmailAddress": "B@example.com", "Reason": "COMPLAINT", "LastUpdateTime": 1586552585.077},
    ],
    "NextToken": None,
}
MAILCHIMP_CLEANED = """Email Address,First Name,CLEAN_TIME,CLEAN_CAMPAIGN_TITLE,LEID
a@example.com,Ann,2019-03-21 10:11:12,Spring,123
"""


@click.group(cls=Commands, context_settings=main.context_settings)
def cli() -> None: ...


@cli.command()
@click.argument("source", type=click.File("rb"))
@click.option("--column")
@click.option("--output", type=click.Path(path_type=Path), default="-")
@click.option("--json", "as_json", is_flag=True)
def check(source: BinaryIO, output: Path, column: str | None, as_json: bool) -> None:
    check_file(source, output, as_json, column)


for command in (export, import_):
    cli.add_command(command)


def sesbounce(*arguments: str | Path, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(cli, [*map(str, arguments)], input=stdin, catch_exceptions=False)


@pytest.fixture(autouse=True)
def database(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", url)


@pytest.fixture
def store(engine: sa.Engine) -> Store:
    return stored.store(engine, StrikeOff())


@pytest.fixture
def filled(store: Store) -> None:
    """Addresses that are suppressed for every kind of cause, and some that are not."""

    def decoded(scenario: Scenario, who: str, mail_id: str, days_ago: float = 1) -> Decoded:
        return decode(json.dumps(said(scenario, mail(who, mail_id), at=NOW - days_ago * DAY)))

    messages = [
        decoded(Scenario.BOUNCE, "Jane.Hard@Example.com", "m1"),
        decoded(Scenario.COMPLAINT, "spam@example.com", "m2"),
        decoded(Scenario.SUCCESS, "fine@example.com", "m3"),
        decoded(Scenario.MAILBOX_FULL, "once@example.com", "m4"),
        *(
            decoded(Scenario.MAILBOX_FULL, "full@example.com", f"full-{days_ago}", days_ago)
            for days_ago in (4, 3, 2)
        ),
        decode(json.dumps(refused("refused@example.com"))),
        decide("phone@example.com", Reason.SUPPRESSED_BY_HAND, NOW - DAY, by="ann", note="phone"),
        decide("back@example.com", Reason.ALLOWED_BY_HAND, NOW - DAY),
    ]
    store.record(messages, NOW)


def refused(who: str) -> dict[str, Any]:
    message = bounce("Permanent", "OnAccountSuppressionList", emailAddress=who)
    message["bounce"]["timestamp"] = (NOW - DAY).isoformat()
    return message


def verdicts(engine: sa.Engine) -> list[tuple[object, ...]]:
    return rows(
        engine,
        "SELECT address, original, reason, kind, suppressed_since, suppressed_until"
        " FROM feedback_address WHERE suppressed_since IS NOT NULL ORDER BY address",
    )


def everything(engine: sa.Engine) -> list[list[tuple[object, ...]]]:
    tables = ("feedback_address", "feedback_event", "feedback_message")
    return [table(engine, name) for name in tables]


def read(text: str, format_name: str | None = None, **more: Any) -> ReadList:
    return read_list(io.StringIO(text, newline=""), format_name, **more)


def events(text: str, format_name: str | None = None, **more: Any) -> list[Event]:
    """The events of a list that has no bad rows."""
    found = read(text, format_name, **more)
    told = list(found.rows)
    assert [row.problem for row in told] == [None] * len(told)
    return [event_of(entry, found.format, NOW, UNDATED) for row in told for entry in row.entries]


def reasons(text: str, **more: Any) -> dict[str, str]:
    return {event.address: event.reason.value for event in events(text, **more)}


class TestFormats:
    def test_sendgrid_s_bounces_are_judged_by_status_and_text(self) -> None:
        found = events(SENDGRID_BOUNCES, file_name="suppression_bounces.csv")
        assert [event.reason for event in found] == [
            Reason.NO_SUCH_MAILBOX,
            Reason.MAILBOX_FULL,
            Reason.DOMAIN_NOT_FOUND,
        ]
        assert found[0].occurred_at == datetime(2015, 9, 30, 22, 12, 5, tzinfo=UTC)
        assert found[0].source == "import: sendgrid"
        assert found[0].status == "5.1.1"

    def test_sendgrid_s_blocks_say_nothing_for_good(self) -> None:
        text = "status,reason,email,created\n,no words,a@example.com,1443651125\n"
        assert reasons(text, kind=ListKind.BLOCKS) == {"a@example.com": "temporary_failure"}
        assert reasons(text, kind=ListKind.BOUNCES) == {"a@example.com": "permanent_failure"}

    def test_what_the_columns_do_not_tell_has_to_be_said(self) -> None:
        with pytest.raises(ListError, match=r"bounces or blocks.*--list"):
            read(SENDGRID_BOUNCES)
        text = "email,created\na@example.com,1443651125\n"
        with pytest.raises(ListError, match=r"complaints or unsubscribes.*--list"):
            read(text)
        spam, left = "suppression_spam_reports.csv", "suppression_unsubscribes.csv"
        assert reasons(text, file_name=spam) == {"a@example.com": "complaint_other"}
        assert reasons(text, file_name=left) == {"a@example.com": "unsubscribed"}
        with pytest.raises(ListError, match="not bounces"):
            read(text, kind=ListKind.BOUNCES)

    def test_mailgun(self) -> None:
        found = events(MAILGUN_BOUNCES)
        assert [event.diagnostic for event in found] == [
            "550 No such mailbox",
            "550 5.1.1 user unknown",
        ]
        assert {event.occurred_at for event in found} == {
            datetime(2024, 10, 18, 18, 28, 14, tzinfo=UTC)
        }
        assert found[1].reason is Reason.NO_SUCH_MAILBOX
        complaints = 'address,created_at\na@example.com,"Fri, 18 Oct 2024 18:28:14 UTC"\n'
        assert reasons(complaints) == {"a@example.com": "complaint_other"}

    def test_who_leaves_one_of_mailgun_s_tags_has_not_left_all(self) -> None:
        text = "address,tags,created_at\na@example.com,*,\nb@example.com,news,\n"
        assert reasons(text) == {
            "a@example.com": "unsubscribed",
            "b@example.com": "not_about_the_mailbox",
        }

    def test_mailchimp(self) -> None:
        (event,) = events(MAILCHIMP_CLEANED)
        assert event.reason is Reason.PERMANENT_FAILURE
        assert event.occurred_at == datetime(2019, 3, 21, 10, 11, 12, tzinfo=UTC)
        text = "Email Address,UNSUB_TIME\na@example.com,2019-03-21 10:11:12\n"
        assert reasons(text) == {"a@example.com": "unsubscribed"}

    @pytest.mark.parametrize(
        "text",
        [
            json.dumps(SES_LIST),
            json.dumps(SES_LIST, indent=4),
            "\n".join(map(json.dumps, SES_LIST["SuppressedDestinationSummaries"] or ())),
            "a@example.com,BOUNCE\nB@example.com, COMPLAINT\n",
            '{"emailAddress": "a@example.com", "reason": "BOUNCE"}\n\n'
            '{"emailAddress": "B@example.com", "reason": "COMPLAINT"}\n',
            "\ufeffEmailAddress;Reason\r\na@example.com;BOUNCE\r\nB@example.com;COMPLAINT\r\n",
        ],
        ids=["document", "as the AWS CLI prints it", "lines", "csv", "import", "Excel"],
    )
    def test_ses_s_list_in_all_its_forms(self, text: str) -> None:
        found = events(text.removeprefix("\ufeff"))
        assert [(event.address, event.original, event.reason.value) for event in found] == [
            ("a@example.com", "a@example.com", "permanent_failure"),
            ("b@example.com", "B@example.com", "complaint_other"),
        ]
        dated = "Last" in text
        assert (found[0].occurred_at == UNDATED) is not dated
        assert found[1].occurred_at.year == 2020

    def test_a_list_of_members_is_not_taken_for_suppressed_ones(self) -> None:
        for text in ("address,name\na@example.com,Ann\n", "a@example.com\nb@example.com\n"):
            with pytest.raises(
                ListError, match=r"(--format|names of its columns); a list of your own needs"
            ):
                read(text)
        assert reasons("address\na@example.com\n", format_name="sesbounce") == {
            "a@example.com": "suppressed_by_hand"
        }

    @pytest.mark.parametrize("text", ["", "\n\n", "{", "[1, 2", '{"a": 1}', '"a', "null\n"])
    def test_a_text_that_is_no_list_is_an_error(self, text: str) -> None:
        with pytest.raises(ListError):
            read(text)

    def test_equal_rows_have_equal_keys_and_others_differ(self) -> None:
        def keys(text: str) -> list[str]:
            return [event.dedupe_key for event in events(text, file_name="bounces")]

        assert keys(SENDGRID_BOUNCES) == keys(SENDGRID_BOUNCES)
        later = SENDGRID_BOUNCES.replace("1443651125", "1543651125")
        assert [a == b for a, b in zip(keys(SENDGRID_BOUNCES), keys(later), strict=True)] == [
            False,
            True,
            True,
        ]

    def test_a_time_in_the_future_is_no_event(self) -> None:
        text = f"address,reason,since\na@example.com,unsubscribed,{NOW + 9 * DAY}\n"
        ((_, (entry,), _),) = read(text).rows
        with pytest.raises(EntryError, match="is in the future"):
            event_of(entry, "sesbounce", NOW, UNDATED)


BAD_ROWS = """address,reason,since,strikes
good@example.com,no_such_mailbox,2026-01-01T00:00:00Z,
no address,no_such_mailbox,2026-01-01T00:00:00Z,
,no_such_mailbox,2026-01-01T00:00:00Z,
a@example.com,no_such_reason,2026-01-01T00:00:00Z,
a@example.com,no_such_mailbox,yesterday,
a@example.com,delivered,2026-01-01T00:00:00Z,
a@example.com,no_such_mailbox,2026-01-01T00:00:00Z,,too,many
a@example.com,mailbox_full,2026-01-01T00:00:00Z,2026-01-01 mailbox_full; no_such
"quoted" badly,no_such_mailbox,,
j\xf6rg@example.com,no_such_mailbox,2026-01-01T00:00:00Z,
last@example.com,no_such_mailbox,2026-01-01T00:00:00Z,
"""


@pytest.mark.usefixtures("store")
def test_bad_rows_are_named_and_cost_only_themselves(engine: sa.Engine, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_bytes(BAD_ROWS.encode("latin-1"))
    result = sesbounce("import", file)
    assert result.exit_code == 3
    assert [line.partition(":")[0] for line in result.stderr.splitlines()] == [
        f"line {number}" for number in range(3, 12)
    ]
    assert "line 3: 'no address' is no address" in result.stderr
    assert "line 6: 'yesterday' is not a time in a known format" in result.stderr
    assert "11 rows, 9 rejected" in result.stdout
    assert [row[0] for row in verdicts(engine)] == ["good@example.com", "last@example.com"]


@pytest.mark.usefixtures("store")
def test_a_quote_that_is_not_closed_hides_no_row_in_silence(tmp_path: Path) -> None:
    text = 'address,reason\na@example.com,unsubscribed\nb@example.com,"unsub\nc@example.com,x\n'
    result = sesbounce("import", "-", stdin=text)
    assert result.exit_code == 3
    assert "it is not valid CSV" in result.stderr
    assert "1 recorded" in result.stdout


@pytest.mark.usefixtures("filled")
class TestRoundTrip:
    @pytest.mark.parametrize("how", [["--format", "csv"], ["--format", "jsonl"], ["--json"]])
    def test_what_is_exported_is_suppressed_alike_elsewhere(
        self, how: list[str], engine: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = tmp_path / "list"
        assert sesbounce("export", *how, "--output", file).exit_code == 0
        expected = verdicts(engine)
        assert [row[0] for row in expected] == [
            "full@example.com",
            "jane.hard@example.com",
            "phone@example.com",
            "refused@example.com",
            "spam@example.com",
        ]
        other = f"sqlite:///{tmp_path}/other.sqlite3"
        monkeypatch.setenv("SESBOUNCE_DATABASE_URL", other)
        with disposed(open_database(other)) as made:
            upgrade(made)
        result = sesbounce("import", file)
        assert result.exit_code == 0, result.stderr
        assert "5 addresses suppressed" in result.stdout
        with disposed(open_database(other)) as imported:
            assert verdicts(imported) == expected

    def test_once_more_changes_nothing(self, engine: sa.Engine, tmp_path: Path) -> None:
        file = tmp_path / "list.csv"
        sesbounce("export", "--output", file)
        sesbounce("import", file)
        before = everything(engine)
        result = sesbounce("import", file, "--json")
        done = json.loads(result.stdout)
        assert (done["recorded"]["events"], done["recorded"]["duplicates"]) == (0, 7)
        assert everything(engine) == before

    def test_csv_has_the_columns_and_the_sentence(self) -> None:
        (row,) = [
            row
            for row in csv.DictReader(io.StringIO(sesbounce("export").stdout))
            if row["address"] == "jane.hard@example.com"
        ]
        assert row["original"] == "Jane.Hard@Example.com"
        assert (row["reason"], row["kind"], row["until"]) == ("no_such_mailbox", "bounce", "")
        assert datetime.fromisoformat(row["since"]).tzinfo == UTC
        assert row["why"].startswith("hard bounce: no such mailbox (5.1.1), ")

    def test_ses_gets_what_it_has_words_for(self) -> None:
        result = sesbounce("export", "--format", "ses")
        assert result.stdout == "Jane.Hard@example.com,BOUNCE\nspam@example.com,COMPLAINT\n"
        assert result.stderr == "3 addresses left out: SES has no reason for them.\n"

    def test_a_list_is_there_only_when_it_is_complete(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = tmp_path / "list.csv"
        file.write_text("the old one")
        monkeypatch.setattr("sesbounce.store.listing.strike_text", lambda *_: 1 / 0)
        assert sesbounce("export", "--output", file).exit_code == 70
        assert file.read_text() == "the old one"


def test_bare_addresses_go_to_ses(store: Store) -> None:
    message = bounce("Permanent", "NoEmail", emailAddress="Jösé <Jose@BÜCHER.example>")
    store.record([decode(json.dumps(message))], NOW)
    assert sesbounce("export", "--format", "ses").stdout == "Jose@xn--bcher-kva.example,BOUNCE\n"


def test_the_list_is_streamed(store: Store, engine: sa.Engine) -> None:
    """What has been asked for is written before the next is read."""
    messages = [said(about=mail(f"{n:04}@example.com", f"m{n}")) for n in range(2500)]
    store.record([decode(json.dumps(message)) for message in messages], NOW)
    listed = suppressed_rows(engine, NOW)
    assert next(listed).address == "0000@example.com"
    with write(engine) as connection:
        connection.exec_driver_sql(
            "UPDATE feedback_address SET reason = 'not one of them' WHERE address > '2400'"
        )
    assert len(list(listed)) == 2499


@pytest.mark.usefixtures("store")
class TestImport:
    def test_a_provider_s_list_is_propagated_to_the_sender_s_own_table(
        self, engine: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(
            "SESBOUNCE_STRIKE_OFF_SQL", "UPDATE member SET mailable = 0 WHERE email = :original"
        )
        file = tmp_path / "bounces.csv"
        file.write_text(SENDGRID_BOUNCES.replace("a@example.com", "Jane@Example.com"))
        result = sesbounce("import", file, "--note", "moved from SendGrid")
        assert result.exit_code == 0
        assert result.stdout == (
            "Read sendgrid's bounces: 3 rows, 0 rejected.\n"
            "Events by reason: 1 domain_not_found, 1 mailbox_full, 1 no_such_mailbox.\n"
            "3 recorded, 0 known already; 2 addresses suppressed (1 row struck off), "
            "0 released (0 rows restored).\n"
        )
        assert rows(engine, "SELECT email FROM member WHERE mailable = 0") == [
            ("Jane@Example.com",)
        ]
        ((basis,),) = rows(
            engine, "SELECT basis FROM feedback_event WHERE reason = 'no_such_mailbox'"
        )
        assert str(basis).endswith("; moved from SendGrid")
        assert rows(engine, "SELECT * FROM feedback_message") == []

    def test_rows_without_a_time_are_as_old_as_the_file_and_stay_so(
        self, engine: sa.Engine, tmp_path: Path
    ) -> None:
        file = tmp_path / "list.csv"
        file.write_text("a@example.com,BOUNCE\n")
        os.utime(file, (UNDATED.timestamp(), UNDATED.timestamp()))
        sesbounce("import", file)
        before = everything(engine)
        assert "2020-01-01" in str(before)
        os.utime(file)
        result = sesbounce("import", file)
        assert "0 recorded, 1 known already" in result.stdout
        assert everything(engine) == before

    def test_or_as_old_as_one_says(self, engine: sa.Engine) -> None:
        sesbounce("import", "-", "--at", "2021-02-03", stdin="a@example.com,BOUNCE\n")
        ((since,),) = rows(engine, "SELECT suppressed_since FROM feedback_address")
        assert str(since).startswith("2021-02-03 00:00:00")

    def test_a_dry_run_changes_nothing(self, engine: sa.Engine, tmp_path: Path) -> None:
        file = tmp_path / "bounces.csv"
        file.write_text(SENDGRID_BOUNCES)
        before = everything(engine)
        result = sesbounce("import", file, "--dry-run")
        assert result.stdout.endswith("3 would be recorded, 0 known already.\n")
        assert everything(engine) == before
        sesbounce("import", file)
        result = sesbounce("import", file, "--dry-run", "--json")
        done = json.loads(result.stdout)
        assert (done["dry_run"], done["recorded"]["duplicates"]) == (True, 3)

    def test_a_row_that_the_database_rejects_costs_only_itself(
        self, store: Store, engine: sa.Engine
    ) -> None:
        with write(engine) as connection:
            connection.exec_driver_sql(
                "CREATE TRIGGER no BEFORE INSERT ON feedback_event"
                " WHEN new.address = 'd@example.com' BEGIN SELECT raise(ABORT, 'not d'); END"
            )
        text = "address,reason\n" + "".join(f"{x}@example.com,unsubscribed\n" for x in "abcdefg")
        result = sesbounce("import", "-", stdin=text)
        assert result.exit_code == 3
        assert result.stderr == "line 5: the batch was not recorded: not d\n"
        assert [str(row[0])[0] for row in verdicts(engine)] == list("abcefg")

    def test_what_stopped_halfway_goes_on(
        self, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        text = "address,reason\n" + "".join(f"{n}@example.com,unsubscribed\n" for n in range(1200))
        batches = iter([True, False])
        record = Store.record

        def fail(*arguments: object) -> object:
            if not next(batches, True):
                raise KeyboardInterrupt
            return record(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(Store, "record", fail)
        result = sesbounce("import", "-", "--at", "2026-01-01", stdin=text)
        assert result.exit_code == 130
        assert "interrupted after 500 rows, which are recorded. Run the same" in result.stderr
        assert len(verdicts(engine)) == 500
        result = sesbounce("import", "-", "--at", "2026-01-01", stdin=text)
        assert "700 recorded, 500 known already" in result.stdout
        assert len(verdicts(engine)) == 1200


@pytest.mark.usefixtures("filled")
class TestCheckFile:
    def test_the_answers_stand_behind_the_columns(self) -> None:
        text = 'name,E-Mail\n"Doe, Jane",Jane Hard <JANE.hard@example.com>\nFine,fine@example.com\n'
        result = sesbounce("check", "-", "--column", "e-mail", stdin=text)
        assert result.exit_code == 0
        head, jane, fine = csv.reader(io.StringIO(result.stdout))
        assert head == ["name", "E-Mail", "may_mail", "reason", "why"]
        assert jane[:4] == [
            "Doe, Jane",
            "Jane Hard <JANE.hard@example.com>",
            "no",
            "no_such_mailbox",
        ]
        assert jane[4].startswith("hard bounce: ")
        assert fine == ["Fine", "fine@example.com", "yes", "", ""]
        assert result.stderr == "2 addresses: 1 may be mailed, 1 may not.\n"

    def test_one_address_a_line(self) -> None:
        text = "\ufefffine@example.com\r\n\r\nphone@example.com\r\nnot one\r\nfine@example.com"
        result = sesbounce("check", "-", stdin=text.encode())
        assert [row[:2] for row in csv.reader(io.StringIO(result.stdout))] == [
            ["fine@example.com", "yes"],
            ["phone@example.com", "no"],
            ["not one", "no"],
            ["fine@example.com", "yes"],
        ]

    def test_short_rows_are_filled_up(self) -> None:
        result = sesbounce("check", "-", "--column", "email", stdin="id,email\n1\n")
        assert result.stdout.splitlines()[1] == "1,,no,,it is no address"

    def test_in_json(self) -> None:
        result = sesbounce("check", "-", "--json", stdin="email\nSpam@example.com\n")
        answer = json.loads(result.stdout)
        assert answer["written"] == "Spam@example.com"
        assert (answer["address"], answer["may_mail"]) == ("spam@example.com", False)
        assert answer["reason"] == "complaint_abuse"

    def test_chunks_do_not_show(self, monkeypatch: pytest.MonkeyPatch) -> None:
        text = "".join(f"{who}@example.com\n" for who in ("fine", "spam", "once", "full") * 5)
        whole = sesbounce("check", "-", stdin=text).stdout
        monkeypatch.setattr("sesbounce.cli.bulk._ROWS", 3)
        monkeypatch.setattr("sesbounce.store.find.KEYS_PER_QUERY", 2)
        assert sesbounce("check", "-", stdin=text).stdout == whole
        assert whole.count(",no,") == 10

    def test_a_longer_file_needs_no_more_memory(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr("sesbounce.cli.bulk._ROWS", 500)
        source, peaks = tmp_path / "list.txt", []
        for count in (1000, 1000, 8000):  # the first one also fills caches
            source.write_text("".join(f"member{n:05}@example.com\n" for n in range(count)))
            tracemalloc.start()
            assert sesbounce("check", source, "--output", tmp_path / "out.csv").exit_code == 0
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        assert peaks[2] < 1.5 * peaks[1]

    @pytest.mark.parametrize(
        ("text", "column", "problem"),
        [
            ("a,b\n", "email", "the file has no column email; its first line is: a, b"),
            ('email\n"a@b.c\nd@e.f\n', "email", "is no CSV"),
        ],
    )
    def test_what_can_t_be_read_is_an_error(self, text: str, column: str, problem: str) -> None:
        result = sesbounce("check", "-", "--column", column, stdin=text)
        assert result.exit_code == 2
        assert problem in result.stderr
