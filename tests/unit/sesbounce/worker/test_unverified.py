"""Messages whose certificate can't be fetched wait in flight; the others go on."""

import math
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric import rsa

from sesbounce.aws.received import Received
from sesbounce.aws.sns_trust import Trust
from sesbounce.aws.sqs import BatchFailures
from sesbounce.errors import CertificateError
from sesbounce.telemetry.reports import BatchDone, Resumed, Stalled
from sesbounce.worker import unverified
from sesbounce.worker.heartbeat import Heartbeat
from sesbounce.worker.loop import LoopSettings
from tests.certificates import self_signed, signed
from tests.support import until
from tests.unit.sesbounce.worker.working import Shelf, body, make, run

HOST = "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-"
AT_HAND, AWAY = f"{HOST}{'0' * 32}.pem", f"{HOST}{'1' * 32}.pem"
PATIENT = LoopSettings(pollers=1)


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


class Host:
    """Serves certificates, unless it is `away` for a URL; `hangs` makes its answers wait."""

    def __init__(self, key: rsa.RSAPrivateKey, folder: Path) -> None:
        self.pem = self_signed("sns.amazonaws.com", folder, key)[0].read_bytes()
        self.away: set[str] = set()
        self.gone: set[str] = set()
        self.fetched: list[str] = []
        self.threads: set[str] = set()
        self.hangs: dict[str, threading.Event] = {}

    def __call__(self, url: str) -> bytes:
        self.fetched.append(url)
        self.threads.add(threading.current_thread().name)
        if url in self.hangs:
            self.hangs[url].wait()
        if url in self.away:
            raise CertificateError(f"{url} can't be fetched: no route to host")
        if url in self.gone:
            raise CertificateError(f"{url} can't be fetched: HTTP status 404", lasting=True)
        return self.pem


@pytest.fixture
def host(key: rsa.RSAPrivateKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    monkeypatch.setattr(unverified, "FAILURE_SECONDS", 0.05)
    return Host(key, tmp_path)


def trust(host: Host) -> Trust:
    ticks = iter(range(0, 10**9, 60))  # no failure is remembered: the threads make the pauses
    return Trust(signatures=True, fetch=host, clock=lambda: next(ticks))


@pytest.fixture
def good(key: rsa.RSAPrivateKey) -> str:
    return signed(body(), key, AT_HAND)


@pytest.fixture
def waiting(key: rsa.RSAPrivateKey) -> str:
    return signed(body("mary@example.com"), key, AWAY)


def test_messages_wait_in_flight_and_the_others_are_committed(
    engine: sa.Engine, host: Host, good: str, waiting: str
) -> None:
    host.away.add(AWAY)
    shelf = Shelf([waiting, good, waiting])
    working = make(engine, shelf, trust(host), loop_settings=PATIENT)
    thread = run(working)
    until(lambda: len(working.of(Stalled)) >= 3 and shelf.deleted)
    assert (shelf.deleted, shelf.back) == ([good], [])
    assert {stalled.what for stalled in working.of(Stalled)} == {"certificate"}
    assert [done.messages for done in working.of(BatchDone)] == [1]
    assert working.of(Resumed) == []
    host.away.clear()
    until(lambda: len(shelf.deleted) == 3)
    assert working.of(Resumed) == [Resumed("certificate")]
    working.worker.stop()
    thread.join()
    assert (shelf.back, working.totals.failed, working.totals.undecodable) == ([], 0, 0)


def test_the_writer_never_fetches(engine: sa.Engine, host: Host, good: str, waiting: str) -> None:
    host.hangs[AWAY] = threading.Event()
    shelf = Shelf([waiting], [good])
    working = make(engine, shelf, trust(host), loop_settings=PATIENT)
    thread = run(working)
    until(lambda: shelf.deleted == [good])
    host.hangs[AWAY].set()
    until(lambda: shelf.deleted == [good, waiting])
    working.worker.stop()
    thread.join()
    assert {name.partition("-")[0] for name in host.threads} == {"fetcher"}
    assert host.fetched.count(AWAY) == 1


def test_the_heartbeat_keeps_waiting_messages_invisible(
    engine: sa.Engine, host: Host, waiting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Heartbeat, "_wait", lambda _: 0.01)
    host.away.add(AWAY)
    shelf = Shelf([waiting])
    working = make(engine, shelf, trust(host), loop_settings=PATIENT)
    thread = run(working)
    until(lambda: working.of(Stalled))
    in_flight = working.worker._in_flight
    (message,) = in_flight.visible_before(math.inf)
    for _ in range(2):
        message.visible_at = time.monotonic() + 29  # less than half of its 60 seconds
        until(lambda: not in_flight.visible_before(time.monotonic() + 30))
    assert shelf.back == [(waiting, 60)] * 2
    host.away.clear()
    until(lambda: shelf.deleted)
    working.worker.stop()
    thread.join()


def test_on_a_signal_waiting_messages_are_returned_when_no_receive_can_take_them(
    engine: sa.Engine, host: Host, waiting: str
) -> None:
    host.away.add(AWAY)
    shelf = Shelf([waiting, waiting])
    polled, answered = threading.Event(), threading.Event()

    def long_poll() -> None:
        polled.set()
        answered.wait()

    working = make(engine, shelf, trust(host), loop_settings=PATIENT)
    thread = run(working)
    until(lambda: host.fetched)
    shelf.on_receive = long_poll
    polled.wait()
    working.worker.stop()
    until(working.worker._stopping.is_set)
    time.sleep(0.1)
    assert shelf.back == []
    answered.set()
    thread.join()
    assert shelf.back == [(waiting, 0)] * 2


def test_messages_that_begin_to_wait_after_the_signal_are_returned_at_once(
    engine: sa.Engine, host: Host, waiting: str
) -> None:
    host.away.add(AWAY)
    shelf = Shelf([waiting])
    working = make(engine, shelf, trust(host), loop_settings=PATIENT)

    def stop_first() -> None:
        if not shelf.received:
            working.worker.stop()
            until(working.worker._stopping.is_set)

    shelf.on_receive = stop_first
    working.run()
    assert shelf.back == [(waiting, 0)]


def test_until_it_is_empty_a_certificate_is_not_waited_for(
    engine: sa.Engine, host: Host, waiting: str
) -> None:
    host.away.add(AWAY)
    shelf = Shelf([waiting])
    with pytest.raises(CertificateError, match="can't be fetched: no route to host"):
        make(engine, shelf, trust(host)).run()
    assert (shelf.deleted, shelf.back) == ([], [(waiting, 0)])


def test_until_it_is_empty_messages_are_verified_and_recorded(
    engine: sa.Engine, host: Host, good: str, waiting: str
) -> None:
    shelf = Shelf([good, waiting])
    assert make(engine, shelf, trust(host)).run().deleted == 2
    assert sorted(host.fetched) == [AT_HAND, AWAY]


def test_a_certificate_that_does_not_exist_costs_only_its_own_messages(
    engine: sa.Engine, host: Host, good: str, waiting: str
) -> None:
    host.gone.add(AWAY)
    shelf = Shelf([waiting, good])
    working = make(engine, shelf, Trust(signatures=True, fetch=host))
    totals = working.run()
    assert (shelf.deleted, totals.failed, working.of(Stalled)) == ([good], 1, [])
    ((returned, seconds),) = shelf.back
    assert returned == waiting
    assert 30 <= seconds <= 60


def test_a_url_that_is_not_of_aws_is_never_fetched(
    engine: sa.Engine, host: Host, key: rsa.RSAPrivateKey, good: str
) -> None:
    evil = signed(body(), key, "https://evil.example/SimpleNotificationService-0.pem")
    shelf = Shelf([evil, good])
    totals = make(engine, shelf, trust(host)).run()
    assert (shelf.deleted, totals.undecodable) == ([good], 1)
    assert host.fetched == [AT_HAND]


def test_waiting_messages_that_expire_are_left_to_their_next_receiver(
    engine: sa.Engine, host: Host, waiting: str
) -> None:
    class TwelveHoursLater(Shelf):
        def set_visibility(self, messages: Sequence[tuple[Received, int]]) -> BatchFailures:
            return BatchFailures(expired=frozenset(m.receipt for m, _ in messages))

    host.away.add(AWAY)
    shelf = TwelveHoursLater([waiting])
    settings = LoopSettings(pollers=1, visibility_seconds=1)
    working = make(engine, shelf, trust(host), loop_settings=settings)
    thread = run(working)
    until(lambda: working.of(Resumed))
    assert len(working.worker._in_flight) == 0
    working.worker.stop()
    thread.join()
    assert (shelf.deleted, shelf.back, working.totals.events) == ([], [], 0)


def test_no_more_is_received_than_there_is_room_for_while_messages_wait(
    engine: sa.Engine, host: Host, key: rsa.RSAPrivateKey
) -> None:
    host.away.add(AWAY)
    bodies = [signed(body(f"{n}@example.com"), key, AWAY) for n in range(100)]
    shelf = Shelf(*(bodies[start : start + 10] for start in range(0, 100, 10)))
    settings = LoopSettings(batch_size=10, pollers=1)
    working = make(engine, shelf, trust(host), loop_settings=settings)
    thread = run(working)
    until(lambda: len(working.of(Stalled)) >= 3)
    until(lambda: len(shelf.received) == settings.room)
    assert shelf.back == []
    host.away.clear()
    until(lambda: len(shelf.deleted) == 100)
    working.worker.stop()
    thread.join()
    assert shelf.back == []
