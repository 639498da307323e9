import pytest

from sesbounce.worker import heartbeat, loop, poller, processes


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The threads and processes look up a hundred times as often as in production."""
    monkeypatch.setattr(loop, "_PATIENCE_SECONDS", 0.005)
    monkeypatch.setattr(loop, "_LONGEST_PAUSE_SECONDS", 0.02)
    monkeypatch.setattr(poller, "_ROOM_PATIENCE_SECONDS", 0.01)
    monkeypatch.setattr(poller, "_LONGEST_PAUSE_SECONDS", 0.02)
    monkeypatch.setattr(heartbeat, "_PERIOD_SECONDS", 0.01)
    monkeypatch.setattr(processes, "_LOOK_UP_SECONDS", 0.005)
