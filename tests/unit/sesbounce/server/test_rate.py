import pytest

from sesbounce.server import rate as module
from sesbounce.server.rate import RateLimit


def test_a_limit_may_let_few_through_at_once() -> None:
    now = [0.0]
    limit = RateLimit(0.5, lambda: now[0], at_once=3)
    assert [limit.wait("x") for _ in range(4)] == [0, 0, 0, 2]
    now[0] += 2
    assert [limit.wait("x") for _ in range(2)] == [0, 2]
    assert limit.wait("y") == 0


def test_it_forgets_clients_that_asked_long_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_CLIENTS", 3)
    now = [0.0]
    limit = RateLimit(1, lambda: now[0], at_once=2)
    assert [limit.wait(client) for client in "abbbc"] == [0, 0, 0, 1, 0]
    now[0] = 1.5
    assert limit.wait("b") == 0  # still known: one request came back, not two
    assert limit.wait("b") == 0.5
    now[0] = 3
    assert limit.wait("d") == 0
    assert set(limit._left) == {"b", "d"}
