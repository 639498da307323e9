"""Complaints and opt-outs that are limited to one stream, on each kind of database."""

import io
import json
import random
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from scripts.local.ses_messages import Scenario
from sesbounce.client import answers, may_mail
from sesbounce.errors import SchemaError, StoreError
from sesbounce.feedback.address import parse
from sesbounce.feedback.decode import Decoded, decode
from sesbounce.feedback.manual import decide
from sesbounce.feedback.reason import Reason
from sesbounce.feedback.recording import Recording
from sesbounce.feedback.stream import read_stream_by
from sesbounce.lists.files import event_of, read_list, write_csv, write_json_lines
from sesbounce.operations.erasure import forget
from sesbounce.operations.rebuild import Rebuild
from sesbounce.policy.verdict import Policy
from sesbounce.privacy.keyed_hash import HashKeys
from sesbounce.store import migrate
from sesbounce.store.engine import write
from sesbounce.store.listing import suppressed_among, suppressed_rows
from sesbounce.store.lookup import Filter, Lookup
from sesbounce.store.result import Recorded
from sesbounce.store.store import Store
from sesbounce.store.streams import limited_suppressions
from sesbounce.store.strike_off import StrikeOff
from tests.stored import DAY, rows, store
from tests.support import AT, mail, said

JANE, MARY = "jane@example.com", "mary@example.com"
# The simulated complaint comes a second after the mail.
SECOND = timedelta(seconds=1)
BY_SET = read_stream_by("configuration-set")
KEYS = HashKeys(["k" * 32])


def about(
    scenario: Scenario, stream: str | None = "news", day: float = 0, recipient: str = JANE
) -> Decoded:
    """A message about a mail of a stream; without one, the identity publishes it."""
    one = mail(recipient, f"mail-{day}", configuration_set=stream or "")
    message = said(scenario, one, "event" if stream else "notification", AT + day * DAY)
    return decode(json.dumps(message), stream_by=BY_SET)


def possible(stream: str | None, day: float) -> Decoded:
    """A complaint that names two recipients."""
    decoded = about(Scenario.COMPLAINT, stream, day)
    events = [msgspec.structs.replace(event, shared=True) for event in decoded.events]
    return msgspec.structs.replace(decoded, events=events)


def view(engine: sa.Engine) -> list[Any]:
    return sorted(rows(engine, "SELECT address, stream, reason FROM suppressed"))


def emptied(engine: sa.Engine) -> None:
    with write(engine) as connection:
        for table in ("feedback_stream", "feedback_event", "feedback_address", "feedback_message"):
            connection.exec_driver_sql(f"DELETE FROM {table}")


def mailable(engine: sa.Engine) -> int:
    return int(dict(rows(engine, "SELECT email, mailable FROM member"))["Jane@Example.com"])


def test_a_suppression_that_comes_to_count_for_all_streams_meanwhile_is_not_missed(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = store(engine)

    def bounced(*arguments: Any) -> Any:
        recording.record([about(Scenario.BOUNCE)], AT)
        return limited_suppressions(*arguments)

    for module in ("lookup", "listing"):
        monkeypatch.setattr(f"sesbounce.store.{module}.limited_suppressions", bounced)
    lookup = Lookup(engine)
    complaints = [about(Scenario.COMPLAINT, recipient=address) for address in (JANE, MARY)]
    for asked in ([JANE], [JANE, "ann@example.com"]):
        for ask in (lookup.may_mail, lookup.answers):
            emptied(engine)
            recording.record(complaints, AT)
            found = ask(asked, AT)[JANE]
            assert not (found if isinstance(found, bool) else found.may_mail)
        emptied(engine)
        recording.record(complaints, AT)
        assert JANE in suppressed_among(engine, asked, AT)


def test_a_complaint_of_one_stream_leaves_the_others_open(engine: sa.Engine) -> None:
    recording = store(engine)
    recorded = recording.record([about(Scenario.COMPLAINT)], AT)
    assert (recorded.events, recorded.suppressed, recorded.struck_rows) == (1, 0, 0)
    assert view(engine) == [(JANE, "news", "complaint_abuse")]
    assert mailable(engine) == 1
    lookup = Lookup(engine)
    assert lookup.check(JANE, AT, "reset").may_mail
    limited = lookup.check(JANE, AT, "news")
    assert (limited.may_mail, limited.since, limited.until) == (False, AT + SECOND, None)
    assert limited.streams == ("news",)
    assert limited.why == (
        "only in the stream news: complaint: abuse, 2026-11-20; not to be mailed again"
    )
    # Who forgets to name the stream does not mail a person who has complained.
    assert lookup.check(JANE, AT) == limited
    assert lookup.answers([JANE, MARY], AT, "reset") == {
        JANE: lookup.check(JANE, AT, "reset"),
        MARY: lookup.check(MARY, AT),
    }
    for stream, jane in (("reset", True), ("news", False), (None, False)):
        assert lookup.may_mail([JANE, MARY], AT, stream) == {JANE: jane, MARY: True}
        assert lookup.may_mail([JANE], AT, stream) == {JANE: jane}
    conservative = sa.text("SELECT 1 FROM suppressed WHERE address = lower(:to)")
    exact = sa.text(f"{conservative} AND stream IN ('', :stream)")
    with engine.connect() as connection:
        assert connection.scalar(conservative, {"to": "Jane@Example.com"}) == 1
        assert connection.scalar(exact, {"to": JANE, "stream": "news"}) == 1
        assert connection.scalar(exact, {"to": JANE, "stream": "reset"}) is None


def test_a_hard_bounce_counts_for_all_streams(engine: sa.Engine) -> None:
    recording = store(engine)
    recording.record([about(Scenario.COMPLAINT), about(Scenario.BOUNCE, "offers", 1)], AT + DAY)
    assert view(engine) == [(JANE, "", "no_such_mailbox")]
    assert mailable(engine) == 0
    answer = Lookup(engine).check(JANE, AT + DAY, "reset")
    assert (answer.may_mail, answer.streams) == (False, ())


def test_an_event_without_a_stream_counts_for_all(engine: sa.Engine) -> None:
    """The same complaint, which both the identity and the configuration set publish."""
    copies = [about(Scenario.COMPLAINT), about(Scenario.COMPLAINT, None)]
    found = []
    for order in (copies, copies[::-1]):
        recording = store(engine)
        for copy in order:
            recording.record([copy], AT)
        assert view(engine) == [(JANE, "", "complaint_abuse")]
        assert rows(engine, "SELECT stream FROM feedback_event") == [(None,)]
        found.append(rows(engine, "SELECT state, why FROM feedback_address"))
        assert list(Rebuild(recording, AT).apply()) == []
        found.append(rows(engine, "SELECT state, why FROM feedback_address"))
        emptied(engine)
    assert found == found[:1] * 4


def test_of_two_streams_of_one_event_the_log_keeps_the_first_by_name(engine: sa.Engine) -> None:
    """With `topic`, two topics may publish the same event. Upper case comes first, everywhere."""
    copies = [about(Scenario.COMPLAINT, stream) for stream in ("Zoo", "ant", "bee")]
    for order in (copies, copies[::-1]):
        recording = store(engine)
        recording.record(order[:1], AT)
        recording.record(order[1:], AT)
        assert rows(engine, "SELECT stream FROM feedback_event") == [("Zoo",)]
        assert [stream for _, stream, _ in view(engine)] == ["Zoo", "ant", "bee"]
        emptied(engine)


def test_strikes_of_a_stream_add_to_those_of_all(engine: sa.Engine) -> None:
    recording = store(engine)
    full = [about(Scenario.MAILBOX_FULL, "offers", day) for day in (0, 1)]
    recording.record([*full, possible("news", 2)], AT + 2 * DAY)
    lookup = Lookup(engine)
    answer = lookup.check(JANE, AT + 3 * DAY, "news")
    assert (answer.may_mail, answer.until) == (False, AT + 16 * DAY + SECOND)
    assert lookup.check(JANE, AT + 3 * DAY, "offers").may_mail
    assert lookup.check(JANE, AT + 17 * DAY, "news").may_mail
    assert lookup.check(JANE, AT + 17 * DAY).may_mail


def test_a_person_s_decision_lifts_what_streams_hold_against_an_address(
    engine: sa.Engine,
) -> None:
    recording = store(engine)
    recording.record([about(Scenario.COMPLAINT), about(Scenario.COMPLAINT, "offers", 2)], AT)
    recording.record([decide(JANE, Reason.ALLOWED_BY_HAND, AT + DAY)], AT + DAY)
    assert view(engine) == [(JANE, "offers", "complaint_abuse")]
    recording.record([decide(JANE, Reason.ALLOWED_BY_HAND, AT + 3 * DAY)], AT + 3 * DAY)
    assert view(engine) == []
    assert rows(engine, "SELECT * FROM feedback_stream") == []


def test_many_streams_and_addresses_are_answered_and_listed(engine: sa.Engine) -> None:
    recording = store(engine)
    messages = [about(Scenario.COMPLAINT, stream, day) for day, stream in enumerate("abc")]
    recording.record([*messages, about(Scenario.BOUNCE, "a", 5, MARY)], AT + 5 * DAY)
    lookup, now = Lookup(engine), AT + 6 * DAY
    assert lookup.check(JANE, now).streams == ("c", "b", "a")
    assert lookup.check(JANE, now).why.startswith("only in the streams c, b, a: complaint")

    def listed(**wanted: Any) -> list[tuple[str, tuple[str, ...]]]:
        found = lookup.suppressed(now, Filter(**wanted))
        return [(answer.address, answer.streams) for answer in found]

    everything = [(MARY, ()), (JANE, ("c",)), (JANE, ("b",)), (JANE, ("a",))]
    assert listed() == everything
    assert listed(limit=2) == everything[:2]
    assert listed(limit=2, offset=1) == everything[1:3]
    assert listed(offset=3) == everything[3:]
    assert listed(stream="b") == [(MARY, ()), (JANE, ("b",))]
    assert listed(since=AT + DAY) == everything[:3]
    assert listed(reason="complaint_abuse") == everything[1:]
    keys = {JANE, MARY, *(f"{n}@example.com" for n in range(1500))}
    assert set(suppressed_among(engine, keys, now)) == {JANE, MARY}
    assert set(suppressed_among(engine, keys, now, stream="b")) == {JANE, MARY}
    assert set(suppressed_among(engine, keys, now, stream="reset")) == {MARY}
    assert may_mail([JANE, MARY], engine) == {JANE: False, MARY: False}
    assert may_mail([JANE], engine, " a\n") == {JANE: False}
    assert may_mail([JANE, MARY], engine, " ") == {JANE: False, MARY: False}
    assert may_mail([JANE, MARY], engine, stream="reset") == {JANE: True, MARY: False}
    assert answers([JANE], engine, "a")[JANE].streams == ("a",)
    verdicts = lookup.verdicts(JANE, now)
    assert [(one.may_mail, one.streams) for one in verdicts] == [
        (True, ()),
        (False, ("c",)),
        (False, ("b",)),
        (False, ("a",)),
    ]
    assert [event.stream for event in lookup.why(JANE)] == ["a", "b", "c"]


def test_another_policy_changes_the_verdicts_of_streams(engine: sa.Engine) -> None:
    store(engine).record([possible("news", 0)], AT)
    strict = Store(engine, Policy(possible_complaint="suppress"), StrikeOff())
    expected = [("suppressed", JANE, "news")]
    previewed = list(Rebuild(strict, AT).preview())
    assert [(one.change, one.address, one.stream) for one in previewed] == expected
    assert view(engine) == []
    rebuilding = Rebuild(strict, AT)
    assert list(rebuilding.apply()) == previewed
    assert (rebuilding.totals.suppressed, rebuilding.totals.reworded) == (1, 1)
    assert view(engine) == [(JANE, "news", "complaint_abuse")]
    back = list(Rebuild(store(engine), AT).apply())
    assert [(one.change, one.stream) for one in back] == [("released", "news")]
    assert view(engine) == []


def test_a_rebuild_restores_lost_rows_from_the_log(engine: sa.Engine) -> None:
    recording = store(engine)
    recording.record([about(Scenario.COMPLAINT), about(Scenario.COMPLAINT, "offers", 1)], AT + DAY)
    tables = ("feedback_stream", "feedback_address")
    expected = [rows(engine, f"SELECT * FROM {table}") for table in tables]
    with write(engine) as connection:
        for table in tables:
            connection.exec_driver_sql(f"DELETE FROM {table}")
    changes = list(Rebuild(recording, AT + DAY).apply())
    assert [(one.change, one.stream) for one in changes] == [
        ("suppressed", "news"),
        ("suppressed", "offers"),
    ]
    assert [rows(engine, f"SELECT * FROM {table}") for table in tables] == expected


def test_a_forgotten_address_stays_suppressed_in_its_stream(engine: sa.Engine) -> None:
    recording = store(engine, keys=KEYS)
    recording.record([about(Scenario.COMPLAINT)], AT)
    (erased,) = forget(recording, KEYS, [parse(JANE)], AT, "ann").addresses
    assert (erased.events, erased.suppressed) == (1, True)
    assert erased.why.startswith("only in the stream news: complaint")
    assert [(address, stream) for address, stream, _ in view(engine)] == [(erased.name, "news")]
    lookup = Lookup(engine, KEYS)
    assert not lookup.check(JANE, AT, "news").may_mail
    assert lookup.check(JANE, AT, "reset").may_mail
    assert set(suppressed_among(engine, {JANE}, AT, KEYS)) == {JANE}
    recording.record([about(Scenario.COMPLAINT, "offers", 1)], AT + DAY)
    assert lookup.check(JANE, AT + DAY).streams == ("offers", "news")
    again = forget(recording, KEYS, [parse(JANE)], AT + DAY, "ann").addresses
    assert [one.name for one in again] == [erased.name]
    assert lookup.check(JANE, AT + DAY).streams == ("offers", "news")
    assert JANE not in repr(rows(engine, "SELECT * FROM feedback_stream"))


@pytest.mark.parametrize("written", [write_csv, write_json_lines])
def test_an_export_reads_back_to_the_same_suppressions(engine: sa.Engine, written: Any) -> None:
    recording = store(engine)
    full = [about(Scenario.MAILBOX_FULL, None, day) for day in (0, 1)]
    recording.record([*full, possible("news", 2)], AT + 2 * DAY)
    recording.record([about(Scenario.COMPLAINT, "news", 3, MARY)], AT + 3 * DAY)
    now = AT + 4 * DAY
    expected = rows(engine, "SELECT address, stream, suppressed_since, reason FROM suppressed")
    assert len(expected) == 2
    text = io.StringIO()
    written(suppressed_rows(engine, now), text)
    emptied(engine)
    read = read_list(io.StringIO(text.getvalue()))
    listed = list(read.rows)
    assert [row.problem for row in listed] == [None, None]
    entries = [entry for row in listed for entry in row.entries]
    events = [event_of(entry, read.format, now, now) for entry in entries]
    recording.record([Recording(events)], now)
    found = rows(engine, "SELECT address, stream, suppressed_since, reason FROM suppressed")
    assert sorted(found) == sorted(expected)


def test_the_view_is_part_of_the_query_that_asks_it(engine: sa.Engine) -> None:
    """No database makes a table of the whole view to answer for one address."""
    migrate.upgrade(engine)
    explain = "EXPLAIN QUERY PLAN" if engine.dialect.name == "sqlite" else "EXPLAIN"
    missing = "NOT EXISTS (SELECT 1 FROM suppressed s WHERE s.address = lower(m.email))"
    for query in (
        "SELECT 1 FROM suppressed WHERE address = 'jane@example.com' AND stream IN ('', 'news')",
        f"SELECT 1 FROM member m WHERE {missing}",
    ):
        plan = repr(rows(engine, f"{explain} {query}")).lower()
        for word in ("derived", "materialize", "co-routine", "append", "union"):
            assert word not in plan


def test_a_suppression_in_all_streams_hides_those_of_one(engine: sa.Engine) -> None:
    """The view has one row for an address that must not be mailed at all, until that ends."""
    recording = store(engine)
    recording.record([about(Scenario.COMPLAINT, day=-3001)], AT)
    full = [about(Scenario.MAILBOX_FULL, "offers", day) for day in (-3000, -2999, -2998)]
    recording.record(full, AT)
    assert view(engine) == [(JANE, "news", "complaint_abuse")]
    recording.record([about(Scenario.SUPPRESSIONLIST, "offers", 365 * 100)], AT)
    assert [(address, stream) for address, stream, _ in view(engine)] == [(JANE, "")]
    assert Lookup(engine).check(JANE, AT + DAY, "offers").may_mail is False


def test_any_order_and_split_over_writers_gives_the_same_rows(engine: sa.Engine) -> None:
    scenarios = (Scenario.COMPLAINT, Scenario.COMPLAINT, Scenario.MAILBOX_FULL, Scenario.SUCCESS)
    people = [JANE, MARY, *(f"{n}@example.com" for n in range(40))]
    choose = random.Random(7)
    messages = [
        about(
            choose.choice(scenarios),
            choose.choice([*["news", "offers", "reset", "Reset"] * 6, None]),
            choose.randrange(30),
            choose.choice(people),
        )
        for _ in range(400)
    ]

    def tables() -> list[Any]:
        return [
            sorted(rows(engine, "SELECT * FROM feedback_stream")),
            sorted(rows(engine, "SELECT address, state, why FROM feedback_address")),
            sorted(rows(engine, "SELECT dedupe_key, coalesce(stream, '') FROM feedback_event")),
        ]

    recording = store(engine, StrikeOff())
    recording.record(messages, AT + 30 * DAY)
    expected = tables()
    assert all(expected)
    emptied(engine)
    shuffled = messages * 2
    choose.shuffle(shuffled)
    batches = [shuffled[i : i + 23] for i in range(0, len(shuffled), 23)]
    with ThreadPoolExecutor(4) as writers:
        list(writers.map(lambda batch: recording.record(batch, AT + 30 * DAY), batches))
    assert tables() == expected
    assert list(Rebuild(recording, AT + 30 * DAY).apply()) == []
    assert tables() == expected


def without_accounts(engine: sa.Engine) -> None:
    """Empty the column that version 0008 has added, so that a downgrade loses nothing."""
    with write(engine) as connection:
        connection.exec_driver_sql("UPDATE feedback_event SET account_id = NULL")


class TestMigration:
    def test_the_view_gets_the_column_and_keeps_its_rows(self, engine: sa.Engine) -> None:
        recording = store(engine)
        recording.record([about(Scenario.BOUNCE)], AT)
        recording.record([about(Scenario.MAILBOX_FULL, recipient=MARY)], AT)
        before = "SELECT address, reason, suppressed_since, suppressed_until, why FROM suppressed"
        expected = rows(engine, before)
        without_accounts(engine)
        migrate.downgrade(engine, "0006")
        assert rows(engine, "SELECT * FROM suppressed") == expected
        # Whether a stream suppresses her can't be known without the table that holds it.
        with pytest.raises(SchemaError, match="run `sesbounce db upgrade`"):
            may_mail([JANE, MARY], engine)
        migrate.upgrade(engine)
        assert rows(engine, before) == expected
        assert view(engine) == [(JANE, "", "no_such_mailbox")]
        assert migrate.drift(engine) == []
        assert recording.record([about(Scenario.BOUNCE)], AT) == Recorded(duplicates=1)

    def test_a_downgrade_loses_no_complaint_of_a_stream(self, engine: sa.Engine) -> None:
        recording = store(engine)
        recording.record([about(Scenario.COMPLAINT)], AT)
        without_accounts(engine)
        with pytest.raises(
            StoreError, match="would lose data: empty the streams in the column state"
        ):
            migrate.downgrade(engine, "0006")
        assert migrate.current(engine) == migrate.newest()
        assert view(engine) == [(JANE, "news", "complaint_abuse")]
        # Evidence that counts for all streams, and is as late, takes its place.
        recording.record([about(Scenario.COMPLAINT, None, 1)], AT + DAY)
        without_accounts(engine)
        migrate.downgrade(engine, "0006")
        assert rows(engine, "SELECT address FROM suppressed") == [(JANE,)]
