import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
import structlog

from sesbounce.store.engine import open_database
from tests.stored import make_members


@pytest.fixture(autouse=True)
def logs_of_its_own() -> Iterator[None]:
    """No test logs to a stream that another one has closed."""
    root, own = logging.getLogger(), logging.getLogger("sesbounce")
    handlers, levels = root.handlers[:], (root.level, own.level)
    yield
    structlog.reset_defaults()
    logging.captureWarnings(capture=False)
    root.handlers[:] = handlers
    root.setLevel(levels[0])
    own.setLevel(levels[1])


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/sesbounce.sqlite3"


@pytest.fixture
def engine(url: str) -> Iterator[sa.Engine]:
    """A database that holds a table of the sender's own."""
    engine = open_database(url)
    make_members(engine, "Jane@Example.com", "mary@example.com")
    yield engine
    engine.dispose()
