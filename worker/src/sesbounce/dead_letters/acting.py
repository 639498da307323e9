"""Records in the audit what a person did with dead letters."""

from collections.abc import Iterator
from datetime import datetime

import sqlalchemy as sa

from sesbounce.dead_letters.examining import Wanted
from sesbounce.store.acts import Act, Done, record_alone


def record_act(  # noqa: PLR0913, PLR0917  who, what, when, with which letters
    engine: sa.Engine, act: Act, at: datetime, by: str, queue: str, wanted: Wanted, number: int
) -> None:
    """Record what a person did with dead letters, in a transaction of its own.

    Args:
        engine: the database.
        act: what was done.
        at: when, UTC.
        by: the person.
        queue: the name of the dead-letter queue.
        wanted: which letters the person selected.
        number: how many letters it was done to.

    Raises:
        StoreError: the database can't be used.
    """
    subject = " ".join([queue, *_filters(wanted)])
    record_alone(engine, Done(act=act, at=at, by=by, subject=subject, number=number))


def _filters(wanted: Wanted) -> Iterator[str]:
    """The filters, as `name=value`."""
    if wanted.since:
        yield f"since={wanted.since:%Y-%m-%dT%H:%M:%SZ}"
    if wanted.before:
        yield f"before={wanted.before:%Y-%m-%dT%H:%M:%SZ}"
    yield from (f"code={code}" for code in sorted(wanted.codes))
    yield from (f"fingerprint={fingerprint}" for fingerprint in sorted(wanted.fingerprints))
    if wanted.understood is not None:
        yield f"understood={'yes' if wanted.understood else 'no'}"
    if wanted.ids:
        yield f"ids={len(wanted.ids)}"
