from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from sesbounce.store.tokens import Scope
from tests.api import Api, Client


@pytest.fixture
def api(engine: sa.Engine) -> Iterator[Api]:
    made = Api(engine)
    yield made
    made.close()


@pytest.fixture
def call(api: Api) -> Client:
    """A client with a token that may do everything."""
    return api.client(api.token(Scope.ADMIN))
