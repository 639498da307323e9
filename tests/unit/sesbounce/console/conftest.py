from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from tests.console import Browser, Site


@pytest.fixture
def site(engine: sa.Engine) -> Iterator[Site]:
    made = Site(engine)
    yield made
    made.close()


@pytest.fixture
def admin(site: Site) -> Browser:
    return site.with_role("admin")
