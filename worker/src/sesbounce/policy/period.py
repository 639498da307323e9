"""When a suppression counts.

Apart from the verdict, whose imports take longer than a question to the database.
"""

from datetime import datetime


def counts_at(now: datetime, since: datetime | None, until: datetime | None) -> bool:
    """Whether a suppression counts at a time.

    Args:
        now: the time.
        since: when the suppression began; None where there is none.
        until: when it ends; None where it has no end.
    """
    return since is not None and (until is None or now < until)
