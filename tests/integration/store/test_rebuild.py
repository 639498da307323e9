"""Rebuilding and forgetting on each kind of database, while others write."""

import json
import random
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from operator import itemgetter
from typing import Any

import pytest
import sqlalchemy as sa

from scripts.local.ses_messages import SCHEMAS, Scenario
from sesbounce.feedback.address import parse
from sesbounce.feedback.classify import Classified
from sesbounce.feedback.decode import Decoded, decode
from sesbounce.feedback.reason import Reason
from sesbounce.operations import rebuild as rebuild_module
from sesbounce.operations.erasure import forget
from sesbounce.operations.rebuild import Rebuild
from sesbounce.privacy.keyed_hash import HashKeys
from sesbounce.store import address_rows
from sesbounce.store import store as store_module
from sesbounce.store.address_rows import lock_rows
from sesbounce.store.engine import open_database, write
from sesbounce.store.event_log import insert_events
from sesbounce.store.lookup import Lookup
from sesbounce.store.schema import metadata
from sesbounce.store.store import Store
from tests import stored
from tests.stored import DAY, make_members, rows
from tests.support import AT, mail, said

NOW = AT + 60 * DAY
KEY = "k" * 32
KEYS = HashKeys([KEY])
JANE = "jane@example.com"


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    yield from opened(database_url)


@pytest.fixture
def server(server_database_url: str) -> Iterator[sa.Engine]:
    yield from opened(server_database_url)


def opened(url: str) -> Iterator[sa.Engine]:
    engine = open_database(url)
    make_members(engine, "Jane@Example.com")
    yield engine
    engine.dispose()


def store(engine: sa.Engine, keys: HashKeys = KEYS, **policy: Any) -> Store:
    return stored.store(engine, keys=keys, **policy)


def addresses(engine: sa.Engine) -> list[Any]:
    """What is known but for spellings, which a event teaches even if it counts no longer."""
    columns = "address, state, suppressed_since, suppressed_until, reason, why"
    found = [
        (address, {k: v for k, v in json.loads(state).items() if k != "spelling"}, *verdict)
        for address, state, *verdict in rows(engine, f"SELECT {columns} FROM feedback_address")
    ]
    return sorted((row for row in found if row[1]), key=itemgetter(0))


def everything(engine: sa.Engine) -> str:
    held = [rows(engine, f"SELECT * FROM {name}") for name in sorted(metadata.tables)]
    return repr(held).lower()


def emptied(engine: sa.Engine) -> None:
    with write(engine) as connection:
        for table in metadata.sorted_tables:
            connection.execute(sa.delete(table))


def messages(count: int, seed: int, people: int = 40) -> list[str]:
    """Events about few people, so that they meet."""
    chance = random.Random(seed)
    told = []
    for number in range(count):
        recipient = f"{chance.choice('Aa')}{chance.randrange(people)}@example.com"
        at = AT + timedelta(minutes=chance.randrange(60 * 24 * 50))
        scenario = chance.choice([*Scenario, *[Scenario.MAILBOX_FULL] * 4])
        about = mail(recipient, f"m{number}")
        told.append(json.dumps(said(scenario, about, chance.choice(SCHEMAS), at)))
    return told


def decoded(bodies: Sequence[str]) -> list[Decoded]:
    return [decode(body) for body in bodies]


def older(monkeypatch: pytest.MonkeyPatch, bodies: Sequence[str]) -> list[Decoded]:
    """As a version would read them that takes every bounce for one for good."""
    wrong = Classified(Reason.PERMANENT_FAILURE, "an older version")
    with monkeypatch.context() as patched:
        patched.setattr("sesbounce.feedback.extract.classify_bounce", lambda *_: wrong)
        return decoded(bodies)


def jane(scenario: Scenario, day: float = 0) -> Decoded:
    about = mail("Jane@Example.com", f"jane-{scenario}-{day}")
    return decode(json.dumps(said(scenario, about, at=AT + day * DAY)))


def test_another_policy_is_applied_to_all_and_taken_back(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuild_module, "_BATCH", 7)
    recording = store(engine)
    recording.record(decoded(messages(400, 1)), NOW)
    recording.record([jane(Scenario.MAILBOX_FULL, 57 + n) for n in range(3)], NOW)
    before = addresses(engine)
    lenient = store(engine, strikes=5)
    expected = [(c.address, c.change) for c in Rebuild(lenient, NOW).preview()]
    assert (JANE, "released") in expected
    assert addresses(engine) == before
    assert [(c.address, c.change) for c in Rebuild(lenient, NOW).apply()] == expected
    assert rows(engine, "SELECT mailable FROM member") == [(1,)]
    assert list(Rebuild(lenient, NOW).apply()) == []
    list(Rebuild(recording, NOW).apply())
    assert addresses(engine) == before
    assert rows(engine, "SELECT mailable FROM member") == [(0,)]


def test_states_that_were_lost_come_back(engine: sa.Engine) -> None:
    recording = store(engine)
    recording.record(decoded(messages(300, 2)), NOW)
    before = addresses(engine)
    with write(engine) as connection:
        connection.exec_driver_sql(
            "DELETE FROM feedback_address WHERE substr(address, 1, 2) = 'a1'"
        )
    assert addresses(engine) != before
    list(Rebuild(recording, NOW).apply())
    assert addresses(engine) == before


def test_events_are_reclassified(engine: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuild_module, "_BATCH", 7)
    bodies = messages(300, 3)
    store(engine).record(older(monkeypatch, bodies), NOW)
    rebuilding = Rebuild(store(engine), NOW, reclassify=True)
    preview = list(rebuilding.preview())
    done = Rebuild(store(engine), NOW, reclassify=True)
    assert list(done.apply()) == preview
    assert done.totals.reclassified == rebuilding.totals.reclassified
    assert "permanent_failure -> auto_reply" in done.totals.reclassified
    rebuilt = addresses(engine)
    emptied(engine)
    store(engine).record(decoded(bodies), NOW)
    assert rebuilt == addresses(engine)


def test_a_worker_may_go_on(server: sa.Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is lost between two workers and a rebuild that judges all events again."""
    monkeypatch.setattr(rebuild_module, "_BATCH", 5)
    known, new = messages(300, 4), messages(600, 5)
    store(server).record(older(monkeypatch, known), NOW)
    told = decoded([*known, *new])

    def work(seed: int) -> None:
        mine = list(told)
        random.Random(seed).shuffle(mine)
        engine = open_database(server.url.render_as_string(hide_password=False))
        worker = store(engine)
        for start in range(0, len(mine), 10):
            worker.record(mine[start : start + 10], NOW)
        engine.dispose()

    rounds = 0
    with ThreadPoolExecutor(2) as pool:
        workers = [pool.submit(work, seed) for seed in range(2)]
        while not all(worker.done() for worker in workers) or not rounds:
            list(Rebuild(store(server), NOW, reclassify=True).apply())
            rounds += 1
        for worker in workers:
            worker.result()
    rebuilt = addresses(server)
    assert list(Rebuild(store(server), NOW, reclassify=True).apply()) == []
    assert addresses(server) == rebuilt
    emptied(server)
    store(server).record(told, NOW)
    assert rebuilt == addresses(server)


def test_what_comes_just_before_the_rows_are_locked_is_not_lost(
    server: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older bounce, which the state shows no trace of: the wrong one is later."""
    full = said(Scenario.MAILBOX_FULL, mail(JANE, "full"), at=AT + DAY)
    store(server).record(older(monkeypatch, [json.dumps(full)]), NOW)
    worker = store(server)
    lock: Any = lock_rows

    def late(connection: sa.Connection, keys: Sequence[str]) -> Any:
        monkeypatch.setattr(store_module, "lock_rows", lock)
        worker.record([jane(Scenario.BOUNCE)], NOW)
        return lock(connection, keys)

    monkeypatch.setattr(store_module, "lock_rows", late)
    (change,) = Rebuild(store(server), NOW, reclassify=True).apply()
    assert (change.change, change.after.reason, change.after.since) == (
        "changed",
        Reason.NO_SUCH_MAILBOX,
        AT,
    )


def test_a_row_that_another_worker_inserts_first_is_locked_and_read(
    server: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between this worker's search for the rows of jane and joe, and its own insert of both."""
    told = [jane(Scenario.BOUNCE), decode(json.dumps(said(Scenario.BOUNCE, mail("joe@x.org"))))]
    recording, other = store(server), store(server)
    insert: Any = address_rows._insert_addresses

    def late(connection: sa.Connection, new: Any) -> Any:
        monkeypatch.setattr(address_rows, "_insert_addresses", insert)
        other.record([jane(Scenario.COMPLAINT)], NOW)
        return insert(connection, new)

    monkeypatch.setattr(address_rows, "_insert_addresses", late)
    recording.record(told, NOW)
    states = {address: state.keys() for address, state, *_ in addresses(server)}
    assert states == {JANE: {"hard", "complaint"}, "joe@x.org": {"hard"}}


def test_nobody_brings_back_who_is_being_forgotten(server: sa.Engine) -> None:
    """Two workers tell of jane, and of others in mails to jane too, while jane is forgotten."""
    told = [jane(scenario, day) for day in range(12) for scenario in Scenario]
    for number, body in enumerate(messages(60, 6)):
        message = json.loads(body)
        message["mail"]["messageId"] = f"with-{number}"
        message["mail"]["destination"].append(JANE)
        told.append(decode(json.dumps(message)))
    opens = {"eventType": "Open", "mail": said(about=mail(JANE, "m"))["mail"], "open": {}}
    told.append(decode(json.dumps(opens)))

    def work(seed: int) -> None:
        mine = list(told)
        random.Random(seed).shuffle(mine)
        engine = open_database(server.url.render_as_string(hide_password=False))
        worker = store(engine)
        for message in mine:
            worker.record([message], NOW)
            worker.sweep(NOW)
        engine.dispose()

    recording = store(server)
    recording.record([jane(Scenario.COMPLAINT)], NOW)
    with ThreadPoolExecutor(2) as pool:
        workers = [pool.submit(work, seed) for seed in range(2)]
        forget(recording, KEYS, [parse(JANE)], NOW, "ann")
        list(Rebuild(recording, NOW).apply())
        assert "jane" not in everything(server)
        for worker in workers:
            worker.result()
    assert "jane" not in everything(server)
    assert not Lookup(server, KEYS).check(JANE, NOW).may_mail
    events = sum(len(message.events) for message in told)
    assert rows(server, "SELECT count(*) FROM feedback_event") == [(events,)]


def test_whoever_forgets_waits_for_a_batch_that_does_not_know_yet(
    server: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_flight, go_on = threading.Event(), threading.Event()
    insert: Any = insert_events

    def slowly(*arguments: Any) -> Any:
        in_flight.set()
        assert go_on.wait(60)
        return insert(*arguments)

    recording = store(server)
    recording.record([jane(Scenario.COMPLAINT)], NOW)
    monkeypatch.setattr(store_module, "insert_events", slowly)
    with ThreadPoolExecutor(2) as pool:
        batch = pool.submit(recording.record, [jane(Scenario.BOUNCE)], NOW)
        assert in_flight.wait(60)
        forgetting = pool.submit(forget, recording, KEYS, [parse(JANE)], NOW, "ann")
        try:
            with pytest.raises(TimeoutError):
                forgetting.result(timeout=0.5)
        finally:
            go_on.set()
        assert batch.result().events == 1
        assert forgetting.result().addresses[0].events == 2
    assert "jane" not in everything(server)


def test_who_is_forgotten_is_found_by_the_keyed_hash(engine: sa.Engine) -> None:
    recording = store(engine)
    recording.record([jane(Scenario.COMPLAINT), *decoded(messages(50, 7))], NOW)
    (erased,) = forget(recording, KEYS, [parse(JANE)], NOW, "ann").addresses
    assert (erased.events, erased.suppressed) == (1, True)
    assert "jane" not in everything(engine)
    lookup = Lookup(engine, KEYS)
    assert not lookup.check(JANE, NOW).may_mail
    assert lookup.answers([JANE, "b@example.com"], NOW)["b@example.com"].may_mail
    recording.record([jane(Scenario.SUCCESS, 1), jane(Scenario.BOUNCE, 2)], NOW)
    assert "jane" not in everything(engine)
    assert len(lookup.why(JANE)) == 3


# As docs/data-model.md has them.
FOR_SENDERS = {
    "postgresql": (
        "SELECT 1 FROM suppressed WHERE address IN (lower(:to),"
        " 'HMAC-SHA256:' || encode(hmac(lower(:to), :key, 'sha256'), 'hex'))"
    ),
    "mysql": (
        "SELECT 1 FROM suppressed WHERE address IN (lower(:to), concat('HMAC-SHA256:',"
        " sha2(concat(unhex(:outer), unhex(sha2(concat(unhex(:inner), lower(:to)), 256))), 256)))"
    ),
}


def test_the_query_for_senders_is_as_documented(server: sa.Engine) -> None:
    dialect = server.dialect.name
    if dialect == "postgresql":
        if not rows(server, "SELECT 1 FROM pg_available_extensions WHERE name = 'pgcrypto'"):
            pytest.skip("needs pgcrypto")
        with write(server) as connection:
            connection.exec_driver_sql("CREATE EXTENSION pgcrypto")
    key = KEY.encode().ljust(64, b"\0")
    values = {
        "inner": bytes(b ^ 0x36 for b in key).hex(),
        "outer": bytes(b ^ 0x5C for b in key).hex(),
    }
    recording = store(server)
    recording.record([jane(Scenario.BOUNCE), *decoded(messages(5, 8, 1))], NOW)
    forget(recording, KEYS, [parse(JANE)], NOW, "ann")
    query = sa.text(FOR_SENDERS[dialect])
    values = {"key": KEY} if dialect == "postgresql" else values
    with server.connect() as connection:
        for to, found in (("Jane@EXAMPLE.com", [(1,)]), ("mary@example.com", [])):
            assert connection.execute(query, {"to": to} | values).all() == found
