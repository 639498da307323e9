import errno
import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from scripts.local.ses_messages import SCHEMAS, Scenario
from sesbounce.errors import ConfigurationError, RowError, StoreError
from sesbounce.feedback.decode import decode
from sesbounce.store.engine import open_database, translated, write
from sesbounce.store.lookup import Lookup
from sesbounce.store.migrate import upgrade
from sesbounce.store.result import Recorded
from sesbounce.store.strike_off import StrikeOff
from tests.stored import DAY, RESTORE, STRIKE_OFF, decoded, propagated, rows, store
from tests.support import AT, disposed, in_sns, mail, said


def bounces(new: int = 1, **more: Any) -> Recorded:
    """What recording that many new bounces did, and what else it did."""
    return Recorded(events=new, kinds={"bounce": new}, **more)


UNKNOWN = {"no_such_mailbox": 1}


def mailable(engine: sa.Engine) -> dict[str, int]:
    return dict(rows(engine, "SELECT email, mailable FROM member"))


def test_a_bounce_is_logged_judged_and_struck_off(engine: sa.Engine) -> None:
    recorded = store(engine).record([decoded(Scenario.BOUNCE)], AT)
    assert recorded == bounces(suppressed=1, struck_rows=1, reasons=UNKNOWN)
    assert rows(engine, "SELECT address, reason FROM suppressed") == [
        ("jane@example.com", "no_such_mailbox")
    ]
    assert mailable(engine) == {"Jane@Example.com": 0, "mary@example.com": 1}
    ((payload,),) = rows(engine, "SELECT payload FROM feedback_message")
    assert json.loads(payload) == said(about=mail("Jane@Example.com", "mail-0"))
    events = rows(engine, "SELECT kind, mail_id, status, effect FROM feedback_event")
    assert events == [("bounce", "mail-0", "5.1.1", "hard")]


def test_repetition_changes_nothing(engine: sa.Engine) -> None:
    recording = store(engine)
    twice = [decode(body) for s in SCHEMAS for body in (json.dumps(said(schema=s)),) * 2]
    assert recording.record(twice, AT) == bounces(
        duplicates=3, suppressed=1, struck_rows=1, reasons=UNKNOWN
    )
    before = rows(engine, "SELECT * FROM feedback_address")
    assert recording.record(twice, AT + DAY) == Recorded(duplicates=4)
    assert recording.record([decode(in_sns(said()))], AT) == Recorded(duplicates=1)
    assert rows(engine, "SELECT * FROM feedback_address") == before


def test_what_was_new_is_counted_by_kind_and_reason(engine: sa.Engine) -> None:
    recording = store(engine)
    message = said()
    message["bounce"]["bouncedRecipients"] = [
        {"emailAddress": f"{name}@example.com", "status": "5.1.1"} for name in ("jane", "mary")
    ]
    told = [
        decode(json.dumps(message)),
        decoded(Scenario.COMPLAINT, 1, "ann@example.com"),
        decoded(Scenario.COMPLAINT, 2, "jane@example.com"),
        decoded(Scenario.SUCCESS, 3, "bob@example.com"),
        decoded(Scenario.MAILBOX_FULL, 4, "bob@example.com"),
    ]
    recorded = recording.record(told[:3] + told[1:], AT + 4 * DAY)
    assert (recorded.events, recorded.duplicates, recorded.suppressed) == (6, 2, 3)
    assert recorded.kinds == {"bounce": 3, "complaint": 2, "delivery": 1}
    assert recorded.reasons == {"complaint_abuse": 2, "no_such_mailbox": 1}
    again = recording.record([*told, decoded(Scenario.BOUNCE, 5, "ann@example.com")], AT + 5 * DAY)
    # Ann is suppressed already: that there is another reason now is no suppression.
    assert (again.kinds, again.reasons, again.duplicates) == ({"bounce": 1}, {}, 6)
    assert recording.sweep(AT + 5 * DAY) == Recorded()


def test_counts_by_kind_and_reason_are_added() -> None:
    total = Recorded(kinds={"bounce": 1}, reasons={"mailbox_full": 2})
    total.add(Recorded(kinds={"bounce": 2, "open": 1}, reasons={"timeout": 1}))
    assert total.kinds == {"bounce": 3, "open": 1}
    assert total.reasons == {"mailbox_full": 2, "timeout": 1}


def test_order_and_split_do_not_matter(engine: sa.Engine, tmp_path: Any) -> None:
    messages = [decoded(Scenario.MAILBOX_FULL, day) for day in (0, 1, 2, 20, 21)]
    messages += [decoded(Scenario.SUCCESS, 1.5), decoded(Scenario.SUPPRESSIONLIST, 3)]
    query = "SELECT * FROM feedback_address ORDER BY address"
    with disposed(open_database(f"sqlite:///{tmp_path}/other.sqlite3")) as other:
        one, two = store(engine, StrikeOff()), store(other, StrikeOff())
        one.record(messages, AT + 30 * DAY)
        for message in reversed(messages):
            two.record([message], AT + 40 * DAY)
        assert rows(engine, query) == rows(other, query)


def test_a_batch_of_many_recipients_is_recorded_whole(engine: sa.Engine) -> None:
    message = said()
    message["bounce"]["bouncedRecipients"] = [
        {"emailAddress": f"{i}@example.com", "status": "5.1.1"} for i in range(2500)
    ]
    recorded = store(engine).record([decode(json.dumps(message))], AT)
    assert (recorded.events, recorded.suppressed) == (2500, 2500)
    assert rows(engine, "SELECT count(*) FROM suppressed") == [(2500,)]


def test_an_event_that_says_nothing_about_a_mailbox_leaves_no_address(engine: sa.Engine) -> None:
    message = said()
    message["bounce"] |= {"bounceType": "Transient", "bounceSubType": "MessageTooLarge"}
    message["bounce"]["bouncedRecipients"] = [{"emailAddress": "jane@example.com"}]
    recorded = store(engine).record([decode(json.dumps(message))] * 2, AT)
    assert recorded == bounces(sender_faults={"message_too_large": 1}, duplicates=1)
    assert rows(engine, "SELECT * FROM feedback_address") == []


def test_messages_of_unknown_kinds_are_kept(engine: sa.Engine) -> None:
    body = '{"eventType": "Levitation", "mail": {"messageId": "m"}, "levitation": {"height": 3}}'
    store(engine).record([decode(body)], AT)
    assert rows(engine, "SELECT kind, mail_id, payload FROM feedback_message") == [
        ("unknown", "m", body)
    ]


def test_setup_messages_leave_no_trace(engine: sa.Engine) -> None:
    line = "Successfully validated SNS topic for Amazon SES event publishing."
    assert store(engine).record([decode(in_sns(line))], AT) == Recorded()
    assert rows(engine, "SELECT * FROM feedback_message") == []


def test_nothing_is_kept_of_a_batch_that_fails(engine: sa.Engine) -> None:
    recording = store(engine)
    with write(engine) as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER refuse BEFORE INSERT ON feedback_event WHEN new.address LIKE 'jane%' "
            "BEGIN SELECT raise(ABORT, 'CHECK constraint failed'); END"
        )
    with pytest.raises(RowError, match="CHECK constraint failed") as failed:
        recording.record(
            [decoded(Scenario.BOUNCE, 0, "x@example.com"), decoded(Scenario.BOUNCE)], AT
        )
    assert "jane" not in str(failed.value)
    for table in ("feedback_message", "feedback_event", "feedback_address"):
        assert rows(engine, f"SELECT * FROM {table}") == []
    assert recording.record([decoded(Scenario.BOUNCE, 0, "x@example.com")], AT).events == 1


def test_a_suppression_that_runs_out_is_restored_by_the_sweep(engine: sa.Engine) -> None:
    recording = store(engine)
    strikes = [decoded(Scenario.MAILBOX_FULL, day) for day in (0, 1, 2)]
    now = AT + 2 * DAY
    full = {"mailbox_full": 1}
    assert recording.record(strikes, now) == bounces(3, suppressed=1, struck_rows=1, reasons=full)
    assert recording.sweep(now) == Recorded()
    assert mailable(engine)["Jane@Example.com"] == 0
    assert recording.sweep(now + 15 * DAY) == Recorded(restored_rows=1)
    assert mailable(engine)["Jane@Example.com"] == 1
    assert recording.sweep(now + 15 * DAY) == Recorded()


@pytest.mark.parametrize("sql", [(STRIKE_OFF,), (None, RESTORE), (STRIKE_OFF, RESTORE)])
def test_the_sweep_does_not_go_through_all_addresses(
    engine: sa.Engine, sql: tuple[str | None, ...]
) -> None:
    recording = store(engine, StrikeOff(*sql))
    recording.record([decoded(Scenario.SUCCESS, 0, f"{n}@example.com") for n in range(1000)], AT)
    recording.record([decoded(Scenario.MAILBOX_FULL, day) for day in (0, 1, 2)], AT + 2 * DAY)
    with engine.connect() as connection:
        query = recording._propagator.pending("", AT + DAY, 10)
        text = str(query.compile(engine, compile_kwargs={"literal_binds": True}))
        plan = [row.detail for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}")]
    assert "SEARCH feedback_address USING INDEX ix_feedback_address_pending" in str(plan)
    assert "SCAN feedback_address" not in str(plan)
    assert "autoindex" not in str(plan)


def test_the_sweep_queries_the_database_even_if_there_is_nothing_to_propagate_to(
    engine: sa.Engine,
) -> None:
    recording = store(engine, StrikeOff())
    recording.record([decoded(Scenario.BOUNCE)], AT)
    assert recording.sweep(AT) == Recorded()
    with write(engine) as connection:
        connection.exec_driver_sql("DROP TABLE feedback_event")
        connection.exec_driver_sql("DROP VIEW suppressed")
        connection.exec_driver_sql("DROP TABLE feedback_address")
    with pytest.raises(StoreError, match="no such table"):
        recording.sweep(AT)


def test_a_late_message_does_not_strike_off_for_what_has_run_out(engine: sa.Engine) -> None:
    strikes = [decoded(Scenario.MAILBOX_FULL, day) for day in (0, 1, 2)]
    assert store(engine).record(strikes, AT + 60 * DAY) == bounces(3)
    assert mailable(engine)["Jane@Example.com"] == 1


def test_a_delivery_restores_what_strikes_had_suppressed(engine: sa.Engine) -> None:
    recording = store(engine)
    recording.record([decoded(Scenario.MAILBOX_FULL, day) for day in (0, 1, 2)], AT + 2 * DAY)
    recorded = recording.record([decoded(Scenario.SUCCESS, 3)], AT + 3 * DAY)
    assert recorded == Recorded(events=1, released=1, restored_rows=1, kinds={"delivery": 1})
    assert mailable(engine)["Jane@Example.com"] == 1


def test_a_statement_configured_later_catches_up(engine: sa.Engine) -> None:
    store(engine, StrikeOff()).record([decoded(Scenario.BOUNCE)], AT)
    assert mailable(engine)["Jane@Example.com"] == 1
    assert store(engine).sweep(AT) == Recorded(struck_rows=1)
    assert mailable(engine)["Jane@Example.com"] == 0


def test_an_address_that_no_row_matches_is_no_error(engine: sa.Engine) -> None:
    message = decoded(Scenario.BOUNCE, 0, "stranger@example.com")
    assert store(engine).record([message], AT) == bounces(suppressed=1, reasons=UNKNOWN)


def test_the_view_honours_expiry_by_itself(engine: sa.Engine) -> None:
    recording = store(engine)
    now = datetime.now(AT.tzinfo)
    for recipient, days_ago in (("old@example.com", 31), ("new@example.com", 29)):
        at = now - days_ago * DAY
        message = said(Scenario.SUPPRESSIONLIST, mail(recipient), at=at)
        recording.record([decode(json.dumps(message))], at)
    assert rows(engine, "SELECT address FROM suppressed") == [("new@example.com",)]


def test_the_query_for_senders_is_as_documented(engine: sa.Engine) -> None:
    store(engine).record([decoded(Scenario.BOUNCE)], AT)
    with engine.connect() as connection:
        query = sa.text("SELECT 1 FROM suppressed WHERE address = lower(:to)")
        assert connection.execute(query, {"to": "JANE@example.com"}).all() == [(1,)]
        assert connection.execute(query, {"to": "mary@example.com"}).all() == []


def test_the_lookup_answers_and_explains(engine: sa.Engine) -> None:
    recording = store(engine)
    recording.record([decoded(Scenario.SUCCESS, -1), decoded(Scenario.BOUNCE)], AT)
    lookup = Lookup(engine)
    answer = lookup.check("Jane <JANE@example.com>", AT)
    assert (answer.may_mail, answer.reason, answer.since) == (False, "no_such_mailbox", AT)
    assert lookup.check("mary@example.com", AT).may_mail
    assert [event.kind for event in lookup.why("jane@example.com")] == ["delivery", "bounce"]
    assert [a.address for a in lookup.suppressed(AT)] == ["jane@example.com"]


def test_an_expired_suppression_is_answered_with_what_it_was(engine: sa.Engine) -> None:
    store(engine).record([decoded(Scenario.SUPPRESSIONLIST)], AT)
    answer = Lookup(engine).check("jane@example.com", AT + 31 * DAY)
    assert answer.may_mail
    assert answer.why.startswith("no longer: SES did not try")


def test_commits_outlive_a_power_failure(unmigrated: sa.Engine) -> None:
    upgrade(unmigrated)
    assert rows(unmigrated, "PRAGMA journal_mode") == [("wal",)]
    assert rows(unmigrated, "PRAGMA synchronous") == [(2,)]  # FULL


def test_writers_wait_for_each_other(engine: sa.Engine) -> None:
    recording = store(engine)
    with ThreadPoolExecutor(1) as pool:
        with write(engine) as connection:
            second = pool.submit(recording.record, [decoded(Scenario.BOUNCE)], AT)
            with pytest.raises(TimeoutError):
                second.result(timeout=0.3)
            connection.exec_driver_sql("UPDATE member SET mailable = 1")
        assert second.result(timeout=60).suppressed == 1


def test_a_statement_that_fails_for_one_address_does_not_stop_the_others(
    engine: sa.Engine,
) -> None:
    with write(engine) as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER keep BEFORE UPDATE ON member WHEN old.email LIKE 'jane%' "
            "BEGIN SELECT raise(ABORT, 'jane@example.com stays'); END"
        )
    recording = store(engine)
    both = [decoded(Scenario.BOUNCE), decoded(Scenario.BOUNCE, 1, "mary@example.com")]
    recorded = recording.record(both, AT)
    assert (recorded.events, recorded.suppressed, recorded.struck_rows) == (2, 2, 1)
    assert recorded.rejected == {"SESBOUNCE_STRIKE_OFF_SQL: … stays": 1}
    assert mailable(engine) == {"Jane@Example.com": 1, "mary@example.com": 0}
    later = AT + DAY
    assert recording.sweep(later) == Recorded(rejected={"SESBOUNCE_STRIKE_OFF_SQL: … stays": 1})
    assert propagated(engine) == [(False, None, None), (True, AT, None)]
    with write(engine) as connection:
        connection.exec_driver_sql("DROP TRIGGER keep")
    assert recording.sweep(later) == Recorded(struck_rows=1)
    assert propagated(engine) == [(True, later, None), (True, AT, None)]
    assert mailable(engine)["Jane@Example.com"] == 0


def test_an_address_keeps_the_times_at_which_it_was_struck_off_and_restored(
    engine: sa.Engine,
) -> None:
    recording = store(engine)
    recording.record([decoded(Scenario.SUPPRESSIONLIST)], AT)
    assert propagated(engine) == [(True, AT, None)]
    recording.record([decoded(Scenario.SUCCESS, 1, "mary@example.com")], AT + DAY)
    recording.record([decoded(Scenario.SUPPRESSIONLIST, 2)], AT + 2 * DAY)  # known already
    assert propagated(engine) == [(True, AT, None), (False, None, None)]
    restored = AT + 60 * DAY
    assert recording.sweep(restored) == Recorded(restored_rows=1)
    assert propagated(engine)[0] == (False, AT, restored)
    # The database rejects the statement: when it last struck the address off is not known now.
    broken = store(engine, StrikeOff(STRIKE_OFF.replace("0", "9"), RESTORE))
    assert broken.record([decoded(Scenario.BOUNCE, 61)], AT + 61 * DAY).rejected
    assert propagated(engine)[0] == (False, None, restored)
    assert recording.sweep(AT + 62 * DAY) == Recorded(struck_rows=1)
    assert propagated(engine)[0] == (True, AT + 62 * DAY, restored)


def test_several_statements_are_run_in_order_or_none_of_them(engine: sa.Engine) -> None:
    with write(engine) as connection:
        connection.exec_driver_sql("CREATE TABLE log (address TEXT UNIQUE)")
        connection.exec_driver_sql("INSERT INTO log VALUES ('mary@example.com')")
    several = [STRIKE_OFF, "INSERT INTO log VALUES (:address);"]
    recording = store(engine, StrikeOff(json.dumps(several)))
    both = [decoded(Scenario.BOUNCE), decoded(Scenario.BOUNCE, 1, "mary@example.com")]
    recorded = recording.record(both, AT)
    assert recorded.struck_rows == 2
    assert recorded.rejected == {
        "SESBOUNCE_STRIKE_OFF_SQL, statement 2: UNIQUE constraint failed: log.address": 1
    }
    assert mailable(engine) == {"Jane@Example.com": 0, "mary@example.com": 1}


def test_a_table_that_vanishes_costs_no_event_and_is_caught_up_with(engine: sa.Engine) -> None:
    recording = store(engine)
    with write(engine) as connection:
        connection.exec_driver_sql("ALTER TABLE member RENAME TO members")
    gone = {"SESBOUNCE_STRIKE_OFF_SQL: no such table: member": 1}
    recorded = recording.record([decoded(Scenario.BOUNCE)], AT)
    assert recorded == bounces(suppressed=1, reasons=UNKNOWN, rejected=gone)
    assert recording.sweep(AT) == Recorded(rejected=gone)
    with write(engine) as connection:
        connection.exec_driver_sql("ALTER TABLE members RENAME TO member")
    assert recording.sweep(AT) == Recorded(struck_rows=1)
    assert mailable(engine)["Jane@Example.com"] == 0


def test_a_full_database_is_nobody_s_own_fault(engine: sa.Engine) -> None:
    recording = store(engine)
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")
        message = said()
        message["bounce"]["bouncedRecipients"] = [
            {"emailAddress": f"{i}@example.com"} for i in range(3000)
        ]
    with pytest.raises(StoreError, match="full") as failed:
        recording.record([decode(json.dumps(message))], AT)
    assert not isinstance(failed.value, RowError)


def test_one_side_configured_alone_does_not_pretend_the_other(engine: sa.Engine) -> None:
    restores = StrikeOff(None, RESTORE)
    store(engine, restores).record([decoded(Scenario.SUPPRESSIONLIST)], AT)
    assert store(engine).sweep(AT) == Recorded(struck_rows=1)
    strikes = StrikeOff(STRIKE_OFF)
    later = AT + 31 * DAY
    assert store(engine, strikes).sweep(later) == Recorded()
    assert mailable(engine)["Jane@Example.com"] == 0
    assert store(engine).sweep(later) == Recorded(restored_rows=1)


def test_a_newly_suppressed_address_is_struck_off_once_more_without_a_restore_statement(
    engine: sa.Engine,
) -> None:
    recording = store(engine, StrikeOff(STRIKE_OFF))
    recording.record([decoded(Scenario.SUPPRESSIONLIST)], AT)
    with write(engine) as connection:  # somebody takes jane in again
        connection.exec_driver_sql("UPDATE member SET mailable = 1")
    recorded = recording.record([decoded(Scenario.BOUNCE, 60)], AT + 60 * DAY)
    assert recorded == bounces(suppressed=1, struck_rows=1, reasons=UNKNOWN)


def test_restoring_names_the_address_as_it_was_struck_off(engine: sa.Engine) -> None:
    by_original = [f"UPDATE member SET mailable = {n} WHERE email = :original" for n in (0, 1)]
    recording = store(engine, StrikeOff(*by_original))
    strikes = [decoded(Scenario.MAILBOX_FULL, day, "Jane@Example.com") for day in (0, 1, 2)]
    recording.record(strikes, AT + 2 * DAY)
    assert mailable(engine)["Jane@Example.com"] == 0
    recording.record([decoded(Scenario.SUCCESS, 3)], AT + 3 * DAY)
    assert mailable(engine)["Jane@Example.com"] == 1


def test_two_things_said_of_one_recipient_are_two_events(engine: sa.Engine) -> None:
    message = said()
    hard = {"emailAddress": "jane@example.com", "status": "5.1.1", "action": "failed"}
    soft = {"emailAddress": "jane@example.com", "status": "4.0.0", "action": "delayed"}
    message["bounce"]["bouncedRecipients"] = [hard, soft]
    recorded = store(engine).record([decode(json.dumps(message))], AT)
    assert (recorded.events, recorded.suppressed) == (2, 1)


def test_a_repeated_event_with_a_later_time_is_logged_with_the_time_that_its_state_has(
    engine: sa.Engine,
) -> None:
    recording = store(engine)
    for seconds in (2, 0, 1):
        at = AT + timedelta(seconds=seconds)
        recording.record([decode(json.dumps(said(at=at)))], AT)
    query = "SELECT occurred_at FROM feedback_event"
    assert rows(engine, query) == rows(engine, "SELECT suppressed_since FROM feedback_address")


@pytest.mark.parametrize("kind", ["TABLE feedback_address (id)", "TABLE suppressed (id)"])
def test_a_name_that_is_taken_is_an_error(unmigrated: sa.Engine, kind: str) -> None:
    with write(unmigrated) as connection:
        connection.exec_driver_sql(f"CREATE {kind}")
    with pytest.raises(StoreError, match="or give sesbounce another database"):
        upgrade(unmigrated)


def test_asking_changes_nothing_of_a_database(tmp_path: Any) -> None:
    with closing(sqlite3.connect(tmp_path / "theirs.sqlite3")) as connection:
        connection.execute("CREATE TABLE feedback_address (address)")
    with (
        disposed(open_database(f"sqlite:///{tmp_path}/theirs.sqlite3", read_only=True)) as opened,
        opened.connect() as theirs,
    ):
        assert theirs.exec_driver_sql("PRAGMA journal_mode").scalar() == "delete"


def test_a_database_that_can_not_be_opened_is_an_error(tmp_path: Any) -> None:
    with (
        disposed(open_database(f"sqlite:///{tmp_path}")) as engine,
        pytest.raises(
            StoreError,
            match=r"unable to open database file\. To repair it, let the user of this process "
            "enter the database's folder, read the file",
        ),
    ):
        upgrade(engine)


def test_a_database_that_may_not_be_changed_says_what_to_permit(tmp_path: Any) -> None:
    file = tmp_path / "sesbounce.sqlite3"
    with disposed(open_database(f"sqlite:///{file}")) as engine:
        upgrade(engine)
    with (
        disposed(open_database(f"sqlite:///file:{file}?mode=ro&uri=true")) as engine,
        pytest.raises(
            StoreError,
            match=r"readonly database\. To repair it, .*, write to both",
        ),
        translated("nothing was recorded"),
        write(engine) as connection,
    ):
        connection.exec_driver_sql("DELETE FROM feedback_event")


@pytest.mark.parametrize("read_only", [False, True])
def test_a_folder_that_may_not_be_entered_is_named(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, read_only: bool
) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "exists", refuse)
    monkeypatch.setattr(Path, "is_dir", refuse)
    file = tmp_path / "sesbounce.sqlite3"
    with pytest.raises(StoreError, match=f"may not enter the folder of the database {file} "):
        open_database(f"sqlite:///{file}", read_only=read_only)


def test_a_folder_that_is_not_there_is_named(tmp_path: Any) -> None:
    with pytest.raises(StoreError, match=f"there is no folder {tmp_path}/none for the database"):
        open_database(f"sqlite:///{tmp_path}/none/sesbounce.sqlite3")


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///file:{}/x?uri=true"])
def test_neither_memory_nor_a_uri_is_taken_for_a_path(tmp_path: Any, url: str) -> None:
    with disposed(open_database(url.format(tmp_path))) as engine, engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("nonsense", "not a database URL"),
        ("sqlite+foo:///x", "should begin with"),
        ("sqlite:///x?timeout=soon", "not a database URL"),
        ("oracle://h/d", "should begin with sqlite, postgresql or mysql"),
    ],
)
def test_wrong_urls_are_configuration_errors(url: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=f"SESBOUNCE_DATABASE_URL.*{problem}"):
        open_database(url)


def test_reading_does_not_make_a_database(tmp_path: Any) -> None:
    with pytest.raises(StoreError, match="there is no database"):
        open_database(f"sqlite:///{tmp_path}/none.sqlite3", read_only=True)
    assert list(tmp_path.iterdir()) == []
