import threading
import time

import pytest

from sesbounce.store import slow
from sesbounce.store.slow import watched


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slow, "_SLOW_SECONDS", 0.05)
    monkeypatch.setattr(slow, "_watch", slow._Watch())


def watching() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "slow"]


def wait_until_none_watches() -> None:
    deadline = time.monotonic() + 30
    while watching() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not watching()


def test_what_takes_long_is_logged_while_it_runs_and_when_it_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with watched():
        deadline = time.monotonic() + 30
        while not caplog.records and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.05)
        assert len(caplog.messages) == 1
    waits, waited = caplog.messages
    assert waits.startswith("a transaction takes more than ")
    assert waited.startswith("a transaction took ")
    wait_until_none_watches()


def test_one_thread_watches_many_which_are_not_logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slow, "_SLOW_SECONDS", 1.0)
    with watched():
        for _ in range(100):
            with watched():
                assert len(watching()) == 1
    assert not caplog.records
    wait_until_none_watches()
    with watched():
        assert len(watching()) == 1
    wait_until_none_watches()
