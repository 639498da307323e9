import json
import sqlite3
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from scripts.ses_messages import SCHEMAS, Scenario
from sesbounce.database import create_tables, open_database, write
from sesbounce.decode import Decoded, decode
from sesbounce.errors import ConfigurationError, StoreError
from sesbounce.lookup import Lookup
from sesbounce.policy import Policy
from sesbounce.store import Recorded, Store
from sesbounce.strike_off import StrikeOff
from tests.support import AT, in_sns, mail, said

STRIKE_OFF = "UPDATE member SET mailable = 0 WHERE lower(email) = :address"
RESTORE = "UPDATE member SET mailable = 1 WHERE lower(email) = :address"
DAY = timedelta(days=1)


def store(engine: sa.Engine, strike_off: StrikeOff | None = None) -> Store:
    made = Store(engine, Policy(), strike_off or StrikeOff(STRIKE_OFF, RESTORE))
    made.prepare()
    return made


def decoded(scenario: Scenario, day: float = 0, recipient: str = "jane@example.com") -> Decoded:
    at = AT + day * DAY
    return decode(json.dumps(said(scenario, mail(recipient, f"mail-{day}"), at=at)))


def rows(engine: sa.Engine, sql: str) -> list[Any]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(sql)]


def mailable(engine: sa.Engine) -> dict[str, int]:
    return dict(rows(engine, "SELECT email, mailable FROM member"))


def test_a_bounce_is_logged_judged_and_struck_off(engine: sa.Engine) -> None:
    recorded = store(engine).record([decoded(Scenario.BOUNCE)], AT)
    assert recorded == Recorded(events=1, suppressed=1, struck_rows=1)
    assert rows(engine, "SELECT address, reason FROM suppressed") == [
        ("jane@example.com", "no_such_mailbox")
    ]
    assert mailable(engine) == {"Jane@Example.com": 0, "mary@example.com": 1}
    ((payload,),) = rows(engine, "SELECT payload FROM notification")
    assert json.loads(payload) == said(about=mail(message_id="mail-0"))
    events = rows(engine, "SELECT kind, mail_id, status, effect FROM feedback_event")
    assert events == [("bounce", "mail-0", "5.1.1", "hard")]


def test_repetition_changes_nothing(engine: sa.Engine) -> None:
    recording = store(engine)
    twice = [decode(body) for s in SCHEMAS for body in (json.dumps(said(schema=s)),) * 2]
    assert recording.record(twice, AT) == Recorded(
        events=1, duplicates=3, suppressed=1, struck_rows=1
    )
    before = rows(engine, "SELECT * FROM address")
    assert recording.record(twice, AT + DAY) == Recorded(duplicates=4)
    assert recording.record([decode(in_sns(said()))], AT) == Recorded(duplicates=1)
    assert rows(engine, "SELECT * FROM address") == before


def test_order_and_split_do_not_matter(engine: sa.Engine, tmp_path: Any) -> None:
    messages = [decoded(Scenario.MAILBOX_FULL, day) for day in (0, 1, 2, 20, 21)]
    messages += [decoded(Scenario.SUCCESS, 1.5), decoded(Scenario.SUPPRESSIONLIST, 3)]
    other = open_database(f"sqlite:///{tmp_path}/other.sqlite3")
    one, two = store(engine, StrikeOff()), store(other, StrikeOff())
    one.record(messages, AT + 30 * DAY)
    for message in reversed(messages):
        two.record([message], AT + 40 * DAY)
    query = "SELECT * FROM address ORDER BY address"
    assert rows(engine, query) == rows(other, query)
    other.dispose()


def test_a_batch_of_many_recipients_is_recorded_whole(engine: sa.Engine) -> None:
    message = said()
    message["bounce"]["bouncedRecipients"] = [
        {"emailAddress": f"{i}@example.com", "status": "5.1.1"} for i in range(2500)
    ]
    recorded = store(engine).record([decode(json.dumps(message))], AT)
    assert (recorded.events, recorded.suppressed) == (2500, 2500)
    assert rows(engine, "SELECT count(*) FROM suppressed") == [(2500,)]


def test_what_tells_nothing_about_a_mailbox_leaves_no_address(engine: sa.Engine) -> None:
    message = said()
    message["bounce"] |= {"bounceType": "Transient", "bounceSubType": "MessageTooLarge"}
    message["bounce"]["bouncedRecipients"] = [{"emailAddress": "jane@example.com"}]
    assert store(engine).record([decode(json.dumps(message))], AT) == Recorded(events=1)
    assert rows(engine, "SELECT * FROM address") == []


def test_messages_of_unknown_kinds_are_kept(engine: sa.Engine) -> None:
    body = '{"eventType": "Levitation", "mail": {"messageId": "m"}, "levitation": {"height": 3}}'
    store(engine).record([decode(body)], AT)
    assert rows(engine, "SELECT kind, mail_id, payload FROM notification") == [
        ("unknown", "m", body)
    ]


def test_setup_messages_leave_no_trace(engine: sa.Engine) -> None:
    line = "Successfully validated SNS topic for Amazon SES event publishing."
    assert store(engine).record([decode(in_sns(line))], AT) == Recorded()
    assert rows(engine, "SELECT * FROM notification") == []


def test_nothing_is_kept_of_a_batch_that_fails(engine: sa.Engine) -> None:
    # The table's own constraint refuses the statement for every row it matches.
    failing = StrikeOff("UPDATE member SET mailable = 2 WHERE lower(email) = :address")
    recording = store(engine, failing)
    with pytest.raises(StoreError, match="CHECK constraint failed") as failed:
        recording.record(
            [decoded(Scenario.BOUNCE, 0, "x@example.com"), decoded(Scenario.BOUNCE)], AT
        )
    assert "jane" not in str(failed.value)
    for table in ("notification", "feedback_event", "address"):
        assert rows(engine, f"SELECT * FROM {table}") == []
    assert recording.record([decoded(Scenario.BOUNCE, 0, "x@example.com")], AT).events == 1


def test_a_suppression_that_runs_out_is_restored_by_the_sweep(engine: sa.Engine) -> None:
    recording = store(engine)
    strikes = [decoded(Scenario.MAILBOX_FULL, day) for day in (0, 1, 2)]
    now = AT + 2 * DAY
    assert recording.record(strikes, now) == Recorded(events=3, suppressed=1, struck_rows=1)
    assert recording.sweep(now) == Recorded()
    assert mailable(engine)["Jane@Example.com"] == 0
    assert recording.sweep(now + 15 * DAY) == Recorded(restored_rows=1)
    assert mailable(engine)["Jane@Example.com"] == 1
    assert recording.sweep(now + 15 * DAY) == Recorded()


def test_a_late_message_does_not_strike_off_for_what_has_run_out(engine: sa.Engine) -> None:
    strikes = [decoded(Scenario.MAILBOX_FULL, day) for day in (0, 1, 2)]
    assert store(engine).record(strikes, AT + 60 * DAY) == Recorded(events=3)
    assert mailable(engine)["Jane@Example.com"] == 1


def test_a_delivery_restores_what_strikes_had_suppressed(engine: sa.Engine) -> None:
    recording = store(engine)
    recording.record([decoded(Scenario.MAILBOX_FULL, day) for day in (0, 1, 2)], AT + 2 * DAY)
    recorded = recording.record([decoded(Scenario.SUCCESS, 3)], AT + 3 * DAY)
    assert recorded == Recorded(events=1, restored=1, restored_rows=1)
    assert mailable(engine)["Jane@Example.com"] == 1


def test_a_statement_configured_later_catches_up(engine: sa.Engine) -> None:
    store(engine, StrikeOff()).record([decoded(Scenario.BOUNCE)], AT)
    assert mailable(engine)["Jane@Example.com"] == 1
    assert store(engine).sweep(AT) == Recorded(struck_rows=1)
    assert mailable(engine)["Jane@Example.com"] == 0


def test_an_address_that_no_row_matches_is_no_error(engine: sa.Engine) -> None:
    message = decoded(Scenario.BOUNCE, 0, "stranger@example.com")
    assert store(engine).record([message], AT) == Recorded(events=1, suppressed=1)


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


def test_commits_outlive_a_power_failure(engine: sa.Engine) -> None:
    create_tables(engine)
    assert rows(engine, "PRAGMA journal_mode") == [("wal",)]
    assert rows(engine, "PRAGMA synchronous") == [(2,)]  # FULL


def test_writers_wait_for_each_other(engine: sa.Engine, url: str) -> None:
    other = open_database(url)
    other_raw = sqlite3.connect(url.removeprefix("sqlite:///"), timeout=0)
    with write(engine) as connection:
        connection.exec_driver_sql("UPDATE member SET mailable = 1")
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other_raw.execute("BEGIN IMMEDIATE")
    with write(other) as connection:
        connection.exec_driver_sql("UPDATE member SET mailable = 1")
    other_raw.close()
    other.dispose()


def test_a_database_that_is_not_writable_is_told(tmp_path: Any) -> None:
    engine = open_database(f"sqlite:///{tmp_path}/none/sesbounce.sqlite3")
    with pytest.raises(StoreError, match="unable to open database file"):
        create_tables(engine)


@pytest.mark.parametrize(
    ("url", "problem"),
    [("nonsense", "not a database URL"), ("postgresql://h/d", "knows sqlite only")],
)
def test_wrong_urls_are_configuration_errors(url: str, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=f"SESBOUNCE_DATABASE_URL.*{problem}"):
        open_database(url)


def test_reading_does_not_make_a_database(tmp_path: Any) -> None:
    with pytest.raises(StoreError, match="there is no database"):
        open_database(f"sqlite:///{tmp_path}/none.sqlite3", must_exist=True)
    assert list(tmp_path.iterdir()) == []
