"""What tests of the store share: a store, the sender's own table, events, and reads of both."""

import json
from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from scripts.local.ses_messages import Scenario
from sesbounce.feedback.decode import Decoded, decode
from sesbounce.policy.verdict import Policy
from sesbounce.privacy.keyed_hash import NO_KEYS, HashKeys
from sesbounce.store import schema
from sesbounce.store.engine import write
from sesbounce.store.outbox import Outbox
from sesbounce.store.store import Store
from sesbounce.store.strike_off import StrikeOff
from tests.support import AT, mail, said

DAY = timedelta(days=1)
STRIKE_OFF = "UPDATE member SET mailable = 0 WHERE lower(email) = :address"
RESTORE = "UPDATE member SET mailable = 1 WHERE lower(email) = :address"
IN_MEMBER = StrikeOff(STRIKE_OFF, RESTORE)
# What of an address follows from its events. When the worker struck it off does not.
_PROPAGATED = ("struck_off", "struck_off_at", "restored_at")
OF_ADDRESSES = ", ".join(c.name for c in schema.address.c if c.name not in _PROPAGATED[1:])


def make_members(engine: sa.Engine, *emails: str) -> None:
    """Make the sender's own table, with people to whom mail may be sent."""
    with write(engine) as connection:
        connection.exec_driver_sql(
            "CREATE TABLE member (email VARCHAR(320), mailable INT NOT NULL CHECK (mailable < 2))"
        )
        for email in emails:
            connection.execute(sa.text("INSERT INTO member VALUES (:email, 1)"), {"email": email})


def store(
    engine: sa.Engine,
    strike_off: StrikeOff = IN_MEMBER,
    outbox: Outbox | None = None,
    keys: HashKeys = NO_KEYS,
    **policy: Any,
) -> Store:
    """A store whose tables exist."""
    made = Store(engine, Policy(**policy), strike_off, outbox, keys)
    made.prepare()
    return made


def decoded(scenario: Scenario, day: float = 0, recipient: str = "Jane@Example.com") -> Decoded:
    """The last message of SES in a scenario; each day is about another mail."""
    at = AT + day * DAY
    return decode(json.dumps(said(scenario, mail(recipient, f"mail-{day}"), at=at)))


def rows(engine: sa.Engine, sql: str) -> list[Any]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(sql)]


def table(engine: sa.Engine, name: str) -> list[Any]:
    """All rows of a table, in the order of its first column."""
    return rows(engine, f"SELECT * FROM {name} ORDER BY 1")


def propagated(engine: sa.Engine) -> list[Any]:
    """Whether and when each address was struck off, and restored, in the order of addresses."""
    table = schema.address.c
    query = sa.select(*(table[name] for name in _PROPAGATED)).order_by(table.address)
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(query)]
