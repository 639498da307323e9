"""Names dead letters in the audit, to which a person did something."""

from collections.abc import Iterator

from sesbounce.dead_letters.examining import Wanted


def subject_of(queue: str, wanted: Wanted) -> str:
    """The subject of an act.

    Args:
        queue: the name of the dead-letter queue.
        wanted: which letters the person selected.
    """
    return " ".join([queue, *_filters(wanted)])


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
