import pytest

from tests.bench.threads import kind_of


@pytest.mark.parametrize(
    ("name", "kind"),
    [("poller-3", "poller"), ("deleter-11", "deleter"), ("heartbeat", "heartbeat")],
)
def test_threads_that_do_the_same_are_of_one_kind(name: str, kind: str) -> None:
    assert kind_of(name) == kind
