import pytest

from sesbounce.outbound import relay
from sesbounce.worker import heartbeat, loop, poller, processes


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads and processes wait a hundredth of the time that they wait in production."""
    monkeypatch.setattr(loop, "_TAKE_SECONDS", 0.005)
    monkeypatch.setattr(loop, "_LONGEST_PAUSE_SECONDS", 0.02)
    monkeypatch.setattr(relay, "_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(poller, "_ROOM_SECONDS", 0.01)
    monkeypatch.setattr(poller, "_LONGEST_PAUSE_SECONDS", 0.02)
    monkeypatch.setattr(heartbeat, "_PERIOD_SECONDS", 0.01)
    monkeypatch.setattr(processes, "_LATE_SECONDS", 0.005)
