import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from scripts.local.ses_messages import Scenario
from sesbounce.cli import main
from sesbounce.errors import StoreError
from sesbounce.feedback.classify import Classified
from sesbounce.feedback.decode import decode
from sesbounce.feedback.manual import decide
from sesbounce.feedback.reason import Reason
from sesbounce.feedback.recording import Recording
from sesbounce.operations import rebuild as rebuild_module
from sesbounce.operations.rebuild import Rebuild, Rebuilt
from sesbounce.store.engine import write
from tests.stored import DAY, OF_ADDRESSES, RESTORE, STRIKE_OFF, decoded, rows, store
from tests.support import AT, bounce, mail, said

FIXTURES = Path(__file__).parents[3] / "fixtures"
NOW = AT + 3 * DAY


def tables(engine: sa.Engine) -> list[Any]:
    columns = {"feedback_address": OF_ADDRESSES}
    names = ("feedback_address", "feedback_event", "feedback_message", "member")
    selects = [f"SELECT {columns.get(name, '*')} FROM {name} ORDER BY 1" for name in names]
    return [rows(engine, select) for select in selects]


def mailable(engine: sa.Engine) -> int:
    ((jane,),) = rows(engine, "SELECT mailable FROM member WHERE email LIKE 'jane%'")
    return int(jane)


def execute(engine: sa.Engine, sql: str) -> None:
    with write(engine) as connection:
        connection.exec_driver_sql(sql)


def applied(rebuilding: Rebuild) -> list[tuple[str, str]]:
    return [(change.address, change.change) for change in rebuilding.apply()]


def previewed(rebuilding: Rebuild) -> list[tuple[str, str]]:
    return [(change.address, change.change) for change in rebuilding.preview()]


def strikes(number: int, recipient: str = "jane@example.com") -> list[Recording]:
    return [decoded(Scenario.MAILBOX_FULL, day, recipient) for day in range(number)]


def facts_of_all_sorts() -> list[Recording]:
    told = [decoded(s, n, f"{s}@example.com") for n, s in enumerate(Scenario)]
    for file in sorted(FIXTURES.glob("*.json")):
        message = json.loads(file.read_text())
        message.setdefault("mail", {})["messageId"] = file.stem
        told.append(decode(json.dumps(message)))
    return [*told, *strikes(3), decide("mary@example.com", Reason.SUPPRESSED_BY_HAND, AT)]


@pytest.mark.parametrize("reclassify", [False, True])
def test_under_the_same_policy_and_taxonomy_nothing_changes(
    engine: sa.Engine, reclassify: bool
) -> None:
    recording = store(engine)
    recording.record(facts_of_all_sorts(), NOW)
    before = tables(engine)
    rebuilding = Rebuild(recording, NOW, reclassify=reclassify)
    assert (applied(rebuilding), tables(engine)) == ([], before)
    addresses = len(before[0])
    assert rebuilding.totals == Rebuilt(addresses=addresses, events=rebuilding.totals.events)
    assert rebuilding.totals.events > addresses > 5


def test_text_that_databases_keep_otherwise_is_replayed_as_it_was_learned(
    engine: sa.Engine,
) -> None:
    message = bounce("Transient", "MailboxFull", emailAddress="nul\0@example.com", status="4.2.2\0")
    message["mail"]["messageId"] = "mail\0"
    recording = store(engine)
    recording.record([decode(json.dumps(message))], NOW)
    recording.record([decide("m@example.com", Reason.SUPPRESSED_BY_HAND, AT, note="\0")], NOW)
    before = tables(engine)
    rebuilding = Rebuild(recording, NOW, reclassify=True)
    assert (applied(rebuilding), rebuilding.totals.reworded) == ([], 0)
    assert tables(engine) == before


def test_some_addresses_are_rebuilt_and_no_others(engine: sa.Engine) -> None:
    recording = store(engine)
    recording.record([*strikes(3), *strikes(3, "mary@example.com")], NOW)
    strict = store(engine, strikes=4)
    nobody = Rebuild(strict, NOW, keys=["nobody@example.com"])
    assert (applied(nobody), nobody.totals) == ([], Rebuilt())
    one = Rebuild(strict, NOW, keys=["mary@example.com"])
    expected = [("mary@example.com", "released")]
    assert (previewed(one), applied(Rebuild(strict, NOW, keys=["mary@example.com"]))) == (
        expected,
        expected,
    )
    assert (one.totals.addresses, one.totals.events) == (1, 3)
    assert applied(Rebuild(strict, NOW)) == [("jane@example.com", "released")]


def test_another_policy_releases_and_suppresses(engine: sa.Engine) -> None:
    recording = store(engine)
    recording.record([*strikes(3), *strikes(2, "mary@example.com")], NOW)
    before = tables(engine)
    lenient = Rebuild(store(engine, strikes=4), NOW)
    (change,) = lenient.preview()
    assert (change.address, change.change) == ("jane@example.com", "released")
    assert change.before.why.startswith("3 strikes in 75 days")
    assert change.after.why.startswith("3 of 4 strikes in 75 days, last: mailbox full")
    assert tables(engine) == before

    assert applied(Rebuild(store(engine, strikes=4), NOW)) == [("jane@example.com", "released")]
    assert mailable(engine) == 1
    again = Rebuild(store(engine, strikes=4), NOW)
    assert (applied(again), again.totals.restored_rows) == ([], 0)

    strict = Rebuild(store(engine, strikes=2), NOW)
    assert applied(strict) == [
        ("jane@example.com", "suppressed"),
        ("mary@example.com", "suppressed"),
    ]
    assert (strict.totals.suppressed, strict.totals.struck_rows) == (2, 2)
    assert mailable(engine) == 0
    assert applied(Rebuild(recording, NOW)) == [
        ("jane@example.com", "changed"),
        ("mary@example.com", "released"),
    ]
    assert tables(engine) == before


def test_another_length_is_a_change_and_another_wording_is_none(engine: sa.Engine) -> None:
    store(engine).record(strikes(3), NOW)
    longer = Rebuild(store(engine, probation=20 * DAY), NOW)
    assert previewed(longer) == [("jane@example.com", "changed")]
    reworded = Rebuild(store(engine, window=15 * DAY), NOW)
    assert (previewed(reworded), reworded.totals.reworded) == ([], 1)
    past = Rebuild(store(engine, probation=20 * DAY), NOW + 60 * DAY)
    assert (previewed(past), past.totals.reworded) == ([], 1)


def test_states_that_were_lost_come_back_from_the_log(engine: sa.Engine) -> None:
    recording = store(engine)
    recording.record(facts_of_all_sorts(), NOW)
    columns = "address, state, original, suppressed_since, suppressed_until, reason, why"
    query = f"SELECT {columns} FROM feedback_address ORDER BY address"
    before = rows(engine, query)
    execute(engine, "DELETE FROM feedback_address")
    rebuilding = Rebuild(recording, NOW)
    suppressed = previewed(rebuilding)
    assert rows(engine, "SELECT * FROM feedback_address") == []
    assert {change for _, change in suppressed} == {"suppressed"}
    assert applied(Rebuild(recording, NOW)) == suppressed
    assert rows(engine, query) == before


def test_what_the_log_no_longer_holds_stays(engine: sa.Engine) -> None:
    recording = store(engine)
    recording.record([*strikes(3), decoded(Scenario.BOUNCE, 0, "mary@example.com")], NOW)
    execute(engine, "DELETE FROM feedback_event")
    before = tables(engine)
    for reclassify in (False, True):
        assert applied(Rebuild(recording, NOW, reclassify=reclassify)) == []
        assert tables(engine) == before
    assert previewed(Rebuild(store(engine, strikes=4), NOW)) == [("jane@example.com", "released")]


def test_a_rebuild_that_was_killed_can_be_repeated(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(7):
        store(engine).record(strikes(3, f"{number}@example.com"), NOW)
    monkeypatch.setattr(rebuild_module, "_BATCH", 2)
    lenient = store(engine, strikes=4)
    changes = Rebuild(lenient, NOW).apply()
    assert next(changes).address == "0@example.com"
    del changes
    query = "SELECT count(*) FROM feedback_address WHERE suppressed_since IS NULL"
    assert rows(engine, query) == [(2,)]
    assert len(applied(Rebuild(lenient, NOW))) == 5
    assert rows(engine, query) == [(7,)]


def test_an_event_without_evidence_makes_no_row(engine: sa.Engine) -> None:
    recording = store(engine)
    recording.record([decode(json.dumps(bounce("Transient", "MessageTooLarge")))], NOW)
    execute(engine, "UPDATE feedback_event SET basis = 'older words'")
    rebuilding = Rebuild(recording, NOW, reclassify=True)
    assert applied(rebuilding) == []
    assert rows(engine, "SELECT * FROM feedback_address") == []
    assert rows(engine, "SELECT basis FROM feedback_event") == [("type Transient/MessageTooLarge",)]


class TestReclassify:
    """An older version takes every bounce for one for good."""

    @pytest.fixture
    def older(
        self, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
    ) -> Callable[[list[dict[str, Any]]], None]:
        def record(messages: list[dict[str, Any]]) -> None:
            wrong = Classified(Reason.PERMANENT_FAILURE, "an older version")
            with monkeypatch.context() as patched:
                patched.setattr("sesbounce.feedback.extract.classify_bounce", lambda *_: wrong)
                decoded = [decode(json.dumps(message)) for message in messages]
            store(engine).record(decoded, NOW)

        return record

    def full(self, day: int = 0) -> dict[str, Any]:
        at = AT + day * DAY
        return said(Scenario.MAILBOX_FULL, mail(message_id=f"mail-{day}"), at=at)

    def test_a_wrong_hard_bounce_goes(self, engine: sa.Engine, older: Any) -> None:
        older([self.full()])
        assert mailable(engine) == 0
        dry = Rebuild(store(engine), NOW, reclassify=True)
        assert previewed(dry) == [("jane@example.com", "released")]
        assert mailable(engine) == 0
        rebuilding = Rebuild(store(engine), NOW, reclassify=True)
        assert applied(rebuilding) == [("jane@example.com", "released")]
        assert rebuilding.totals == Rebuilt(
            addresses=1,
            events=1,
            released=1,
            reclassified={"permanent_failure -> mailbox_full": 1},
            restored_rows=1,
        )
        assert mailable(engine) == 1
        assert rows(engine, "SELECT reason, effect, basis FROM feedback_event") == [
            ("mailbox_full", "soft", 'words "recipient … full"')
        ]
        after = tables(engine)
        assert applied(Rebuild(store(engine), NOW, reclassify=True)) == []
        store(engine).record([decode(json.dumps(self.full()))], NOW)
        assert tables(engine) == after

    def test_without_it_the_events_stay_as_they_were_classified(
        self, engine: sa.Engine, older: Any
    ) -> None:
        older([self.full()])
        before = tables(engine)
        assert applied(Rebuild(store(engine), NOW)) == []
        assert tables(engine) == before

    @pytest.mark.parametrize("right_day", [-1, 1])
    def test_what_another_event_of_the_log_says_comes_back(
        self, engine: sa.Engine, older: Any, right_day: int
    ) -> None:
        right = said(about=mail(message_id="right"), at=AT + right_day * DAY)
        older([self.full()])
        store(engine).record([decode(json.dumps(right))], NOW)
        applied(Rebuild(store(engine), NOW, reclassify=True))
        ((since, reason),) = rows(engine, "SELECT suppressed_since, reason FROM suppressed")
        assert (since[:10], reason) == (f"2026-11-{20 + right_day}", "no_such_mailbox")
        ((state,),) = rows(engine, "SELECT state FROM feedback_address")
        assert [strike["mail_id"] for strike in json.loads(state)["strikes"]] == ["mail-0"]

    def test_what_the_log_no_longer_holds_stays(self, engine: sa.Engine, older: Any) -> None:
        store(engine).record([decode(json.dumps(said(at=AT + DAY)))], NOW)
        execute(engine, "DELETE FROM feedback_event")
        older([self.full()])
        assert applied(Rebuild(store(engine), NOW, reclassify=True)) == []
        assert rows(engine, "SELECT reason FROM suppressed") == [("no_such_mailbox",)]

    def test_a_rebuild_yields_the_same_rows_as_recording_today(
        self, engine: sa.Engine, older: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(rebuild_module, "_BATCH", 3)
        messages = [
            said(scenario, mail(f"{number % 7}@example.com", f"m{number}"), at=AT + number * DAY)
            for number, scenario in enumerate([*Scenario] * 7)
        ]
        older(messages)
        applied(Rebuild(store(engine), NOW, reclassify=True))
        query = "SELECT address, state, suppressed_since, why FROM feedback_address"
        rebuilt = rows(engine, f"{query} ORDER BY address")
        for table in ("address", "event", "message"):
            execute(engine, f"DELETE FROM feedback_{table}")
        store(engine).record([decode(json.dumps(message)) for message in messages], NOW)
        assert rebuilt == rows(engine, f"{query} ORDER BY address")

    def test_an_automatic_reply_is_found_in_the_message_if_it_is_still_there(
        self, engine: sa.Engine, older: Any
    ) -> None:
        older([said(Scenario.OOTO)])
        kept = tables(engine)[2]
        execute(engine, "DELETE FROM feedback_message")
        dry = Rebuild(store(engine), NOW, reclassify=True)
        list(dry.preview())
        assert dry.totals.reclassified == {"permanent_failure -> temporary_failure": 1}
        with write(engine) as connection:
            connection.exec_driver_sql(
                "INSERT INTO feedback_message VALUES (?, ?, ?, ?, ?)", kept[0]
            )
        dry = Rebuild(store(engine), NOW, reclassify=True)
        list(dry.preview())
        assert dry.totals.reclassified == {"permanent_failure -> auto_reply": 1}

    def test_events_that_ses_did_not_publish_are_not_reclassified(
        self, engine: sa.Engine, older: Any
    ) -> None:
        older([self.full()])
        execute(engine, "UPDATE feedback_event SET message_digest = ''")  # as an import has it
        assert applied(Rebuild(store(engine), NOW, reclassify=True)) == []


def test_a_log_of_a_newer_version_is_an_error(engine: sa.Engine) -> None:
    recording = store(engine)
    recording.record(strikes(1), NOW)
    execute(engine, "UPDATE feedback_event SET reason = 'mailbox_on_the_moon'")
    with pytest.raises(StoreError, match="a newer sesbounce has written it"):
        applied(Rebuild(recording, NOW))


class TestCommand:
    @pytest.fixture(autouse=True)
    def recorded(self, engine: sa.Engine, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Jane has had three strikes, and a wall clock will not forgive them."""
        monkeypatch.setenv("SESBOUNCE_DATABASE_URL", url)
        monkeypatch.setenv("SESBOUNCE_PROBATION_DAYS", "3650")
        monkeypatch.setenv("SESBOUNCE_PROBATION_LONGEST_DAYS", "3650")
        monkeypatch.setenv("SESBOUNCE_STRIKE_OFF_SQL", STRIKE_OFF)
        monkeypatch.setenv("SESBOUNCE_RESTORE_SQL", RESTORE)
        long = 3650 * DAY
        store(engine, probation=long, probation_longest=long).record(strikes(3), NOW)

    def sesbounce(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["rebuild", *arguments], catch_exceptions=False)

    def test_a_dry_run_shows_the_difference(self, engine: sa.Engine) -> None:
        before = tables(engine)
        result = self.sesbounce("--dry-run", "--strikes", "4")
        assert result.exit_code == 0
        lines = result.stdout.splitlines()
        assert lines[0] == "jane@example.com: is released"
        assert lines[1].startswith("    before: 3 strikes in 75 days")
        assert lines[2].startswith("    after:  3 of 4 strikes in 75 days, last: mailbox full")
        assert lines[3].startswith("3 events about 1 address: 0 newly suppressed, 1 released")
        assert lines[4:] == ["Nothing was changed: this was a dry run."]
        assert tables(engine) == before

    @pytest.mark.parametrize(
        ("option", "value"),
        [("--strikes", "0"), ("--window-days", "400"), ("--probation-growth", "0.5")],
    )
    def test_a_number_out_of_range_is_an_error_that_names_the_option(
        self, option: str, value: str
    ) -> None:
        result = self.sesbounce("--dry-run", option, value)
        assert result.exit_code == 2
        assert f"Invalid value for '{option}': {value} is not in the range" in result.stderr

    def test_the_same_in_json(self) -> None:
        lines = self.sesbounce("--dry-run", "--strikes", "4", "--json").stdout.splitlines()
        change, totals = map(json.loads, lines)
        assert (change["address"], change["change"]) == ("jane@example.com", "released")
        assert change["before"]["reason"] == "mailbox_full"
        assert change["after"]["since"] is None
        assert totals["dry_run"] is True
        assert totals["totals"]["released"] == 1

    def test_one_address_in_any_spelling(self) -> None:
        result = self.sesbounce("--dry-run", "--strikes", "4", "Jane <JANE@Example.com>")
        assert result.stdout.startswith("jane@example.com: is released")
        others = self.sesbounce("--dry-run", "--strikes", "4", "mary@example.com")
        assert others.stdout.startswith(
            "0 events about 0 addresses: 0 newly suppressed, 0 released"
        )

    def test_it_is_done_and_the_worker_s_numbers_are_named(self, engine: sa.Engine) -> None:
        result = self.sesbounce("--strikes", "4")
        assert result.exit_code == 0
        assert result.stdout.splitlines()[-1] == "0 rows struck off, 1 row restored."
        assert "set SESBOUNCE_STRIKES=4 for the worker" in result.stderr
        assert mailable(engine) == 1
        assert self.sesbounce().stderr == ""
        assert mailable(engine) == 0

    def test_a_rejected_statement_is_reported(
        self, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SESBOUNCE_RESTORE_SQL", RESTORE.replace("= 1", "= 2"))
        result = self.sesbounce("--strikes", "4")
        assert result.exit_code == 3
        assert (
            "Your database rejected a statement for 1 address: SESBOUNCE_RESTORE_SQL: CHECK "
            "constraint" in result.stdout
        )

    def test_a_dry_run_of_an_older_database_says_what_to_do(self, engine: sa.Engine) -> None:
        execute(engine, "DELETE FROM feedback_version")
        result = self.sesbounce("--dry-run")
        assert (result.exit_code, "sesbounce db upgrade" in result.stderr) == (2, True)
