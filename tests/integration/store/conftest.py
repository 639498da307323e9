from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from sesbounce.store.engine import open_database
from tests.databases.fixtures import (  # noqa: F401
    database_url,
    server_database_url,
    server_urls,
)
from tests.stored import make_members


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:  # noqa: F811
    """An empty database of each kind that holds a table of the sender's own."""
    engine = open_database(database_url)
    make_members(engine, "Jane@Example.com", "mary@example.com")
    yield engine
    engine.dispose()
