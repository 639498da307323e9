"""What must be the same in the tables, however the events came."""

from typing import Any

import sqlalchemy as sa

from tests.stored import OF_ADDRESSES, rows

KEYS = "dedupe_key, occurred_at"


def tables(
    engine: sa.Engine, of_events: str = f"{KEYS}, configuration_set, identity, region, account_id"
) -> dict[str, list[Any]]:
    """What must be the same, however the events came."""
    return {
        "addresses": rows(engine, f"SELECT {OF_ADDRESSES} FROM feedback_address ORDER BY address"),
        "events": rows(engine, f"SELECT {of_events} FROM feedback_event ORDER BY dedupe_key"),
        "messages": rows(engine, "SELECT digest FROM feedback_message ORDER BY digest"),
    }
