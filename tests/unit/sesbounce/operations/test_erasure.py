import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from scripts.local.ses_messages import Scenario
from sesbounce import client
from sesbounce.cli import main
from sesbounce.errors import ConfigurationError
from sesbounce.feedback.address import parse
from sesbounce.feedback.decode import decode
from sesbounce.feedback.manual import decide
from sesbounce.feedback.reason import Reason
from sesbounce.feedback.recording import Recording
from sesbounce.operations import erasure
from sesbounce.operations.erasure import Erased, Erasure, forget, truncate_log
from sesbounce.operations.rebuild import Rebuild
from sesbounce.privacy.keyed_hash import HashKeys
from sesbounce.privacy.mentions import ERASED
from sesbounce.store.addresses import HASH_KEYS
from sesbounce.store.engine import open_database, write
from sesbounce.store.lookup import Lookup
from sesbounce.store.outbox import Outbox
from sesbounce.store.result import Recorded
from sesbounce.store.schema import metadata
from sesbounce.store.store import Store
from sesbounce.store.strike_off import StrikeOff
from tests import stored
from tests.stored import DAY, decoded, rows
from tests.support import AT, bounce, mail, said

NOW = AT + 3 * DAY
KEY, OLDER = "k" * 32, "o" * 32
KEYS = HashKeys([KEY])
JANE = "jane@example.com"
NAME = KEYS.hashes(JANE)[0].pseudonym


def store(engine: sa.Engine, keys: HashKeys = KEYS, outbox: Outbox | None = None) -> Store:
    return stored.store(engine, outbox=outbox, keys=keys)


def everything(engine: sa.Engine) -> str:
    """All that sesbounce's tables hold, in lower case."""
    held = {name: rows(engine, f"SELECT * FROM {name}") for name in sorted(metadata.tables)}
    return repr(held).lower()


def mailable(engine: sa.Engine) -> int:
    ((jane,),) = rows(engine, "SELECT mailable FROM member WHERE email LIKE 'Jane%'")
    return int(jane)


def forgotten(engine: sa.Engine, *addresses: str, keys: HashKeys = KEYS) -> Erasure:
    return forget(store(engine, keys), keys, [parse(a) for a in addresses or (JANE,)], NOW, "ann")


def answers(engine: sa.Engine, keys: HashKeys = KEYS, address: str = JANE) -> tuple[bool, bool]:
    lookup = Lookup(engine, keys)
    return lookup.check(address, NOW).may_mail, lookup.may_mail([address], NOW)[address]


def several() -> dict[str, Any]:
    """A bounce of two, one of whom forwards to the other."""
    message = said(about=mail(message_id="several"))
    message["mail"]["destination"] = [JANE, "mary@example.com"]
    message["bounce"]["bouncedRecipients"] = [
        {"emailAddress": "mary@example.com", "diagnosticCode": "550 <JANE@example.com> unknown"},
        {"emailAddress": f"Jane Doe <{JANE}>", "status": "5.1.1"},
    ]
    return message


def all_sorts() -> list[Recording]:
    opened = {"eventType": "Open", "mail": said()["mail"], "open": {"userAgent": "x"}}
    unknown = {"eventType": "Levitation", "mail": {"destination": [f"x <{JANE}>"]}}
    return [
        *(decoded(s, n / 10) for n, s in enumerate(Scenario)),
        *(decode(json.dumps(message)) for message in (several(), opened, unknown)),
        decide(JANE, Reason.SUPPRESSED_BY_HAND, AT, by="jane herself", note="jane asked"),
        decide("mary@example.com", Reason.SUPPRESSED_BY_HAND, AT, note=f"as {JANE}"),
        decoded(Scenario.BOUNCE, 1, "mary.jane@example.com"),
    ]


@pytest.mark.parametrize(
    "written", ["ja\u200bne@exam\u00adple.com", "jane(Doe)@example.com", "jane @ example.com;"]
)
def test_messages_about_her_go_however_they_write_her(engine: sa.Engine, written: str) -> None:
    store(engine).record([decoded(Scenario.BOUNCE, 1, written)], NOW)
    (erased,) = forgotten(engine).addresses
    assert (erased.events, erased.suppressed) == (1, True)
    assert rows(engine, "SELECT payload FROM feedback_message") == [(ERASED,)]
    assert repr(written)[1:-1].lower() not in everything(engine)


def test_nothing_names_her_and_she_stays_suppressed(engine: sa.Engine) -> None:
    recording = store(engine)
    recording.record(all_sorts(), NOW)
    (was,) = rows(engine, f"SELECT suppressed_since, reason FROM suppressed WHERE address='{JANE}'")
    assert JANE in everything(engine)

    done = forgotten(engine)
    (erased,) = done.addresses
    assert (erased.name, erased.events, erased.suppressed) == (NAME, 9, True)
    assert (done.messages, done.waiting) == (9, 0)
    assert done.mentions == 3  # two events about mary, and what is known of her
    left = everything(engine).replace("mary.jane", "")
    assert "jane" not in left
    assert "mary@example.com" in left

    (is_,) = rows(engine, f"SELECT suppressed_since, reason FROM suppressed WHERE address='{NAME}'")
    assert is_ == was
    assert answers(engine) == (False, False)
    assert answers(engine, address="Jane Doe <JANE@example.com>") == (False, False)
    assert answers(engine, address="mary.jane@example.com") == (False, False)
    assert answers(engine, address="stranger@example.com") == (True, True)
    assert Lookup(engine, KEYS).check(JANE, NOW).address == JANE
    assert len(Lookup(engine, KEYS).why(JANE)) == 9

    after = everything(engine)
    assert forgotten(engine).addresses == [Erased(NAME, 0, suppressed=True, why=erased.why)]
    assert everything(engine) == after


def test_repeated_or_new_events_do_not_bring_her_back(engine: sa.Engine) -> None:
    recording = store(engine)
    recording.record(all_sorts(), NOW)
    forgotten(engine)
    events = rows(engine, "SELECT count(*) FROM feedback_event")
    assert recording.record(all_sorts(), NOW).events == 0
    assert rows(engine, "SELECT count(*) FROM feedback_event") == events

    named_elsewhere = said(Scenario.SUCCESS, mail("mary@example.com", "later"))
    named_elsewhere["mail"]["commonHeaders"]["to"] = ["Mary, Jane <JANE@example.com>"]
    more = [
        decoded(Scenario.COMPLAINT, 40),
        decode(json.dumps(named_elsewhere)),
        decide("x@example.com", Reason.ALLOWED_BY_HAND, NOW, note="not jane@example.com"),
    ]
    assert recording.record(more, NOW + 40 * DAY).events == 3
    assert "jane" not in everything(engine).replace("mary.jane", "")
    assert rows(engine, f"SELECT reason FROM suppressed WHERE address = '{NAME}'") == [
        ("complaint_abuse",)
    ]


def test_a_log_that_is_rebuilt_says_the_same(engine: sa.Engine) -> None:
    recording = store(engine)
    recording.record([*all_sorts(), *(decoded(Scenario.MAILBOX_FULL, d) for d in range(3))], NOW)
    forgotten(engine)
    before = everything(engine)
    for reclassify in (False, True):
        assert list(Rebuild(recording, NOW, reclassify=reclassify).apply()) == []
        assert everything(engine) == before
    with write(engine) as connection:
        connection.exec_driver_sql(f"DELETE FROM feedback_address WHERE address = '{NAME}'")
    list(Rebuild(recording, NOW).apply())
    assert answers(engine) == (False, False)


def test_the_bytes_are_gone_from_the_file(engine: sa.Engine, url: str) -> None:
    recording = store(engine)
    many = [decoded(Scenario.BOUNCE, n, f"{n}@example.org") for n in range(200)]
    recording.record([*many, *all_sorts()], NOW)
    forgotten(engine)
    truncate_log(engine)
    with write(engine) as connection:  # the sender's own table is the sender's affair
        connection.exec_driver_sql("PRAGMA secure_delete = ON")
        connection.exec_driver_sql("DELETE FROM member")
    truncate_log(engine)
    path = sa.make_url(url).database or ""
    content = b"".join(file.read_bytes() for file in Path(path).parent.glob(f"{Path(path).name}*"))
    content = content.lower().replace(b"mary.jane@example.com", b"")
    assert b"200@example.org" not in content
    assert b"199@example.org" in content
    assert b"jane@example.com" not in content


def test_the_sender_s_tables_get_her_address_when_she_is_released(engine: sa.Engine) -> None:
    recording = store(engine)
    recording.record([decoded(Scenario.BOUNCE)], NOW)
    forgotten(engine)
    assert mailable(engine) == 0
    assert recording.record([decide(JANE, Reason.ALLOWED_BY_HAND, NOW)], NOW) == Recorded(
        events=1, released=1, restored_rows=1, kinds={"manual": 1}
    )
    assert mailable(engine) == 1
    assert answers(engine) == (True, True)
    again = decoded(Scenario.COMPLAINT, 9)
    assert recording.record([again], NOW + 9 * DAY).struck_rows == 1
    assert "jane" not in everything(engine)


def test_who_was_not_struck_off_yet_is_so_when_forgotten(engine: sa.Engine) -> None:
    stored.store(engine, StrikeOff()).record([decoded(Scenario.BOUNCE)], NOW)
    forgotten(engine)
    assert mailable(engine) == 0
    assert stored.propagated(engine)[-1] == (True, NOW, None)
    assert store(engine).sweep(NOW) == Recorded()


def test_the_time_at_which_she_was_struck_off_stays(engine: sa.Engine) -> None:
    at = NOW - 30 * DAY
    store(engine).record([decoded(Scenario.BOUNCE, -31)], at)
    forgotten(engine)
    assert stored.propagated(engine)[-1] == (True, at, None)


def test_targets_get_her_address_or_no_entry(engine: sa.Engine) -> None:
    recording = store(engine, outbox=Outbox(["webhook"]))
    recording.record([decoded(Scenario.SUPPRESSIONLIST)], NOW)
    with write(engine) as connection:  # it has been delivered
        connection.exec_driver_sql("DELETE FROM feedback_outbox")
    forgotten(engine)
    recording.sweep(NOW + 60 * DAY)
    assert rows(engine, "SELECT * FROM feedback_outbox") == []
    recording.record([decoded(Scenario.COMPLAINT, 61)], NOW + 61 * DAY)
    assert rows(engine, "SELECT address FROM feedback_outbox") == [(JANE,)]


def test_waiting_outbox_entries_are_counted_and_keep_the_address(engine: sa.Engine) -> None:
    store(engine, outbox=Outbox(["webhook"])).record([decoded(Scenario.BOUNCE)], NOW)
    assert forgotten(engine).waiting == 1
    assert rows(engine, "SELECT address FROM feedback_outbox") == [(JANE,)]


def test_who_is_unknown_leaves_nothing(engine: sa.Engine) -> None:
    done = forgotten(engine, "stranger@example.com")
    assert done.addresses == [Erased(None, 0, suppressed=False, why="nothing was known about it")]
    assert rows(engine, "SELECT address, original FROM feedback_address") == [(HASH_KEYS, "")]


def test_what_is_no_address_but_holds_one_is_forgotten_with_it(engine: sa.Engine) -> None:
    odd = bounce("Permanent", "General", emailAddress=f"{JANE}; mary@example.com;", status="5.1.1")
    recording = store(engine)
    recording.record([decode(json.dumps(odd))], NOW)
    assert JANE in rows(engine, "SELECT address FROM suppressed")[0][0]
    assert forgotten(engine).mentions == 1
    assert "jane" not in everything(engine)
    text = f"{JANE}; mary@example.com;"
    assert Lookup(engine, KEYS).may_mail([text], NOW)[text] is False
    assert Lookup(engine, KEYS).check(text, NOW).reason == "no_such_mailbox"


class TestKeys:
    def test_without_one_nothing_is_forgotten(self, engine: sa.Engine) -> None:
        store(engine, HashKeys()).record([decoded(Scenario.BOUNCE)], NOW)
        before = everything(engine)
        with pytest.raises(ConfigurationError, match="SESBOUNCE_HASH_KEY is not set"):
            forgotten(engine, keys=HashKeys())
        assert everything(engine) == before

    @pytest.mark.parametrize("keys", [HashKeys(), HashKeys([OLDER])])
    def test_a_missing_key_is_an_error_instead_of_a_wrong_answer(
        self, engine: sa.Engine, keys: HashKeys
    ) -> None:
        recording = store(engine)
        assert answers(engine, keys) == (True, True)
        recording.record([decoded(Scenario.BOUNCE)], NOW)
        forgotten(engine)
        for ask in (
            lambda: Lookup(engine, keys).check("stranger@example.com", NOW),
            lambda: Lookup(engine, keys).may_mail(["stranger@example.com"], NOW),
            lambda: store(engine, keys),
        ):
            with pytest.raises(ConfigurationError, match="SESBOUNCE_HASH_KEY does not hold"):
                ask()

    def test_a_newer_one_keeps_those_of_the_older_suppressed(self, engine: sa.Engine) -> None:
        older, both = HashKeys([OLDER]), HashKeys([KEY, OLDER])
        recording = store(engine, older)
        recording.record([decoded(Scenario.BOUNCE), decoded(Scenario.BOUNCE, 0, "mary@x.y")], NOW)
        forgotten(engine, JANE, "mary@x.y", keys=older)
        assert answers(engine, both) == (False, False)
        recording = store(engine, both)
        assert recording.record([decoded(Scenario.BOUNCE)], NOW) == Recorded(duplicates=1)
        assert recording.record([decoded(Scenario.COMPLAINT)], NOW).events == 1
        assert "jane" not in everything(engine)
        # Forgotten once more, she moves to the newer key; mary needs the older one still.
        (erased,) = forgotten(engine, keys=both).addresses
        assert (erased.name, erased.suppressed) == (NAME, True)
        assert rows(engine, f"SELECT count(*) FROM feedback_event WHERE address = '{NAME}'") == [
            (2,)
        ]
        assert answers(engine, both) == (False, False)
        with pytest.raises(ConfigurationError):
            answers(engine, KEYS)

    def test_a_worker_that_did_not_know_is_put_right(self, engine: sa.Engine) -> None:
        unaware = stored.store(engine, StrikeOff())
        recording = store(engine)
        recording.record([decoded(Scenario.BOUNCE)], NOW)
        forgotten(engine)
        unaware.record([decoded(Scenario.BOUNCE), decoded(Scenario.COMPLAINT)], NOW)
        assert JANE in everything(engine)
        assert answers(engine) == (False, False)
        assert forgotten(engine).addresses[0].events == 2
        assert "jane" not in everything(engine)
        assert rows(engine, "SELECT count(*) FROM feedback_event") == [(2,)]
        assert rows(engine, "SELECT reason FROM suppressed") == [("complaint_abuse",)]


class TestCommand:
    @pytest.fixture(autouse=True)
    def recorded(self, engine: sa.Engine, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SESBOUNCE_DATABASE_URL", url)
        monkeypatch.setenv("SESBOUNCE_HASH_KEY", KEY)
        monkeypatch.delenv("SESBOUNCE_STRIKE_OFF_SQL", raising=False)
        store(engine).record([decoded(Scenario.BOUNCE), decoded(Scenario.SUCCESS, 1, "m@x.y")], NOW)

    def sesbounce(self, *arguments: str, stdin: str = "") -> Result:
        return CliRunner().invoke(main, arguments, input=stdin, catch_exceptions=False)

    def test_it_asks_and_does_not_print_the_address(self, engine: sa.Engine) -> None:
        before = everything(engine)
        refused = self.sesbounce("forget", JANE, stdin="n\n")
        assert (refused.exit_code, everything(engine)) == (4, before)
        result = self.sesbounce(
            "forget", "Jane <JANE@Example.com>", "no@where.example", stdin="y\n"
        )
        assert result.exit_code == 0
        assert "jane" not in result.output.lower()
        lines = result.stdout.splitlines()
        first = "1: the address was forgotten in 1 event; it stays suppressed (hard bounce: no "
        assert lines[0].startswith(first)
        assert lines[1:] == [
            f"    {NAME}",
            "2: nothing was known about it",
            "1 message was emptied; 0 events about others no longer mention a forgotten address.",
        ]
        assert "jane" not in everything(engine)
        check_ = self.sesbounce("check", JANE)
        assert (check_.exit_code, check_.stdout.startswith(f"{JANE}: no (hard bounce")) == (1, True)
        assert "bounce: no_such_mailbox [[forgotten]]" in self.sesbounce("why", JANE).stdout
        assert self.sesbounce("list").stdout.startswith(f"{NAME}: no (")
        assert self.sesbounce("allow", JANE, "--by", "ann").stdout.startswith(f"{JANE}: yes (")
        assert "jane" not in everything(engine)

    def test_json_and_no_question(self) -> None:
        done = json.loads(self.sesbounce("forget", JANE, "--yes", "--json").stdout)
        assert done["addresses"][0]["name"] == NAME
        assert done["addresses"][0]["suppressed"] is True
        assert done["messages"] == 1

    def test_whole_files_and_lists_and_counts_know_her_by_her_hash(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.sesbounce("forget", JANE, "--yes")
        asked = tmp_path / "asked.csv"
        asked.write_text(f"{JANE}\nm@x.y\n")
        checked = self.sesbounce("check", "--file", str(asked)).stdout.splitlines()
        assert [line.split(",")[:2] for line in checked] == [[JANE, "no"], ["m@x.y", "yes"]]
        assert len(self.sesbounce("export").stdout.splitlines()) == 1  # the header
        counted = self.sesbounce("stats", "--by", "domain", "--json").stdout.splitlines()
        assert [json.loads(line)["group"] for line in counted] == ["[forgotten]", "x.y"]
        monkeypatch.delenv("SESBOUNCE_HASH_KEY")
        assert self.sesbounce("check", "--file", str(asked)).exit_code == 2

    def test_a_typing_error_changes_nothing_and_is_not_printed(self, engine: sa.Engine) -> None:
        before = everything(engine)
        result = self.sesbounce("forget", JANE, "jane example.com", "--yes")
        assert (result.exit_code, everything(engine)) == (2, before)
        assert result.stderr == "sesbounce: argument 2 is no address; nothing was forgotten\n"

    def test_without_a_key_it_says_how_to_make_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("SESBOUNCE_HASH_KEY")
        result = self.sesbounce("forget", JANE, "--yes")
        assert (result.exit_code, "openssl rand -hex 32" in result.stderr) == (2, True)
        monkeypatch.setenv("SESBOUNCE_HASH_KEY", f"{KEY},short-secret")
        result = self.sesbounce("forget", JANE, "--yes")
        assert (result.exit_code, "a key is too short" in result.stderr) == (2, True)
        assert "short-secret" not in result.stderr

    def test_the_client_knows_her_too(self, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sesbounce("forget", JANE, "--yes")
        try:
            assert client.may_mail([JANE, "m@x.y"]) == {JANE: False, "m@x.y": True}
            monkeypatch.delenv("SESBOUNCE_HASH_KEY")
            with pytest.raises(ConfigurationError):
                client.may_mail(["m@x.y"])
        finally:
            client.close()


def test_what_is_written_while_others_are_gone_through_is_clean_too(
    engine: sa.Engine, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the two steps a worker records; what it records must not need the second one."""
    recording = store(engine)
    recording.record([decoded(Scenario.BOUNCE)], NOW)
    other = open_database(url)
    empty: Any = erasure._empty_messages

    def meanwhile(*arguments: Any) -> int:
        emptied: int = empty(*arguments)
        messages = [decode(json.dumps(several())), decoded(Scenario.COMPLAINT)]
        store(other).record(messages, NOW)
        return emptied

    monkeypatch.setattr(erasure, "_empty_messages", meanwhile)
    forgotten(engine)
    other.dispose()
    assert rows(engine, "SELECT count(*) FROM feedback_event") == [(4,)]
    assert "jane" not in everything(engine)
