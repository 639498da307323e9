"""What the tests of several checks need."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.unit.sesbounce.doctor.stubbed import Answers


@pytest.fixture
def answers() -> Iterator[Any]:
    with ExitStack() as stack:
        yield Answers(stack)
