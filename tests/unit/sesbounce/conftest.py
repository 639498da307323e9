import gc
import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
import structlog

from sesbounce.store.engine import open_database
from sesbounce.store.migrate import upgrade
from tests.stored import make_members

MEMBERS = ("Jane@Example.com", "mary@example.com")


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


@pytest.fixture(autouse=True)
def garbage_collector() -> Iterator[None]:
    """No test measures memory as another one has left the collector: `run` sets it up."""
    before = gc.get_threshold()
    yield
    gc.set_threshold(*before)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/sesbounce.sqlite3"


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that tests copy: that is faster than to migrate one for each of them."""
    file = tmp_path_factory.mktemp("migrated") / "sesbounce.sqlite3"
    engine = open_database(f"sqlite:///{file}")
    make_members(engine, *MEMBERS)
    upgrade(engine)
    engine.dispose()
    return file


@pytest.fixture
def engine(url: str, migrated: Path) -> Iterator[sa.Engine]:
    """A database that holds sesbounce's tables and a table of the sender's own."""
    shutil.copy(migrated, url.removeprefix("sqlite:///"))
    engine = open_database(url)
    yield engine
    engine.dispose()


@pytest.fixture
def unmigrated(url: str) -> Iterator[sa.Engine]:
    """A database that holds a table of the sender's own and nothing of sesbounce's."""
    engine = open_database(url)
    make_members(engine, *MEMBERS)
    yield engine
    engine.dispose()
