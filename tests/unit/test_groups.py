from pathlib import Path

import pytest

from tests import conftest

TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize("place", sorted({*conftest.GROUP_OF, *conftest.SLOW}))
def test_whatever_is_grouped_or_slow_is_there(place: str) -> None:
    path, _, name = place.partition("::")
    assert (TESTS / path).exists()
    if name:
        assert f"def {name}(" in (TESTS / path).read_text()


def test_the_nearest_group_is_taken() -> None:
    assert conftest.group_of("tests/integration/faults/test_soak.py::test_it[x/y]") == "databases"
    assert conftest.group_of("tests/integration/faults/test_kill.py::test_it") == "faults"
    assert conftest.group_of("tests/unit/test_docs.py::test_it") == "unit/test_docs.py"
