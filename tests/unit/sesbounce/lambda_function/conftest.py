from collections.abc import Iterator
from pathlib import Path

import pytest

from sesbounce.lambda_function.function import Function


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """The environment of a function with a database of its own."""
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "sesbounce")
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", f"sqlite:///{tmp_path}/sesbounce.sqlite3")
    monkeypatch.setenv("SESBOUNCE_QUEUE_URL", "https://sqs.us-east-1.amazonaws.com/0/feedback")
    return monkeypatch


@pytest.fixture
def function(variables: pytest.MonkeyPatch) -> Iterator[Function]:
    function = Function()
    yield function
    function.close()
