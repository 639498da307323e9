"""What tests of the gate share: counts as the worker would have written them."""

from datetime import datetime

import sqlalchemy as sa

from sesbounce.policy.outage import hour_of
from sesbounce.policy.tally import OUTCOMES, SenderHour
from sesbounce.store.engine import write
from sesbounce.store.senders import add_numbers

ACCOUNT, REGION, IDENTITY = "111122223333", "eu-west-1", "news.example.com"


def count(
    engine: sa.Engine,
    at: datetime,
    identity: str = IDENTITY,
    region: str = REGION,
    **numbers: int,
) -> None:
    """Add numbers by the names of their columns to those of a sender."""
    cell = SenderHour(hour_of(at), ACCOUNT, region, identity)
    with write(engine) as connection:
        add_numbers(connection, {cell: [numbers.get(name, 0) for name in OUTCOMES]}, {})
